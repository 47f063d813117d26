/* Attributes, items and slices, as the sandbox of jinja2 gives them. */
#include "coppice/unicode/unicode.h"
#include "jinja/jinja_eval.h"

#include <assert.h>
#include <string.h>

static cop_status refuse_undefined(const jinja_run *run, jinja_value object)
{
    return cop_jinja_fail(run, COP_ERR_FORMAT, "\"%.*s\" is undefined",
                          cop_jinja_shown(object.text), object.text.data);
}

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
    if (object.kind == JINJA_UNDEFINED) return refuse_undefined(run, object);
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
    if (object.kind == JINJA_UNDEFINED) return refuse_undefined(run, object);
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

/* --- slices --- */

/* Where a slice begins or ends, as Python's slice.indices() has it. */
static int64_t clamp(jinja_value part, int64_t otherwise, int64_t count, bool backward)
{
    if (part.kind == JINJA_NIL) return otherwise;
    int64_t at = part.integer;
    if (at < 0) at = at < -count ? -1 : at + count;
    if (at < 0) return backward ? -1 : 0;
    if (at >= count) return backward ? count - 1 : count;
    return at;
}

/* The items of a slice: the first and how many. */
static cop_status measure(const jinja_run *run, const jinja_value parts[3], size_t length,
                          int64_t *first, int64_t *step, size_t *count)
{
    const int64_t total = (int64_t)length;
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].kind != JINJA_NIL && !cop_jinja_is_integral(parts[i]))
            return cop_jinja_fail(run, COP_ERR_FORMAT, "a slice needs integers, not %s",
                                  cop_jinja_type_name(parts[i]));
    }
    *step = parts[2].kind == JINJA_NIL ? 1 : parts[2].integer;
    if (*step == 0) return cop_jinja_fail(run, COP_ERR_FORMAT, "the step of a slice is zero");
    if (*step < -total - 1) *step = -total - 1;
    if (*step > total + 1) *step = total + 1;
    const bool backward = *step < 0;
    *first = clamp(parts[0], backward ? total - 1 : 0, total, backward);
    const int64_t end = clamp(parts[1], backward ? -1 : total, total, backward);
    const int64_t span = backward ? *first - end : end - *first;
    const int64_t size = backward ? -*step : *step;
    assert(size > 0);
    *count = span > 0 ? (size_t)((span + size - 1) / size) : 0;
    return COP_OK;
}

static cop_status slice_text(jinja_run *run, jinja_text text, const jinja_value parts[3],
                             jinja_value *out)
{
    jinja_list characters;
    int64_t first = 0;
    int64_t step = 1;
    size_t count = 0;
    COP_TRY(measure(run, parts, cop_jinja_count(text), &first, &step, &count));
    if (step == 1) {
        const size_t start = cop_jinja_byte_of(text, (size_t)first);
        const jinja_text rest = {text.data + start, text.length - start};
        *out = cop_jinja_str(rest.data, cop_jinja_byte_of(rest, count));
        return cop_jinja_spend(run, text.length / 64);
    }
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_iterate(run, cop_jinja_str(text.data, text.length), &characters));
    for (size_t i = 0; i < count; i++) {
        const jinja_text one = characters.items[first + (int64_t)i * step].text;
        COP_TRY(cop_jinja_put(run, &buffer, one.data, one.length));
    }
    *out = cop_jinja_buffer_str(&buffer);
    return COP_OK;
}

cop_status cop_jinja_slice(jinja_run *run, jinja_value object, const jinja_value parts[3],
                           jinja_value *out)
{
    int64_t first = 0;
    int64_t step = 1;
    size_t count = 0;
    if (object.kind == JINJA_UNDEFINED) return refuse_undefined(run, object);
    if (object.kind == JINJA_STR) return slice_text(run, object.text, parts, out);
    if (!cop_jinja_is_sequence(object))
        return cop_jinja_fail(run, COP_ERR_FORMAT, "%s cannot be sliced",
                              cop_jinja_type_name(object));
    COP_TRY(measure(run, parts, object.list->count, &first, &step, &count));
    COP_TRY(cop_jinja_list(run, object.list->sort, count, out));
    for (size_t i = 0; i < count; i++)
        out->list->items[i] = object.list->items[first + (int64_t)i * step];
    return COP_OK;
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
