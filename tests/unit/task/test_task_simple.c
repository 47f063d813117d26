/* The tasks choice, exact, contains, regex and json. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/task/task.h"
#include "unit/task/task_support.h"

#include <stdlib.h>
#include <string.h>

static void test_choice(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"B", "\"B\"", 1, "B"},
        {" b. ", "\"B\"", 1, "B"},
        {"(c)", "\"(C)\"", 1, "C"},
        {"**D**", "3", 1, "D"},
        {"\\boxed{\\text{(C)}}", "\"C\"", 1, "C"},
        {"A is wrong, so \\boxed{B}", "\"B\"", 1, "B"},
        {"The answer is C.", "\"C\"", 1, "C"},
        {"The answer is (d)", "\"D\"", 1, "D"},
        {"Answer: A. No, wait. Answer: B", "\"B\"", 1, "B"},
        {"**Answer:** **E**", "\"E\"", 1, "E"},
        {"B. Paris, because A is no city", "\"B\"", 1, "B"},
        {"B) Paris", "\"b\"", 1, "B"},
        {"It must be (A), not (B)... no, (A)", "0", 1, "A"},
        {"I think B", "\"B\"", 1, "B"},
        {"A dog and I", "\"A\"", 0, NULL},
        {"The answer is a dog", "\"A\"", 0, NULL},
        {"I'd say it's D's turn: C", "\"C\"", 1, "C"},
        {"Paris", "\"B\"", 0, NULL},
        {"", "\"B\"", 0, NULL},
        {"The answer is 'B'.", "\"B\"", 1, "B"},
        {"The answer is \"B\", not \"C\".", "\"B\"", 1, "B"},
        {"The answer is \xE2\x80\x98"
         "B\xE2\x80\x99, not \xE2\x80\x9C"
         "C\xE2\x80\x9D.",
         "\"B\"", 1, "B"},
        {"The answer is `B`, as C is wrong", "\"B\"", 1, "B"},
        {"The answer is \\(\\mathbf{B}\\), as C is wrong", "\"B\"", 1, "B"},
        {"**Answer**: B, as C is wrong", "\"B\"", 1, "B"},
        {"{\"answer\": \"B\", \"wrong\": \"C\"}", "\"B\"", 1, "B"},
        {"D'Artagnan's and A\xE2\x80\x99s", "\"A\"", 0, NULL},
    };
    CHECK_CASES("choice", cases);
    expect_format_error("choice", "\"\"", "letter");
    expect_format_error("choice", "\"AB\"", "letter");
    expect_format_error("choice", "\"0\"", "letter");
    expect_format_error("choice", "\"27\"", "letter");
    expect_format_error("choice", "\"B or C\"", "letter");
    expect_format_error("choice", "-1", "letter");
    expect_format_error("choice", "26", "letter");
    expect_format_error("choice", "1.5", "letter");
}

/* Labels of an example's own: ARC has numbers in some rows. */
#define NUMBERS "{\"labels\": [\"1\", \"2\", \"3\", \"4\"], \"answer\": \"3\"}"
#define SMALL "{\"labels\": [\"a\", \"b\", \"c\"], \"answer\": \"b\"}"
#define THREE "{\"labels\": [\"A\", \"B\", \"C\"], \"answer\": \"b\"}"
#define MIXED "{\"labels\": [\"A\", \"2\", \"iii\", \"yes\"], \"answer\": \"(iii)\"}"

