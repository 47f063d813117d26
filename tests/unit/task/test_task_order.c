/* The task order: golden cases, responses of all forms, and how its examples are made. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/task/task.h"
#include "unit/task/task_support.h"

#include <stdio.h>
#include <string.h>

static void test_golden(void **state)
{
    (void)state;
    check_golden("tests/data/rewards.json", "order");
    check_golden("tests/data/rewards-more.json", "order");
}

static void test_responses(void **state)
{
    (void)state;
    static const reward_case cases[] = {
        {"B,C,E,D,A", "\"B,C,E,D,A\"", 1, "BCEDA"},
        {"b , c,\n e,d,a.", "\"B,C,E,D,A\"", 1, "BCEDA"},
        {"B C E D A", "[\"B\", \"C\", \"E\", \"D\", \"A\"]", 1, "BCEDA"},
        {"BCEDA", "\"b c e d a\"", 1, "BCEDA"},
        {"A B C D E or rather E,D,C,B,A", "\"E,D,C,B,A\"", 1, "EDCBA"}, /* commas come first */
        {"so ABCDE, not E D C B A", "\"E,D,C,B,A\"", 1, "EDCBA"},       /* then spaces */
        {"1. A 2. B 3. C 4. D 5. E", "\"A,B,C,D,E\"", 1, "ABCDE"},
        {"The best: B, then C", "\"A,B,C,D,E\"", 0, NULL},
        {"A,B,C,D,D", "\"A,B,C,D,E\"", 0, NULL},
        {"A,B,C,D", "\"A,B,C,D,E\"", 0, NULL},
        {"A,B,C,E,D", "\"A,B,C,D,E\"", 0.6 * 0.6 + 0.4 * 0.75, "ABCED"},
        {"B,C,D,E,A", "\"A,B,C,D,E\"", 0.4 * 0.75, "BCDEA"},
        {"E,D,C,B,A", "\"A,B,C,D,E\"", 0.6 * 0.2, "EDCBA"},
        {"", "\"A,B,C,D,E\"", 0, NULL},
    };
    CHECK_CASES("order", cases);
}

static void test_malformed_answers(void **state)
{
    (void)state;
    expect_format_error("order", "\"A,B,C,D\"", "A to E");
    expect_format_error("order", "\"A,B,C,D,D\"", "A to E");
    expect_format_error("order", "\"A,B,C,D,E,A\"", "A to E");
    expect_format_error("order", "\"A;B;C;D;E\"", "A to E");
    expect_format_error("order", "[0, 1, 2, 3, 4]", "A to E");
    expect_format_error("order", "[]", "A to E");
    expect_format_error("order", "3", "A to E");
}

static const cop_task *order_task(void)
{
    const cop_task *task = NULL;
    assert_int_equal(cop_task_find("order", &task, NULL), COP_OK);
    return task;
}

static const char *text_of(const json_t *example, const char *name)
{
    const char *const text = json_string_value(json_object_get(example, name));
    assert_non_null(text);
    return text;
}

/* The sentences that `story` shows, in the order that `answer` gives, are 1 to 5. */
static void check_story(const json_t *example)
{
    const char *const story = text_of(example, "story");
    const char *const answer = text_of(example, "answer");
    assert_int_equal(strlen(answer), 9);
    for (int i = 0; i < 5; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "Sentence %c: Part %d of it.", answer[2 * i], i + 1);
        if (!strstr(story, line)) fail_msg("%s: %s: no \"%s\"", story, answer, line);
    }
}

static json_t *make_story(int number)
{
    json_t *const example = json_object();
    for (int i = 1; i <= 5; i++) {
        char name[32];
        char text[64];
        (void)snprintf(name, sizeof name, "sentence%d", i);
        (void)snprintf(text, sizeof text, "Part %d of it. Story %d.", i, number);
        (void)json_object_set_new(example, name, json_string(text));
    }
    return example;
}

/* A story is always shown in the same order; over stories all orders are about as frequent. */
static void test_prepare(void **state)
{
    (void)state;
    const cop_task *const task = order_task();
    size_t first_is_a = 0;
    size_t different = 0;
    char before[16] = "";
    for (int number = 0; number < 500; number++) {
        json_t *one = make_story(number);
        json_t *two = make_story(number);
        const json_t *answer = NULL;
        (void)json_object_set_new(two, "id", json_integer(7));
        assert_int_equal(task->prepare(one, NULL), COP_OK);
        assert_int_equal(task->prepare(two, NULL), COP_OK);
        check_story(one);
        assert_string_equal(text_of(one, "answer"), text_of(two, "answer"));
        assert_int_equal(task->answer(one, &answer, NULL), COP_OK);
        assert_string_equal(json_string_value(answer), text_of(one, "answer"));
        first_is_a += text_of(one, "answer")[0] == 'A';
        different += strcmp(before, text_of(one, "answer")) != 0;
        (void)snprintf(before, sizeof before, "%s", text_of(one, "answer"));
        json_decref(one);
        json_decref(two);
    }
    assert_in_range(first_is_a, 60, 140); /* of 500, one in five: four standard deviations */
    assert_true(different > 450);
}

static void test_shuffled_data(void **state)
{
    (void)state;
    const cop_task *const task = order_task();
    json_t *example =
        json_loads("{\"title\": \"A day\", \"gold_order\": [1, 2, 4, 3, 0],"
                   " \"shuffled_sentences\": [\"Part 5 of it.\", \"Part 1 of it.\","
                   " \"Part 2 of it.\", \"Part 4 of it.\", \"Part 3 of it.\"]}",
                   0, NULL);
    assert_int_equal(task->prepare(example, NULL), COP_OK);
    assert_string_equal(text_of(example, "answer"), "B,C,E,D,A");
    assert_string_equal(
        text_of(example, "story"),
        "Title: A day\n\nSentence A: Part 5 of it.\nSentence B: Part 1 of it.\n"
        "Sentence C: Part 2 of it.\nSentence D: Part 4 of it.\nSentence E: Part 3 "
        "of it.");
    json_decref(example);
}

static void expect_refused(const char *text, const char *word)
{
    cop_error err = {0};
    json_t *example = json_loads(text, 0, NULL);
    assert_non_null(example);
    assert_int_equal(order_task()->prepare(example, &err), COP_ERR_FORMAT);
    if (!strstr(err.message, word)) fail_msg("%s", err.message);
    json_decref(example);
}

static void test_malformed_examples(void **state)
{
    (void)state;
    expect_refused("{}", "sentence1");
    expect_refused("{\"sentence1\": \"a\", \"sentence2\": 2}", "sentence2");
    expect_refused("{\"shuffled_sentences\": [\"a\"]}", "gold_order");
    expect_refused("{\"shuffled_sentences\": [\"a\"], \"gold_order\": [0]}", "lists of 5");
    expect_refused("{\"shuffled_sentences\": [\"a\", \"b\", \"c\", \"d\", \"e\"],"
                   " \"gold_order\": [0, 1, 2, 3, 3]}",
                   "each once");
    expect_refused("{\"shuffled_sentences\": [\"a\", \"b\", \"c\", \"d\", \"e\"],"
                   " \"gold_order\": [0, 1, 2, 3, 5]}",
                   "0 to 4");
    expect_refused("{\"shuffled_sentences\": [\"a\", \"b\", 3, \"d\", \"e\"],"
                   " \"gold_order\": [0, 1, 2, 3, 4]}",
                   "string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_malformed_answers),
        cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_shuffled_data),
        cmocka_unit_test(test_malformed_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
