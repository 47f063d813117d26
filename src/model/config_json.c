#include "model/config_json.h"

#include "coppice/json/json.h"

#include <math.h>

/* Bounds that no real value comes near; they keep what is computed from values finite. */
static const double least_positive = 1e-15;
static const double most_positive = 1e15;

cop_status cop_config_json_parse(const cop_config_text *text, json_t **root, cop_error *err)
{
    const cop_status status =
        cop_json_read(text->data, text->length, COP_JSON_BIG_AS_REAL, root, err);
    if (status != COP_OK) {
        (void)cop_error_prefix(err, "%s", text->path);
        return status;
    }
    if (json_is_object(*root)) return COP_OK;
    json_decref(*root);
    *root = NULL;
    return cop_error_set(err, COP_ERR_FORMAT, "%s: not a JSON object", text->path);
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
    COP_CHECK(number >= least_positive && number <= most_positive, err, COP_ERR_FORMAT,
              "%s: %s%s is %g, not in %g .. %g", reader->path, reader->scope, key, number,
              least_positive, most_positive);
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
    COP_CHECK(found == NULL || cop_json_is_text(found), err, COP_ERR_FORMAT,
              "%s: %s%s holds a zero character", reader->path, reader->scope, key);
    *value = found == NULL ? fallback : json_string_value(found);
    return COP_OK;
}
