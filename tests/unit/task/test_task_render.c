/* Prompt templates and the table of tasks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/task/task.h"

#include <string.h>

static void check(const char *template_text, const char *example_text, const char *want)
{
    cop_text text = {0};
    cop_error err = {0};
    json_t *example = json_loads(example_text, 0, NULL);
    assert_non_null(example);
    if (cop_task_render(template_text, example, &text, &err) != COP_OK)
        fail_msg("%s: %s", template_text, err.message);
    assert_string_equal(text.data ? text.data : "", want);
    cop_text_free(&text);
    json_decref(example);
}

static void test_render(void **state)
{
    (void)state;
    check("", "{}", "");
    check("no field", "{}", "no field");
    check("{question}", "{\"question\": \"5 < {6} \\u00e9?\"}", "5 < {6} \xc3\xa9?");
    check("{a}{b}", "{\"a\": 1, \"b\": \"\"}", "1");
    check("{{a}} {{{a}}}", "{\"a\": 1}", "{a} {1}");
    check("{n}", "{\"n\": [16, 16, 13]}", "[16, 16, 13]");
    check("{n}", "{\"n\": []}", "[]");
    check("{n}", "{\"n\": [1.5, \"a\\\"b\", [2], null, true, {\"k\": 1}]}",
          "[1.5, \"a\\\"b\", [2], null, true, {\"k\": 1}]");
    check("{c.text} {c.text.1} {n.0} {a.b}",
          "{\"c\": {\"text\": [\"x\", 2]}, \"n\": [7], \"a.b\": \"dotted\", \"a\": {\"b\": 1}}",
          "[\"x\", 2] 2 7 dotted");
    check("{\xc3\xa9 x}", "{\"\\u00e9 x\": false}", "false");
}

static void test_numbers(void **state)
{
    (void)state;
    check("{x}", "{\"x\": -7}", "-7");
    check("{x}", "{\"x\": 9223372036854775807}", "9223372036854775807");
    check("{x}", "{\"x\": 3.0}", "3");
    check("{x}", "{\"x\": -0.0}", "0");
    check("{x}", "{\"x\": 0.1}", "0.1");
    check("{x}", "{\"x\": 76.72727272727273}", "76.72727272727273");
    check("{x}", "{\"x\": 1e300}", "1e+300");
    check("{x}",
          "{\"x\": {\"a\": 0.1, \"b\\n\": [0.3, {}], \"c\": [{\"d\": 3.0}, null, true]}}",
          "{\"a\": 0.1, \"b\\n\": [0.3, {}], \"c\": [{\"d\": 3}, null, true]}");
    check("{x}", "{\"x\": 1e-7}", "1e-07");
}

static void test_default_prompts(void **state)
{
    (void)state;
    const cop_task *task;
    assert_int_equal(cop_task_find("countdown", &task, NULL), COP_OK);
    check(
        task->default_user, "{\"numbers\": [16, 16, 13], \"target\": 224}",
        "Using the numbers [16, 16, 13], create an equation that equals 224. You can use basic "
        "arithmetic operations (+, -, *, /) and each number can only be used once. Show your "
        "work in <think> </think> tags. And return the final answer in <answer> </answer> "
        "tags, "
        "for example <answer> (1 + 2) / 3 </answer>.");
    assert_string_equal(
        task->default_system,
        "You are a helpful assistant. You first think about the reasoning process "
        "in your mind and then provide the user with the answer.");
    assert_int_equal(cop_task_find("gsm8k", &task, NULL), COP_OK);
    check(task->default_user, "{\"question\": \"How many?\", \"answer\": \"5\"}", "How many?");
    assert_null(task->default_system);
}

static void expect_config_error(const char *template_text, const char *word)
{
    cop_text text = {0};
    cop_error err = {0};
    json_t *example = json_pack("{s:i, s:s}", "target", 5, "question", "?");
    assert_int_equal(cop_text_append(&text, "before", 6, NULL), COP_OK);
    assert_int_equal(cop_task_render(template_text, example, &text, &err), COP_ERR_CONFIG);
    if (!strstr(err.message, word)) fail_msg("%s", err.message);
    assert_string_equal(text.data, "before");
    assert_int_equal(text.length, 6);
    cop_text_free(&text);
    json_decref(example);
}

static void test_refused_templates(void **state)
{
    (void)state;
    expect_config_error("a {number}", "\"number\"");
    expect_config_error("a {number}", "target");
    expect_config_error("a {number}", "question");
    expect_config_error("{}", "\"\"");
    expect_config_error("{question.x}", "question.x");
    expect_config_error("{target.0}", "target.0");
    expect_config_error("{target} {target", "byte 9");
    expect_config_error("target}", "byte 6");
    expect_config_error("{target{", "byte 0");
    expect_config_error("{target}}", "byte 8");
    expect_config_error("{", "byte 0");
}

/* Prompts are texts that end at a zero: what stands behind one would be lost without a word. */
static void test_zero_character(void **state)
{
    (void)state;
    static const char line[] = "{\"q\": \"a\\u0000b\", \"list\": [\"a\\u0000b\"]}";
    cop_text text = {0};
    cop_error err = {0};
    json_t *const example = json_loads(line, JSON_ALLOW_NUL, NULL);
    assert_non_null(example);
    assert_int_equal(cop_task_render("{q} ?", example, &text, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "field \"q\" holds a zero character"));
    assert_int_equal(cop_task_render("{list} ?", example, &text, &err), COP_OK);
    assert_string_equal(text.data, "[\"a\\u0000b\"] ?");
    cop_text_free(&text);
    json_decref(example);
}

static void test_registry(void **state)
{
    (void)state;
    const cop_task *task;
    size_t count = 0;
    for (; cop_task_at(count); count++) {
        const cop_task *one = cop_task_at(count);
        assert_int_equal(cop_task_find(one->name, &task, NULL), COP_OK);
        assert_ptr_equal(task, one);
        assert_true(one->summary && one->fields && one->default_user && one->answer);
        assert_true(one->reward && one->correctness && one->vote);
        for (const cop_task_field *f = one->fields; f->name; f++)
            assert_true(f->kind && f->kind[0]);
        assert_true((one->score != NULL) != (one->scorer != NULL));
        assert_true(one->correct_at > 0.0 && one->correct_at <= one->max_reward);
    }
    assert_true(count >= 9);
    assert_null(cop_task_at(count + 5));
    cop_error err = {0};
    assert_int_equal(cop_task_find("countdow", &task, &err), COP_ERR_CONFIG);
    assert_null(task);
    assert_non_null(strstr(err.message, "did you mean \"countdown\""));
    assert_non_null(strstr(err.message, "gsm8k"));
    assert_int_equal(cop_task_find("", &task, &err), COP_ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render),          cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_default_prompts), cmocka_unit_test(test_refused_templates),
        cmocka_unit_test(test_zero_character),  cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
