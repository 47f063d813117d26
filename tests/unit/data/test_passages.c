/* Plain text: what is a passage, and what is refused. */
#include "unit/formats_support.h"

#include "coppice/data/passages.h"

static cop_status load(const char *name, const void *bytes, size_t length,
                       cop_passages *passages, cop_error *err)
{
    char *const folder = scratch_make();
    write_file(folder, name, bytes, length);
    char *const path = path_in(folder, name);
    const cop_status status = cop_passages_load(path, passages, err);
    cop_memory_free(path);
    scratch_remove(folder);
    return status;
}

static void check_texts(const char *name, const char *bytes, size_t length,
                        const char *const *texts, size_t count)
{
    cop_passages p;
    cop_error err = {0};
    if (load(name, bytes, length, &p, &err) != COP_OK) fail_msg("%s", err.message);
    assert_int_equal(p.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(p.start[i + 1] - p.start[i], strlen(texts[i]));
        assert_memory_equal(p.text.data + p.start[i], texts[i], strlen(texts[i]));
    }
    cop_passages_free(&p);
    assert_null(p.start);
}

static void test_plain(void **state)
{
    (void)state;
    /* Byte for byte, but for a byte order mark. */
    static const char *const files[] = {
        "one line", "one line\n", "two\nlines",    "two\r\nlines\r\n\n",
        "\n",       "\n\na\n\n",  "{\"text\": 1}", "\xc3\xa4\xf0\x9f\x8c\xb3"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        check_texts("a.txt", files[i], strlen(files[i]), &files[i], 1);
    const char *const bare = "a\xef\xbb\xbf"
                             "b";
    check_texts("a",
                "\xef\xbb\xbf"
                "a\xef\xbb\xbf"
                "b",
                8, &bare, 1);
}

static void test_lines(void **state)
{
    (void)state;
    static const char *const texts[] = {"a b", "\xc3\xa4\n"};
    static const char bytes[] = "{\"text\": \"a b\", \"id\": 3}\n\n{\"text\": \"\\u00e4\\n\"}";
    check_texts("a.jsonl", bytes, sizeof bytes - 1, texts, 2);
    check_texts("a.ndjson", bytes, sizeof bytes - 1, texts, 2);
}

/* Over the windows that the file is read in. */
static void test_long(void **state)
{
    (void)state;
    enum { LENGTH = 1 << 20 };
    char *const text = cop_memory_alloc(LENGTH + 1, 1, NULL);
    assert_non_null(text);
    for (size_t i = 0; i < LENGTH; i++)
        text[i] = i % 1013 == 0 ? '\n' : (char)('a' + i % 23);
    const char *const whole = text;
    check_texts("a.txt", text, LENGTH, &whole, 1);
    cop_memory_free(text);
}

typedef struct refused {
    const char *name, *bytes;
    size_t length;
    const char *word;
} refused;

static void test_refused(void **state)
{
    (void)state;
    static const refused cases[] = {
        {"a.txt", "", 0, "empty"},
        {"a.txt", "\xef\xbb\xbf", 3, "empty"},
        {"a.txt", "a\nb\xff\n", 5, "a.txt:2: not text in UTF-8"},
        {"a.txt", "\xc3\n\xa4", 3, "a.txt:1: not text in UTF-8"},
        {"a.txt", "a\0b", 3, "a.txt:1: a NUL byte"},
        {"a.jsonl", "", 0, "no examples"},
        {"a.jsonl", "{\"text\": \"a\"}\n{\"t\": 1}", 22, "a.jsonl:2: it has no field \"text\""},
        {"a.jsonl", "{\"text\": 3}", 11, "a.jsonl:1: \"text\" must be a string"},
        {"a.jsonl", "{\"text\": \"\"}", 12, "must be a string that is not empty"},
        {"a.jsonl", "plain", 5, "a.jsonl:1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cop_passages p;
        cop_error err = {0};
        assert_int_equal(load(cases[i].name, cases[i].bytes, cases[i].length, &p, &err),
                         COP_ERR_FORMAT);
        if (strstr(err.message, cases[i].word) == NULL)
            fail_msg("\"%s\" has no \"%s\"", err.message, cases[i].word);
        assert_null(p.start);
        assert_null(p.text.data);
    }
}

static void test_long_line(void **state)
{
    (void)state;
    const size_t length = ((size_t)16 << 20) + 1;
    char *const text = cop_memory_alloc(length, 1, NULL);
    cop_passages p;
    cop_error err = {0};
    assert_non_null(text);
    memset(text, 'x', length);
    assert_int_equal(load("a.txt", text, length, &p, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "more than 16 MiB"));
    text[0] = '\n'; /* one less is taken */
    if (load("a.txt", text, length, &p, &err) != COP_OK) fail_msg("%s", err.message);
    assert_int_equal(p.text.length, length);
    cop_passages_free(&p);
    cop_memory_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),     cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
