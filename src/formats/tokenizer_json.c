#include "formats/tokenizer_json.h"
#include "formats/unicode.h"

cop_status cop_tokenizer_json_type(const json_t *json, const char *part, const char **type,
                                   cop_error *err)
{
    *type = json_string_value(json_object_get(json, "type"));
    COP_CHECK(*type != NULL, err, COP_ERR_FORMAT, "\"%s\" must be an object with a \"type\"",
              part);
    return COP_OK;
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
