/* Slices, as Python has them. */
#include "jinja/jinja_eval.h"

#include <assert.h>

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
    if (object.kind == JINJA_UNDEFINED) return cop_jinja_refuse_undefined(run, object);
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
