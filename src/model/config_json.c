#include "model/config_json.h"

#include "coppice/text.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

cop_status cop_config_json_open(const char *path, bool optional, json_t **root, cop_error *err)
{
    enum { LIMIT_BYTES = 4 << 20 };
    *root = NULL;
    if (optional && access(path, F_OK) != 0 && errno == ENOENT) return COP_OK;
    cop_text text = {0};
    cop_status status = cop_text_read_file(&text, path, LIMIT_BYTES, err);
    if (status == COP_OK) {
        json_error_t why;
        *root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, &why);
        if (*root == NULL) {
            status =
                cop_error_set(err, COP_ERR_FORMAT, "%s: line %d: %s", path, why.line, why.text);
        } else if (!json_is_object(*root)) {
            json_decref(*root);
            *root = NULL;
            status = cop_error_set(err, COP_ERR_FORMAT, "%s: not a JSON object", path);
        }
    }
    cop_text_free(&text);
    return status;
}

const json_t *cop_config_json_get(const json_reader *reader, const char *key)
{
    const json_t *const value = json_object_get(reader->object, key);
    return json_is_null(value) ? NULL : value;
}

cop_status cop_config_json_size(const json_reader *reader, const char *key, int32_t most,
                                int32_t fallback, int32_t *value, cop_error *err)
{
    const json_t *const found = cop_config_json_get(reader, key);
    *value = fallback;
    if (found == NULL) {
        COP_CHECK(fallback != COP_JSON_REQUIRED, err, COP_ERR_FORMAT, "%s: %s%s is missing",
                  reader->path, reader->scope, key);
        return COP_OK;
    }
    COP_CHECK(json_is_integer(found), err, COP_ERR_FORMAT, "%s: %s%s is not an integer",
              reader->path, reader->scope, key);
    const json_int_t number = json_integer_value(found);
    COP_CHECK(number >= 1 && number <= most, err, COP_ERR_FORMAT,
              "%s: %s%s is %" JSON_INTEGER_FORMAT ", not in 1 .. %d", reader->path,
              reader->scope, key, number, (int)most);
    *value = (int32_t)number;
    return COP_OK;
}

cop_status cop_config_json_positive(const json_reader *reader, const char *key, double fallback,
                                    double *value, cop_error *err)
{
    const json_t *const found = cop_config_json_get(reader, key);
    *value = fallback;
    if (found == NULL) {
        COP_CHECK(fallback >= 0.0, err, COP_ERR_FORMAT, "%s: %s%s is missing", reader->path,
                  reader->scope, key);
        return COP_OK;
    }
    const double number = json_number_value(found);
    COP_CHECK(json_is_number(found) && isfinite(number) && number > 0.0, err, COP_ERR_FORMAT,
              "%s: %s%s is not a number above 0", reader->path, reader->scope, key);
    *value = number;
    return COP_OK;
}

cop_status cop_config_json_bool(const json_reader *reader, const char *key, bool fallback,
                                bool *value, cop_error *err)
{
    const json_t *const found = cop_config_json_get(reader, key);
    COP_CHECK(found == NULL || json_is_boolean(found), err, COP_ERR_FORMAT,
              "%s: %s%s is not true or false", reader->path, reader->scope, key);
    *value = found == NULL ? fallback : json_is_true(found);
    return COP_OK;
}

cop_status cop_config_json_string(const json_reader *reader, const char *key,
                                  const char *fallback, const char **value, cop_error *err)
{
    const json_t *const found = cop_config_json_get(reader, key);
    COP_CHECK(found == NULL || json_is_string(found), err, COP_ERR_FORMAT,
              "%s: %s%s is not a string", reader->path, reader->scope, key);
    *value = found == NULL ? fallback : json_string_value(found);
    return COP_OK;
}
