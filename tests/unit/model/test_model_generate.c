/* Generation: the same answers however prompts are grouped, and every way for one to end. */
#include "unit/model/model_tiny.h"

#include <math.h>

enum { PROMPTS = 9, NEW = 12 };

/* Prompts that share their first tokens, and the answers of each alone. */
typedef struct scene {
    tiny_model tiny;
    int32_t ids[PROMPTS][40];
    cop_prompt prompts[PROMPTS];
    cop_generation alone[PROMPTS];
} scene;

static int32_t random_id(tiny_model *tiny)
{
    const int32_t vocabulary = tiny->config.vocabulary;
    return (int32_t)((tiny_random(tiny) + 1.0) * 0.5 * (double)vocabulary) % vocabulary;
}

static void scene_create(scene *s, size_t shared)
{
    tiny_create(&s->tiny, COP_BF16, COP_BF16, false);
    for (size_t i = 0; i < PROMPTS; i++) {
        const size_t count = shared + 1 + (i * 5) % 17;
        for (size_t t = 0; t < count; t++) {
            s->ids[i][t] = t < shared && i > 0 ? s->ids[0][t] : random_id(&s->tiny);
        }
        s->prompts[i] = (cop_prompt){.ids = s->ids[i], .count = count};
    }
}

static void scene_destroy(scene *s)
{
    for (size_t i = 0; i < PROMPTS; i++)
        cop_generation_free(&s->alone[i]);
    tiny_destroy(&s->tiny);
}

static void assert_same(const cop_generation *a, const cop_generation *b)
{
    assert_int_equal(a->stopped, b->stopped);
    assert_int_equal(a->finite, b->finite);
    assert_int_equal(a->ids.count, b->ids.count);
    if (a->ids.count > 0) {
        assert_memory_equal(a->ids.data, b->ids.data, a->ids.count * sizeof *a->ids.data);
    }
}

static void generate(cop_model *model, const cop_prompt *prompts, size_t count,
                     const cop_generate_options *options, cop_generation *out)
{
    cop_error err = {0};
    assert_ok(cop_model_generate(model, prompts, count, options, out, &err), &err);
}

/* Each prompt alone, then all in groups of `batch`: equal, with ends at different lengths. */
static void check_batches(const test_backend *backend, size_t shared, int32_t window,
                          size_t max_new)
{
    scene s = {0};
    test_model test;
    scene_create(&s, shared);
    s.tiny.config.window = window;
    for (int32_t i = 0; i < s.tiny.config.layers; i++) {
        s.tiny.config.sliding[i] = window > 0 && i == 0;
    }
    s.tiny.config.stop_count = 5; /* an eighth of the vocabulary, so that answers end early */
    for (int32_t i = 0; i < 5; i++)
        s.tiny.config.stops[i] = i * 7;
    const cop_generate_options options = {.max_new_tokens = max_new};
    static const size_t batches[] = {1, 2, 4, PROMPTS, 20};
    size_t stopped = 0;
    for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
        cop_generation got[PROMPTS];
        const cop_model_limits limits = {
            .batch = batches[b], .prompt_tokens = 40, .new_tokens = NEW};
        tiny_open(&test, &s.tiny, backend, limits);
        generate(test.model, s.prompts, PROMPTS, &options, got);
        for (size_t i = 0; i < PROMPTS; i++) {
            if (b == 0) {
                s.alone[i] = got[i];
                stopped += got[i].stopped;
                continue;
            }
            assert_same(&s.alone[i], &got[i]);
            cop_generation_free(&got[i]);
        }
        test_model_close(&test);
    }
    if (max_new == NEW) assert_in_range(stopped, 1, PROMPTS - 1);
    scene_destroy(&s);
}

static void test_batches(void **state)
{
    (void)state;
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        const bool slow = test_is_slow(&test_backends[b]);
        for (size_t shared = slow ? 6 : 0; shared < (slow ? 12 : 20); shared += 6) {
            check_batches(&test_backends[b], shared, 0, NEW);
            check_batches(&test_backends[b], shared, 5, NEW);
        }
        check_batches(&test_backends[b], 3, 0, 1);
        check_batches(&test_backends[b], 3, 0, 0);
    }
}

