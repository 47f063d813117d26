/* Where not all sequences of a batch fit into a GPU's memory, fewer at a time give the same
 * answers, bit for bit. On the emulated device, whose memory can be chosen. */
#include "model/model_internal.h"
#include "unit/model/model_tiny.h"

enum { PROMPTS = 7, FITTING = 3, NEW = 6, LONGEST = 24, ROOM = 30000 };

typedef struct scene {
    tiny_model tiny;
    test_backend backend;
    int32_t ids[PROMPTS][LONGEST];
    cop_prompt prompts[PROMPTS];
} scene;

static cop_status create_f32(cop_backend **backend, cop_error *err)
{
    return cuda_test_create("cuda_host", COP_COMPUTE_F32, backend, err);
}

static cop_status create_bf16(cop_backend **backend, cop_error *err)
{
    return cuda_test_create("cuda_host", COP_COMPUTE_BF16, backend, err);
}

/* Groups of three have longer prefixes in common than all have. */
static void scene_create(scene *s, bool narrow)
{
    *s = (scene){.backend = {"emulated", narrow ? create_bf16 : create_f32}};
    tiny_create(&s->tiny, COP_BF16, COP_BF16, true);
    s->tiny.config.max_positions = ROOM + LONGEST;
    s->tiny.config.stop_count = 0;
    for (size_t i = 0; i < PROMPTS; i++) {
        const size_t shared = 4 + 5 * (i / FITTING);
        const size_t count = shared + 1 + (i * 5) % 7;
        for (size_t t = 0; t < count; t++)
            s->ids[i][t] = (int32_t)((t < shared ? t * 7 : 3 * i + 5 * t) % 40);
        s->prompts[i] = (cop_prompt){.ids = s->ids[i], .count = count};
    }
}

static cop_model_limits limits_of(size_t batch, bool fit)
{
    return (cop_model_limits){
        .batch = batch, .prompt_tokens = LONGEST, .new_tokens = ROOM, .fit_batch = fit};
}

static void set_memory(uint64_t bytes)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_BYTES", text, 1), 0);
}

/* Memory of a device that just has room for a batch. */
static uint64_t need_of(const scene *s, size_t batch)
{
    static const uint64_t plenty = UINT64_C(8) << 30;
    test_model test;
    uint64_t room = 0;
    set_memory(plenty);
    tiny_open(&test, &s->tiny, &s->backend, limits_of(batch, true));
    assert_int_equal(cop_model_batch(test.model), batch);
    const uint64_t need = cop_model_planned_bytes(test.model, &room);
    assert_true(need <= room && room <= plenty);
    test_model_close(&test);
    return need + (plenty - room); /* the backend may have taken something before */
}

/* Memory for FITTING sequences, and a part of one more. */
static uint64_t little_memory(const scene *s)
{
    const uint64_t some = need_of(s, FITTING);
    return some + (need_of(s, FITTING + 1) - some) / 2;
}

/* Answers, and the logits of the last decode step: the last prompt's is its row `row`. */
static void answer(const scene *s, test_model *test, const cop_generate_options *options,
                   size_t row, cop_generation *got, float *last)
{
    cop_error err = {0};
    const size_t width = (size_t)test->config.vocabulary;
    assert_ok(cop_model_generate(test->model, s->prompts, PROMPTS, options, got, &err), &err);
    assert_ok(test->backend->ops->download(test->backend, test->model->scratch.logits,
                                           row * width * sizeof(float), last,
                                           width * sizeof(float), &err),
              &err);
}

