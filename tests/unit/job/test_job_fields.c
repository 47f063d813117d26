/* Mappings in a job: task.fields in all its forms, from file and command line, and back. */
#include "coppice/job/job.h"
#include "fuzz/fuzz_job.h"
#include "job/job_keys.h"
#include "job/job_parse.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define GOOD "model: m\ntask.name: math\ntask.data: d\n"

/* Parses GOOD with `rest`, and up to two overrides (NULL: none). */
static cop_status parse(const char *rest, const char *first, const char *second, cop_job **job,
                        cop_error *err)
{
    cop_text text = {0};
    const char *overrides[2] = {first, second};
    assert_int_equal(cop_text_format(&text, NULL, GOOD "%s", rest), COP_OK);
    const cop_job_source source = {.text = text.data, .length = text.length, .path = "j.yaml"};
    const cop_status status =
        cop_job_parse(&source, overrides, (size_t)(first != NULL) + (second != NULL), job, err);
    cop_text_free(&text);
    return status;
}

/* The mapping prints as `wanted`, and reads back. */
static void check(const char *rest, const char *first, const char *second, const char *wanted)
{
    cop_job *job = NULL;
    cop_error err = {0};
    cop_text text = {0};
    if (parse(rest, first, second, &job, &err) != COP_OK) fail_msg("%s: %s", rest, err.message);
    const int index = cop_job_key_find("task.fields");
    assert_true(index >= 0);
    assert_true(cop_job_key_is_identity((size_t)index));
    assert_int_equal(cop_job_print_value(job, (size_t)index, &text, NULL), COP_OK);
    assert_string_equal(text.data, wanted);
    assert_true(cop_fuzz_round_trip(job));
    cop_text_free(&text);
    cop_job_destroy(&job);
}

static void test_forms(void **state)
{
    (void)state;
    static const char one[] = "{\"question\": \"problem\"}";
    static const char two[] = "{\"answer\": \"solution\", \"question\": \"problem\"}";
    check("", NULL, NULL, "{}");
    check("task.fields: {}\n", NULL, NULL, "{}");
    check("task.fields:\n", NULL, NULL, "{}");
    check("task.fields: null\n", NULL, NULL, "{}");
    check("task.fields: {question: problem}\n", NULL, NULL, one);
    check("task.fields:\n  question: problem\n  answer: solution\n", NULL, NULL, two);
    check("task.fields:\n  answer: solution\n  question: problem\n", NULL, NULL, two);
    check("task.fields.question: problem\n", NULL, NULL, one);
    check("task.fields.question: problem\ntask.fields.answer: 'solution'\n", NULL, NULL, two);
    check("task.fields.question: problem\ntask.fields: {answer: solution}\n", NULL, NULL, two);
    check("task.fields: {answer: choices.text.0, \"a b\": \"c: {d}\"}\n", NULL, NULL,
          "{\"a b\": \"c: {d}\", \"answer\": \"choices.text.0\"}");
    check("task.fields: {answer: 3}\n", NULL, NULL, "{\"answer\": \"3\"}");
    check("task.fields: {\"a.b\": c}\n", NULL, NULL, "{\"a.b\": \"c\"}");
}

/* An override of one name stays beside the file's, one of the whole stands in its place. */
static void test_overrides(void **state)
{
    (void)state;
    static const char file[] = "task.fields: {question: problem}\n";
    check(file, "task.fields.answer=solution", NULL,
          "{\"answer\": \"solution\", \"question\": \"problem\"}");
    check(file, "task.fields.question=text", NULL, "{\"question\": \"text\"}");
    check(file, "task.fields={answer: solution}", NULL, "{\"answer\": \"solution\"}");
    check(file, "task.fields={}", NULL, "{}");
    check(file, "task.fields=", NULL, "{}");
    check(file, "task.fields={}", "task.fields.answer=x", "{\"answer\": \"x\"}");
    check(file, "task.fields.answer=x", "task.fields={question: y}", "{\"question\": \"y\"}");
    check("", "task.fields.question=problem", NULL, "{\"question\": \"problem\"}");
}

static void refuse(const char *rest, const char *override, const char *message)
{
    cop_job *job = NULL;
    cop_error err = {0};
    assert_int_equal(parse(rest, override, NULL, &job, &err), COP_ERR_CONFIG);
    assert_null(job);
    if (strncmp(err.message, message, strlen(message)) != 0)
        fail_msg("%s: \"%s\", wanted \"%s\"", rest, err.message, message);
}

static void test_refused(void **state)
{
    (void)state;
    refuse("task.fields: problem\n", NULL,
           "j.yaml:4: task.fields takes a mapping of names, such as {question: problem}, not a "
           "single value");
    refuse("task.fields: [a, b]\n", NULL,
           "j.yaml:4: task.fields takes a mapping of names, such as {question: problem}, not a "
           "list");
    refuse("task.fields:\n  question: [a]\n", NULL,
           "j.yaml:5: task.fields.question takes the name of a field, not a list");
    refuse("task.fields:\n  question: {a: b}\n", NULL,
           "j.yaml:5: task.fields.question takes the name of a field, not a mapping");
    refuse("task.fields:\n  question:\n", NULL, "j.yaml:5: task.fields: a name is empty");
    refuse("task.fields:\n  question: ''\n", NULL, "j.yaml:5: task.fields: a name is empty");
    refuse("task.fields: {a: x, a: y}\n", NULL,
           "j.yaml:4: task.fields.a is given twice, first in line 4");
    refuse("task.fields: {a: x}\ntask.fields.a: y\n", NULL,
           "j.yaml:5: task.fields.a is given twice, first in line 4");
    refuse("task.fields: {a: x}\ntask.fields: {b: y}\n", NULL,
           "j.yaml:5: task.fields is given twice, first in line 4");
    refuse("task.fields.: x\n", NULL, "j.yaml:4: task.fields: a name is empty");
    refuse("", "task.fields=x", "-s task.fields=x: task.fields takes a mapping");
    refuse("", "task.fields.a=[x]", "-s task.fields.a=[x]: task.fields.a takes the name");
    refuse("task.feilds: {question: problem}\n", NULL,
           "j.yaml:4: unknown key \"task.feilds\"; did you mean \"task.fields\"?");
    refuse(
        "", "task.feilds.question=problem",
        "-s task.feilds.question=problem: unknown key \"task.feilds.question\"; did you mean "
        "\"task.fields\"?");
    char name[200] = "task.fields.";
    memset(name + strlen(name), 'x', 120);
    strcat(name, ": y\n");
    refuse(name, NULL, "j.yaml:4: task.fields: the name \"xxx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