static void test_choice_labels(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"3", "\"3\"", 1, "3"},
        {"The answer is 3.", NUMBERS, 1, "3"},
        {"The answer is option 3: iron", NUMBERS, 1, "3"},
        {"**(3)**", NUMBERS, 1, "3"},
        {"3. Iron", NUMBERS, 1, "3"},
        {"3.5 kg, so 2", NUMBERS, 0, "2"},
        {"\\boxed{\\text{(3)}}", NUMBERS, 1, "3"},
        {"<answer> 3 </answer>", NUMBERS, 1, "3"},
        {"1 and 2 and 4 are wrong. Answer: 3", NUMBERS, 1, "3"},
        {"I choose 3, of 10", NUMBERS, 1, "3"}, /* 10 is none of them */
        {"I choose 3, at 40%", NUMBERS, 1, "3"},
        {"the answer is 7", NUMBERS, 0, NULL},
        {"the answer is 30", NUMBERS, 0, NULL},
        {"the answer is 3.5", NUMBERS, 0, NULL},
        {"the answer is C", NUMBERS, 0, NULL},
        {"at -3 degrees", NUMBERS, 0, NULL},
        {"The answer is b", SMALL, 1, "b"},
        {"The answer's b", SMALL, 1, "b"},
        {"(B)", SMALL, 1, "b"},
        {"the answer is a dog", SMALL, 0, NULL},
        {"b) red", SMALL, 1, "b"},
        {"so it is b and no other", SMALL, 1, "b"},
        {"The answer is D", THREE, 0, NULL},
        {"The answer is B", THREE, 1, "B"},
        {"vitamin D, so B", THREE, 1, "B"},
        {"the answer is iii", MIXED, 1, "iii"},
        {"The answer is II", MIXED, 0, NULL},
        {"Answer: 2", MIXED, 0, "2"},
        {"Yes", MIXED, 0, "yes"},
    };
    CHECK_CASES("choice", cases);
    expect_format_error("choice", "{\"labels\": [\"1\", \"2\"], \"answer\": \"3\"}",
                        "2 choices: 1, 2");
    expect_format_error("choice", "{\"labels\": [\"1\", \"2\"], \"answer\": 2}",
                        "2 choices: 1, 2");
    expect_format_error("choice", "{\"labels\": [\"a\", \"A\"], \"answer\": \"a\"}", "twice");
    expect_format_error("choice", "{\"labels\": [\"a\", \"b.*\"], \"answer\": \"a\"}",
                        "entry 1");
    expect_format_error("choice", "{\"labels\": [\"a\"], \"answer\": \"a\"}", "list of 2");
    expect_format_error("choice", "{\"labels\": [\"a\", \"b\"]}", "answer");
}

/* What stands around a label takes no more time than it is long. */
static void test_choice_blanks(void **state)
{
    (void)state;
    enum { LENGTH = 200000 };
    static const char *const begins[] = {"answer", "answer is", "\\boxed{", "<answer>", "("};
    char *response = cop_memory_alloc(LENGTH + 1, 1, NULL);
    json_t *answer = json_string("B");
    assert_non_null(response);
    const double start_s = cop_timer_now_s();
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        for (size_t k = 0; k < 2; k++) {
            memset(response, " *"[k], LENGTH);
            memcpy(response, begins[i], strlen(begins[i]));
            memcpy(response + LENGTH - 2, "B)", 2);
            cop_score got = score("choice", response, LENGTH, answer);
            assert_true(got.correct && got.note == NULL);
            cop_score_free(&got);
        }
    }
    assert_true(cop_timer_now_s() - start_s < 20);
    json_decref(answer);
    cop_memory_free(response);
}

static void check_prepared(const char *text, const char *options, const char *label)
{
    const cop_task *task;
    const json_t *answer;
    cop_error err = {0};
    json_t *example = json_loads(text, 0, NULL);
    assert_non_null(example);
    assert_int_equal(cop_task_find("choice", &task, NULL), COP_OK);
    if (task->prepare(example, &err) != COP_OK) fail_msg("%s", err.message);
    const char *made = json_string_value(json_object_get(example, "options"));
    assert_string_equal(made ? made : "(none)", options);
    assert_int_equal(task->answer(example, &answer, &err), COP_OK);
    assert_string_equal(json_string_value(json_object_get(example, "answer")), label);
    assert_true(answer == example || answer == json_object_get(example, "answer"));
    json_decref(example);
}

static void expect_unprepared(const char *text, const char *word)
{
    const cop_task *task;
    cop_error err = {0};
    json_t *example = json_loads(text, 0, NULL);
    assert_int_equal(cop_task_find("choice", &task, NULL), COP_OK);
    assert_int_equal(task->prepare(example, &err), COP_ERR_FORMAT);
    if (!strstr(err.message, word)) fail_msg("%s", err.message);
    json_decref(example);
}

