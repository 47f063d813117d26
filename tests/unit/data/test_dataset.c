/* Data sets: JSON lines, their damages, the digest. */
#include "unit/formats_support.h"

#include "coppice/data/dataset.h"
#include "data/dataset_parse.h"

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
        {"question,answer\n2 + 3,5\n", 0,
         "; each line must be a JSON object, {\"field\": value, ...}"},
        {"[\n {\"n\": 0}\n]\n", 0, "; each line must be a JSON object"},
        {"{\"n\":0}\n5\n", 0, "d.jsonl:2: "},
        {"{\"n\":0}\n\"x\"\n", 0, "d.jsonl:2: "},
        {"{\"n\":0} {\"n\":1}\n", 0, "d.jsonl:1: column"},
        {"{\"n\":0}\r{\"n\":1}\r", 0, "d.jsonl:1: column"},
        {"{\"n\":0}\n{\"n\":\"a\0b\"}\n", 20, "d.jsonl:2: a NUL byte in column 8"},
        {"{\"n\":0}\n\0\n", 10, "d.jsonl:2: a NUL byte in column 1"},
        {"{\"n\":0}\n{\"n\":\"\xff\"}\n", 0, "d.jsonl:2: column"},
        {"{\"n\":\"\xc0\x80\"}\n", 0, "d.jsonl:1: column"},
        {"{\"n\":\"\xed\xa0\x80\"}\n", 0, "d.jsonl:1: column"},
        {"{\"n\":\"\xe2\x82\"}\n", 0, "d.jsonl:1: column"},
        {"\xff\xfe{\0\"\0", 6, "d.jsonl:1: "},
        {"{\"n\":0}\n\xef\xbb\xbf{\"n\":1}\n", 0,
         "d.jsonl:2: column 1: a byte order mark (U+FEFF)"},
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
    assert_int_equal(cop_dataset_load(path, NULL, &dataset, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, path));
    assert_null(dataset);
    write_text(dir, "d.jsonl", "");
    assert_int_equal(cop_dataset_load(path, NULL, &dataset, &err), COP_ERR_FORMAT);
    assert_int_equal(cop_dataset_load(dir, NULL, &dataset, &err), COP_ERR_IO);
    write_text(dir, "d.jsonl", "{\"n\":0}\n{\"n\":1}\n");
    assert_int_equal(cop_dataset_load(path, NULL, &dataset, &err), COP_OK);
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

/* Lines of every length around the reader's window come back whole, from a file as from memory.
 */
static void test_windows(void **state)
{
    (void)state;
    cop_text text = {0};
    for (size_t length = 1; length < 700000; length = length * 3 + 5) {
        assert_int_equal(cop_text_format(&text, NULL, "{\"n\":%zu,\"s\":\"", length), COP_OK);
        for (size_t i = 0; i < length; i++)
            assert_int_equal(cop_text_append(&text, "x", 1, NULL), COP_OK);
        assert_int_equal(cop_text_append(&text, "\"}\n", 3, NULL), COP_OK);
    }
    char *const dir = scratch_make();
    char *const path = path_in(dir, "d.jsonl");
    assert_int_equal(cop_text_write_file(path, text.data, text.length, NULL), COP_OK);
    cop_dataset *dataset = NULL;
    assert_int_equal(cop_dataset_load(path, NULL, &dataset, NULL), COP_OK);
    cop_dataset *const same = parse_ok(text.data, text.length);
    assert_string_equal(cop_dataset_digest(dataset), cop_dataset_digest(same));
    assert_int_equal(cop_dataset_count(dataset), cop_dataset_count(same));
    for (size_t i = 0; i < cop_dataset_count(dataset); i++) {
        assert_true(json_equal(cop_dataset_at(dataset, i), cop_dataset_at(same, i)));
        const json_t *const filling = json_object_get(cop_dataset_at(dataset, i), "s");
        assert_int_equal(json_string_length(filling), value_of(dataset, i));
    }
    cop_dataset *end = same;
    cop_dataset_destroy(&end);
    cop_dataset_destroy(&dataset);
    cop_text_free(&text);
    cop_memory_free(path);
    scratch_remove(dir);
}

