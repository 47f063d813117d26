/* Fields by other names, and data sets as tasks see them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/base/memory.h"
#include "coppice/task/task.h"
#include "unit/folder_support.h"
#include "unit/task/task_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cop_fields make_fields(const char *const *pairs, size_t count)
{
    cop_fields fields = {0};
    for (size_t i = 0; i < count; i++)
        assert_int_equal(cop_fields_add_text(&fields, pairs[i], NULL), COP_OK);
    return fields;
}
#define FIELDS(...)                                 \
    make_fields((const char *const[]){__VA_ARGS__}, \
                sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

static void test_pairs(void **state)
{
    (void)state;
    cop_error err = {0};
    cop_fields fields = FIELDS("question=problem", "answer=a=b", "choices=c.text");
    assert_int_equal(fields.count, 3);
    assert_string_equal(fields.data[0].name, "answer"); /* in order */
    assert_string_equal(cop_fields_get(&fields, "answer"), "a=b");
    assert_null(cop_fields_get(&fields, "other"));
    assert_int_equal(cop_fields_set(&fields, "answer", "b", NULL), COP_OK);
    assert_int_equal(fields.count, 3);
    assert_string_equal(cop_fields_get(&fields, "answer"), "b");
    static const char *const wrong[] = {"", "=", "a", "a=", "=b", "question=x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(cop_fields_add_text(&fields, wrong[i], &err), COP_ERR_USAGE);
    assert_non_null(strstr(err.message, "given twice"));
    cop_fields_free(&fields);
    assert_int_equal(fields.count, 0);
}

static void check_applied(cop_fields fields, const char *before, const char *after)
{
    cop_error err = {0};
    json_t *example = json_loads(before, 0, NULL);
    json_t *wanted = json_loads(after, 0, NULL);
    assert_true(example && wanted);
    if (cop_fields_apply(&fields, example, &err) != COP_OK) fail_msg("%s", err.message);
    if (!json_equal(example, wanted)) fail_msg("%s does not give %s", before, after);
    json_decref(example);
    json_decref(wanted);
    cop_fields_free(&fields);
}

static void test_apply(void **state)
{
    (void)state;
    check_applied((cop_fields){0}, "{\"a\": 1}", "{\"a\": 1}");
    check_applied(FIELDS("q=a"), "{\"a\": 1}", "{\"a\": 1, \"q\": 1}");
    check_applied(FIELDS("a=b", "b=a"), "{\"a\": 1, \"b\": 2}", "{\"a\": 2, \"b\": 1}");
    check_applied(
        FIELDS("x=a.b", "y=l.1", "z=l.0.k"), "{\"a\": {\"b\": [1]}, \"l\": [{\"k\": 3}, 4]}",
        "{\"a\": {\"b\": [1]}, \"l\": [{\"k\": 3}, 4], \"x\": [1], \"y\": 4, \"z\": 3}");
    check_applied(FIELDS("x=a.b"), "{\"a.b\": 1, \"a\": {\"b\": 2}}",
                  "{\"a.b\": 1, \"a\": {\"b\": 2}, \"x\": 1}");
    check_applied(FIELDS("answer=answer.text"), "{\"answer\": {\"text\": \"t\"}}",
                  "{\"answer\": \"t\"}");
}

static void expect_missing(cop_fields fields, const char *text, const char *const words[3])
{
    cop_error err = {0};
    json_t *example = json_loads(text, 0, NULL);
    json_t *before = json_deep_copy(example);
    assert_int_equal(cop_fields_apply(&fields, example, &err), COP_ERR_FORMAT);
    assert_true(json_equal(example, before));
    for (size_t i = 0; i < 3; i++)
        if (!strstr(err.message, words[i])) fail_msg("%s: no \"%s\"", err.message, words[i]);
    json_decref(example);
    json_decref(before);
    cop_fields_free(&fields);
}

