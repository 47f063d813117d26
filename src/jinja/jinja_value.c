/* Making values and asking them. */
#include "jinja/jinja_value.h"

#include "coppice/base/memory.h"
#include "coppice/unicode/unicode.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

cop_status cop_jinja_fail(const jinja_run *run, cop_status status, const char *format, ...)
{
    char what[COP_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return cop_error_set(run->err, status, "line %d: %s", run->line, what);
}

int cop_jinja_shown(jinja_text text)
{
    return cop_unicode_clip(text.data, text.length, JINJA_SHOWN_NAME);
}

cop_status cop_jinja_refuse_undefined(const jinja_run *run, jinja_value object)
{
    return cop_jinja_fail(run, COP_ERR_FORMAT, "\"%.*s\" is undefined",
                          cop_jinja_shown(object.text), object.text.data);
}

cop_status cop_jinja_spend(jinja_run *run, size_t steps)
{
    if (steps > (size_t)run->steps)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "the template works for too long: it does not seem to end");
    run->steps -= (long)steps;
    return COP_OK;
}

cop_status cop_jinja_enter(jinja_run *run)
{
    if (run->depth == JINJA_MAX_DEPTH)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "more than %d levels inside each other are not supported",
                              JINJA_MAX_DEPTH);
    run->depth++;
    return cop_jinja_spend(run, 1);
}

/* --- making --- */

jinja_value cop_jinja_undefined(jinja_text name)
{
    return (jinja_value){.kind = JINJA_UNDEFINED, .text = name};
}

jinja_value cop_jinja_none(void)
{
    return (jinja_value){.kind = JINJA_NIL};
}

jinja_value cop_jinja_boolean(bool value)
{
    return (jinja_value){.kind = JINJA_BOOLEAN, .integer = value ? 1 : 0};
}

jinja_value cop_jinja_int(int64_t value)
{
    return (jinja_value){.kind = JINJA_INT, .integer = value};
}

jinja_value cop_jinja_float(double value)
{
    return (jinja_value){.kind = JINJA_FLOAT, .real = value};
}

jinja_value cop_jinja_str(const char *text, size_t length)
{
    return (jinja_value){.kind = JINJA_STR, .text = {text, length}};
}

jinja_value cop_jinja_word(const char *text)
{
    return cop_jinja_str(text, strlen(text));
}

cop_status cop_jinja_list(jinja_run *run, jinja_sort sort, size_t count, jinja_value *out)
{
    COP_TRY(cop_jinja_spend(run, count));
    jinja_list *const list = cop_jinja_take(&run->arena, sizeof *list, run->err);
    if (list == NULL) return COP_ERR_UNSUPPORTED;
    list->items = cop_jinja_take_array(&run->arena, count, sizeof *list->items, run->err);
    if (list->items == NULL) return COP_ERR_UNSUPPORTED;
    list->sort = sort;
    list->count = count;
    *out = (jinja_value){.kind = JINJA_LIST, .list = list};
    return COP_OK;
}

cop_status cop_jinja_dict(jinja_run *run, jinja_kind kind, jinja_value *out)
{
    jinja_dict *const dict = cop_jinja_take(&run->arena, sizeof *dict, run->err);
    if (dict == NULL) return COP_ERR_UNSUPPORTED;
    *out = (jinja_value){.kind = kind, .dict = dict};
    return COP_OK;
}

/* Equality of what may be a key: no containers but tuples, whose equality is not asked. */
static bool same_key(jinja_value a, jinja_value b)
{
    if (cop_jinja_is_number(a) && cop_jinja_is_number(b)) {
        return cop_jinja_is_integral(a) && cop_jinja_is_integral(b)
                   ? a.integer == b.integer
                   : cop_jinja_number(a) == cop_jinja_number(b);
    }
    if (a.kind != b.kind) return false;
    if (a.kind == JINJA_STR)
        return a.text.length == b.text.length &&
               memcmp(a.text.data, b.text.data, a.text.length) == 0;
    return a.kind == JINJA_NIL;
}

jinja_value *cop_jinja_dict_find(const jinja_dict *dict, jinja_value key)
{
    for (size_t i = 0; i < dict->count; i++) {
        if (same_key(dict->keys[i], key)) return &dict->values[i];
    }
    return NULL;
}

