/* The task math-strict: pairs of answers, where an answer is found, what is voted on, and that
 * no text takes it long. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/task/task.h"
#include "unit/task/task_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Scores an answer in \boxed{}. */
static cop_score score_boxed(const char *answer, const json_t *reference)
{
    char response[2048];
    (void)snprintf(response, sizeof response, "So it is $\\boxed{%s}$.", answer);
    return score("math-strict", response, strlen(response), reference);
}

/* Pairs that are one answer and pairs that are not, beside math-verify's verdict. */
static void test_pairs(void **state)
{
    (void)state;
    json_error_t error;
    json_t *const pairs = json_load_file("tests/data/strict-pairs.json", 0, &error);
    if (pairs == NULL) fail_msg("line %d: %s", error.line, error.text);
    assert_true(json_array_size(pairs) > 500);
    size_t differences = 0;
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *const pair = json_array_get(pairs, i);
        const json_t *const reference = json_object_get(pair, "reference");
        const char *const answer = json_string_value(json_object_get(pair, "answer"));
        const json_t *const right = json_object_get(pair, "right");
        const bool theirs = json_is_true(json_object_get(pair, "math_verify"));
        cop_score got = score_boxed(answer, reference);
        if (got.correct != json_is_true(right))
            fail_msg("%s, reference %s", answer, json_string_value(reference));
        assert_non_null(got.extracted);
        const bool told = json_object_get(pair, "why") != NULL;
        assert_int_equal(told, theirs != got.correct);
        differences += told;
        cop_score_free(&got);
    }
    assert_true(differences < 30);
    json_decref(pairs);
}

/* Every reference of MATH-500 is right for itself, and for another only if it is the same. */
static void test_math500(void **state)
{
    (void)state;
    enum { COUNT = 500, MOST_EQUAL = 40 };
    const cop_task *task;
    const json_t *answers[COUNT];
    cop_dataset *dataset = NULL;
    cop_fields fields = {0};
    cop_error err = {0};
    size_t equal = 0;
    assert_int_equal(cop_task_find("math-strict", &task, NULL), COP_OK);
    assert_int_equal(cop_fields_set(&fields, "question", "problem", &err), COP_OK);
    if (cop_task_load(task, "tests/data/math500.jsonl", &fields, NULL, &dataset, &err) !=
        COP_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(task->answer(cop_dataset_at(dataset, i), &answers[i], &err), COP_OK);
    for (size_t i = 0; i < COUNT; i++) {
        cop_score got = score_boxed(json_string_value(answers[i]), answers[i]);
        if (!got.correct) fail_msg("%s", json_string_value(answers[i]));
        cop_score_free(&got);
        const size_t other = (i * 7 + 1) % COUNT;
        if (other == i || json_equal(answers[i], answers[other])) continue;
        got = score_boxed(json_string_value(answers[other]), answers[i]);
        equal += got.correct;
        cop_score_free(&got);
    }
    assert_true(equal <= 3);
    cop_dataset_destroy(&dataset);
    cop_fields_free(&fields);
}

/* The third column is the vote. */
static void test_extraction(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"\\boxed{1} and \\boxed{2}", "\"2\"", 1, "2"},
        {"\\boxed{\\frac{1}{2}} it is", "0.5", 1, "1/2"},
        {"\\boxed{1} and \\boxed{2", "\"1\"", 1, "1"},
        {"\\boxed{\\{1, 2\\}}", "\"1,2\"", 1, "{1, 2}"},
        {"\\fbox{7}", "\"7\"", 1, "7"},
        {"The answer is 0.5.", "\"\\\\frac12\"", 1, "1/2"},
        {"The answer is $x = 7$, as 1 < 2.", "\"7\"", 1, "7"},
        {"**Answer:** \\(3\\sqrt{2}\\)", "\"\\\\sqrt{18}\"", 1, "4.2426406871"},
        {"Final answer: even", "\"\\\\text{Even}\"", 1, "even"},
        {"so we get $$2+3 = 5$$", "\"5\"", 1, NULL},
        {"thus \\[ x = \\frac{3}{4} \\]", "\"0.75\"", 1, "3/4"},
        {"first $1$, then $2$", "\"2\"", 1, "2"},
        {"there are 1,234 of them, I think", "\"1234\"", 1, "1234"},
        {"it is -3/4 then", "\"-0.75\"", 1, "-3/4"},
        {"it is about 40%", "\"0.4\"", 1, "2/5"},
        {"it is \xE2\x88\x92"
         "5 then",
         "-5", 1, "-5"},
        {"it is \xE2\x88\x92"
         "5 then",
         "5", 0, "-5"},
        {"\\boxed{\\frac12.}", "0.5", 1, "1/2"},
        {"\\boxed{12.}", "12", 1, "12"},
        {"\\boxed{12.\\text{ }}", "12", 1, "12"},
        {"\\boxed{\\text{ }12}", "12", 1, "12"},
        {"no idea", "\"4\"", 0, NULL},
        {"\\boxed{}", "\"5\"", 0, NULL},
        {"", "\"4\"", 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *const answer = json_loads(cases[i].answer, JSON_DECODE_ANY, NULL);
        cop_score got =
            score("math-strict", cases[i].response, strlen(cases[i].response), answer);
        const char *const vote = got.extracted != NULL ? got.extracted : "(none)";
        if (got.reward != cases[i].reward ||
            (cases[i].extracted != NULL && strcmp(vote, cases[i].extracted) != 0))
            fail_msg("%s: %g, vote %s", cases[i].response, got.reward, vote);
        cop_score_free(&got);
        json_decref(answer);
    }
}

