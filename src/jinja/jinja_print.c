/* Values as text: str(), repr() and what is built of them. */
#include "coppice/unicode/unicode.h"
#include "jinja/jinja_text.h"
#include "jinja/jinja_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cop_status cop_jinja_put(jinja_run *run, jinja_buffer *buffer, const char *data, size_t length)
{
    COP_TRY(cop_jinja_spend(run, 1 + length / 32));
    if (length > buffer->capacity - buffer->length) {
        const size_t need = buffer->length + length;
        const size_t capacity = need < 32 ? 64 : 2 * need;
        char *const grown = cop_jinja_take(&run->arena, capacity, run->err);
        if (grown == NULL) return COP_ERR_UNSUPPORTED;
        if (buffer->length > 0) memcpy(grown, buffer->data, buffer->length);
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    if (length > 0) memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    return COP_OK;
}

cop_status cop_jinja_put_word(jinja_run *run, jinja_buffer *buffer, const char *word)
{
    return cop_jinja_put(run, buffer, word, strlen(word));
}

jinja_value cop_jinja_buffer_str(const jinja_buffer *buffer)
{
    return cop_jinja_str(buffer->length == 0 ? "" : buffer->data, buffer->length);
}

void cop_jinja_write_float(double value, char out[40])
{
    char digits[40];
    if (!isfinite(value)) {
        (void)snprintf(out, 40, "%s", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    int precision = 0;
    do {
        (void)snprintf(digits, sizeof digits, "%.*e", precision, value);
    } while (strtod(digits, NULL) != value && ++precision < 17);
    const int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent < -4 || exponent >= 16) {
        (void)snprintf(out, 40, "%s", digits);
    } else {
        const int places = precision - exponent;
        (void)snprintf(out, 40, "%.*f", places > 1 ? places : 1, value);
    }
}

/* --- repr --- */

static cop_status put_character(jinja_run *run, jinja_buffer *buffer, const char *at,
                                size_t bytes, uint32_t code, char quote)
{
    char escape[12];
    const char *const named = code == '\n'   ? "\\n"
                              : code == '\r' ? "\\r"
                              : code == '\t' ? "\\t"
                              : code == '\\' ? "\\\\"
                                             : NULL;
    if (named != NULL) return cop_jinja_put(run, buffer, named, 2);
    if (code == (uint32_t)quote) COP_TRY(cop_jinja_put(run, buffer, "\\", 1));
    if (cop_jinja_is_printable(code)) return cop_jinja_put(run, buffer, at, bytes);
    const int length = snprintf(escape, sizeof escape,
                                code < 0x100     ? "\\x%02x"
                                : code < 0x10000 ? "\\u%04x"
                                                 : "\\U%08x",
                                (unsigned)code);
    return cop_jinja_put(run, buffer, escape, (size_t)length);
}

static cop_status put_quoted(jinja_run *run, jinja_buffer *buffer, jinja_text text)
{
    const bool doubled = text.length > 0 && memchr(text.data, '\'', text.length) != NULL &&
                         memchr(text.data, '"', text.length) == NULL;
    const char quote = doubled ? '"' : '\'';
    uint32_t code = 0;
    COP_TRY(cop_jinja_put(run, buffer, &quote, 1));
    for (size_t i = 0; i < text.length;) {
        const size_t bytes = cop_unicode_decode(text.data + i, text.length - i, &code);
        COP_TRY(put_character(run, buffer, text.data + i, bytes, code, quote));
        i += bytes;
    }
    return cop_jinja_put(run, buffer, &quote, 1);
}

static cop_status put_list(jinja_run *run, jinja_buffer *buffer, const jinja_list *list)
{
    const bool tuple = list->sort == JINJA_SORT_TUPLE;
    COP_TRY(cop_jinja_put_word(run, buffer, tuple ? "(" : "["));
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) COP_TRY(cop_jinja_put_word(run, buffer, ", "));
        COP_TRY(cop_jinja_put_repr(run, buffer, list->items[i]));
    }
    if (tuple && list->count == 1) COP_TRY(cop_jinja_put_word(run, buffer, ","));
    return cop_jinja_put_word(run, buffer, tuple ? ")" : "]");
}

static cop_status put_dict(jinja_run *run, jinja_buffer *buffer, const jinja_dict *dict)
{
    COP_TRY(cop_jinja_put_word(run, buffer, "{"));
    for (size_t i = 0; i < dict->count; i++) {
        if (i > 0) COP_TRY(cop_jinja_put_word(run, buffer, ", "));
        COP_TRY(cop_jinja_put_repr(run, buffer, dict->keys[i]));
        COP_TRY(cop_jinja_put_word(run, buffer, ": "));
        COP_TRY(cop_jinja_put_repr(run, buffer, dict->values[i]));
    }
    return cop_jinja_put_word(run, buffer, "}");
}

static cop_status put_scalar(jinja_run *run, jinja_buffer *buffer, jinja_value value)
{
    char number[40];
    switch (value.kind) {
    case JINJA_NIL:
        return cop_jinja_put_word(run, buffer, "None");
    case JINJA_BOOLEAN:
        return cop_jinja_put_word(run, buffer, value.integer != 0 ? "True" : "False");
    case JINJA_INT:
        (void)snprintf(number, sizeof number, "%lld", (long long)value.integer);
        return cop_jinja_put_word(run, buffer, number);
    case JINJA_FLOAT:
        cop_jinja_write_float(value.real, number);
        return cop_jinja_put_word(run, buffer, number);
    case JINJA_UNDEFINED:
        return cop_jinja_put_word(run, buffer, "Undefined");
    default:
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED, "printing a %s is not supported",
                              cop_jinja_type_name(value));
    }
}

cop_status cop_jinja_put_repr(jinja_run *run, jinja_buffer *buffer, jinja_value value)
{
    COP_TRY(cop_jinja_enter(run));
    cop_status status = COP_OK;
    if (value.kind == JINJA_STR) {
        status = put_quoted(run, buffer, value.text);
    } else if (value.kind == JINJA_LIST && value.list->sort <= JINJA_SORT_TUPLE) {
        status = put_list(run, buffer, value.list);
    } else if (value.kind == JINJA_DICT) {
        status = put_dict(run, buffer, value.dict);
    } else {
        status = put_scalar(run, buffer, value);
    }
    run->depth--;
    return status;
}

cop_status cop_jinja_put_str(jinja_run *run, jinja_buffer *buffer, jinja_value value)
{
    if (value.kind == JINJA_STR)
        return cop_jinja_put(run, buffer, value.text.data, value.text.length);
    if (value.kind == JINJA_UNDEFINED) return COP_OK;
    return cop_jinja_put_repr(run, buffer, value);
}

cop_status cop_jinja_to_str(jinja_run *run, jinja_value value, jinja_text *text)
{
    if (value.kind == JINJA_STR) {
        *text = value.text;
        return COP_OK;
    }
    jinja_buffer buffer = {0};
    COP_TRY(cop_jinja_put_str(run, &buffer, value));
    *text = cop_jinja_buffer_str(&buffer).text;
    return COP_OK;
}
