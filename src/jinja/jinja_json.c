/* json.dumps(). */
#include "coppice/unicode/unicode.h"
#include "jinja/jinja_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A writing. */
typedef struct writer {
    jinja_run *run;
    jinja_buffer *buffer;
    const jinja_json_style *style;
    size_t level;
} writer;

static cop_status put_value(writer *self, jinja_value value);

static cop_status put(const writer *self, const char *word)
{
    return cop_jinja_put_word(self->run, self->buffer, word);
}

static cop_status put_escape(const writer *self, uint32_t code)
{
    char escape[16];
    if (code >= 0x10000) {
        const unsigned rest = code - 0x10000;
        (void)snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xD800 + (rest >> 10),
                       0xDC00 + (rest & 0x3FF));
    } else {
        (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code);
    }
    return put(self, escape);
}

static cop_status put_string(const writer *self, jinja_text text)
{
    static const char named[] = "\"\\\n\r\t\f\b";
    static const char letters[] = "\"\\nrtfb";
    uint32_t code = 0;
    COP_TRY(put(self, "\""));
    for (size_t i = 0; i < text.length;) {
        const size_t bytes = cop_unicode_decode(text.data + i, text.length - i, &code);
        const char *const found = code == 0 || code > 0x7F ? NULL : strchr(named, (int)code);
        if (found != NULL) {
            const char escape[3] = {'\\', letters[found - named], '\0'};
            COP_TRY(put(self, escape));
        } else if (code < 0x20 || (self->style->ascii && code > 0x7E)) {
            COP_TRY(put_escape(self, code));
        } else {
            COP_TRY(cop_jinja_put(self->run, self->buffer, text.data + i, bytes));
        }
        i += bytes;
    }
    return put(self, "\"");
}

static cop_status put_scalar(const writer *self, jinja_value value)
{
    char number[40];
    switch (value.kind) {
    case JINJA_NIL:
        return put(self, "null");
    case JINJA_BOOLEAN:
        return put(self, value.integer != 0 ? "true" : "false");
    case JINJA_INT:
        (void)snprintf(number, sizeof number, "%lld", (long long)value.integer);
        return put(self, number);
    case JINJA_FLOAT:
        cop_jinja_write_float(value.real, number);
        if (isfinite(value.real)) return put(self, number);
        return put(self, isnan(value.real) ? "NaN" : value.real > 0 ? "Infinity" : "-Infinity");
    default:
        return cop_jinja_fail(self->run, COP_ERR_FORMAT, "tojson: %s cannot be written as JSON",
                              cop_jinja_type_name(value));
    }
}

/* The beginning of a line inside, or of the closing bracket. */
static cop_status put_line(const writer *self)
{
    if (!self->style->indented) return COP_OK;
    COP_TRY(put(self, "\n"));
    for (size_t i = 0; i < self->level; i++)
        COP_TRY(cop_jinja_put(self->run, self->buffer, self->style->indent.data,
                              self->style->indent.length));
    return COP_OK;
}

static cop_status put_list(writer *self, const jinja_list *list)
{
    if (list->count == 0) return put(self, "[]");
    COP_TRY(put(self, "["));
    self->level++;
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            COP_TRY(cop_jinja_put(self->run, self->buffer, self->style->item.data,
                                  self->style->item.length));
        COP_TRY(put_line(self));
        COP_TRY(put_value(self, list->items[i]));
    }
    self->level--;
    COP_TRY(put_line(self));
    return put(self, "]");
}

/* A key is a string, or is written as one. */
static cop_status put_key(writer *self, jinja_value key)
{
    if (key.kind == JINJA_STR) return put_string(self, key.text);
    COP_TRY(put(self, "\""));
    COP_TRY(put_scalar(self, key));
    return put(self, "\"");
}

static cop_status put_dict(writer *self, const jinja_dict *dict)
{
    jinja_run *const run = self->run;
    if (dict->count == 0) return put(self, "{}");
    jinja_value places;
    COP_TRY(cop_jinja_list(run, JINJA_SORT_LIST, dict->count, &places));
    for (size_t i = 0; i < dict->count; i++)
        places.list->items[i] = cop_jinja_int((int64_t)i);
    if (self->style->sorted)
        COP_TRY(cop_jinja_sort(run, places.list->items, dict->keys, dict->count, false));
    COP_TRY(put(self, "{"));
    self->level++;
    for (size_t i = 0; i < dict->count; i++) {
        const size_t place = (size_t)places.list->items[i].integer;
        if (i > 0)
            COP_TRY(cop_jinja_put(run, self->buffer, self->style->item.data,
                                  self->style->item.length));
        COP_TRY(put_line(self));
        COP_TRY(put_key(self, dict->keys[place]));
        COP_TRY(
            cop_jinja_put(run, self->buffer, self->style->key.data, self->style->key.length));
        COP_TRY(put_value(self, dict->values[place]));
    }
    self->level--;
    COP_TRY(put_line(self));
    return put(self, "}");
}

static cop_status put_value(writer *self, jinja_value value)
{
    COP_TRY(cop_jinja_enter(self->run));
    cop_status status = COP_OK;
    if (value.kind == JINJA_STR) {
        status = put_string(self, value.text);
    } else if (value.kind == JINJA_LIST && value.list->sort <= JINJA_SORT_TUPLE) {
        status = put_list(self, value.list);
    } else if (value.kind == JINJA_DICT) {
        status = put_dict(self, value.dict);
    } else {
        status = put_scalar(self, value);
    }
    self->run->depth--;
    return status;
}

cop_status cop_jinja_put_json(jinja_run *run, jinja_buffer *buffer, jinja_value value,
                              const jinja_json_style *style)
{
    writer self = {.run = run, .buffer = buffer, .style = style};
    return put_value(&self, value);
}