/* What functions are of, and their names in \text{} and the like, which are no units. */
static void test_functions(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *reference;
        bool right;
    } cases[] = {
        {"\\sin(x)^2", "\\sin^2 x", true},
        {"\\sin(x)^2", "\\sin x^2", false},
        {"\\ln\\left(2\\right)^2", "(\\ln 2)^2", true},
        {"\\ln(2)^2", "\\ln 4", false},
        {"\\log_2(8)^2", "9", true},
        {"\\sin^{2}{\\left(x \\right)} + \\cos(x)^2", "1", true},
        {"\\sin x^2", "\\sin(x^2)", true},
        {"3\\operatorname{arctan}(2)", "6", false},
        {"3\\operatorname{arctan}(2)", "3\\arctan 2", true},
        {"2\\mathrm{ln}(3)", "6", false},
        {"2\\mathrm{ln}(3)", "\\ln 9", true},
        {"2\\operatorname{cis}(90^\\circ)", "180", false},
        {"\\operatorname{sec} x", "\\frac{1}{\\cos x}", true},
        {"2+3\\mathrm{i}", "5", false},
        {"3\\mathrm{i}+2", "2+3i", true},
        {"3\\mathrm{e}^2", "3", false},
        {"10\\text{ sec}", "10", true},
        {"50\\text{ percent}", "0.5", true},
        {"6\\text{ cm} \\times 2", "12", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *const reference = json_string(cases[i].reference);
        cop_score got = score_boxed(cases[i].answer, reference);
        if (got.correct != cases[i].right)
            fail_msg("%s, reference %s: %d", cases[i].answer, cases[i].reference, got.correct);
        cop_score_free(&got);
        json_decref(reference);
    }
}