static cop_status grow(jinja_run *run, jinja_dict *dict)
{
    const size_t capacity = dict->capacity == 0 ? 4 : 2 * dict->capacity;
    jinja_value *const keys =
        cop_jinja_take_array(&run->arena, 2 * capacity, sizeof *keys, run->err);
    if (keys == NULL) return COP_ERR_UNSUPPORTED;
    if (dict->count > 0) {
        memcpy(keys, dict->keys, dict->count * sizeof *keys);
        memcpy(keys + capacity, dict->values, dict->count * sizeof *keys);
    }
    dict->keys = keys;
    dict->values = keys + capacity;
    dict->capacity = capacity;
    return COP_OK;
}

cop_status cop_jinja_dict_set(jinja_run *run, jinja_dict *dict, jinja_value key,
                              jinja_value value)
{
    if (key.kind != JINJA_STR && key.kind != JINJA_NIL && !cop_jinja_is_number(key))
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "a key of the type %s is not supported in a mapping",
                              cop_jinja_type_name(key));
    COP_TRY(cop_jinja_spend(run, 1 + dict->count / 8));
    jinja_value *const found = cop_jinja_dict_find(dict, key);
    if (found != NULL) {
        *found = value;
        return COP_OK;
    }
    if (dict->count == dict->capacity) COP_TRY(grow(run, dict));
    dict->keys[dict->count] = key;
    dict->values[dict->count++] = value;
    return COP_OK;
}

static cop_status from_object(jinja_run *run, json_t *json, jinja_value *out)
{
    const char *key = NULL;
    json_t *item = NULL;
    COP_TRY(cop_jinja_dict(run, JINJA_DICT, out));
    json_object_foreach(json, key, item)
    {
        jinja_value value;
        COP_TRY(cop_jinja_from_json(run, item, &value));
        COP_TRY(cop_jinja_dict_set(run, out->dict, cop_jinja_word(key), value));
    }
    return COP_OK;
}

static cop_status from_array(jinja_run *run, const json_t *json, jinja_value *out)
{
    COP_TRY(cop_jinja_list(run, JINJA_SORT_LIST, json_array_size(json), out));
    for (size_t i = 0; i < out->list->count; i++)
        COP_TRY(cop_jinja_from_json(run, json_array_get(json, i), &out->list->items[i]));
    return COP_OK;
}

