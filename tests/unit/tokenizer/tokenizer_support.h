/* For tests of tokenizers: tokenizers from JSON in memory, and golden cases as JSON lists them:
 * "text" with its "ids", "ids_with_special", "decoded" and "skipped" (special tokens left out).
 */
#ifndef TESTS_UNIT_TOKENIZER_SUPPORT_H
#define TESTS_UNIT_TOKENIZER_SUPPORT_H

#include "coppice/base/text.h"
#include "coppice/tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_parts.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static inline json_t *load_json(const char *path)
{
    json_error_t where;
    json_t *const json = json_load_file(path, JSON_ALLOW_NUL, &where);
    if (json == NULL) fail_msg("%s:%d: %s", path, where.line, where.text);
    return json;
}

static inline json_t *parse_json(const char *text)
{
    json_error_t where;
    json_t *const json = json_loads(text, JSON_ALLOW_NUL, &where);
    if (json == NULL) fail_msg("%s in %s", where.text, text);
    return json;
}

static inline cop_status parse_tokenizer(const json_t *json, cop_tokenizer **tokenizer,
                                         cop_error *err)
{
    char *const text = json_dumps(json, 0);
    assert_non_null(text);
    const cop_status status = cop_tokenizer_parse(text, strlen(text), NULL, tokenizer, err);
    free(text);
    return status;
}

static inline cop_tokenizer *make_tokenizer(const json_t *json, const char *name)
{
    cop_error err = {0};
    cop_tokenizer *tokenizer = NULL;
    if (parse_tokenizer(json, &tokenizer, &err) != COP_OK)
        fail_msg("%s: %s", name, err.message);
    return tokenizer;
}

static inline cop_tokenizer *load_tokenizer(const char *path)
{
    cop_error err = {0};
    cop_tokenizer *tokenizer = NULL;
    if (cop_tokenizer_load(path, &tokenizer, &err) != COP_OK) fail_msg("%s", err.message);
    return tokenizer;
}

static inline cop_ids encode(const cop_tokenizer *tokenizer, const char *text, size_t length,
                             bool special)
{
    cop_error err = {0};
    cop_ids ids = {0};
    if (cop_tokenizer_encode(tokenizer, text, length, special, &ids, &err) != COP_OK) {
        fail_msg("\"%s\": %s", text, err.message);
    }
    return ids;
}

static inline void check_ids(const json_t *expected, const cop_tokenizer *tokenizer,
                             const json_t *text, bool special, const char *name)
{
    cop_ids ids = encode(tokenizer, json_string_value(text), json_string_length(text), special);
    bool same = ids.count == json_array_size(expected);
    for (size_t i = 0; same && i < ids.count; i++)
        same = ids.data[i] == json_integer_value(json_array_get(expected, i));
    if (!same) {
        cop_text got = {0};
        for (size_t i = 0; i < ids.count; i++)
            assert_int_equal(cop_text_format(&got, NULL, " %d", (int)ids.data[i]), COP_OK);
        char *const wanted = json_dumps(expected, 0);
        fail_msg("%s: \"%s\" gives%s, not %s", name, json_string_value(text),
                 got.data == NULL ? "" : got.data, wanted);
    }
    cop_ids_free(&ids);
}

static inline void check_text(const json_t *expected, const cop_tokenizer *tokenizer,
                              const json_t *ids, bool skip, const char *name)
{
    cop_ids list = {0};
    cop_text text = {0};
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const int32_t id = (int32_t)json_integer_value(json_array_get(ids, i));
        assert_int_equal(cop_ids_append(&list, id, NULL), COP_OK);
    }
    assert_int_equal(cop_tokenizer_decode(tokenizer, list.data, list.count, skip, &text, NULL),
                     COP_OK);
    const char *const got = text.data == NULL ? "" : text.data;
    if (text.length != json_string_length(expected) ||
        memcmp(got, json_string_value(expected), text.length) != 0) {
        fail_msg("%s: decodes to \"%s\", not \"%s\"", name, got, json_string_value(expected));
    }
    cop_ids_free(&list);
    cop_text_free(&text);
}

/* Decoding starts from `decoded_key`, one of the two lists of ids. */
static inline void check_case(const json_t *item, const cop_tokenizer *tokenizer,
                              const char *decoded_key, const char *name)
{
    const json_t *const text = json_object_get(item, "text");
    const json_t *const ids = json_object_get(item, "ids");
    const json_t *const with_special = json_object_get(item, "ids_with_special");
    const json_t *const decoded = json_object_get(item, "decoded");
    const json_t *const skipped = json_object_get(item, "skipped");
    assert_true(json_is_string(text) && json_is_array(ids));
    check_ids(ids, tokenizer, text, false, name);
    if (with_special != NULL) check_ids(with_special, tokenizer, text, true, name);
    const json_t *const source = json_object_get(item, decoded_key);
    if (decoded != NULL) check_text(decoded, tokenizer, source, false, name);
    if (skipped != NULL) check_text(skipped, tokenizer, source, true, name);
}

static inline void check_file(const char *path, const cop_tokenizer *tokenizer)
{
    json_t *const cases = load_json(path);
    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i), tokenizer, "ids", path);
    json_decref(cases);
}

#endif
