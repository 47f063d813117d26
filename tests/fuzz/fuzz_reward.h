/* One response through every task that is a function, for a fuzzer and for the unit test that
 * replays its corpus: rewards must stay in range, be the same twice, and agree with `correct`.
 * A broken promise aborts, which is what fuzzers look for. */
#ifndef TESTS_FUZZ_FUZZ_REWARD_H
#define TESTS_FUZZ_FUZZ_REWARD_H

#include "coppice/task/task.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const fuzz_answers[][2] = {
    {"gsm8k", "\"1234\""},
    {"gsm8k", "-5"},
    {"arith", "\"1234\""},
    {"countdown", "{\"numbers\": [2, 3, 4], \"target\": 24}"},
    {"countdown", "{\"numbers\": [5, 2], \"target\": 2.5}"},
    {"math", "\"\\\\frac{1}{2}\""},
    {"math", "[\"$(1, 2)$\"]"},
    {"math", "12"},
    {"math-strict", "\"\\\\frac{1}{2}\""},
    {"math-strict", "\"(-\\\\infty, 2) \\\\cup (3, x^2 + 1]\""},
    {"math-strict", "\"1 \\\\pm \\\\sqrt{19}, \\\\{2, y = 3x\\\\}\""},
    {"order", "\"B,C,E,D,A\""},
    {"choice", "\"B\""},
    {"choice", "0"},
    {"exact", "\"12\""},
    {"contains", "[\"12\", \"answer\"]"},
    {"json", "{\"a\": 1, \"b\": [\"x\", 2.5, null]}"},
    {"json", "\"{\\\"name\\\": \\\"Ada\\\"}\""},
    {"regex", "\"(?i)answer\\\\W+(\\\\d+)\""},
};

/* Whether the table above has an answer for every task that scores by itself. */
static inline bool fuzz_covers_all_tasks(void)
{
    for (size_t t = 0; cop_task_at(t) != NULL; t++) {
        bool found = cop_task_at(t)->score == NULL;
        for (size_t i = 0; i < sizeof fuzz_answers / sizeof fuzz_answers[0]; i++)
            found = found || strcmp(fuzz_answers[i][0], cop_task_at(t)->name) == 0;
        if (!found) return false;
    }
    return true;
}

static inline void fuzz_one_reward(const cop_task *task, const char *response, size_t size,
                                   const json_t *answer)
{
    cop_score one, two;
    cop_error err = {0};
    if (task->score(response, size, answer, &one, &err) != COP_OK) abort();
    if (task->score(response, size, answer, &two, &err) != COP_OK) abort();
    const bool in_range = one.reward >= 0.0 && one.reward <= task->max_reward + 1e-12;
    const bool same = one.reward == two.reward && !one.extracted == !two.extracted;
    const bool agrees = one.correct == (one.reward >= task->correct_at);
    const bool formed = one.form == two.form && (one.form == COP_FORM_NONE) == !task->form;
    if (!in_range || !same || !agrees || !formed) abort();
    if (one.extracted && strcmp(one.extracted, two.extracted) != 0) abort();
    cop_score_free(&one);
    cop_score_free(&two);
}

static inline void fuzz_reward(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < sizeof fuzz_answers / sizeof fuzz_answers[0]; i++) {
        const cop_task *task;
        json_t *answer = json_loads(fuzz_answers[i][1], JSON_DECODE_ANY, NULL);
        if (!answer || cop_task_find(fuzz_answers[i][0], &task, NULL) != COP_OK) abort();
        fuzz_one_reward(task, (const char *)data, size, answer);
        json_decref(answer);
    }
}

#endif
