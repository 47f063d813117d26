#include "tokenizer/tokenizer_json.h"
#include "coppice/unicode/unicode.h"

#include <string.h>

/* Parts nest at most this deep (a Sequence in a Sequence ...). */
enum { MAX_NESTING = 16 };

static cop_status add_parts(const json_t *json, const cop_tokenizer_parts *parts, size_t depth,
                            void *self, cop_error *err)
{
    const char *const type = json_string_value(json_object_get(json, "type"));
    COP_CHECK(type != NULL, err, COP_ERR_FORMAT, "\"%s\" must be an object with a \"type\"",
              parts->name);
    if (strcmp(type, "Sequence") != 0) return parts->add(self, type, json, err);
    COP_CHECK(depth < MAX_NESTING, err, COP_ERR_FORMAT,
              "\"%s\" of Sequences are nested more than %d deep", parts->list, MAX_NESTING);
    const json_t *inner = NULL;
    COP_TRY(cop_tokenizer_json_array(json, parts->list, &inner, err));
    for (size_t i = 0; i < json_array_size(inner); i++)
        COP_TRY(add_parts(json_array_get(inner, i), parts, depth + 1, self, err));
    return COP_OK;
}

cop_status cop_tokenizer_json_parts(const json_t *json, const cop_tokenizer_parts *parts,
                                    void *self, cop_error *err)
{
    if (json == NULL || json_is_null(json)) return COP_OK;
    return add_parts(json, parts, 0, self, err);
}

cop_status cop_tokenizer_json_string(const json_t *json, const char *key, const char **value,
                                     size_t *length, cop_error *err)
{
    const json_t *const found = json_object_get(json, key);
    COP_CHECK(json_is_string(found), err, COP_ERR_FORMAT, "\"%s\" must be a string", key);
    *value = json_string_value(found);
    *length = json_string_length(found);
    return COP_OK;
}

cop_status cop_tokenizer_json_character(const json_t *json, const char *key, uint32_t *code,
                                        cop_error *err)
{
    const char *text = NULL;
    size_t length = 0;
    COP_TRY(cop_tokenizer_json_string(json, key, &text, &length, err));
    COP_CHECK(length > 0 && cop_unicode_decode(text, length, code) == length, err,
              COP_ERR_FORMAT, "\"%s\" must be one character", key);
    return COP_OK;
}

cop_status cop_tokenizer_json_bool(const json_t *json, const char *key, bool fallback,
                                   bool *value, cop_error *err)
{
    const json_t *const found = json_object_get(json, key);
    *value = found == NULL || json_is_null(found) ? fallback : json_is_true(found);
    COP_CHECK(found == NULL || json_is_null(found) || json_is_boolean(found), err,
              COP_ERR_FORMAT, "\"%s\" must be true or false", key);
    return COP_OK;
}

cop_status cop_tokenizer_json_count(const json_t *json, const char *key, size_t most,
                                    size_t *value, cop_error *err)
{
    const json_t *const found = json_object_get(json, key);
    const json_int_t number = json_integer_value(found);
    COP_CHECK(json_is_integer(found) && number >= 0 && (uint64_t)number <= most, err,
              COP_ERR_FORMAT, "\"%s\" must be an integer from 0 to %zu", key, most);
    *value = (size_t)number;
    return COP_OK;
}

cop_status cop_tokenizer_json_array(const json_t *json, const char *key, const json_t **value,
                                    cop_error *err)
{
    *value = json_object_get(json, key);
    COP_CHECK(json_is_array(*value), err, COP_ERR_FORMAT, "\"%s\" must be a list", key);
    return COP_OK;
}
