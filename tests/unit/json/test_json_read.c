/* JSON as others write it: numbers beyond 64 bits, escaped zero characters, halves of surrogate
 * pairs, Python's names for what is not finite, a byte order mark. */
#include "coppice/base/text.h"
#include "coppice/json/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/folder_support.h"

/* Two texts mean the same tree, the second one jansson reads alone. */
static void check_same(const char *text, size_t flags, const char *plain)
{
    cop_error err = {0};
    json_t *got = NULL;
    if (cop_json_read(text, strlen(text), flags, &got, &err) != COP_OK)
        fail_msg("%s: %s", text, err.message);
    json_error_t why;
    json_t *const wanted = json_loads(plain, JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
    assert_non_null(wanted);
    if (!json_equal(got, wanted)) {
        char *const dump = json_dumps(got, JSON_ENCODE_ANY);
        fail_msg("%s gives %s, not %s", text, dump, plain);
    }
    json_decref(got);
    json_decref(wanted);
}

static void test_numbers(void **state)
{
    (void)state;
    check_same("{\"a\":9223372036854775807,\"b\":-9223372036854775808}", 0,
               "{\"a\":9223372036854775807,\"b\":-9223372036854775808}");
    check_same("{\"a\":18446744073709551615, \"b\" : -9223372036854775809}", 0,
               "{\"a\":\"18446744073709551615\",\"b\":\"-9223372036854775809\"}");
    check_same("{\"a\":18446744073709551616,\"b\":[1,1e400]}", COP_JSON_BIG_AS_REAL,
               "{\"a\":18446744073709551616.0,\"b\":[1,\"1e400\"]}");
    check_same("[1e400,-1e999,1e-400,1.5e308]", 0, "[\"1e400\",\"-1e999\",0.0,1.5e308]");
    check_same("[NaN,Infinity,-Infinity,{\"x\":NaN}]", 0,
               "[\"NaN\",\"Infinity\",\"-Infinity\",{\"x\":\"NaN\"}]");
    check_same("[18446744073709551615,\"18446744073709551616 NaN 1e400 \\\" 1e400\",true]", 0,
               "[\"18446744073709551615\",\"18446744073709551616 NaN 1e400 \\\" 1e400\",true]");
}

static void test_strings(void **state)
{
    (void)state;
    check_same("{\"a\":\"x\\u0000y\"}", 0, "{\"a\":\"x\\u0000y\"}");
    check_same("{\"a\\u0000\" :1,\"\\\\u0000\":2}", 0, "{\"a\\ufffd\":1,\"\\\\u0000\":2}");
    check_same(
        "[\"\\ud800\",\"\\udc00x\",\"\\ud83d\\ude00\",\"\\ud83d\\u0041\",\"\\ud800\\ud83d"
        "\\ude00\"]",
        0,
        "[\"\\ufffd\",\"\\ufffdx\",\"\\ud83d\\ude00\",\"\\ufffdA\",\"\\ufffd\\ud83d"
        "\\ude00\"]");
    check_same("{\"n\":0,\"n\":1}", 0, "{\"n\":1}");
    json_t *const list = json_pack("[s, o, i]", "ab", json_stringn("a\0b", 3), 1);
    assert_true(cop_json_is_text(json_array_get(list, 0)));
    assert_false(cop_json_is_text(json_array_get(list, 1)));
    assert_false(cop_json_is_text(json_array_get(list, 2)));
    assert_false(cop_json_is_text(NULL));
    json_decref(list);
}

static void test_mark(void **state)
{
    (void)state;
    check_same("\xef\xbb\xbf{\"a\":1}", 0, "{\"a\":1}");
    check_same("\xef\xbb\xbf[18446744073709551615]", 0, "[\"18446744073709551615\"]");
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t flags;
        const char *word;
    } cases[] = {{"", 0, "line 1, column 0"},
                 {"{\"a\":1,}", 0, "line 1, column"},
                 {"{\"a\":\n nan}", 0, "line 2, column"},
                 {"{\"a\":18446744073709551615,}", 0, "column"},
                 {"{\"a\":01}", 0, "column"},
                 {"{\"a\":1e}", 0, "column"},
                 {"[1e400", 0, "column"},
                 {"[\"\\ud80\"]", 0, "column"},
                 {"[\"\\ud800", 0, "column"},
                 {"[\"\\", 0, "column"},
                 {"[1e400 Infinit]", 0, "column"},
                 {"[\"\xff\", 1e400]", 0, "column"},
                 {"{\"a\":1,\"a\":1e400}", JSON_REJECT_DUPLICATES, "duplicate"},
                 {"[18446744073709551615, NaN]", COP_JSON_STRICT, "NaN"},
                 {"[1e400,\n NaN, 18446744073709551615, x]", 0, "line 2, column 29: "},
                 {"{\"a\":NaN,\"a\":1}", JSON_REJECT_DUPLICATES, "column 12: duplicate"},
                 {"[1e400]", COP_JSON_STRICT | COP_JSON_BIG_AS_REAL, "column"},
                 {"\xef\xbb\xbf{}", COP_JSON_LINE, "column 1: a byte order mark (U+FEFF)"},
                 {"{\"a\":\n1,}", COP_JSON_LINE, "column 3: "},
                 {"7", 0, "column"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cop_error err = {0};
        json_t *root = NULL;
        const cop_status status =
            cop_json_read(cases[i].text, strlen(cases[i].text), cases[i].flags, &root, &err);
        if (status != COP_ERR_FORMAT || strstr(err.message, cases[i].word) == NULL)
            fail_msg("%s: %s, not %s", cases[i].text, err.message, cases[i].word);
        assert_null(root);
    }
    cop_error err = {0};
    json_t *root = NULL;
    assert_int_equal(cop_json_read("[1\0]", 4, 0, &root, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "NUL byte at 2"));
}

static void test_optional_file(void **state)
{
    (void)state;
    char folder[FOLDER_BYTES];
    char path[FOLDER_BYTES + 16];
    cop_error err = {0};
    json_t *object = NULL;
    assert_int_equal(folder_create(folder), 0);
    (void)snprintf(path, sizeof path, "%s/a.json", folder);
    assert_int_equal(cop_json_read_optional(folder, "a.json", 100, &object, &err), COP_OK);
    assert_null(object);
    assert_int_equal(cop_text_write_file(path, "{\"a\": 1}", 8, &err), COP_OK);
    assert_int_equal(cop_json_read_optional(folder, "a.json", 100, &object, &err), COP_OK);
    assert_int_equal(json_integer_value(json_object_get(object, "a")), 1);
    json_decref(object);
    const char *const wrong[] = {"[1]", "{\"a\": ", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(cop_text_write_file(path, wrong[i], strlen(wrong[i]), &err), COP_OK);
        assert_int_equal(cop_json_read_optional(folder, "a.json", 100, &object, &err),
                         COP_ERR_FORMAT);
        assert_null(object);
        assert_non_null(strstr(err.message, path));
    }
    assert_int_equal(folder_remove(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_strings),
        cmocka_unit_test(test_mark), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_optional_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