static void test_missing(void **state)
{
    (void)state;
    expect_missing(FIELDS("answer=solutoin", "q=problem"),
                   "{\"problem\": 1, \"solution\": 2, \"level\": 3}",
                   (const char *const[3]){"\"solutoin\"", "did you mean \"solution\"",
                                          "problem, solution, level"});
    expect_missing(FIELDS("x=a.c"), "{\"a\": {\"b\": 1}}",
                   (const char *const[3]){"\"a.c\"", "\"x\"", "fields: a"});
    expect_missing(FIELDS("x=l.2"), "{\"l\": [1, 2]}",
                   (const char *const[3]){"\"l.2\"", "\"x\"", "fields: l"});
    expect_missing(FIELDS("x=l.-1"), "{\"l\": [1, 2]}",
                   (const char *const[3]){"l.-1", "x", "l"});
    expect_missing(FIELDS("x=l."), "{\"l\": [1, 2]}", (const char *const[3]){"l.", "x", "l"});
    expect_missing(FIELDS("x=a.b"), "{\"a\": 1}", (const char *const[3]){"a.b", "x", "a"});
    expect_missing(FIELDS("x=a"), "{}", (const char *const[3]){"\"a\"", "\"x\"", "none"});
}

/* Loads `text` as a data set of a task; NULL and the message if that fails. */
static cop_dataset *load(const char *name, const char *text, const cop_fields *fields,
                         cop_error *err)
{
    const cop_task *task;
    cop_dataset *dataset = NULL;
    char folder[FOLDER_BYTES];
    assert_int_equal(folder_create(folder), 0);
    char *path = cop_text_join_path(folder, "data.jsonl", NULL);
    assert_int_equal(cop_task_find(name, &task, NULL), COP_OK);
    assert_int_equal(cop_text_write_file(path, text, strlen(text), NULL), COP_OK);
    const cop_status status = cop_task_load(task, path, fields, NULL, &dataset, err);
    assert_int_equal(status == COP_OK, dataset != NULL);
    cop_memory_free(path);
    assert_int_equal(folder_remove(folder), 0);
    return dataset;
}

static void test_load(void **state)
{
    (void)state;
    cop_error err = {0};
    cop_fields fields = FIELDS("question=problem", "answer=final_answer");
    cop_dataset *dataset = load("math",
                                "{\"problem\": \"1+1?\", \"final_answer\": [\"$2$\"]}\n"
                                "{\"problem\": \"1+2?\", \"final_answer\": [\"3\"]}\n",
                                &fields, &err);
    if (!dataset) fail_msg("%s", err.message);
    const json_t *const second = cop_dataset_at(dataset, 1);
    assert_string_equal(json_string_value(json_object_get(second, "question")), "1+2?");
    const json_t *const list = cop_dataset_at(dataset, 0);
    assert_string_equal(json_string_value(json_object_get(list, "answer")), "2");
    cop_dataset_destroy(&dataset);
    cop_fields_free(&fields);

    dataset =
        load("choice", "{\"question\": \"?\", \"choices\": [\"x\", \"y\"], \"answer\": 1}\n",
             NULL, &err);
    assert_non_null(dataset);
    const json_t *const first = cop_dataset_at(dataset, 0);
    assert_string_equal(json_string_value(json_object_get(first, "answer")), "B");
    cop_dataset_destroy(&dataset);
}

/* What a few-shot example shows by itself is a right answer. */
static void test_shown_answers(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"exact", "\"a\""},
                                           {"exact", "[\"a\", \"b\"]"},
                                           {"exact", "[0.1]"},
                                           {"contains", "[5, \"x\"]"},
                                           {"json", "{\"a\": {\"b\": 0.1}}"},
                                           {"math", "[\"$5$\"]"},
                                           {"arith", "0.1"},
                                           {"choice", "\"(b)\""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cop_error err = {0};
        cop_text text = {0};
        cop_text shown = {0};
        const cop_task *task = NULL;
        const json_t *answer = NULL;
        assert_int_equal(cop_task_find(cases[i][0], &task, NULL), COP_OK);
        assert_int_equal(cop_text_format(&text, NULL, "{\"question\": \"?\", \"answer\": %s}\n",
                                         cases[i][1]),
                         COP_OK);
        cop_dataset *dataset = load(cases[i][0], text.data, NULL, &err);
        if (dataset == NULL) fail_msg("%s", err.message);
        const json_t *const example = cop_dataset_at(dataset, 0);
        assert_int_equal(task->answer(example, &answer, NULL), COP_OK);
        assert_int_equal(cop_task_render(task->default_assistant, example, &shown, NULL),
                         COP_OK);
        cop_score got = score(cases[i][0], shown.data, shown.length, answer);
        if (!got.correct) fail_msg("%s, %s: %s", cases[i][0], cases[i][1], shown.data);
        cop_score_free(&got);
        cop_dataset_destroy(&dataset);
        cop_text_free(&shown);
        cop_text_free(&text);
    }
}

