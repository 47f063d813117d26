/* Units whose answers are generated side by side give what they give one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coppice/base/cpu.h"
#include "coppice/base/memory.h"
#include "coppice/evaluate/evaluate.h"

#include <stdio.h>
#include <string.h>

enum { LANES = 3, BATCH = 6, UNITS = 4 };

static const cop_component candidates[UNITS] = {
    {1, 0.01F}, {2, 0.01F}, {3, -0.01F}, {4, 1e38F}};

typedef struct scene {
    cop_dataset *dataset;
    cop_evaluator *evaluator;
    cop_recipe *recipes[UNITS];
    cop_unit units[UNITS];
    size_t examples[BATCH];
} scene;

typedef struct outcome {
    cop_unit_result result;
    float rewards[BATCH];
    char *responses[BATCH];
} outcome;

static void must(cop_status status, const cop_error *err)
{
    if (status != COP_OK) fail_msg("%s: %s", cop_status_name(status), err->message);
}

static void scene_create(scene *s, size_t lanes, double temperature)
{
    static const char *const stop[] = {"\n"};
    cop_error err = {0};
    *s = (scene){0};
    must(cop_dataset_load("jobs/demo/arith.jsonl", NULL, &s->dataset, &err), &err);
    cop_evaluator_options options = {.model_dir = "jobs/demo/model",
                                     .dataset = s->dataset,
                                     .system = "",
                                     .user = "{question}",
                                     .stop = stop,
                                     .stop_count = 1,
                                     .max_new_tokens = 16,
                                     .batch = BATCH,
                                     .lanes = lanes,
                                     .backend = {.kind = COP_BACKEND_CPU,
                                                 .compute = COP_COMPUTE_F32,
                                                 .threads = 1,
                                                 .isa = cop_cpu_isa()}};
    must(cop_task_find("arith", &options.task, &err), &err);
    must(cop_evaluator_create(&options, &s->evaluator, &err), &err);
    for (size_t i = 0; i < BATCH; i++)
        s->examples[i] = 3 * i;
    for (size_t i = 0; i < UNITS; i++) {
        must(cop_recipe_create(&s->recipes[i], &err), &err);
        must(cop_recipe_set_components(s->recipes[i], &candidates[i], 1, &err), &err);
        s->units[i] = (cop_unit){
            .recipe = s->recipes[i],
            .examples = s->examples,
            .count = BATCH,
            .sampling = {
                .temperature = temperature, .top_p = 1, .seed = 8, .sample = (uint32_t)i}};
    }
}

static void scene_destroy(scene *s)
{
    cop_evaluator_destroy(&s->evaluator);
    for (size_t i = 0; i < UNITS; i++)
        cop_recipe_destroy(&s->recipes[i]);
    cop_dataset_destroy(&s->dataset);
}

static void run_unit(scene *s, size_t unit, outcome *out)
{
    cop_error err = {0};
    *out = (outcome){.result = {.rewards = out->rewards, .responses = out->responses}};
    must(cop_evaluator_run(s->evaluator, &s->units[unit], NULL, NULL, &out->result, &err),
         &err);
}

static void outcome_free(outcome *out)
{
    for (size_t i = 0; i < BATCH; i++)
        cop_memory_free(out->responses[i]);
}

/* Runs a unit and compares; returns what its beginning took. */
static double check_unit(scene *s, size_t unit, const outcome *want)
{
    outcome got;
    run_unit(s, unit, &got);
    assert_int_equal(got.result.status, want->result.status);
    assert_int_equal(got.result.generated_tokens, want->result.generated_tokens);
    assert_int_equal(got.result.status, unit == 3 ? COP_ERR_NUMERIC : COP_OK);
    for (size_t i = 0; i < BATCH && unit != 3; i++) {
        assert_float_equal(got.rewards[i], want->rewards[i], 0);
        assert_string_equal(got.responses[i], want->responses[i]);
    }
    const double seconds = got.result.seconds;
    outcome_free(&got);
    return seconds;
}

static void prepare(scene *s, const size_t *which, size_t count)
{
    cop_error err = {0};
    cop_unit units[LANES];
    for (size_t i = 0; i < count; i++)
        units[i] = s->units[which[i]];
    must(cop_evaluator_prepare(s->evaluator, units, count, NULL, NULL, &err), &err);
}

static uint64_t computed(const scene *s)
{
    return cop_model_count(cop_evaluator_model(s->evaluator)).prompt_tokens;
}

static void check_units(double temperature)
{
    scene alone;
    scene beside;
    outcome want[UNITS];
    scene_create(&alone, 0, temperature);
    scene_create(&beside, LANES, temperature);
    assert_int_equal(cop_evaluator_lanes(alone.evaluator), 1);
    assert_int_equal(cop_evaluator_lanes(beside.evaluator), LANES);
    for (size_t i = 0; i < UNITS; i++)
        run_unit(&alone, i, &want[i]);
    assert_string_not_equal(want[0].responses[0], "");

    /* Taken in order; then in another, with one that was not prepared in between, so that the
     * rest is generated anew. */
    static const size_t orders[][LANES] = {{0, 1, 2}, {2, 3, 0}, {1, 0, 3}};
    for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
        prepare(&beside, orders[o], LANES);
        const uint64_t before = computed(&beside);
        for (size_t i = 0; i < LANES; i++)
            assert_true(check_unit(&beside, orders[o][i], &want[orders[o][i]]) > 0);
        assert_int_equal(computed(&beside), before); /* all were there */
        (void)check_unit(&beside, orders[o][0], &want[orders[o][0]]);
        assert_true(computed(&beside) > before); /* each is taken once */
    }
    prepare(&beside, orders[0], LANES);
    (void)check_unit(&beside, 1, &want[1]);
    (void)check_unit(&beside, 3, &want[3]);
    (void)check_unit(&beside, 0, &want[0]);
    prepare(&beside, orders[1], 2);
    prepare(&beside, orders[2], 2);
    (void)check_unit(&beside, 0, &want[0]);
    for (size_t i = 0; i < UNITS; i++)
        outcome_free(&want[i]);
    scene_destroy(&alone);
    scene_destroy(&beside); /* with a unit that was never begun */
}

static void test_units(void **state)
{
    (void)state;
    check_units(0);
    check_units(0.9);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void test_refusals(void **state)
{
    (void)state;
    scene s;
    outcome want;
    cop_error err = {0};
    scene_create(&s, LANES, 0);
    cop_unit units[UNITS];
    memcpy(units, s.units, sizeof units);
    run_unit(&s, 1, &want);
    assert_int_equal(cop_evaluator_prepare(s.evaluator, units, UNITS, NULL, NULL, &err),
                     COP_ERR_INTERNAL);
    assert_int_equal(cop_evaluator_prepare(s.evaluator, units, 0, NULL, NULL, &err),
                     COP_ERR_INTERNAL);
    units[1].count--;
    assert_int_equal(cop_evaluator_prepare(s.evaluator, units, 2, NULL, NULL, &err),
                     COP_ERR_INTERNAL);
    units[1].count++;
    units[1].sampling.seed++;
    assert_int_equal(cop_evaluator_prepare(s.evaluator, units, 2, NULL, NULL, &err),
                     COP_ERR_INTERNAL);
    units[1].sampling.seed--;
    assert_int_equal(cop_evaluator_prepare(s.evaluator, units, 2, at_once, NULL, &err),
                     COP_INTERRUPTED);
    (void)check_unit(&s, 1, &want); /* alone */
    outcome_free(&want);
    scene_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("units side by side", tests, NULL, NULL);
}