static cop_status count_visit(void *context, size_t index, json_t *example, cop_error *err)
{
    assert_int_equal(json_integer_value(json_object_get(example, "n")), index);
    COP_CHECK(index < 6, err, COP_ERR_FORMAT, "no more");
    (*(size_t *)context)++;
    return COP_OK;
}

/* What is not wanted is not kept, what lies behind the limit not even read. */
static void test_options(void **state)
{
    (void)state;
    char *const dir = scratch_make();
    char *const path = path_in(dir, "d.jsonl");
    write_text(dir, "d.jsonl", "{\"n\":0}\n\n{\"n\":1}\n{\"n\":2}\nnonsense\n");
    cop_dataset *dataset = NULL;
    cop_error err = {0};
    size_t seen = 0;
    size_t count = 0;
    assert_int_equal(cop_dataset_load(path, &(cop_dataset_options){.limit = 3}, &dataset, &err),
                     COP_OK);
    assert_int_equal(cop_dataset_count(dataset), 3);
    assert_string_equal(cop_dataset_digest(dataset), "");
    cop_dataset_destroy(&dataset);
    assert_int_equal(cop_dataset_load(path, NULL, &dataset, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "d.jsonl:5: "));
    write_text(dir, "d.jsonl", "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
    const bool wanted[4] = {false, true, false, false};
    const cop_dataset_options one = {.wanted = wanted, .wanted_count = 3};
    assert_int_equal(cop_dataset_load(path, &one, &dataset, &err), COP_OK);
    assert_null(cop_dataset_at(dataset, 0));
    assert_int_equal(value_of(dataset, 1), 1);
    assert_int_equal(strlen(cop_dataset_digest(dataset)), 64);
    cop_dataset_destroy(&dataset);
    const cop_dataset_options more = {.wanted = wanted, .wanted_count = 4};
    assert_int_equal(cop_dataset_load(path, &more, &dataset, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "shrunk"));
    const cop_dataset_options fewer = {.wanted = wanted, .wanted_count = 2};
    assert_int_equal(cop_dataset_load(path, &fewer, &dataset, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "grown"));
    assert_int_equal(cop_dataset_scan(path, count_visit, &seen, &count, &err), COP_OK);
    assert_true(seen == 3 && count == 3);
    write_text(
        dir, "d.jsonl",
        "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n{\"n\":5}\n\n{\"n\":6}\n");
    assert_int_equal(cop_dataset_scan(path, count_visit, &seen, &count, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "d.jsonl:8: no more"));
    cop_memory_free(path);
    scratch_remove(dir);
}

/* A file without newlines is refused before it fills the memory. */
static void test_long_line(void **state)
{
    (void)state;
    cop_text text = {0};
    char block[4096];
    memset(block, ' ', sizeof block);
    for (size_t i = 0; i < ((size_t)16 << 20) / sizeof block; i++)
        assert_int_equal(cop_text_append(&text, block, sizeof block, NULL), COP_OK);
    assert_int_equal(cop_text_append(&text, "{\"n\":0}\n", 8, NULL), COP_OK);
    char *const dir = scratch_make();
    char *const path = path_in(dir, "d.jsonl");
    assert_int_equal(cop_text_write_file(path, text.data, text.length, NULL), COP_OK);
    cop_dataset *dataset = NULL;
    cop_error err = {0};
    assert_int_equal(cop_dataset_load(path, NULL, &dataset, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "d.jsonl:1: a line of more than 16 MiB"));
    assert_int_equal(cop_text_write_file(path, text.data + 8, text.length - 8, NULL), COP_OK);
    assert_int_equal(cop_dataset_load(path, NULL, &dataset, &err), COP_OK);
    cop_dataset_destroy(&dataset);
    cop_text_free(&text);
    cop_memory_free(path);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_file),      cmocka_unit_test(test_many),
        cmocka_unit_test(test_windows),   cmocka_unit_test(test_options),
        cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
