/* Candidates side by side: each answers as it does alone, whatever runs beside it. */
#include "model/memory_plan.h"
#include "model/model_internal.h"
#include "unit/model/model_tiny.h"

#include <math.h>

enum { PROMPTS = 5, NEW = 9, LANES = 4 };

/* The last one's weights overflow. */
static const cop_component candidates[LANES] = {{.seed = 11, .amplitude = 0.4F},
                                                {.seed = 12, .amplitude = -0.5F},
                                                {.seed = 13, .amplitude = 0.6F},
                                                {.seed = 14, .amplitude = 3e38F}};

typedef struct scene {
    tiny_model tiny;
    int32_t ids[PROMPTS][24];
    cop_prompt prompts[PROMPTS];
    cop_recipe *recipe;
    cop_generation alone[LANES][PROMPTS];
} scene;

static void scene_create(scene *s, size_t shared, bool tied, bool stops)
{
    cop_error err = {0};
    tiny_create(&s->tiny, COP_BF16, COP_BF16, tied);
    for (size_t i = 0; i < PROMPTS; i++) {
        const size_t count = shared + 1 + (i * 5) % 7;
        for (size_t t = 0; t < count; t++)
            s->ids[i][t] = (int32_t)((t < shared ? t * 7 : 3 * i + 5 * t) % 40);
        s->prompts[i] = (cop_prompt){.ids = s->ids[i], .count = count};
    }
    s->tiny.config.stop_count = stops ? 8 : 0;
    for (int32_t i = 0; i < s->tiny.config.stop_count; i++)
        s->tiny.config.stops[i] = i * 5 + 1;
    assert_ok(cop_recipe_create(&s->recipe, &err), &err);
}

static void scene_destroy(scene *s)
{
    for (size_t i = 0; i < (size_t)LANES * PROMPTS; i++)
        cop_generation_free(&s->alone[i / PROMPTS][i % PROMPTS]);
    cop_recipe_destroy(&s->recipe);
    tiny_destroy(&s->tiny);
}

static void apply(cop_model *model, const scene *s, size_t lane, size_t candidate)
{
    cop_error err = {0};
    assert_ok(cop_recipe_set_components(s->recipe, &candidates[candidate], 1, &err), &err);
    assert_ok(cop_model_apply(model, lane, s->recipe, &err), &err);
}

static bool is_same(const cop_generation *a, const cop_generation *b)
{
    return a->stopped == b->stopped && a->finite == b->finite && a->ids.count == b->ids.count &&
           (a->ids.count == 0 ||
            memcmp(a->ids.data, b->ids.data, a->ids.count * sizeof *a->ids.data) == 0);
}

/* Where the candidates are, and how many of the first lanes answer. */
typedef struct arrangement {
    size_t used;
    size_t candidate[LANES];
} arrangement;

static const arrangement arrangements[] = {{4, {0, 1, 2, 3}},
                                           {4, {3, 2, 1, 0}},
                                           {3, {1, 3, 1, 0}},
                                           {2, {2, 0, 3, 3}},
                                           {1, {1, 0, 0, 0}}};
enum { ARRANGEMENTS = sizeof arrangements / sizeof arrangements[0] };

static void answer_alone(scene *s, const test_backend *backend, cop_model_limits limits,
                         cop_generate_options options)
{
    test_model test;
    cop_error err = {0};
    limits.lanes = 0;
    tiny_open(&test, &s->tiny, backend, limits);
    for (size_t c = 0; c < LANES; c++) {
        options.sampling.sample = (uint32_t)c;
        apply(test.model, s, 0, c);
        assert_ok(
            cop_model_generate(test.model, s->prompts, PROMPTS, &options, s->alone[c], &err),
            &err);
    }
    size_t differ = 0; /* so that lanes that were mixed up would be seen */
    for (size_t i = 0; i < PROMPTS; i++) {
        differ += !is_same(&s->alone[0][i], &s->alone[1][i]);
        differ += !is_same(&s->alone[1][i], &s->alone[2][i]);
    }
    assert_in_range(differ, 2, (size_t)2 * PROMPTS);
    test_model_close(&test);
}

static void check_lanes(const test_backend *backend, size_t batch, size_t shared,
                        double temperature)
{
    scene s = {0};
    test_model test;
    cop_error err = {0};
    const cop_model_limits limits = {
        .batch = batch, .prompt_tokens = 24, .new_tokens = NEW, .lanes = LANES};
    cop_generate_options options = {
        .max_new_tokens = NEW,
        .sampling = {.temperature = temperature, .top_p = 0.9, .seed = 3}};
    scene_create(&s, shared, batch % 2 == 0, true);
    answer_alone(&s, backend, limits, options);
    tiny_open(&test, &s.tiny, backend, limits);
    assert_int_equal(cop_model_lanes(test.model), LANES);
    for (size_t a = 0; a < ARRANGEMENTS; a++) {
        const arrangement *const how = &arrangements[a];
        cop_generation got[LANES * PROMPTS];
        uint32_t samples[LANES];
        for (size_t l = 0; l < LANES; l++) {
            apply(test.model, &s, l, how->candidate[l]);
            samples[l] = (uint32_t)how->candidate[l];
        }
        options.lanes = how->used;
        options.samples = samples;
        assert_ok(cop_model_generate(test.model, s.prompts, PROMPTS, &options, got, &err),
                  &err);
        for (size_t i = 0; i < how->used * PROMPTS; i++) {
            assert_true(is_same(&got[i], &s.alone[how->candidate[i / PROMPTS]][i % PROMPTS]));
            assert_int_equal(got[i].finite, how->candidate[i / PROMPTS] != 3);
            cop_generation_free(&got[i]);
        }
        assert_int_equal(test.backend->lanes, 1);
    }
    test_model_close(&test);
    scene_destroy(&s);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        check_lanes(&test_backends[b], PROMPTS, 6, 0);
        check_lanes(&test_backends[b], 2, 0, 0);
        check_lanes(&test_backends[b], 4, 4, 1.5);
        check_lanes(&test_backends[b], 1, 0, 1.5);
    }
}

