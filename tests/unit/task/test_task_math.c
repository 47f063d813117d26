/* The task math: golden cases, where an answer is found, what counts as equal, what is voted
 * on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/task/task.h"
#include "unit/task/task_support.h"

#include <stdlib.h>
#include <string.h>

static void test_golden(void **state)
{
    (void)state;
    check_golden("tests/data/rewards.json", "math");
    check_golden("tests/data/rewards-more.json", "math");
}

/* Where an answer is found: the third column is the vote. */
static void test_extraction(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"\\boxed{5}", "\"5\"", 1, "5"},
        {"\\boxed{\\frac{1}{2}}", "\"\\\\frac{1}{2}\"", 1, "0.5"},
        {"\\boxed{1} and \\boxed{2}", "\"1\"", 0, "2"},
        {"\\boxed{1} and \\boxed{2", "\"1\"", 1, "1"},
        {"\\boxed{1 \\boxed{2}", "\"2\"", 1, "2"}, /* the inner one of two, one open */
        {"\\boxed{a{b}c", "\"a{b\"", 1, "a{b"},    /* up to the first brace that closes */
        {"\\boxed{12", "\"12\"", 0, NULL},
        {"\\boxed 5", "\"5\"", 0, NULL},
        {"\\boxed{}", "\"5\"", 0, NULL},
        {"The answer is 5", "\"5\"", 1, "5"},
        {"The answer is 0.5", "\"0.5\"", 0, "0"}, /* a full stop ends the words */
        {"The answer is $0.5$.", "\"0.5\"", 1, "0.5"},
        {"It is \\(x+1\\).\n", "\"x+1\"", 1, "x+1"},
        {"x = $7$\nmore", "\"7\"", 1, "7"},
        {"THE ANSWER IS: **\\(9\\)** indeed", "\"9\"", 1, "9"},
        {"Final answer: 8", "\"8\"", 1, "8"},
        {"hence, the answer is 4 apples", "\"4 apples\"", 1, "4apples"},
        {"y = 3\nz = 4", "\"4\"", 1, "4"},
        {"y = 3\nz = 4\n", "\"4\"", 1, "4"},
        {"no idea", "\"4\"", 0, NULL},
        {"#### 4", "\"4\"", 0, NULL},
        {"", "\"4\"", 0, NULL},
    };
    CHECK_CASES("math", cases);
}

static void test_equality(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"\\boxed{ 1 , 2 }", "\"1,2\"", 1, "1,2"},
        {"\\boxed{\\left( 1, \\dfrac{\\pi}{2} \\right)}", "\"(1,\\\\frac{\\\\pi}{2})\"", 1,
         "(1,\\frac{\\pi}{2})"},
        {"\\boxed{0.5}", "\"\\\\frac{1}{2}\"", 1, "0.5"},
        {"\\boxed{\\tfrac{2}{4}}", "0.5", 1, "0.5"},
        {"\\boxed{1/2}", "\"\\\\frac{1}{2}\"", 1, "1/2"}, /* the same numbers in order */
        {"\\boxed{\\frac{1}{0}}", "\"0\"", 0, "\\frac{1}{0}"},
        {"\\boxed{1,234,567}", "\"1234567\"", 1, "1234567"},
        {"\\boxed{10,\\!080}", "\"10080\"", 1, "10080"},
        {"\\boxed{evelyn}", "\"Evelyn\"", 1, "evelyn"},
        {"\\boxed{Evelyn}", "\"\\\\text{Evelyn}\"", 0, "evelyn"},
        {"\\boxed{30\xc2\xb0}", "\"30^{\\\\circ}\"", 1, "30"},
        {"\\boxed{(1, 2.0)}", "\"(1,2)\"", 1, "(1,2)"},
        {"\\boxed{(2, 1)}", "\"(1,2)\"", 0, "(2,1)"},
        {"\\boxed{(1, 2, 3)}", "\"(1,2)\"", 0, "(1,2,3)"},
        {"\\boxed{-5}", "\"5\"", 0, "-5"},
        {"\\boxed{x = -5.0}", "\"-5\"", 1, "-5"},
        {"\\boxed{52_8}", "\"52_8\"", 1, "52_8"},
        {"\\boxed{\\$18.90}", "\"18.9\"", 1, "18.9"},
        {"\\boxed{0.3333333333}", "\"\\\\frac{1}{3}\"", 1, "0.333333333"},
        {"\\boxed{0.33333}", "\"\\\\frac{1}{3}\"", 0, "0.33333"},
        {"\\boxed{\xd9\xa3}", "\"3\"", 1, "3"},               /* ARABIC-INDIC DIGIT THREE */
        {"\\boxed{1\xe2\x80\x83+ 1}", "\"1 + 1\"", 1, "1+1"}, /* EM SPACE */
        {"\\boxed{1e3}", "\"1000\"", 1, "1000"},
        {"\\boxed{inf}", "\"inf\"", 1, "inf"},
        {"\\boxed{\\frac{1}{2}}", "[\"$\\\\frac{1}{2}$\"]", 1, "0.5"},
        {"\\boxed{3}", "[\"$3$\", \"4\"]", 1, "3"},
        {"\\boxed{4}", "[\"$3$\", \"4\"]", 0, "4"},
    };
    CHECK_CASES("math", cases);
}

