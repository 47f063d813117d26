/* Finding in, cutting and joining strings. */
#include "jinja/jinja_text.h"
#include "coppice/unicode/unicode.h"

#include <string.h>

static bool in_set(uint32_t code, const jinja_text *set)
{
    if (set == NULL) return cop_jinja_is_space(code);
    uint32_t other = 0;
    for (size_t i = 0; i < set->length;) {
        i += cop_unicode_decode(set->data + i, set->length - i, &other);
        if (other == code) return true;
    }
    return false;
}

jinja_text cop_jinja_strip(jinja_text text, const jinja_text *set, bool left, bool right)
{
    uint32_t code = 0;
    while (left && text.length > 0) {
        const size_t bytes = cop_unicode_decode(text.data, text.length, &code);
        if (!in_set(code, set)) break;
        text.data += bytes;
        text.length -= bytes;
    }
    while (right && text.length > 0) {
        const size_t start = cop_unicode_previous(text.data, text.length);
        (void)cop_unicode_decode(text.data + start, text.length - start, &code);
        if (!in_set(code, set)) break;
        text.length = start;
    }
    return text;
}

size_t cop_jinja_count(jinja_text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += ((unsigned char)text.data[i] & 0xC0U) != 0x80U;
    return count;
}

size_t cop_jinja_byte_of(jinja_text text, size_t index)
{
    uint32_t code = 0;
    size_t at = 0;
    for (; index > 0 && at < text.length; index--)
        at += cop_unicode_decode(text.data + at, text.length - at, &code);
    return at;
}

size_t cop_jinja_find(jinja_text text, jinja_text part, size_t from, bool last)
{
    if (from > text.length || part.length > text.length - from) return text.length + 1;
    if (part.length == 0) return last ? text.length : from;
    if (!last) {
        const char *const found =
            memmem(text.data + from, text.length - from, part.data, part.length);
        return found == NULL ? text.length + 1 : (size_t)(found - text.data);
    }
    for (size_t at = text.length - part.length + 1; at-- > from;) {
        if (memcmp(text.data + at, part.data, part.length) == 0) return at;
    }
    return text.length + 1;
}

/* An empty part is before each character and at the end. */
static cop_status put_between(jinja_run *run, jinja_buffer *buffer, jinja_text text,
                              jinja_text new, int64_t most)
{
    uint32_t code = 0;
    size_t at = 0;
    for (; most != 0; most -= most > 0) {
        COP_TRY(cop_jinja_put(run, buffer, new.data, new.length));
        if (at == text.length) return COP_OK;
        const size_t bytes = cop_unicode_decode(text.data + at, text.length - at, &code);
        COP_TRY(cop_jinja_put(run, buffer, text.data + at, bytes));
        at += bytes;
    }
    return cop_jinja_put(run, buffer, text.data + at, text.length - at);
}

cop_status cop_jinja_put_replaced(jinja_run *run, jinja_buffer *buffer, jinja_text text,
                                  jinja_text old, jinja_text new, int64_t most)
{
    if (old.length == 0) return put_between(run, buffer, text, new, most);
    size_t at = 0;
    for (; most != 0; most -= most > 0) {
        const size_t found = cop_jinja_find(text, old, at, false);
        if (found > text.length) break;
        COP_TRY(cop_jinja_put(run, buffer, text.data + at, found - at));
        COP_TRY(cop_jinja_put(run, buffer, new.data, new.length));
        at = found + old.length;
    }
    return cop_jinja_put(run, buffer, text.data + at, text.length - at);
}

/* --- splitting --- */

/* A growing list. */
typedef struct pieces {
    jinja_value *items;
    size_t count, capacity;
} pieces;

static cop_status add_piece(jinja_run *run, pieces *self, const char *data, size_t length)
{
    COP_TRY(cop_jinja_spend(run, 1 + length / 32));
    if (self->count == self->capacity) {
        const size_t capacity = self->capacity == 0 ? 8 : 2 * self->capacity;
        jinja_value *const items =
            cop_jinja_take_array(&run->arena, capacity, sizeof *items, run->err);
        if (items == NULL) return COP_ERR_UNSUPPORTED;
        if (self->count > 0) memcpy(items, self->items, self->count * sizeof *items);
        self->items = items;
        self->capacity = capacity;
    }
    self->items[self->count++] = cop_jinja_str(data, length);
    return COP_OK;
}

static cop_status make_list(jinja_run *run, const pieces *self, bool reversed, jinja_value *out)
{
    COP_TRY(cop_jinja_list(run, JINJA_SORT_LIST, self->count, out));
    for (size_t i = 0; i < self->count; i++)
        out->list->items[i] = self->items[reversed ? self->count - 1 - i : i];
    return COP_OK;
}

