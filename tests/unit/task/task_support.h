/* What the tests of tasks share. */
#ifndef TESTS_UNIT_TASK_SUPPORT_H
#define TESTS_UNIT_TASK_SUPPORT_H

#include "coppice/task/task.h"

#include <math.h>
#include <string.h>

/* Scores a response [length]; the task must accept the answer. */
static inline cop_score score(const char *name, const char *response, size_t length,
                              const json_t *answer)
{
    const cop_task *task;
    cop_score result;
    cop_error err = {0};
    assert_int_equal(cop_task_find(name, &task, NULL), COP_OK);
    if (task->score(response, length, answer, &result, &err) != COP_OK)
        fail_msg("%s", err.message);
    assert_true(result.reward >= 0.0 && result.reward <= task->max_reward + 1e-12);
    assert_int_equal(result.correct, result.reward >= task->correct_at);
    return result;
}

/* The cases of `name` in a golden file. */
static inline void check_golden(const char *file, const char *name)
{
    json_error_t error;
    json_t *root = json_load_file(file, 0, &error);
    if (!root) fail_msg("%s:%d: %s", file, error.line, error.text);
    const json_t *cases = json_object_get(root, name);
    assert_true(json_array_size(cases) > 100);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        const json_t *response = json_object_get(one, "response");
        const json_t *correct = json_object_get(one, "correct");
        const double want = json_number_value(json_object_get(one, "reward"));
        cop_score got = score(name, json_string_value(response), json_string_length(response),
                              json_object_get(one, "answer"));
        if (fabs(got.reward - want) > 1e-12)
            fail_msg("%s case %zu: %g, expected %g: %s", name, i, got.reward, want,
                     json_string_value(response));
        if (correct) assert_int_equal(got.correct, json_is_true(correct));
        cop_score_free(&got);
    }
    json_decref(root);
}

typedef struct reward_case {
    const char *response, *answer;
    double reward;
    const char *extracted;
} reward_case;

static inline void check_cases(const char *name, const reward_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_t *answer = json_loads(cases[i].answer, JSON_DECODE_ANY, NULL);
        assert_non_null(answer);
        cop_score got = score(name, cases[i].response, strlen(cases[i].response), answer);
        const char *extracted = got.extracted ? got.extracted : "(none)";
        const char *want = cases[i].extracted ? cases[i].extracted : "(none)";
        if (fabs(got.reward - cases[i].reward) > 1e-12 || strcmp(extracted, want) != 0)
            fail_msg("%s case %zu: %g \"%s\", expected %g \"%s\": %s", name, i, got.reward,
                     extracted, cases[i].reward, want, cases[i].response);
        cop_score_free(&got);
        json_decref(answer);
    }
}

#define CHECK_CASES(name, cases) check_cases((name), (cases), sizeof(cases) / sizeof(cases)[0])

static inline void expect_format_error(const char *name, const char *answer_text,
                                       const char *word)
{
    const cop_task *task;
    cop_score result;
    cop_error err = {0};
    json_t *answer = json_loads(answer_text, JSON_DECODE_ANY, NULL);
    assert_non_null(answer);
    assert_int_equal(cop_task_find(name, &task, NULL), COP_OK);
    if (task->score("1", 1, answer, &result, &err) != COP_ERR_FORMAT)
        fail_msg("%s: %s is not refused", name, answer_text);
    if (!strstr(err.message, word)) fail_msg("%s", err.message);
    assert_null(result.extracted);
    assert_true(result.reward == 0.0 && !result.correct);
    json_decref(answer);
}

#endif