/* Equal answers vote together, others do not. */
static void test_votes(void **state)
{
    (void)state;
    static const char *const groups[][5] = {
        {"0.5", "\\frac{1}{2}", "x = \\tfrac24", "50\\%", "2^{-1}"},
        {"1, -2", "\\{-2, 1\\}", "-2 \\text{ and } 1", "x=1, x=-2", "-2,1,1"},
        {"\\sqrt{4}", "2", "2.0", "\\frac{4}{2}", "\\log_2 4"},
        {"(3,\\infty)", "x > 3", "x \\in (3, \\infty)", "3 < x", "\\left(3,\\infty\\right)"},
        {"(x+1)^2", "x^2+2x+1", "y = (1+x)^2", "1+x(x+2)", "{(x+1)(1+x)}"},
        {"\\text{East}", "east", "\\mathrm{east}", "EAST", "\\textbf{East}."},
        {"yes", "Yes", "YES", "\\text{Yes}", "\\mathrm{yes}."},
        {"C", "(C)", "\\text{C}", "\\text{(C)}", "\\textbf{(C)}"},
        {"\\pi", "pi", "{\\pi}", "\\mathrm{pi}", "\\frac{2\\pi}{2}"},
        {"1\\pm\\sqrt2", "1+\\sqrt{2}, 1-\\sqrt{2}", "\\{1-\\sqrt2, 1+\\sqrt2\\}",
         "1\\mp\\sqrt2", "x=1\\pm\\sqrt2"},
    };
    enum { GROUPS = sizeof groups / sizeof groups[0], SIZE = 5 };
    char *votes[GROUPS] = {0};
    json_t *const answer = json_string("1");
    for (size_t g = 0; g < GROUPS; g++) {
        for (size_t i = 0; i < SIZE; i++) {
            cop_score got = score_boxed(groups[g][i], answer);
            assert_non_null(got.extracted);
            if (i > 0 && strcmp(votes[g], got.extracted) != 0)
                fail_msg("%s votes %s, not %s", groups[g][i], got.extracted, votes[g]);
            if (i == 0) votes[g] = strdup(got.extracted);
            cop_score_free(&got);
        }
        for (size_t other = 0; other < g; other++)
            assert_string_not_equal(votes[g], votes[other]);
    }
    for (size_t g = 0; g < GROUPS; g++)
        free(votes[g]);
    json_decref(answer);
}

/* Whatever is in the box: deep, long, or costly to compute. */
static void test_hostile(void **state)
{
    (void)state;
    static const char *const pieces[] = {"(",
                                         "\\frac",
                                         "\\frac{",
                                         "-",
                                         "^",
                                         "^{9",
                                         "{",
                                         "\\{",
                                         "|",
                                         "\\sqrt",
                                         "\\sin",
                                         "1,",
                                         "\\binom{999}{499},",
                                         "999!,",
                                         "9^{9^9},",
                                         "\\pm 1",
                                         "x<",
                                         "x=",
                                         "\\cup",
                                         "\\begin{pmatrix}",
                                         "1&2\\\\",
                                         "\\text{",
                                         "0.\\overline{3}",
                                         "(1,2),",
                                         "9e99*",
                                         "\\log_"};
    enum { LENGTH = 6000, WORD = 64 };
    char *const text = cop_memory_alloc(LENGTH + WORD, 1, NULL);
    json_t *const reference = json_string("\\{x^2, 1 \\pm \\sqrt{2}, (1,2)\\}");
    assert_non_null(text);
    const double start_s = cop_timer_now_s();
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        for (size_t aim = 100; aim <= LENGTH; aim *= 4) {
            size_t length = (size_t)sprintf(text, "The answer is $");
            while (length < aim)
                length += (size_t)sprintf(text + length, "%s", pieces[p]);
            length += (size_t)sprintf(text + length, "1$");
            cop_score got = score("math-strict", text, length, reference);
            assert_false(got.correct);
            cop_score_free(&got);
        }
    }
    assert_true(cop_timer_now_s() - start_s < 30);
    json_decref(reference);
    cop_memory_free(text);
}

static void test_malformed_answers(void **state)
{
    (void)state;
    expect_format_error("math-strict", "null", "answer");
    expect_format_error("math-strict", "[]", "empty list");
    expect_format_error("math-strict", "\" \"", "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_math500),
        cmocka_unit_test(test_extraction),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_votes),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_malformed_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