/* The logits that the last step left, of every row. */
static float *last_logits(const test_model *test, size_t rows)
{
    cop_error err = {0};
    const size_t count = rows * (size_t)test->config.vocabulary;
    float *const logits = malloc(count * sizeof *logits);
    assert_non_null(logits);
    assert_ok(test->backend->ops->download(test->backend, test->model->scratch.logits, 0,
                                           logits, count * sizeof *logits, &err),
              &err);
    return logits;
}

/* Without stops all rows stay to the end, and can be compared. */
static void check_bits(const test_backend *backend, size_t new_tokens)
{
    scene s = {0};
    test_model alone;
    test_model beside;
    cop_error err = {0};
    cop_model_limits limits = {.batch = PROMPTS, .prompt_tokens = 24, .new_tokens = NEW};
    cop_generate_options options = {.max_new_tokens = new_tokens};
    cop_generation got[LANES * PROMPTS];
    scene_create(&s, 5, false, false);
    tiny_open(&alone, &s.tiny, backend, limits);
    limits.lanes = 3;
    tiny_open(&beside, &s.tiny, backend, limits);
    for (size_t l = 0; l < 3; l++)
        apply(beside.model, &s, l, l);
    options.lanes = 3;
    assert_ok(cop_model_generate(beside.model, s.prompts, PROMPTS, &options, got, &err), &err);
    for (size_t i = 0; i < (size_t)3 * PROMPTS; i++)
        cop_generation_free(&got[i]);
    float *const all = last_logits(&beside, (size_t)3 * PROMPTS);
    options.lanes = 1;
    for (size_t l = 0; l < 3; l++) {
        const size_t count = PROMPTS * (size_t)s.tiny.config.vocabulary;
        apply(alone.model, &s, 0, l);
        assert_ok(cop_model_generate(alone.model, s.prompts, PROMPTS, &options, got, &err),
                  &err);
        float *const own = last_logits(&alone, PROMPTS);
        assert_memory_equal(all + l * count, own, count * sizeof *own);
        free(own);
        for (size_t i = 0; i < PROMPTS; i++)
            cop_generation_free(&got[i]);
    }
    free(all);
    test_model_close(&alone);
    test_model_close(&beside);
    scene_destroy(&s);
}

static void test_bits(void **state)
{
    (void)state;
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        check_bits(&test_backends[b], 1);
        check_bits(&test_backends[b], NEW);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    scene s = {0};
    test_model test;
    cop_error err = {0};
    cop_generation got[LANES * PROMPTS];
    const cop_model_limits limits = {
        .batch = PROMPTS, .prompt_tokens = 24, .new_tokens = NEW, .lanes = 2};
    scene_create(&s, 0, false, true);
    tiny_open(&test, &s.tiny, &test_backends[0], limits);
    cop_generate_options options = {.max_new_tokens = 1, .lanes = 3};
    assert_int_equal(cop_model_generate(test.model, s.prompts, PROMPTS, &options, got, &err),
                     COP_ERR_INTERNAL);
    options.lanes = 2;
    options.want_logits = true;
    assert_int_equal(cop_model_generate(test.model, s.prompts, PROMPTS, &options, got, &err),
                     COP_ERR_INTERNAL);
    test_model_close(&test);
    scene_destroy(&s);
}

/* As many lanes as there is memory for: one more would not fit. */
static void test_fitting(void **state)
{
    (void)state;
    scene s = {0};
    test_model test;
    cop_model_limits limits = {.batch = PROMPTS,
                               .prompt_tokens = 24,
                               .new_tokens = NEW,
                               .lanes = 3,
                               .fit_lanes = true};
    scene_create(&s, 0, false, true);
    tiny_open(&test, &s.tiny, &test_backends[0], limits);
    assert_int_equal(cop_model_lanes(test.model), 3);
    cop_model *const m = test.model;
    const size_t enough = SIZE_MAX >> 24;
    m->lanes = enough; /* nobody has that much memory */
    const size_t most = cop_model_fitting_lanes(m);
    assert_in_range(most, 4, enough - 1);
    cop_error err = {0};
    m->lanes = most + most / 4;
    assert_int_equal(cop_model_check_memory(m, &err), COP_ERR_MEMORY);
    assert_non_null(strstr(err.message, "candidates"));
    assert_non_null(strstr(err.message, "side by side would fit"));
    m->lanes = most - most / 4;
    assert_int_equal(cop_model_check_memory(m, &err), COP_OK);
    m->lanes = 3;
    test_model_close(&test);
    scene_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_fitting),
    };
    return cmocka_run_group_tests_name("model lanes", tests, NULL, NULL);
}
