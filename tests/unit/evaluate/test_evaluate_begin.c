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

static const cop_component candidates[UNITS] = {{.seed = 1, .amplitude = 0.01F},
                                                {.seed = 2, .amplitude = 0.01F},
                                                {.seed = 3, .amplitude = -0.01F},
                                                {.seed = 4, .amplitude = 1e38F}};

/* Of all answers that are asked for, the one after so many fails once; negative: none. */
static int answers_left = -1;
static cop_task failing_task; /* a real one, but for that */
static const cop_task *real_task;

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
    cop_text responses[BATCH];
} outcome;

static void must(cop_status status, const cop_error *err)
{
    if (status != COP_OK) fail_msg("%s: %s", cop_status_name(status), err->message);
}

static cop_status answer_or_fail(const json_t *example, const json_t **answer, cop_error *err)
{
    if (answers_left >= 0 && answers_left-- == 0)
        return cop_error_set(err, COP_ERR_FORMAT, "no answer today");
    return real_task->answer(example, answer, err);
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
    must(cop_task_find("arith", &real_task, &err), &err);
    failing_task = *real_task;
    failing_task.answer = answer_or_fail;
    options.task = &failing_task;
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
        cop_text_free(&out->responses[i]);
}

/* Finishes a unit and compares; returns its time. */
static double check_unit(scene *s, cop_unit_pending **pending, size_t unit, const outcome *want)
{
    outcome got = {.result = {.rewards = got.rewards, .responses = got.responses}};
    cop_error err = {0};
    must(cop_evaluator_finish(s->evaluator, pending, NULL, NULL, &got.result, &err), &err);
    assert_null(*pending);
    assert_int_equal(got.result.status, want->result.status);
    assert_int_equal(got.result.generated_tokens, want->result.generated_tokens);
    assert_int_equal(got.result.status, unit == 3 ? COP_ERR_NUMERIC : COP_OK);
    for (size_t i = 0; i < BATCH && unit != 3; i++) {
        assert_float_equal(got.rewards[i], want->rewards[i], 0);
        assert_string_equal(got.responses[i].data, want->responses[i].data);
    }
    const double seconds = got.result.seconds;
    outcome_free(&got);
    return seconds;
}

/* Begins the units together; all of them can be. */
static void begin(scene *s, const size_t *which, size_t count, cop_unit_pending **pending)
{
    cop_error failures[LANES];
    cop_unit units[LANES];
    for (size_t i = 0; i < count; i++)
        units[i] = s->units[which[i]];
    cop_evaluator_begin(s->evaluator, units, count, NULL, NULL, pending, failures);
    for (size_t i = 0; i < count; i++) {
        must(failures[i].status, &failures[i]);
        assert_non_null(pending[i]);
    }
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
    assert_string_not_equal(want[0].responses[0].data, "");

    /* Two calls are pending at a time, and the same unit may be in both. */
    static const size_t orders[][LANES] = {{0, 1, 2}, {2, 3, 0}, {1, 0, 3}, {1, 1, 2}};
    enum { ORDERS = sizeof orders / sizeof orders[0] };
    cop_unit_pending *pending[ORDERS][LANES];
    begin(&beside, orders[0], LANES, pending[0]);
    for (size_t o = 0; o < ORDERS; o++) {
        const size_t next = (o + 1) % ORDERS;
        if (next > 0) begin(&beside, orders[next], LANES, pending[next]);
        for (size_t i = 0; i < LANES; i++)
            assert_true(check_unit(&beside, &pending[o][i], orders[o][i], &want[orders[o][i]]) >
                        0);
    }
    /* Fewer than there are lanes; one that is not wanted any more. */
    cop_error err = {0};
    begin(&beside, orders[1], 2, pending[0]);
    must(cop_evaluator_finish(beside.evaluator, &pending[0][0], NULL, NULL, NULL, &err), &err);
    (void)check_unit(&beside, &pending[0][1], 3, &want[3]);
    for (size_t i = 0; i < UNITS; i++)
        outcome_free(&want[i]);
    scene_destroy(&alone);
    scene_destroy(&beside);
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

/* Begins units [count] of which none can be begun, for the same reason. */
static void refuse(scene *s, const cop_unit *units, size_t count, bool (*cancelled)(void *),
                   cop_status want)
{
    cop_unit_pending *pending[UNITS];
    cop_error failures[UNITS];
    cop_evaluator_begin(s->evaluator, units, count, cancelled, NULL, pending, failures);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(failures[i].status, want);
        assert_string_not_equal(failures[i].message, "");
        assert_null(pending[i]);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    scene s;
    outcome want;
    scene_create(&s, LANES, 0);
    cop_unit units[UNITS];
    memcpy(units, s.units, sizeof units);
    run_unit(&s, 1, &want);
    refuse(&s, units, UNITS, NULL, COP_ERR_INTERNAL);
    units[1].count--;
    refuse(&s, units, 2, NULL, COP_ERR_INTERNAL);
    units[1].count++;
    units[1].sampling.seed++;
    refuse(&s, units, 2, NULL, COP_ERR_INTERNAL);
    units[1].sampling.seed--;
    refuse(&s, units, 2, at_once, COP_INTERRUPTED);
    cop_unit_pending *pending = NULL;
    begin(&s, (const size_t[]){1}, 1, &pending); /* afterwards all is as it was */
    (void)check_unit(&s, &pending, 1, &want);
    outcome_free(&want);
    scene_destroy(&s);
}

/* The second unit's answers cannot be handed over: that is its failure only. */
static void test_one_failure(void **state)
{
    (void)state;
    scene s;
    outcome want[LANES];
    cop_unit_pending *pending[LANES];
    cop_error failures[LANES];
    scene_create(&s, LANES, 0);
    for (size_t i = 0; i < LANES; i++)
        run_unit(&s, i, &want[i]);
    answers_left = BATCH;
    cop_evaluator_begin(s.evaluator, s.units, LANES, NULL, NULL, pending, failures);
    assert_int_equal(failures[0].status, COP_OK);
    assert_int_equal(failures[1].status, COP_ERR_FORMAT);
    assert_non_null(strstr(failures[1].message, "no answer today"));
    assert_null(pending[1]);
    assert_int_equal(failures[2].status, COP_OK);
    (void)check_unit(&s, &pending[0], 0, &want[0]);
    (void)check_unit(&s, &pending[2], 2, &want[2]);
    for (size_t i = 0; i < LANES; i++)
        outcome_free(&want[i]);
    scene_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_one_failure),
    };
    return cmocka_run_group_tests_name("units side by side", tests, NULL, NULL);
}