/* Equal prompts keep a token of their own, and the prefix is computed once. */
static void test_prefix_counted_once(void **state)
{
    (void)state;
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        scene s = {0};
        test_model test;
        cop_generation got[PROMPTS];
        scene_create(&s, 10);
        cop_prompt same[3] = {s.prompts[0], s.prompts[0], s.prompts[0]};
        const size_t count = same[0].count;
        const cop_generate_options options = {.max_new_tokens = 3};
        const cop_model_limits limits = {.batch = 4, .prompt_tokens = 40, .new_tokens = NEW};
        tiny_open(&test, &s.tiny, &test_backends[b], limits);
        generate(test.model, same, 3, &options, got);
        const cop_model_counters counters = cop_model_count(test.model);
        assert_int_equal(counters.prompt_tokens, count - 1 + 3);
        assert_int_equal(counters.generated_tokens, 9);
        assert_int_equal(counters.decode_steps, 2);
        assert_same(&got[0], &got[1]);
        assert_same(&got[0], &got[2]);
        for (size_t i = 0; i < 3; i++)
            cop_generation_free(&got[i]);
        test_model_close(&test);
        scene_destroy(&s);
    }
}

/* A prompt and a prefix longer than a pass: split over passes, the result as in one pass. */
static void test_long_prompts(void **state)
{
    (void)state;
    enum { LONG = 1300 };
    tiny_model tiny;
    test_model test;
    static int32_t ids[2][LONG];
    tiny_create(&tiny, COP_BF16, COP_F32, true);
    for (size_t t = 0; t < LONG; t++)
        ids[0][t] = ids[1][t] = random_id(&tiny);
    ids[1][LONG - 1] = (ids[0][LONG - 1] + 1) % tiny.config.vocabulary;
    const cop_prompt prompts[] = {{ids[0], LONG}, {ids[1], LONG}, {ids[0], 700}};
    const cop_generate_options plain = {.max_new_tokens = 4};
    const cop_generate_options scored = {.max_new_tokens = 4, .want_logits = true};
    const cop_model_limits limits = {.batch = 3, .prompt_tokens = LONG, .new_tokens = 4};
    cop_generation shared[2];
    cop_generation all[3];
    const size_t which = TEST_BACKEND_CUDA - (test_cuda_is_emulated() ? 1 : 0);
    tiny_open(&test, &tiny, &test_backends[which], limits);
    generate(test.model, prompts, 2, &plain, shared);
    generate(test.model, prompts, 3, &scored, all);
    assert_same(&shared[0], &all[0]);
    assert_same(&shared[1], &all[1]);
    for (size_t i = 0; i < 3; i++) {
        cop_generation one;
        generate(test.model, &prompts[i], 1, &scored, &one);
        assert_same(&one, &all[i]);
        assert_true(fabs(one.prompt_log_probability - all[i].prompt_log_probability) <
                    1e-5 * fabs(one.prompt_log_probability));
        cop_generation_free(&one);
        cop_generation_free(&all[i]);
    }
    cop_generation_free(&shared[0]);
    cop_generation_free(&shared[1]);
    test_model_close(&test);
    tiny_destroy(&tiny);
}

/* Ends sequence `index` at index + 1 tokens, and checks what it is shown. */
static bool stop_by_index(void *context, size_t index, const cop_ids *ids)
{
    size_t *const calls = context;
    (*calls)++;
    assert_in_range(index, 0, PROMPTS - 1);
    assert_in_range(ids->count, 1, index + 1);
    return ids->count == index + 1;
}

static void test_stop_callback(void **state)
{
    (void)state;
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        scene s = {0};
        test_model test;
        size_t calls = 0;
        cop_generation got[PROMPTS];
        scene_create(&s, 4);
        const cop_generate_options options = {
            .max_new_tokens = NEW, .stop = stop_by_index, .stop_context = &calls};
        const cop_model_limits limits = {.batch = 5, .prompt_tokens = 40, .new_tokens = NEW};
        tiny_open(&test, &s.tiny, &test_backends[b], limits);
        generate(test.model, s.prompts, PROMPTS, &options, got);
        for (size_t i = 0; i < PROMPTS; i++) {
            assert_true(got[i].stopped);
            assert_int_equal(got[i].ids.count, i + 1);
            cop_generation_free(&got[i]);
        }
        assert_int_equal(calls, PROMPTS * (PROMPTS + 1) / 2);
        assert_int_equal(cop_model_count(test.model).generated_tokens, calls);
        test_model_close(&test);
        scene_destroy(&s);
    }
}

/* --- looks of the host --- */

enum { LONG_NEW = 48 };