/* Forms that the reward takes for equal vote together. */
static void test_votes(void **state)
{
    (void)state;
    static const char *const same[][3] = {
        {"\\boxed{0.5}", "The answer is $\\frac{1}{2}$.", "\\boxed{x=\\dfrac{2}{4}}"},
        {"\\boxed{(1, 2)}", "\\boxed{\\left(1,2.0\\right)}", "\\boxed{(1,\\,2)}"},
        {"\\boxed{1,000}", "\\boxed{1000.0}", "thus $x = 1000$"},
        {"\\boxed{30^\\circ}", "\\boxed{30^{\\circ}}", "\\boxed{30}"},
    };
    json_t *answer = json_string("1");
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        cop_score first = score("math", same[i][0], strlen(same[i][0]), answer);
        for (size_t k = 1; k < 3; k++) {
            cop_score other = score("math", same[i][k], strlen(same[i][k]), answer);
            assert_non_null(other.extracted);
            if (strcmp(first.extracted, other.extracted) != 0)
                fail_msg("\"%s\" votes %s, \"%s\" votes %s", same[i][0], first.extracted,
                         same[i][k], other.extracted);
            cop_score_free(&other);
        }
        cop_score_free(&first);
    }
    json_decref(answer);
}

/* The last 500 characters count, not bytes. */
static void test_clip(void **state)
{
    (void)state;
    static const char *const filler[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\xb3"};
    json_t *answer = json_string("76");
    for (size_t kind = 0; kind < 4; kind++)
        for (size_t count = 485; count <= 495; count++) {
            char text[4096] = "\\boxed{76}";
            for (size_t i = 0; i < count; i++)
                strcat(text, filler[kind]);
            cop_score got = score("math", text, strlen(text), answer);
            assert_int_equal(got.correct, count <= 490);
            cop_score_free(&got);
        }
    json_decref(answer);
}

/* Every reference of MATH-500, given as a boxed response, is right, and votes for one form. */
static void test_math500(void **state)
{
    (void)state;
    const cop_task *task;
    cop_fields fields = {0};
    cop_dataset *dataset = NULL;
    cop_error err = {0};
    assert_int_equal(cop_task_find("math", &task, NULL), COP_OK);
    assert_int_equal(cop_fields_set(&fields, "question", "problem", &err), COP_OK);
    if (cop_task_load(task, "tests/data/math500.jsonl", &fields, NULL, &dataset, &err) !=
        COP_OK)
        fail_msg("%s", err.message);
    assert_int_equal(cop_dataset_count(dataset), 500);
    for (size_t i = 0; i < 500; i++) {
        const json_t *answer;
        char text[600];
        assert_int_equal(task->answer(cop_dataset_at(dataset, i), &answer, &err), COP_OK);
        (void)snprintf(text, sizeof text, "So the answer is $\\boxed{%s}$.",
                       json_string_value(answer));
        cop_score got = score("math", text, strlen(text), answer);
        if (!got.correct || !got.extracted) fail_msg("%s", text);
        cop_score_free(&got);
    }
    cop_dataset_destroy(&dataset);
    cop_fields_free(&fields);
}

static void test_malformed_answers(void **state)
{
    (void)state;
    expect_format_error("math", "null", "answer");
    expect_format_error("math", "{}", "answer");
    expect_format_error("math", "[]", "empty list");
    expect_format_error("math", "[[\"1\"]]", "answer");
    expect_format_error("math", "\" \"", "empty");
    expect_format_error("math", "[\"$ $\"]", "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_extraction),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_votes),
        cmocka_unit_test(test_clip),
        cmocka_unit_test(test_math500),
        cmocka_unit_test(test_malformed_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
