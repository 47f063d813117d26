#include "coppice/data/fields.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <string.h>

enum { MOST_NAMES = 64 };

/* Index of the first pair whose name is not less. */
static size_t place_of(const cop_fields *fields, const char *name)
{
    size_t at = 0;
    while (at < fields->count && strcmp(fields->data[at].name, name) < 0)
        at++;
    return at;
}

const char *cop_fields_get(const cop_fields *fields, const char *name)
{
    const size_t at = place_of(fields, name);
    const bool found = at < fields->count && strcmp(fields->data[at].name, name) == 0;
    return found ? fields->data[at].source : NULL;
}

/* Makes room for one more pair at `at`, which is then empty. */
static cop_status insert(cop_fields *fields, size_t at, cop_error *err)
{
    COP_GROW(fields->data, fields->capacity, fields->count + 1, err);
    memmove(fields->data + at + 1, fields->data + at,
            (fields->count - at) * sizeof *fields->data);
    fields->data[at] = (cop_field){0};
    fields->count++;
    return COP_OK;
}

cop_status cop_fields_set(cop_fields *fields, const char *name, const char *source,
                          cop_error *err)
{
    const size_t at = place_of(fields, name);
    const bool found = at < fields->count && strcmp(fields->data[at].name, name) == 0;
    char *const value = cop_memory_copy_string(source, strlen(source), err);
    char *const key = found ? NULL : cop_memory_copy_string(name, strlen(name), err);
    cop_status status = value == NULL || (key == NULL && !found) ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK && !found) status = insert(fields, at, err);
    if (status != COP_OK) {
        cop_memory_free(key);
        cop_memory_free(value);
        return status;
    }
    if (!found) fields->data[at].name = key;
    cop_memory_free(fields->data[at].source);
    fields->data[at].source = value;
    return COP_OK;
}

cop_status cop_fields_add_text(cop_fields *fields, const char *text, cop_error *err)
{
    const char *const equals = strchr(text, '=');
    COP_CHECK(equals != NULL && equals > text && equals[1] != '\0', err, COP_ERR_USAGE,
              "\"%s\": must be NAME=FIELD, such as question=problem", text);
    char *const name = cop_memory_copy_string(text, (size_t)(equals - text), err);
    if (name == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    if (cop_fields_get(fields, name) != NULL) {
        status = cop_error_set(err, COP_ERR_USAGE, "\"%s\": %s is given twice", text, name);
    } else {
        status = cop_fields_set(fields, name, equals + 1, err);
    }
    cop_memory_free(name);
    return status;
}

void cop_fields_free(cop_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        cop_memory_free(fields->data[i].name);
        cop_memory_free(fields->data[i].source);
    }
    cop_memory_free(fields->data);
    *fields = (cop_fields){0};
}

/* --- lookup --- */

/* The index that a part of a path spells, SIZE_MAX if it spells none. */
static size_t parse_index(const char *part, size_t length)
{
    size_t index = 0;
    if (length == 0 || length > 9) return SIZE_MAX;
    for (size_t i = 0; i < length; i++) {
        if (part[i] < '0' || part[i] > '9') return SIZE_MAX;
        index = index * 10 + (size_t)(part[i] - '0');
    }
    return index;
}

const json_t *cop_field_find(const json_t *example, const char *path, size_t length)
{
    const json_t *const whole = json_object_getn(example, path, length);
    if (whole != NULL) return whole;
    const json_t *at = example;
    const char *const end = path + length;
    for (const char *part = path; at != NULL;) {
        const char *const dot = memchr(part, '.', (size_t)(end - part));
        const size_t size = (size_t)((dot == NULL ? end : dot) - part);
        at = json_is_array(at) ? json_array_get(at, parse_index(part, size))
                               : json_object_getn(at, part, size);
        if (dot == NULL) break;
        part = dot + 1;
    }
    return at;
}

/* Keys of an object, for messages. jansson lists those of mutable objects only. */
static size_t list_keys(json_t *example, const char *keys[MOST_NAMES])
{
    size_t count = 0;
    for (void *at = json_object_iter(example); at != NULL && count < MOST_NAMES;
         at = json_object_iter_next(example, at)) {
        keys[count++] = json_object_iter_key(at);
    }
    return count;
}

static cop_status refuse_source(const cop_field *field, json_t *example, cop_error *err)
{
    const char *keys[MOST_NAMES];
    const size_t count = list_keys(example, keys);
    const char *const near = cop_text_nearest(field->source, keys, count);
    cop_text known = {0};
    cop_status status = COP_OK;
    for (size_t i = 0; i < count; i++)
        COP_TRY_OUT(cop_text_format(&known, err, "%s%s", i == 0 ? "" : ", ", keys[i]));
    status = cop_error_set(
        err, COP_ERR_FORMAT,
        "the data has no field \"%s\" to take for \"%s\"%s%s%s; its fields: %s", field->source,
        field->name, near == NULL ? "" : "; did you mean \"", near == NULL ? "" : near,
        near == NULL ? "" : "\"?", count == 0 ? "none" : known.data);
out:
    cop_text_free(&known);
    return status;
}

cop_status cop_fields_apply(const cop_fields *fields, json_t *example, cop_error *err)
{
    json_t *const found = json_object();
    COP_CHECK(found != NULL, err, COP_ERR_MEMORY, "no memory for the fields of an example");
    cop_status status = COP_OK;
    for (size_t i = 0; i < fields->count && status == COP_OK; i++) {
        const cop_field *const field = &fields->data[i];
        const json_t *const value =
            cop_field_find(example, field->source, strlen(field->source));
        json_t *const copy = value == NULL ? NULL : json_deep_copy(value);
        if (value == NULL) {
            status = refuse_source(field, example, err);
        } else if (json_object_set_new(found, field->name, copy) != 0) {
            status =
                cop_error_set(err, COP_ERR_MEMORY, "no memory for field \"%s\"", field->name);
        }
    }
    if (status == COP_OK && json_object_update(example, found) != 0) {
        status = cop_error_set(err, COP_ERR_MEMORY, "no memory for the fields of an example");
    }
    json_decref(found);
    return status;
}