static void test_choice_examples(void **state)
{
    (void)state;
    check_prepared("{\"choices\": [\"red\", 2, 0.5], \"answer\": 1}", "A. red\nB. 2\nC. 0.5",
                   "B");
    check_prepared("{\"choices\": [\"red\", \"blue\"], \"answer\": \"a\"}", "A. red\nB. blue",
                   "A");
    check_prepared("{\"question\": \"A) red B) blue\", \"answer\": \"B\"}", "(none)", "B");
    check_prepared("{\"question\": \"1) red 2) blue\", \"answer\": \"2\"}", "(none)", "2");
    check_prepared("{\"choices\": [\"red\", \"blue\"], \"answer\": \"2\"}", "1. red\n2. blue",
                   "2");
    check_prepared(
        "{\"choices\": {\"text\": [\"red\", \"blue\", \"no\"], \"label\": [\"1\", \"2\", "
        "\"3\"]}, \"answer\": \"2\"}",
        "1. red\n2. blue\n3. no", "2");
    check_prepared(
        "{\"choices\": [\"red\", \"blue\"], \"labels\": [\"a\", \"(b)\"], \"answer\": \"B\"}",
        "a. red\nb. blue", "b");
    check_prepared("{\"choices\": [\"x\", \"y\"], \"labels\": [1, 2], \"answer\": 1}",
                   "1. x\n2. y", "1");
    check_prepared("{\"choices\": [\"x\", \"y\"], \"labels\": [\"1\", \"2\"], \"answer\": 1}",
                   "1. x\n2. y", "2"); /* an index */
    expect_unprepared("{\"choices\": [\"red\", \"blue\"], \"answer\": 2}", "2 choices");
    expect_unprepared("{\"choices\": [\"red\"], \"answer\": 0}", "list of 2");
    expect_unprepared("{\"choices\": [\"red\", \"blue\"], \"answer\": \"C\"}", "choices: A, B");
    expect_unprepared("{\"choices\": [\"red\", \"blue\"], \"answer\": \"3\"}", "choices: 1, 2");
    expect_unprepared(
        "{\"choices\": [\"red\", \"blue\"], \"labels\": [\"1\"], \"answer\": \"1\"}", "labels");
    expect_unprepared("{\"choices\": [\"red\", \"blue\"], \"labels\": [\"1\", \"2\", \"3\"], "
                      "\"answer\": \"1\"}",
                      "3 labels for 2 choices");
    expect_unprepared("{\"choices\": \"red\", \"answer\": 0}", "list of 2");
    expect_unprepared("{\"choices\": [\"red\", {}], \"answer\": 0}", "string");
    expect_unprepared("{\"choices\": [\"red\", \"blue\"]}", "answer");
}

static void test_exact(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"yes", "\"yes\"", 1, "yes"},    {" yes\n", "\"yes \"", 1, "yes"},
        {"Yes", "\"yes\"", 0, "Yes"},    {"yes.", "\"yes\"", 0, "yes."},
        {"b", "[\"a\", \"b\"]", 1, "b"}, {"3", "3.0", 1, "3"},
        {"", "\"yes\"", 0, NULL},        {"\xe2\x80\x83yes", "\"yes\"", 1, "yes"},
        {"a b", "\"a  b\"", 0, "a b"},
    };
    CHECK_CASES("exact", cases);
    expect_format_error("exact", "\"\"", "empty");
    expect_format_error("exact", "[]", "empty list");
    expect_format_error("exact", "[\"a\", null]", "string or a number");
}

static void test_contains(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"so yes it is", "\"yes\"", 1, "so yes it is"},
        {"yes", "\" yes \"", 1, "yes"},
        {"YES", "\"yes\"", 0, "YES"},
        {"ye s", "\"yes\"", 0, "ye s"},
        {"x b y", "[\"a\", \"b\"]", 1, "x b y"},
        {"it is 42!", "42", 1, "it is 42!"},
        {"", "\"yes\"", 0, NULL},
    };
    CHECK_CASES("contains", cases);
    expect_format_error("contains", "\" \"", "empty");
    expect_format_error("contains", "true", "string or a number");
}

static void test_regex(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"call 555-1234 now", "\"\\\\d{3}-\\\\d{4}\"", 1, "call 555-1234 now"},
        {"call 555-123 now", "\"\\\\d{3}-\\\\d{4}\"", 0, "call 555-123 now"},
        {"Yes, indeed", "\"(?i)^yes\\\\b\"", 1, "Yes, indeed"},
        {"oh yes", "\"^yes\"", 0, "oh yes"},
        {"\xc3\xa9t\xc3\xa9", "\"^\\\\w{3}$\"", 1, "\xc3\xa9t\xc3\xa9"},
        {"\xff", "\"^.$\"", 1, "\xef\xbf\xbd"},
        {"1,22,333", "\"^(\\\\d+,)*\\\\d+$\"", 1, "1,22,333"}, /* repeats, but one way only */
        {"", "\"^$\"", 1, NULL},
    };
    CHECK_CASES("regex", cases);
}