/* A stop string of sorts. */
static bool stop_at_pair(void *context, size_t index, const cop_ids *ids)
{
    (void)context;
    (void)index;
    const size_t n = ids->count;
    return n >= 2 && (ids->data[n - 1] + ids->data[n - 2]) % 19 == 0;
}

static cop_status create_cuda_bf16(cop_backend **backend, cop_error *err)
{
    return cuda_test_create("cuda_host", COP_COMPUTE_BF16, backend, err);
}

/* Answers and counters of one kind of request on a backend whose host looks at least every
 * `most` steps. */
static cop_model_counters answer_by_looks(scene *s, const test_backend *backend,
                                          const cop_generate_options *options, size_t most,
                                          cop_generation *got)
{
    test_model test;
    const cop_model_limits limits = {
        .batch = PROMPTS, .prompt_tokens = 40, .new_tokens = LONG_NEW};
    tiny_open(&test, &s->tiny, backend, limits);
    if (test.backend->decode_steps > most) test.backend->decode_steps = most;
    generate(test.model, s->prompts, PROMPTS, options, got);
    const cop_model_counters counters = cop_model_count(test.model);
    test_model_close(&test);
    return counters;
}

static void check_looks(const test_backend *backend, const cop_generate_options *options,
                        int32_t stop_count)
{
    scene s = {0};
    cop_generation got[PROMPTS];
    scene_create(&s, 6);
    s.tiny.config.stop_count = stop_count;
    for (int32_t i = 0; i < stop_count; i++)
        s.tiny.config.stops[i] = 3 + i * 9;
    const cop_model_counters want = answer_by_looks(&s, backend, options, 1, s.alone);
    const uint64_t all = (uint64_t)PROMPTS * LONG_NEW;
    if (stop_count > 0 || options->stop != NULL) {
        assert_in_range(want.generated_tokens, all / 20, all - all / 10);
    } else {
        assert_int_equal(want.generated_tokens, all);
    }
    static const size_t looks[] = {32, 3};
    for (size_t k = 0; k < sizeof looks / sizeof looks[0]; k++) {
        const cop_model_counters counters =
            answer_by_looks(&s, backend, options, looks[k], got);
        assert_int_equal(counters.prompt_tokens, want.prompt_tokens);
        assert_int_equal(counters.generated_tokens, want.generated_tokens);
        assert_int_equal(counters.decode_steps, want.decode_steps);
        for (size_t i = 0; i < PROMPTS; i++) {
            assert_same(&s.alone[i], &got[i]);
            cop_generation_free(&got[i]);
        }
    }
    scene_destroy(&s);
}

/* How often the host looks changes neither answers nor counters: greedy or drawn, with stop
 * tokens, stop strings, both or none. */
static void test_looks(void **state)
{
    (void)state;
    const test_backend bf16 = {"cuda in bf16", create_cuda_bf16};
    for (int kind = 0; kind < 8; kind++) {
        const cop_generate_options options = {
            .max_new_tokens = LONG_NEW,
            .sampling = {.temperature = kind % 2 == 0 ? 0 : 1.2, .top_p = 0.95, .seed = 8},
            .stop = kind / 2 % 2 == 0 ? NULL : stop_at_pair};
        const int32_t stop_count = kind / 4 % 2 == 0 ? 0 : 3;
        const bool narrow = test_cuda_is_emulated() && kind % 3 == 1;
        check_looks(narrow ? &bf16 : &test_backends[TEST_BACKEND_CUDA], &options, stop_count);
    }
}

static bool cancel_after(void *context)
{
    int *const left = context;
    return (*left)-- == 0;
}

static void check_cancelled(const test_backend *backend)
{
    scene s = {0};
    test_model test;
    cop_generation got[PROMPTS];
    scene_create(&s, 4);
    const cop_model_limits limits = {.batch = PROMPTS, .prompt_tokens = 40, .new_tokens = NEW};
    tiny_open(&test, &s.tiny, backend, limits);
    /* Passes over prompts and looks: one each, then 4 steps and the 7 others. */
    const int most = test.backend->decode_steps > 1 ? 3 : 6;
    for (int polls = 0; polls < most; polls++) {
        int left = polls;
        cop_error err = {0};
        const cop_generate_options options = {
            .max_new_tokens = NEW, .cancelled = cancel_after, .cancelled_context = &left};
        assert_int_equal(
            cop_model_generate(test.model, s.prompts, PROMPTS, &options, got, &err),
            COP_INTERRUPTED);
        for (size_t i = 0; i < PROMPTS; i++)
            assert_null(got[i].ids.data);
    }
    /* The model is as good as before. */
    const cop_generate_options options = {.max_new_tokens = NEW};
    generate(test.model, s.prompts, PROMPTS, &options, got);
    for (size_t i = 0; i < PROMPTS; i++) {
        assert_int_equal(got[i].ids.count, NEW);
        cop_generation_free(&got[i]);
    }
    test_model_close(&test);
    scene_destroy(&s);
}