cop_status cop_jinja_from_json(jinja_run *run, json_t *json, jinja_value *out)
{
    cop_status status = COP_OK;
    COP_TRY(cop_jinja_enter(run));
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        status = from_object(run, json, out);
        break;
    case JSON_ARRAY:
        status = from_array(run, json, out);
        break;
    case JSON_STRING:
        *out = cop_jinja_str(json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        *out = cop_jinja_int(json_integer_value(json));
        break;
    case JSON_REAL:
        *out = cop_jinja_float(json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = cop_jinja_boolean(json_is_true(json));
        break;
    case JSON_NULL:
        *out = cop_jinja_none();
        break;
    }
    run->depth--;
    return status;
}

/* --- asking --- */

const char *cop_jinja_type_name(jinja_value value)
{
    static const char *const names[] = {
        [JINJA_MISSING] = "missing", [JINJA_UNDEFINED] = "undefined",
        [JINJA_NIL] = "none",        [JINJA_BOOLEAN] = "boolean",
        [JINJA_INT] = "integer",     [JINJA_FLOAT] = "float",
        [JINJA_STR] = "string",      [JINJA_LIST] = "list",
        [JINJA_DICT] = "mapping",    [JINJA_NAMESPACE] = "namespace",
        [JINJA_LOOP] = "loop",       [JINJA_CALLABLE] = "function"};
    static const char *const sorts[] = {[JINJA_SORT_LIST] = "list",
                                        [JINJA_SORT_TUPLE] = "tuple",
                                        [JINJA_SORT_RANGE] = "range",
                                        [JINJA_SORT_VIEW] = "view of a mapping",
                                        [JINJA_SORT_ITERATOR] = "iterator"};
    return value.kind == JINJA_LIST ? sorts[value.list->sort] : names[value.kind];
}

bool cop_jinja_is_integral(jinja_value value)
{
    return value.kind == JINJA_INT || value.kind == JINJA_BOOLEAN;
}

bool cop_jinja_is_number(jinja_value value)
{
    return cop_jinja_is_integral(value) || value.kind == JINJA_FLOAT;
}

double cop_jinja_number(jinja_value value)
{
    return value.kind == JINJA_FLOAT ? value.real : (double)value.integer;
}

bool cop_jinja_is_tuple(jinja_value value)
{
    return value.kind == JINJA_LIST && value.list->sort == JINJA_SORT_TUPLE;
}

bool cop_jinja_is_sequence(jinja_value value)
{
    return value.kind == JINJA_LIST && value.list->sort <= JINJA_SORT_RANGE;
}

bool cop_jinja_truth(jinja_value value)
{
    switch (value.kind) {
    case JINJA_MISSING:
    case JINJA_UNDEFINED:
    case JINJA_NIL:
        return false;
    case JINJA_BOOLEAN:
    case JINJA_INT:
        return value.integer != 0;
    case JINJA_FLOAT:
        return value.real != 0;
    case JINJA_STR:
        return value.text.length > 0;
    case JINJA_LIST:
        return value.list->sort == JINJA_SORT_ITERATOR || value.list->count > 0;
    case JINJA_DICT:
        return value.dict->count > 0;
    case JINJA_NAMESPACE:
    case JINJA_LOOP:
    case JINJA_CALLABLE:
        return true;
    }
    return false;
}

static cop_status equal_lists(jinja_run *run, const jinja_list *a, const jinja_list *b,
                              bool *equal)
{
    *equal = a == b;
    if (a->sort != b->sort || a->count != b->count || a->sort > JINJA_SORT_RANGE) return COP_OK;
    *equal = true;
    for (size_t i = 0; i < a->count && *equal; i++)
        COP_TRY(cop_jinja_equal(run, a->items[i], b->items[i], equal));
    return COP_OK;
}

static cop_status equal_dicts(jinja_run *run, const jinja_dict *a, const jinja_dict *b,
                              bool *equal)
{
    *equal = a->count == b->count;
    for (size_t i = 0; i < a->count && *equal; i++) {
        const jinja_value *const other = cop_jinja_dict_find(b, a->keys[i]);
        COP_TRY(cop_jinja_spend(run, 1 + b->count / 8));
        *equal = other != NULL;
        if (other != NULL) COP_TRY(cop_jinja_equal(run, a->values[i], *other, equal));
    }
    return COP_OK;
}

cop_status cop_jinja_equal(jinja_run *run, jinja_value a, jinja_value b, bool *equal)
{
    COP_TRY(cop_jinja_enter(run));
    cop_status status = COP_OK;
    if (a.kind == JINJA_LIST && b.kind == JINJA_LIST) {
        status = equal_lists(run, a.list, b.list, equal);
    } else if (a.kind == JINJA_DICT && b.kind == JINJA_DICT) {
        status = equal_dicts(run, a.dict, b.dict, equal);
    } else if (a.kind == b.kind && a.kind == JINJA_UNDEFINED) {
        *equal = true;
    } else if (a.kind == b.kind && a.kind >= JINJA_NAMESPACE) {
        *equal = a.dict == b.dict;
    } else {
        if (a.kind == JINJA_STR) status = cop_jinja_spend(run, a.text.length / 64);
        *equal = same_key(a, b);
    }
    run->depth--;
    return status;
}

static int sign(bool less, bool greater)
{
    return greater ? 1 : less ? -1 : 0;
}

static cop_status order_lists(jinja_run *run, const jinja_list *a, const jinja_list *b,
                              int *order)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        bool equal = false;
        COP_TRY(cop_jinja_equal(run, a->items[i], b->items[i], &equal));
        if (!equal) return cop_jinja_order(run, a->items[i], b->items[i], order);
    }
    *order = sign(a->count<b->count, a->count> b->count);
    return COP_OK;
}

cop_status cop_jinja_order(jinja_run *run, jinja_value a, jinja_value b, int *order)
{
    if (cop_jinja_is_integral(a) && cop_jinja_is_integral(b)) {
        *order = sign(a.integer<b.integer, a.integer> b.integer);
        return COP_OK;
    }
    if (cop_jinja_is_number(a) && cop_jinja_is_number(b)) {
        const double left = cop_jinja_number(a);
        const double right = cop_jinja_number(b);
        if (isnan(left) || isnan(right))
            return cop_jinja_fail(run, COP_ERR_UNSUPPORTED, "nan cannot be ordered here");
        *order = sign(left<right, left> right);
        return COP_OK;
    }
    if (a.kind == JINJA_STR && b.kind == JINJA_STR) {
        const size_t shared = a.text.length < b.text.length ? a.text.length : b.text.length;
        COP_TRY(cop_jinja_spend(run, shared / 64));
        *order = shared == 0 ? 0 : memcmp(a.text.data, b.text.data, shared);
        if (*order == 0)
            *order = sign(a.text.length<b.text.length, a.text.length> b.text.length);
        return COP_OK;
    }
    const bool lists = a.kind == JINJA_LIST && b.kind == JINJA_LIST &&
                       a.list->sort == b.list->sort && a.list->sort <= JINJA_SORT_TUPLE;
    if (!lists)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "%s and %s cannot be ordered",
                              cop_jinja_type_name(a), cop_jinja_type_name(b));
    COP_TRY(cop_jinja_enter(run));
    const cop_status status = order_lists(run, a.list, b.list, order);
    run->depth--;
    return status;
}

