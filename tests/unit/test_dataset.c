/* Data sets: JSON lines, their damages, the digest. */
#include "unit/formats_support.h"

#include "coppice/dataset.h"
#include "formats/dataset_parse.h"

static cop_dataset *parse_ok(const char *text, size_t length)
{
    cop_dataset *dataset = NULL;
    cop_error err = {0};
    if (cop_dataset_parse(text, length, "d.jsonl", &dataset, &err) != COP_OK) {
        fail_msg("%s", err.message);
    }
    return dataset;
}

static int64_t value_of(const cop_dataset *dataset, size_t index)
{
    return json_integer_value(json_object_get(cop_dataset_at(dataset, index), "n"));
}

typedef struct accepted {
    const char *text;
    size_t count;
} accepted;

static void test_accepted(void **state)
{
    (void)state;
    static const accepted cases[] = {
        {"{\"n\":0}", 1},                                   /* no newline at the end */
        {"{\"n\":0}\n", 1},                                 /* one */
        {"{\"n\":0}\n{\"n\":1}\n", 2},                      /* plain */
        {"{\"n\":0}\r\n{\"n\":1}\r\n", 2},                  /* other systems' newlines */
        {"\xef\xbb\xbf{\"n\":0}\n{\"n\":1}", 2},            /* byte order mark */
        {"\n \t\r\n{\"n\":0}\n\n\r\n  {\"n\":1}  \n\n", 2}, /* blank lines, spaces */
        {"{\"n\":0,\"s\":\"\xe2\x80\xa8 \xf0\x9f\x8c\xb3\"}",
         1}, /* U+2028 is no newline here */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cop_dataset *dataset = parse_ok(cases[i].text, strlen(cases[i].text));
        assert_int_equal(cop_dataset_count(dataset), cases[i].count);
        for (size_t k = 0; k < cases[i].count; k++)
            assert_int_equal(value_of(dataset, k), k);
        cop_dataset_destroy(&dataset);
        assert_null(dataset);
        cop_dataset_destroy(&dataset);
    }
}

typedef struct refused {
    const char *text;
    size_t length; /* 0: up to the NUL */
    const char *word;
} refused;

static void test_refused(void **state)
{
    (void)state;
    static const refused cases[] = {
        {"", 0, "d.jsonl: has no examples"},
        {"\n\r\n \n", 0, "d.jsonl: has no examples"},
        {"\xef\xbb\xbf", 0, "d.jsonl: has no examples"},
        {"{\"n\":0}\n{\"n\":1\n{\"n\":2}\n", 0, "d.jsonl:2: column"},
        {"{\"n\":0}\n\n\nx", 0, "d.jsonl:4: column 1"},
        {"{\"n\":0}\r\n[1]\r\n", 0, "d.jsonl:2: not a JSON object"},
        {"{\"n\":0}\n5\n", 0, "d.jsonl:2: "},
        {"{\"n\":0}\n\"x\"\n", 0, "d.jsonl:2: "},
        {"{\"n\":0} {\"n\":1}\n", 0, "d.jsonl:1: column"},
        {"{\"n\":0}\r{\"n\":1}\r", 0, "d.jsonl:1: column"},
        {"{\"n\":0,\"n\":1}\n", 0, "d.jsonl:1: column"},
        {"{\"n\":0}\n{\"n\":\"a\0b\"}\n", 20, "d.jsonl:2: a NUL byte in column 8"},
        {"{\"n\":0}\n\0\n", 10, "d.jsonl:2: a NUL byte in column 1"},
        {"{\"n\":\"\\u0000\"}\n", 0, "d.jsonl:1: column"},
        {"{\"n\":0}\n{\"n\":\"\xff\"}\n", 0, "d.jsonl:2: column"},
        {"{\"n\":\"\xc0\x80\"}\n", 0, "d.jsonl:1: column"},
        {"{\"n\":\"\xed\xa0\x80\"}\n", 0, "d.jsonl:1: column"},
        {"{\"n\":\"\xe2\x82\"}\n", 0, "d.jsonl:1: column"},
        {"\xff\xfe{\0\"\0", 6, "d.jsonl:1: "},
        {"{\"n\":0}\n\xef\xbb\xbf{\"n\":1}\n", 0, "d.jsonl:2: column"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cop_dataset *dataset = NULL;
        cop_error err = {0};
        const size_t length = cases[i].length > 0 ? cases[i].length : strlen(cases[i].text);
        const cop_status status =
            cop_dataset_parse(cases[i].text, length, "d.jsonl", &dataset, &err);
        if (status != COP_ERR_FORMAT || strstr(err.message, cases[i].word) == NULL) {
            fail_msg("%s\ngot %s, wanted %s", cases[i].text, err.message, cases[i].word);
        }
        assert_null(dataset);
    }
}

static void test_file(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    char *const path = path_in(dir, "d.jsonl");
    cop_dataset *dataset = NULL;
    cop_error err = {0};
    assert_int_equal(cop_dataset_load(path, &dataset, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, path));
    assert_null(dataset);
    write_text(dir, "d.jsonl", "");
    assert_int_equal(cop_dataset_load(path, &dataset, &err), COP_ERR_FORMAT);
    assert_int_equal(cop_dataset_load(dir, &dataset, &err), COP_ERR_IO);
    write_text(dir, "d.jsonl", "{\"n\":0}\n{\"n\":1}\n");
    assert_int_equal(cop_dataset_load(path, &dataset, &err), COP_OK);
    assert_int_equal(cop_dataset_count(dataset), 2);
    /* printf '{"n":0}\n{"n":1}\n' | sha256sum */
    assert_string_equal(cop_dataset_digest(dataset),
                        "3e2ee8c80cabd0382e9e3c279c8b7188621510123dd973e3a0996e2634709f73");
    cop_dataset_destroy(&dataset);
    cop_memory_free(path);
    scratch_remove(dir);
}

/* Enough lines for the list to grow many times. */
static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    cop_text text = {0};
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(cop_text_format(&text, NULL, "{\"n\":%d,\"s\":\"%d\"}\n", i, i),
                         COP_OK);
    }
    cop_dataset *dataset = parse_ok(text.data, text.length);
    assert_int_equal(cop_dataset_count(dataset), COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(value_of(dataset, i), i);
    cop_dataset_destroy(&dataset);
    cop_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