#define ADA "{\"name\": \"Ada\", \"age\": 36}"
#define ADA_TEXT "\"{\\\"age\\\": 36, \\\"name\\\": \\\"Ada\\\"}\""
#define ADA_VOTE "{\"age\":36,\"name\":\"Ada\"}"

static void test_json(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"{\"name\": \"Ada\", \"age\": 36}", ADA, 1, ADA_VOTE},
        {"{\"age\":36.0,\n \"name\":\"\\u0041da\"}", ADA, 1, ADA_VOTE},
        {"{\"name\": \"Ada\", \"age\": 36}", ADA_TEXT, 1, ADA_VOTE},
        {"Here it is:\n```json\n{\"name\": \"Ada\", \"age\": 36}\n```\nDone }", ADA, 1,
         ADA_VOTE},
        {"{\"name\": \"Ada\", \"age\": 36} {\"name\": 1}", ADA, 1, ADA_VOTE},
        {"{\"name\": 1} {\"name\": \"Ada\", \"age\": 36}", ADA, 0, "{\"name\":1}"},
        {"{\"name\": \"ada\", \"age\": 36}", ADA, 0.25, "{\"age\":36,\"name\":\"ada\"}"},
        {"{\"name\": \"Ada\", \"age\": \"36\"}", ADA, 0.25,
         "{\"age\":\"36\",\"name\":\"Ada\"}"},
        {"{\"Name\": \"Ada\", \"age\": 36}", ADA, 1 / 6.0, "{\"Name\":\"Ada\",\"age\":36}"},
        {"{\"name\": \"Ada\"}", ADA, 0.25, "{\"name\":\"Ada\"}"},
        {"{\"name\": \"Ada\", \"age\": 36, \"x\": null}", ADA, 1 / 3.0,
         "{\"age\":36,\"name\":\"Ada\",\"x\":null}"},
        {"{\"name\": \"Ada\", \"age\": 36, \"age\": 36}", ADA, 0, NULL},
        {"{\"name\": \"Ada\", \"age\": 36,}", ADA, 0, NULL},
        {"{'name': 'Ada', 'age': 36}", ADA, 0, NULL},
        {"{name: \"Ada\", age: 36}", ADA, 0, NULL},
        {"{\"name\": \"Ada\", \"age\": NaN}", ADA, 0, NULL},
        {"{\"name\": \"Ada\", \"age\": 36", ADA, 0, NULL},
        {"{\"name\": \"Ada\", \"age\": 36]", ADA, 0, NULL},
        {"[36, \"Ada\"]", ADA, 0, NULL},
        {"name: Ada", ADA, 0, NULL},
        {"", ADA, 0, NULL},
        {"{\"a\": \"\xff\"}", "{\"a\": \"x\"}", 0, NULL},
        {"{\"a\": \"}\\\"{\"}", "{\"a\": \"}\\\"{\"}", 1, "{\"a\":\"}\\\"{\"}"},
        {"{\"a\": [1, {\"b\": -0.0}, 2.5]}", "{\"a\": [1.0, {\"b\": 0}, 2.50]}", 1,
         "{\"a\":[1,{\"b\":0},2.5]}"},
        {"{\"a\": [2, 1]}", "{\"a\": [1, 2]}", 0, "{\"a\":[2,1]}"},
        {"{\"a\": 9007199254740993}", "{\"a\": 9007199254740992}", 0,
         "{\"a\":9007199254740993}"},
        {"{\"a\": 1e3, \"b\": true}", "{\"a\": 1000, \"b\": true}", 1,
         "{\"a\":1000,\"b\":true}"},
        {"{\"a\": 1e400}", "{\"a\": \"1e400\"}", 0, NULL},
        {"{}", "{}", 1, "{}"},
        {"{}", ADA, 0, "{}"},
        {"{\"a\": 1}", "{}", 0, "{\"a\":1}"},
    };
    CHECK_CASES("json", cases);
    expect_format_error("json", "\"\"", "JSON object");
    expect_format_error("json", "\"{'a': 1}\"", "JSON object");
    expect_format_error("json", "\"[1]\"", "no object");
    expect_format_error("json", "[1]", "JSON object");
    expect_format_error("json", "3", "JSON object");
}