cop_status cop_jinja_contains(jinja_run *run, jinja_value set, jinja_value value, bool *in)
{
    *in = false;
    if (set.kind == JINJA_STR) {
        if (value.kind != JINJA_STR)
            return cop_jinja_fail(run, COP_ERR_FORMAT, "\"in\" a string needs a string, not %s",
                                  cop_jinja_type_name(value));
        COP_TRY(cop_jinja_spend(run, set.text.length / 16));
        *in = value.text.length == 0 || memmem(set.text.data, set.text.length, value.text.data,
                                               value.text.length) != NULL;
        return COP_OK;
    }
    if (set.kind == JINJA_DICT) {
        if (value.kind == JINJA_DICT ||
            (value.kind == JINJA_LIST && !cop_jinja_is_tuple(value)))
            return cop_jinja_fail(run, COP_ERR_FORMAT, "a %s cannot be a key",
                                  cop_jinja_type_name(value));
        COP_TRY(cop_jinja_spend(run, set.dict->count / 8));
        *in = cop_jinja_dict_find(set.dict, value) != NULL;
        return COP_OK;
    }
    jinja_list items;
    COP_TRY(cop_jinja_iterate(run, set, &items));
    for (size_t i = 0; i < items.count && !*in; i++)
        COP_TRY(cop_jinja_equal(run, items.items[i], value, in));
    return COP_OK;
}

static cop_status iterate_characters(jinja_run *run, jinja_text text, jinja_list *items)
{
    size_t count = 0;
    uint32_t code = 0;
    for (size_t i = 0; i < text.length; count++)
        i += cop_unicode_decode(text.data + i, text.length - i, &code);
    jinja_value made;
    COP_TRY(cop_jinja_list(run, JINJA_SORT_LIST, count, &made));
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t bytes = cop_unicode_decode(text.data + at, text.length - at, &code);
        made.list->items[i] = cop_jinja_str(text.data + at, bytes);
        at += bytes;
    }
    *items = *made.list;
    return COP_OK;
}

cop_status cop_jinja_iterate(jinja_run *run, jinja_value value, jinja_list *items)
{
    *items = (jinja_list){0};
    switch (value.kind) {
    case JINJA_UNDEFINED:
        return COP_OK;
    case JINJA_STR:
        return iterate_characters(run, value.text, items);
    case JINJA_LIST:
        *items = *value.list;
        if (value.list->sort == JINJA_SORT_ITERATOR) value.list->count = 0;
        return cop_jinja_spend(run, items->count);
    case JINJA_DICT:
        items->items = value.dict->keys;
        items->count = value.dict->count;
        return cop_jinja_spend(run, items->count);
    default:
        return cop_jinja_fail(run, COP_ERR_FORMAT, "%s has no items",
                              cop_jinja_type_name(value));
    }
}

cop_status cop_jinja_length(jinja_run *run, jinja_value value, size_t *length)
{
    uint32_t code = 0;
    *length = 0;
    switch (value.kind) {
    case JINJA_UNDEFINED:
        return COP_OK;
    case JINJA_STR:
        for (size_t i = 0; i < value.text.length; ++*length)
            i += cop_unicode_decode(value.text.data + i, value.text.length - i, &code);
        return cop_jinja_spend(run, value.text.length / 64);
    case JINJA_DICT:
        *length = value.dict->count;
        return COP_OK;
    case JINJA_LIST:
        if (value.list->sort != JINJA_SORT_ITERATOR) {
            *length = value.list->count;
            return COP_OK;
        }
        break;
    default:
        break;
    }
    return cop_jinja_fail(run, COP_ERR_FORMAT, "%s has no length", cop_jinja_type_name(value));
}
