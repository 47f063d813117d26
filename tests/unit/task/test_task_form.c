/* Which form a response has its answer in, apart from whether that is right: every task. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/task/task_support.h"

#include <stdbool.h>

#define LETTERS "{\"labels\": [\"A\", \"B\", \"C\"], \"answer\": \"B\"}"
#define SUM "{\"numbers\": [1, 2, 3], \"target\": 6}"

typedef struct form_case {
    const char *task, *response, *answer;
    cop_form form;
    bool correct;
} form_case;

static const form_case cases[] = {
    {"gsm8k", "2 + 3\n#### 5", "\"5\"", COP_FORM_FOUND, true},
    {"gsm8k", "2 + 3\n#### 6", "\"5\"", COP_FORM_FOUND, false},
    {"gsm8k", "so it is 5", "\"5\"", COP_FORM_MISSING, true},
    {"gsm8k", "so it is 6", "\"5\"", COP_FORM_MISSING, false},
    {"gsm8k", "####5", "\"5\"", COP_FORM_MISSING, true}, /* no space */
    {"gsm8k", "#### ,", "\"5\"", COP_FORM_MISSING, false},
    {"gsm8k", "#### five", "\"5\"", COP_FORM_MISSING, false},
    {"gsm8k", "", "\"5\"", COP_FORM_MISSING, false},
    {"arith", "#### -5.", "\"-5\"", COP_FORM_FOUND, true},
    {"arith", "#### 1,000 and more", "\"5\"", COP_FORM_FOUND, false},
    {"arith", "it is -5.", "\"-5\"", COP_FORM_MISSING, true},
    {"arith", "#### , or .", "\"5\"", COP_FORM_MISSING, false},
    {"math", "\\boxed{\\frac{1}{2}}", "\"1/2\"", COP_FORM_FOUND, true},
    {"math", "\\boxed{3}", "\"1/2\"", COP_FORM_FOUND, false},
    {"math", "The answer is 3.", "\"3\"", COP_FORM_MISSING, true},
    {"math", "no idea", "\"3\"", COP_FORM_MISSING, false},
    {"math-strict", "so \\boxed{0.5}", "\"1/2\"", COP_FORM_FOUND, true},
    {"math-strict", "so \\boxed{(1, 2)}", "\"1/2\"", COP_FORM_FOUND, false},
    {"math-strict", "The answer is $\\frac{1}{2}$.", "\"1/2\"", COP_FORM_MISSING, true},
    {"math-strict", "boxed 7", "\"1/2\"", COP_FORM_MISSING, false},
    {"countdown", "first</think>\n<answer>1 + 2 + 3</answer>", SUM, COP_FORM_FOUND, true},
    {"countdown", "first</think>\n<answer>1 + 2 - 3</answer>", SUM, COP_FORM_FOUND, false},
    {"countdown", "<answer>1 + 2 + 3</answer>", SUM, COP_FORM_MISSING, true},
    {"countdown", "1 + 2 + 3", SUM, COP_FORM_MISSING, false},
    {"order", "B,C,A,E,D", "\"B,C,A,E,D\"", COP_FORM_FOUND, true},
    {"order", "A B C D E", "\"B,C,A,E,D\"", COP_FORM_FOUND, false},
    {"order", "B,C,A,E,E", "\"B,C,A,E,D\"", COP_FORM_MISSING, false},
    {"order", "first the dog", "\"B,C,A,E,D\"", COP_FORM_MISSING, false},
    {"choice", "The answer is B", LETTERS, COP_FORM_FOUND, true},
    {"choice", "(c)", LETTERS, COP_FORM_FOUND, false},
    {"choice", "The answer is D", LETTERS, COP_FORM_MISSING, false}, /* no label of its */
    {"choice", "Paris", LETTERS, COP_FORM_MISSING, false},
    {"json", "so: {\"a\": 1}", "{\"a\": 1}", COP_FORM_FOUND, true},
    {"json", "so: {\"a\": 2}", "{\"a\": 1}", COP_FORM_FOUND, false},
    {"json", "{a: 1}", "{\"a\": 1}", COP_FORM_MISSING, false},
    {"json", "a is 1", "{\"a\": 1}", COP_FORM_MISSING, false},
    {"exact", " red\n", "\"red\"", COP_FORM_FOUND, true},
    {"exact", "it is red", "\"red\"", COP_FORM_FOUND, false},
    {"exact", " \n", "\"red\"", COP_FORM_MISSING, false},
    {"contains", "it is red", "\"red\"", COP_FORM_NONE, true},
    {"contains", "", "\"red\"", COP_FORM_NONE, false},
    {"regex", "it is red", "\"r.d\"", COP_FORM_NONE, true},
    {"regex", "", "\"r.d\"", COP_FORM_NONE, false},
};

enum { CASES = sizeof cases / sizeof cases[0] };

static void a_form_is_told_apart_from_what_is_in_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const form_case *const c = &cases[i];
        json_t *const answer = json_loads(c->answer, JSON_DECODE_ANY, NULL);
        assert_non_null(answer);
        cop_score got = score(c->task, c->response, strlen(c->response), answer);
        if (got.form != c->form || got.correct != c->correct)
            fail_msg("%s: form %d, correct %d: %s", c->task, (int)got.form, got.correct,
                     c->response);
        cop_score_free(&got);
        json_decref(answer);
    }
}

static size_t count(const char *task, cop_form form)
{
    size_t found = 0;
    for (size_t i = 0; i < CASES; i++)
        found += strcmp(cases[i].task, task) == 0 && cases[i].form == form;
    return found;
}

/* Those that are scored by a process have their own tests. */
static void every_task_says_whether_it_wants_one(void **state)
{
    (void)state;
    for (size_t i = 0; cop_task_at(i) != NULL; i++) {
        const cop_task *const task = cop_task_at(i);
        if (task->scorer != NULL) continue;
        const bool wants = task->form != NULL;
        const size_t both =
            count(task->name, COP_FORM_FOUND) > 0 && count(task->name, COP_FORM_MISSING) > 0;
        const size_t none = count(task->name, COP_FORM_NONE);
        if (wants ? !both || none > 0 : none == 0 || both) fail_msg("%s", task->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_is_told_apart_from_what_is_in_it),
        cmocka_unit_test(every_task_says_whether_it_wants_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
