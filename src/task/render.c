/* Prompt templates: {field} stands for the example's field. */
#include "task/tasks.h"

#include "coppice/base/memory.h"
#include "coppice/json/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOUBLE_DIGITS = 17 };

/* Integers up to here are exact in binary64 and printed without an exponent. */
static const double exact_integer_limit = 1e15;

cop_status cop_task_append_number(cop_text *text, const json_t *number, cop_error *err)
{
    if (json_is_integer(number))
        return cop_text_format(text, err, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
    const double value = json_real_value(number);
    if (value == floor(value) && fabs(value) < exact_integer_limit)
        return cop_text_format(text, err, "%.0f", value == 0.0 ? 0.0 : value);
    char digits[40];
    for (int precision = 1; precision <= DOUBLE_DIGITS; precision++) {
        (void)snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) break;
    }
    return cop_text_append(text, digits, strlen(digits), err);
}

/* A string in quotes, true, false or null; `value` is freed. */
static cop_status append_word(cop_text *text, json_t *value, cop_error *err)
{
    char *dump = json_dumps(value, JSON_ENCODE_ANY);
    json_decref(value);
    COP_CHECK(dump, err, COP_ERR_MEMORY, "cannot write a field of an example as text");
    const cop_status status = cop_text_append(text, dump, strlen(dump), err);
    free(dump); /* jansson's, by malloc */
    return status;
}

static cop_status append_json(cop_text *text, json_t *value, cop_error *err);

static cop_status append_members(cop_text *text, json_t *object, cop_error *err)
{
    size_t count = 0;
    for (void *at = json_object_iter(object); at != NULL;
         at = json_object_iter_next(object, at)) {
        if (count++ > 0) COP_TRY(cop_text_append(text, ", ", 2, err));
        COP_TRY(append_word(text, json_string(json_object_iter_key(at)), err));
        COP_TRY(cop_text_append(text, ": ", 2, err));
        COP_TRY(append_json(text, json_object_iter_value(at), err));
    }
    return COP_OK;
}

/* JSON text of a value, at whatever depth with numbers in their shortest form. */
static cop_status append_json(cop_text *text, json_t *value, cop_error *err)
{
    if (json_is_number(value)) return cop_task_append_number(text, value, err);
    if (json_is_object(value)) {
        COP_TRY(cop_text_append(text, "{", 1, err));
        COP_TRY(append_members(text, value, err));
        return cop_text_append(text, "}", 1, err);
    }
    if (!json_is_array(value)) return append_word(text, json_incref(value), err);
    COP_TRY(cop_text_append(text, "[", 1, err));
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (i > 0) COP_TRY(cop_text_append(text, ", ", 2, err));
        COP_TRY(append_json(text, json_array_get(value, i), err));
    }
    return cop_text_append(text, "]", 1, err);
}

static cop_status refuse_field(const char *name, size_t length, const json_t *example,
                               cop_error *err)
{
    cop_text known = {0};
    cop_status status = COP_OK;
    const char *key;
    json_t *value;
    json_t *copy = json_deep_copy(example); /* jansson lists the keys of mutable objects only */
    json_object_foreach(copy, key, value)
    {
        COP_TRY_OUT(cop_text_format(&known, err, "%s%s", known.length > 0 ? ", " : "", key));
    }
    status = cop_error_set(
        err, COP_ERR_CONFIG,
        "template: the data has no field \"%.*s\"; its fields: %s "
        "(task.fields, of eval and compare --field, can name another, {{ and }} are "
        "braces)",
        (int)length, name, known.length > 0 ? known.data : "none");
out:
    json_decref(copy);
    cop_text_free(&known);
    return status;
}

static cop_status append_field(cop_text *text, const char *name, size_t length,
                               const json_t *example, cop_error *err)
{
    const json_t *value = cop_field_find(example, name, length);
    if (!value) return refuse_field(name, length, example, err);
    COP_CHECK(!json_is_string(value) || cop_json_is_text(value), err, COP_ERR_FORMAT,
              "field \"%.*s\" holds a zero character (\\u0000), where a prompt would end: take "
              "it out of the data",
              (int)length, name);
    if (json_is_string(value))
        return cop_text_append(text, json_string_value(value), json_string_length(value), err);
    json_t *const copy = json_deep_copy(value); /* jansson lists the keys of mutable ones */
    const cop_status status = append_json(text, copy, err);
    json_decref(copy);
    return status;
}

static cop_status render(const char *at, const json_t *example, cop_text *text, cop_error *err)
{
    const char *const begin = at;
    while (*at) {
        const size_t plain = strcspn(at, "{}");
        COP_TRY(cop_text_append(text, at, plain, err));
        at += plain;
        if (!*at) break;
        if (at[0] == at[1]) { /* a doubled brace */
            COP_TRY(cop_text_append(text, at, 1, err));
            at += 2;
            continue;
        }
        const size_t length = strcspn(at + 1, "{}");
        COP_CHECK(at[0] == '{' && at[1 + length] == '}', err, COP_ERR_CONFIG,
                  "template: the brace at byte %zu has no partner (write {{ and }} for braces)",
                  (size_t)(at - begin));
        COP_TRY(append_field(text, at + 1, length, example, err));
        at += length + 2;
    }
    return COP_OK;
}

cop_status cop_task_render(const char *template_text, const json_t *example, cop_text *text,
                           cop_error *err)
{
    assert(template_text && json_is_object(example));
    const size_t before = text->length;
    const cop_status status = render(template_text, example, text, err);
    if (status != COP_OK && text->data) { /* nothing half done */
        text->length = before;
        text->data[before] = '\0';
    }
    return status;
}