static void test_cancelled(void **state)
{
    (void)state;
    check_cancelled(&test_backends[0]);
    check_cancelled(&test_backends[TEST_BACKEND_CUDA]);
}

/* An infinite embedding ruins the sequences that meet it and no other. */
static void test_not_finite(void **state)
{
    (void)state;
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        tiny_model tiny;
        test_model test;
        cop_generation got[3];
        static const int32_t good[] = {5, 6, 7};
        static const int32_t bad[] = {5, 6, 39};
        tiny_create(&tiny, COP_BF16, COP_BF16, false);
        uint16_t *const table = tiny_data(&tiny, "model.embed_tokens.weight");
        table[39 * tiny.config.width + 3] = 0x7f80;
        const cop_prompt prompts[] = {{good, 3}, {bad, 3}, {good, 3}};
        const cop_generate_options options = {.max_new_tokens = 1};
        const cop_model_limits limits = {.batch = 3, .prompt_tokens = 3, .new_tokens = 1};
        tiny_open(&test, &tiny, &test_backends[b], limits);
        generate(test.model, prompts, 3, &options, got);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(got[i].finite, i != 1);
            assert_int_equal(got[i].ids.count, i == 1 ? 0 : 1);
            assert_false(got[i].stopped);
            cop_generation_free(&got[i]);
        }
        test_model_close(&test);
        tiny_destroy(&tiny);
    }
}

static void expect_refused(cop_model *model, const cop_prompt *prompt, size_t max_new,
                           cop_status status, const char *part)
{
    cop_error err = {0};
    cop_generation got;
    const cop_generate_options options = {.max_new_tokens = max_new};
    assert_int_equal(cop_model_generate(model, prompt, 1, &options, &got, &err), status);
    if (strstr(err.message, part) == NULL) fail_msg("no '%s' in: %s", part, err.message);
    assert_null(got.ids.data);
}

static void test_refused(void **state)
{
    (void)state;
    tiny_model tiny;
    test_model test;
    static const int32_t ids[24] = {0};
    static const int32_t beyond[] = {1, 40};
    static const int32_t negative[] = {-1};
    tiny_create(&tiny, COP_F32, COP_F32, true);
    tiny.config.max_positions = 20;
    const cop_model_limits limits = {.batch = 2, .prompt_tokens = 16, .new_tokens = 8};
    tiny_open(&test, &tiny, &test_backends[0], limits);
    const cop_prompt fits = {ids, 13};
    const cop_prompt fourteen = {ids, 14};
    const cop_prompt seventeen = {ids, 17};
    const cop_prompt empty = {ids, 0};
    const cop_prompt beyond_prompt = {beyond, 2};
    const cop_prompt negative_prompt = {negative, 1};
    expect_refused(test.model, &seventeen, 1, COP_ERR_CONFIG, "17 tokens");
    expect_refused(test.model, &fourteen, 8, COP_ERR_CONFIG, "20 positions");
    expect_refused(test.model, &fits, 9, COP_ERR_CONFIG, "at most 8");
    expect_refused(test.model, &empty, 1, COP_ERR_CONFIG, "empty");
    expect_refused(test.model, &beyond_prompt, 1, COP_ERR_FORMAT, "id 40");
    expect_refused(test.model, &negative_prompt, 1, COP_ERR_FORMAT, "id -1");
    cop_generation got;
    const cop_generate_options options = {.max_new_tokens = 8};
    generate(test.model, &fits, 1, &options, &got);
    assert_int_equal(got.ids.count, 8);
    cop_generation_free(&got);
    test_model_close(&test);
    tiny_destroy(&tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),      cmocka_unit_test(test_prefix_counted_once),
        cmocka_unit_test(test_long_prompts), cmocka_unit_test(test_stop_callback),
        cmocka_unit_test(test_looks),        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_not_finite),   cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