static cop_status split_at(jinja_run *run, jinja_text text, jinja_text separator, int64_t most,
                           bool right, pieces *made)
{
    while (most != 0) {
        const size_t found = cop_jinja_find(text, separator, 0, right);
        if (found > text.length) break;
        const size_t behind = found + separator.length;
        if (right) {
            COP_TRY(add_piece(run, made, text.data + behind, text.length - behind));
            text.length = found;
        } else {
            COP_TRY(add_piece(run, made, text.data, found));
            text.data += behind;
            text.length -= behind;
        }
        most -= most > 0;
    }
    return add_piece(run, made, text.data, text.length);
}

/* The bytes of the word at the beginning, or at the end. */
static size_t word_length(jinja_text text, bool right)
{
    uint32_t code = 0;
    size_t at = right ? text.length : 0;
    while (right ? at > 0 : at < text.length) {
        const size_t start = right ? cop_unicode_previous(text.data, at) : at;
        const size_t bytes = cop_unicode_decode(text.data + start, text.length - start, &code);
        if (cop_jinja_is_space(code)) break;
        at = right ? start : at + bytes;
    }
    return right ? text.length - at : at;
}

static cop_status split_words(jinja_run *run, jinja_text text, int64_t most, bool right,
                              pieces *made)
{
    for (;;) {
        text = cop_jinja_strip(text, NULL, !right, right);
        if (text.length == 0) return COP_OK;
        if (most == 0) return add_piece(run, made, text.data, text.length);
        const size_t word = word_length(text, right);
        text.length -= word;
        COP_TRY(add_piece(run, made, text.data + (right ? text.length : 0), word));
        if (!right) text.data += word;
        most -= most > 0;
    }
}

cop_status cop_jinja_split(jinja_run *run, jinja_text text, const jinja_text *separator,
                           int64_t most, bool right, jinja_value *out)
{
    pieces made = {0};
    if (separator != NULL && separator->length == 0)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "split() at an empty separator");
    COP_TRY(separator == NULL ? split_words(run, text, most, right, &made)
                              : split_at(run, text, *separator, most, right, &made));
    return make_list(run, &made, right, out);
}

static bool is_line_end(uint32_t code)
{
    return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
}

cop_status cop_jinja_split_lines(jinja_run *run, jinja_text text, bool keep, jinja_value *out)
{
    pieces made = {0};
    uint32_t code = 0;
    size_t start = 0;
    for (size_t i = 0; i < text.length;) {
        const size_t end = i;
        i += cop_unicode_decode(text.data + i, text.length - i, &code);
        if (!is_line_end(code)) continue;
        if (code == '\r' && i < text.length && text.data[i] == '\n') i++;
        COP_TRY(add_piece(run, &made, text.data + start, (keep ? i : end) - start));
        start = i;
    }
    if (start < text.length)
        COP_TRY(add_piece(run, &made, text.data + start, text.length - start));
    return make_list(run, &made, false, out);
}

/* --- sorting --- */

static cop_status merge(jinja_run *run, size_t *order, size_t *room, const jinja_value *keys,
                        size_t count, bool reverse)
{
    if (count < 2) return COP_OK;
    const size_t half = count / 2;
    COP_TRY(merge(run, order, room, keys, half, reverse));
    COP_TRY(merge(run, order + half, room, keys, count - half, reverse));
    memcpy(room, order, count * sizeof *order);
    size_t left = 0;
    size_t right = half;
    for (size_t i = 0; i < count; i++) {
        int compared = left == half ? 1 : -1;
        if (left < half && right < count) {
            COP_TRY(cop_jinja_spend(run, 1));
            COP_TRY(cop_jinja_order(run, keys[room[right]], keys[room[left]], &compared));
            compared = (reverse ? compared > 0 : compared < 0) ? 1 : -1;
        }
        order[i] = compared > 0 ? room[right++] : room[left++];
    }
    return COP_OK;
}

cop_status cop_jinja_sort(jinja_run *run, jinja_value *items, jinja_value *keys, size_t count,
                          bool reverse)
{
    size_t *const order = cop_jinja_take_array(&run->arena, 2 * count, sizeof *order, run->err);
    jinja_value *const copy = cop_jinja_take_array(&run->arena, count, sizeof *copy, run->err);
    if (order == NULL || copy == NULL) return COP_ERR_UNSUPPORTED;
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
        copy[i] = items[i];
    }
    COP_TRY(merge(run, order, order + count, keys, count, reverse));
    for (size_t i = 0; i < count; i++)
        items[i] = copy[order[i]];
    return COP_OK;
}
