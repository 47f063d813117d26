#include "task/characters.h"

#include "coppice/base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

static const uint32_t replacement = 0xFFFD;

size_t cop_character_decode(const char *text, size_t length, uint32_t *code)
{
    utf8proc_int32_t decoded = 0;
    const utf8proc_ssize_t bytes = utf8proc_iterate(
        (const utf8proc_uint8_t *)text, (utf8proc_ssize_t)(length < 4 ? length : 4), &decoded);
    *code = bytes > 0 ? (uint32_t)decoded : replacement;
    return bytes > 0 ? (size_t)bytes : 1;
}

bool cop_character_is_space(uint32_t code)
{
    return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
           code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
           code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
           code == 0x3000;
}

static bool is_decimal(uint32_t code)
{
    return utf8proc_category((utf8proc_int32_t)code) == UTF8PROC_CATEGORY_ND;
}

/* Unicode has decimal digits in runs of ten, from zero to nine, some one after the other. */
int cop_character_digit(uint32_t code)
{
    if (code < 0x80) return code >= '0' && code <= '9' ? (int)(code - '0') : -1;
    if (!is_decimal(code)) return -1;
    uint32_t first = code;
    while (is_decimal(first - 1))
        first--;
    return (int)((code - first) % 10);
}

size_t cop_character_lower(uint32_t code, char bytes[4])
{
    static const uint32_t dotted_i = 0x130; /* the only one that becomes two: i and a dot */
    static const char i_and_dot[] = {'i', '\xCC', '\x87'};
    if (code == dotted_i) {
        memcpy(bytes, i_and_dot, sizeof i_and_dot);
        return sizeof i_and_dot;
    }
    const utf8proc_int32_t lower = utf8proc_tolower((utf8proc_int32_t)code);
    return (size_t)utf8proc_encode_char(lower, (utf8proc_uint8_t *)bytes);
}

size_t cop_slice_minus_before(cop_slice text, size_t end)
{
    static const char minus[] = "\xE2\x88\x92";
    const size_t size = sizeof minus - 1;
    if (end >= size && memcmp(text.data + end - size, minus, size) == 0) return size;
    return end > 0 && text.data[end - 1] == '-';
}

cop_slice cop_slice_tail(const char *text, size_t length, size_t count)
{
    size_t at = length;
    for (size_t characters = 0; at > 0 && characters < count; at--)
        characters += ((unsigned char)text[at - 1] & 0xC0u) != 0x80u;
    return (cop_slice){text + at, length - at};
}

cop_slice cop_slice_strip(cop_slice slice)
{
    size_t end = 0; /* after the last character that is no white space */
    bool begun = false;
    const char *start = slice.data;
    for (size_t at = 0; at < slice.length;) {
        uint32_t code = 0;
        const size_t bytes = cop_character_decode(slice.data + at, slice.length - at, &code);
        if (!cop_character_is_space(code)) {
            if (!begun) start = slice.data + at;
            begun = true;
            end = at + bytes;
        }
        at += bytes;
    }
    return begun ? (cop_slice){start, end - (size_t)(start - slice.data)}
                 : (cop_slice){slice.data, 0};
}

bool cop_slice_equal(cop_slice a, cop_slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool cop_slice_is(cop_slice slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.data, text, slice.length) == 0;
}

bool cop_slice_begins(cop_slice slice, const char *text)
{
    const size_t length = strlen(text);
    return slice.length >= length && memcmp(slice.data, text, length) == 0;
}

cop_slice cop_slice_of(const cop_text *text)
{
    return (cop_slice){text->data != NULL ? text->data : "", text->length};
}

cop_status cop_characters_append(cop_text *text, cop_slice slice, cop_error *err)
{
    for (size_t at = 0; at < slice.length;) {
        uint32_t code = 0;
        const char *const from = slice.data + at;
        const size_t bytes = cop_character_decode(from, slice.length - at, &code);
        const bool broken = bytes == 1 && code == replacement;
        COP_TRY(cop_text_append(text, broken ? "\xEF\xBF\xBD" : from, broken ? 3 : bytes, err));
        at += bytes;
    }
    return cop_text_append(text, "", 0, err);
}

cop_status cop_characters_append_collapsed(cop_text *text, cop_slice slice, cop_error *err)
{
    const cop_slice body = cop_slice_strip(slice);
    bool in_space = false;
    for (size_t at = 0; at < body.length;) {
        uint32_t code = 0;
        const size_t bytes = cop_character_decode(body.data + at, body.length - at, &code);
        const bool space = cop_character_is_space(code);
        if (!space) COP_TRY(cop_text_append(text, body.data + at, bytes, err));
        if (space && !in_space) COP_TRY(cop_text_append(text, " ", 1, err));
        in_space = space;
        at += bytes;
    }
    return cop_text_append(text, "", 0, err);
}

cop_status cop_characters_replace(cop_text *text, const char *from, const char *to,
                                  cop_error *err)
{
    const size_t size = strlen(from);
    if (text->length < size) return COP_OK;
    const char *next = memmem(text->data, text->length, from, size);
    if (next == NULL) return COP_OK;
    cop_text made = {0};
    cop_status status = COP_OK;
    const char *at = text->data;
    const char *const end = text->data + text->length;
    for (; next != NULL; next = memmem(at, (size_t)(end - at), from, size)) {
        COP_TRY_OUT(cop_text_append(&made, at, (size_t)(next - at), err));
        COP_TRY_OUT(cop_text_append(&made, to, strlen(to), err));
        at = next + size;
    }
    COP_TRY_OUT(cop_text_append(&made, at, (size_t)(end - at), err));
    const cop_text old = *text;
    *text = made;
    made = old;
out:
    cop_text_free(&made);
    return status;
}

/* --- numbers --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Moves *at over digits, with single underscores between them. \return how many there were. */
static size_t skip_digits(const char **at)
{
    size_t count = 0;
    while (is_digit(**at) ||
           (**at == '_' && count > 0 && (*at)[-1] != '_' && is_digit((*at)[1]))) {
        count++;
        (*at)++;
    }
    return count;
}

static bool is_float_word(const char *text)
{
    static const char *const words[] = {"inf", "infinity", "nan"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return false;
}

/* The grammar of Python's float(), white space aside. */
static bool is_float(const char *text)
{
    const char *at = text + (*text == '-' || *text == '+');
    if (is_float_word(at)) return true;
    size_t digits = skip_digits(&at);
    if (*at == '.') {
        at++;
        digits += skip_digits(&at);
    }
    if (digits == 0) return false;
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        if (skip_digits(&at) == 0) return false;
    }
    return *at == '\0';
}

bool cop_characters_to_number(cop_slice slice, double *value)
{
    enum { MOST_BYTES = 1024 }; /* longer numbers are no answers */
    char ascii[MOST_BYTES];
    size_t length = 0;
    const cop_slice body = cop_slice_strip(slice);
    for (size_t at = 0; at < body.length;) {
        if (length + 1 == MOST_BYTES) return false;
        uint32_t code = 0;
        at += cop_character_decode(body.data + at, body.length - at, &code);
        const int digit = cop_character_digit(code);
        if (digit < 0 && (code == 0 || code >= 0x80)) return false;
        ascii[length++] = digit >= 0 ? (char)('0' + digit) : (char)code;
    }
    ascii[length] = '\0';
    if (!is_float(ascii)) return false;
    size_t kept = 0;
    for (size_t i = 0; i <= length; i++)
        if (ascii[i] != '_') ascii[kept++] = ascii[i];
    *value = strtod(ascii, NULL);
    return true;
}