static void refuse(const char *name, const char *text, const char *const words[3])
{
    cop_error err = {0};
    assert_null(load(name, text, NULL, &err));
    assert_int_equal(err.status, COP_ERR_FORMAT);
    for (size_t i = 0; i < 3; i++)
        if (!strstr(err.message, words[i])) fail_msg("%s: no \"%s\"", err.message, words[i]);
}

/* A bad example is found when the data are loaded, not hours later. */
static void test_refused_data(void **state)
{
    (void)state;
    refuse("gsm8k", "{\"question\": \"a\", \"answer\": \"1\"}\n{\"question\": \"b\"}\n",
           (const char *const[3]){"data.jsonl:2: ", "\"answer\"", "task.fields"});
    refuse("gsm8k", "{\"answer\": \"1\"}\n\n{\"answer\": \"NaN\"}\n",
           (const char *const[3]){"data.jsonl:3: ", "\"NaN\"", "no response can match"});
    refuse("arith", "{\"answer\": \"#### 0x10\"}\n",
           (const char *const[3]){"data.jsonl:1: ", "\"0x10\"", "decimal"});
    refuse("countdown", "{\"numbers\": [2.5, 2], \"target\": 5}\n",
           (const char *const[3]){"data.jsonl:1: ", "entry 0", "whole number"});
    refuse("mbpp", "{\"text\": \"f\", \"test_list\": []}\n",
           (const char *const[3]){"data.jsonl:1: ", "test_list", "not empty"});
    refuse("mbpp", "{\"text\": \"f\", \"test_list\": [\"assert f()\", \" \\n\"]}\n",
           (const char *const[3]){"data.jsonl:1: ", "entry 1", "is empty"});
    refuse("regex", "{\"question\": \"a\", \"answer\": \"(a+\"}\n",
           (const char *const[3]){"data.jsonl:1: ", "\"answer\"", "refused at byte"});
    refuse("regex", "{\"question\": \"a\", \"answer\": \"(a+)+$\"}\n",
           (const char *const[3]){"data.jsonl:1: ", "\"answer\"", "without bound"});
    refuse("order", "{\"sentence1\": \"a\"}\n",
           (const char *const[3]){"data.jsonl:1: ", "sentence2", "task.fields"});
    refuse("math", "{\"problem\": \"a\"}\n",
           (const char *const[3]){
               "data.jsonl:1: ", "answer",
               "task.fields: {answer: ...}, of eval and compare with --field answer=..."});
}

/* Prompts that differ in white space only have one key; the answer has no part in it. */
static void test_scan(void **state)
{
    (void)state;
    static const char text[] = "{\"question\": \"a b\", \"answer\": \"1\"}\n\n"
                               "{\"question\": \"ab\", \"answer\": \"1\"}\n"
                               "{\"question\": \" a\\n\\t b \", \"answer\": \"2\"}\n";
    const cop_task *task;
    uint64_t *keys = NULL;
    size_t count = 0;
    cop_error err = {0};
    char folder[FOLDER_BYTES];
    assert_int_equal(folder_create(folder), 0);
    char *path = cop_text_join_path(folder, "data.jsonl", NULL);
    assert_int_equal(cop_task_find("gsm8k", &task, NULL), COP_OK);
    assert_int_equal(cop_text_write_file(path, text, strlen(text), NULL), COP_OK);
    assert_int_equal(cop_task_scan(task, path, NULL, "{question}", &keys, &count, &err),
                     COP_OK);
    assert_int_equal(count, 3);
    assert_true(keys[0] == keys[2] && keys[0] != keys[1]);
    cop_memory_free(keys);
    assert_int_equal(cop_task_scan(task, path, NULL, "{quest}", &keys, &count, &err),
                     COP_ERR_CONFIG);
    assert_null(keys);
    assert_non_null(strstr(err.message, "data.jsonl:1: "));
    cop_memory_free(path);
    assert_int_equal(folder_remove(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),         cmocka_unit_test(test_apply),
        cmocka_unit_test(test_missing),       cmocka_unit_test(test_load),
        cmocka_unit_test(test_refused_data),  cmocka_unit_test(test_scan),
        cmocka_unit_test(test_shown_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