/* A response of braces alone is judged too, and soon. */
static void test_json_deep(void **state)
{
    (void)state;
    enum { DEPTH = 100000 };
    json_t *answer = json_pack("{s:i}", "a", 1);
    char *deep = cop_memory_alloc(2 * DEPTH, 1, NULL);
    assert_non_null(deep);
    assert_non_null(answer);
    memset(deep, '[', DEPTH);
    memset(deep + DEPTH, ']', DEPTH);
    deep[0] = '{';
    deep[2 * DEPTH - 1] = '}';
    for (size_t length = DEPTH; length <= 2 * (size_t)DEPTH; length += DEPTH) {
        cop_score got = score("json", deep, length, answer);
        assert_true(!got.correct && got.extracted == NULL);
        cop_score_free(&got);
    }
    cop_memory_free(deep);
    json_decref(answer);
}

/* Patterns that are refused: not valid, or without a bound on their cost. */
static void test_hostile_patterns(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "(a+)+$",         "(a|a)*$",      "(a|aa)+$",
        "(.*)*x",         "(\\w+\\s?)*$", "([a-z]+)*[0-9]",
        "(\\d+)*\\D\\d",  "(x+x+)+y",     "^(([a-z])+.)+[A-Z]$",
        "(a?){40}a{40}$", "((a*)*)*b",    "(?:a|b|ab)*c",
    };
    const double start_s = cop_timer_now_s();
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        json_t *answer = json_string(hostile[i]);
        char *text = json_dumps(answer, JSON_ENCODE_ANY);
        expect_format_error("regex", text, "without bound");
        free(text);
        json_decref(answer);
    }
    expect_format_error("regex", "\"(a\"", "refused at byte 2");
    expect_format_error("regex", "\"\\\\C\"", "refused");
    expect_format_error("regex", "\"\"", "not empty");
    expect_format_error("regex", "7", "pattern");
    char *deep = cop_memory_alloc(6000, 1, NULL);
    assert_non_null(deep);
    memset(deep, '(', 500);
    json_t *nested = json_stringn(deep, 500);
    memset(deep, 'a', 5999);
    json_t *endless = json_string(deep);
    const json_t *bad[] = {nested, endless};
    for (size_t i = 0; i < 2; i++) {
        const cop_task *task;
        cop_score got;
        cop_error err = {0};
        assert_int_equal(cop_task_find("regex", &task, NULL), COP_OK);
        assert_int_equal(task->score("a", 1, bad[i], &got, &err), COP_ERR_FORMAT);
        assert_non_null(strstr(err.message, "refused"));
    }
    json_decref(nested);
    json_decref(endless);
    cop_memory_free(deep);
    assert_true(cop_timer_now_s() - start_s < 60); /* without limits: years */
}

/* What passes the probes and yet is slow on a response ends as a wrong answer, soon, and says
 * so. */
static void test_costly_match(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    char *response = cop_memory_alloc(LENGTH, 1, NULL);
    assert_non_null(response);
    memset(response, 'a', LENGTH);
    static const char *const costly[] = {"a*a*a*[bc]", "a.*a.*a.*[bx]",
                                         "(?:a|ab)*(?:a|ac)*[dx]"};
    cop_score got;
    for (size_t i = 0; i < sizeof costly / sizeof costly[0]; i++) {
        json_t *pattern = json_string(costly[i]);
        const double start_s = cop_timer_now_s();
        got = score("regex", response, LENGTH, pattern);
        assert_true(!got.correct && got.note != NULL && strstr(got.note, "limit") != NULL);
        assert_true(cop_timer_now_s() - start_s < 20);
        cop_score_free(&got);
        json_decref(pattern);
    }
    /* A long response by itself is no reason: what matches is found, what does not is wrong. */
    static const char *const easy[] = {"(?:a|b)*$", "^a+$", "a{20000}", "(a)+?$",
                                       "^(?:a|b)*+c"};
    for (size_t i = 0; i < sizeof easy / sizeof easy[0]; i++) {
        json_t *pattern = json_string(easy[i]);
        got = score("regex", response, LENGTH, pattern);
        assert_int_equal(got.correct, strchr(easy[i], 'c') == NULL);
        assert_null(got.note);
        cop_score_free(&got);
        json_decref(pattern);
    }
    cop_memory_free(response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),        cmocka_unit_test(test_choice_examples),
        cmocka_unit_test(test_choice_labels), cmocka_unit_test(test_choice_blanks),
        cmocka_unit_test(test_exact),         cmocka_unit_test(test_contains),
        cmocka_unit_test(test_regex),         cmocka_unit_test(test_hostile_patterns),
        cmocka_unit_test(test_costly_match),  cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
