/* Prompts of a file: plain lines, JSON lines, and what is neither. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/base/text.h"
#include "coppice/data/prompt_lines.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/coppice-prompts-XXXXXX";

static const char *write_file(const char *name, const char *bytes, size_t length)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(cop_text_write_file(path, bytes, length, NULL), COP_OK);
    return path;
}

static void expect(const char *name, const char *bytes, const char *const *prompts,
                   size_t count)
{
    cop_dataset *dataset = NULL;
    cop_error err = {0};
    const char *const path = write_file(name, bytes, strlen(bytes));
    if (cop_prompt_lines_load(path, &dataset, &err) != COP_OK) fail_msg("%s", err.message);
    assert_int_equal(cop_dataset_count(dataset), count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(
            json_string_value(json_object_get(cop_dataset_at(dataset, i), "prompt")),
            prompts[i]);
    cop_dataset_destroy(&dataset);
    (void)unlink(path);
}

static void refuse(const char *name, const char *bytes, size_t length, const char *word)
{
    cop_dataset *dataset = NULL;
    cop_error err = {0};
    const char *const path = write_file(name, bytes, length);
    assert_int_equal(cop_prompt_lines_load(path, &dataset, &err), COP_ERR_FORMAT);
    if (strstr(err.message, word) == NULL) fail_msg("%s", err.message);
    assert_non_null(strstr(err.message, name));
    assert_null(dataset);
    (void)unlink(path);
}

#define EXPECT(name, bytes, prompts) \
    expect(name, bytes, prompts, sizeof(prompts) / sizeof((prompts)[0]))

static void plain_lines_are_prompts(void **state)
{
    (void)state;
    static const char *const three[] = {"What is red?", "{\"prompt\": \"x\"}",
                                        "a \"b\" \\ c\xc3\xa9"};
    EXPECT("three.txt",
           "\xef\xbb\xbfWhat is red?\r\n\n \t\n{\"prompt\": \"x\"}\n  a \"b\" \\ c\xc3\xa9  ",
           three);
}

static void json_lines_have_a_field(void **state)
{
    (void)state;
    static const char *const two[] = {" two\nlines ", "x"};
    EXPECT("two.jsonl", "{\"prompt\": \" two\\nlines \", \"id\": 3}\n\n{\"prompt\": \"x\"}\n",
           two);
    EXPECT("two.ndjson", "{\"prompt\": \" two\\nlines \"}\n{\"prompt\": \"x\"}", two);
}

#define REFUSE(name, bytes, word) refuse(name, bytes, sizeof(bytes) - 1, word)

static void what_is_neither_is_refused_by_its_line(void **state)
{
    (void)state;
    REFUSE("none.txt", "\n \n", "no examples");
    REFUSE("empty.txt", "", "no examples");
    REFUSE("latin.txt", "good\nd\xe9j\xe0\n", ":2: not a text in UTF-8");
    REFUSE("zero.txt", "good\na\0b\n", ":2: ");
    REFUSE("plain.jsonl", "What is red?\n", ":1: ");
    REFUSE("other.jsonl", "{\"prompt\": \"x\"}\n{\"question\": \"x\"}\n",
           ":2: it needs a field");
    REFUSE("blank.jsonl", "{\"prompt\": \"\"}\n", "not empty");
    REFUSE("number.jsonl", "{\"prompt\": 1}\n", "a string");
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_lines_are_prompts),
        cmocka_unit_test(json_lines_have_a_field),
        cmocka_unit_test(what_is_neither_is_refused_by_its_line),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