static void check_answers(const scene *s, double temperature, bool want_logits)
{
    enum { WIDE = 64 };
    test_model all;
    test_model few;
    cop_generation want[PROMPTS];
    cop_generation got[PROMPTS];
    float wanted_last[WIDE];
    float last[WIDE];
    const cop_generate_options options = {
        .max_new_tokens = NEW,
        .want_logits = want_logits,
        .sampling = {.temperature = temperature, .top_p = 0.9, .seed = 5}};
    const size_t bytes = (size_t)s->tiny.config.vocabulary * sizeof(float);
    assert_true(bytes <= sizeof last);
    const uint64_t little = little_memory(s);
    set_memory(UINT64_C(8) << 30);
    tiny_open(&all, &s->tiny, &s->backend, limits_of(PROMPTS, true));
    answer(s, &all, &options, PROMPTS - 1, want, wanted_last);
    test_model_close(&all);
    set_memory(little);
    tiny_open(&few, &s->tiny, &s->backend, limits_of(PROMPTS, true));
    assert_int_equal(cop_model_batch(few.model), FITTING);
    answer(s, &few, &options, 0, got, last);
    test_model_close(&few);
    assert_memory_equal(last, wanted_last, bytes);
    for (size_t i = 0; i < PROMPTS; i++) {
        assert_int_equal(got[i].ids.count, NEW);
        assert_memory_equal(got[i].ids.data, want[i].ids.data, NEW * sizeof *got[i].ids.data);
        if (want_logits) assert_memory_equal(got[i].logits, want[i].logits, bytes);
        cop_generation_free(&got[i]);
        cop_generation_free(&want[i]);
    }
}

static void test_answers(void **state)
{
    (void)state;
    for (int narrow = 0; narrow < 2; narrow++) {
        scene s;
        scene_create(&s, narrow != 0);
        check_answers(&s, 0, false);
        check_answers(&s, 0, true);
        check_answers(&s, 1.2, false);
        tiny_destroy(&s.tiny);
    }
}

/* Who has not asked for it is refused, and so is a model of which nothing fits. */
static void test_refusals(void **state)
{
    (void)state;
    scene s;
    cop_error err = {0};
    cop_backend *backend = NULL;
    cop_checkpoint *checkpoint = NULL;
    cop_model *model = NULL;
    scene_create(&s, false);
    const uint64_t little = little_memory(&s);
    const uint64_t one = need_of(&s, 1);
    assert_ok(cop_checkpoint_from_memory(s.tiny.infos, s.tiny.count, &checkpoint, &err), &err);
    const struct {
        uint64_t bytes;
        bool fit;
        const char *says;
    } cases[] = {{little, false, "a batch of 3 would fit"},
                 {one - 1, true, "not even one sequence"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const cop_model_limits limits = limits_of(PROMPTS, cases[i].fit);
        set_memory(cases[i].bytes);
        assert_ok(create_f32(&backend, &err), &err);
        assert_int_equal(
            cop_model_create(&s.tiny.config, checkpoint, backend, &limits, NULL, &model, &err),
            COP_ERR_MEMORY);
        assert_non_null(strstr(err.message, cases[i].says));
        assert_null(model);
        cop_backend_destroy(&backend);
    }
    cop_checkpoint_close(&checkpoint);
    tiny_destroy(&s.tiny);
}

static cop_backend_plan seen;

static void see_plan(const cop_backend *backend, const cop_backend_plan *plan,
                     uint64_t *need_bytes, uint64_t *have_bytes)
{
    (void)backend;
    seen = *plan;
    *need_bytes = 0;
    *have_bytes = 1;
}

/* A plan knows of every buffer that weights lie in: a GPU's memory comes in pages. */
static void test_buffers(void **state)
{
    (void)state;
    enum { PARTS = 7, MATRICES = 4 }; /* of a layer */
    scene s;
    test_model test;
    uint64_t room = 0;
    scene_create(&s, false);
    set_memory(UINT64_C(8) << 30);
    tiny_open(&test, &s.tiny, &s.backend, limits_of(1, false));
    const cop_backend_ops *const ops = test.backend->ops;
    cop_backend_ops changed = *ops;
    changed.plan = see_plan;
    test.backend->ops = &changed;
    (void)cop_model_planned_bytes(test.model, &room);
    test.backend->ops = ops;
    /* The embedding in base and copy, and as the head. */
    assert_true(s.tiny.config.tied_head);
    assert_int_equal(seen.buffers, (size_t)s.tiny.config.layers * (PARTS + MATRICES) + 3);
    test_model_close(&test);
    tiny_destroy(&s.tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_buffers),
    };
    return cmocka_run_group_tests_name("model fit", tests, NULL, NULL);
}
