/* Attributes and items, as the sandbox of jinja2 gives them. */
#include "coppice/unicode/unicode.h"
#include "jinja/jinja_eval.h"

#include <string.h>

/* object[key] of a mapping, undefined if it has none. */
static jinja_value find_key(jinja_value object, jinja_value key, jinja_text name)
{
    const jinja_value *const found = cop_jinja_dict_find(object.dict, key);
    return found != NULL ? *found : cop_jinja_undefined(name);
}

cop_status cop_jinja_getattr(jinja_run *run, jinja_value object, jinja_text name,
                             jinja_value *out)
{
    bool found = false;
    if (object.kind == JINJA_UNDEFINED) return cop_jinja_refuse_undefined(run, object);
    COP_TRY(cop_jinja_spend(run, 1));
    *out = cop_jinja_undefined(name);
    if (object.kind == JINJA_LOOP) return cop_jinja_loop_get(run, object.loop, name, out);
    COP_TRY(cop_jinja_find_method(run, object, name, &found, out));
    if (!found && (object.kind == JINJA_DICT || object.kind == JINJA_NAMESPACE))
        *out = find_key(object, cop_jinja_str(name.data, name.length), name);
    return COP_OK;
}

/* The place of index `at` from the front or the end, false if there is none. */
static bool find_place(int64_t at, size_t count, size_t *place)
{
    if (at < 0) at += (int64_t)count;
    *place = (size_t)at;
    return at >= 0 && (size_t)at < count;
}

static jinja_value character_at(jinja_text text, int64_t index)
{
    size_t place = 0;
    uint32_t code = 0;
    if (!find_place(index, cop_jinja_count(text), &place))
        return cop_jinja_undefined((jinja_text){"the index", 9});
    const size_t at = cop_jinja_byte_of(text, place);
    return cop_jinja_str(text.data + at,
                         cop_unicode_decode(text.data + at, text.length - at, &code));
}

cop_status cop_jinja_getitem(jinja_run *run, jinja_value object, jinja_value index,
                             jinja_value *out)
{
    const jinja_text unnamed = {"the index", 9};
    const jinja_text name = index.kind == JINJA_STR ? index.text : unnamed;
    size_t place = 0;
    if (object.kind == JINJA_UNDEFINED) return cop_jinja_refuse_undefined(run, object);
    COP_TRY(cop_jinja_spend(run, 1));
    *out = cop_jinja_undefined(name);
    if (object.kind == JINJA_DICT) {
        *out = find_key(object, index, name);
        if (out->kind != JINJA_UNDEFINED || cop_jinja_dict_find(object.dict, index) != NULL)
            return COP_OK;
    } else if (cop_jinja_is_integral(index)) {
        if (object.kind == JINJA_STR) {
            COP_TRY(cop_jinja_spend(run, object.text.length / 64));
            *out = character_at(object.text, index.integer);
        } else if (cop_jinja_is_sequence(object) &&
                   find_place(index.integer, object.list->count, &place)) {
            *out = object.list->items[place];
        }
        return COP_OK;
    }
    if (index.kind != JINJA_STR) return COP_OK;
    return cop_jinja_getattr(run, object, index.text, out);
}

/* --- paths --- */

cop_status cop_jinja_get_path(jinja_run *run, jinja_value object, jinja_value path,
                              jinja_value *out)
{
    *out = object;
    if (path.kind == JINJA_MISSING || path.kind == JINJA_NIL) return COP_OK;
    if (path.kind != JINJA_STR) return cop_jinja_getitem(run, object, path, out);
    const char *at = path.text.data;
    size_t left = path.text.length;
    for (;;) {
        const char *const dot = left == 0 ? NULL : memchr(at, '.', left);
        const size_t length = dot == NULL ? left : (size_t)(dot - at);
        jinja_value part = cop_jinja_str(at, length);
        bool digits = length > 0 && length < 18;
        int64_t number = 0;
        for (size_t i = 0; i < length && digits; i++) {
            digits = at[i] >= '0' && at[i] <= '9';
            number = 10 * number + (at[i] - '0');
        }
        if (digits) part = cop_jinja_int(number);
        COP_TRY(cop_jinja_getitem(run, *out, part, out));
        if (dot == NULL) return COP_OK;
        at += length + 1;
        left -= length + 1;
    }
}
