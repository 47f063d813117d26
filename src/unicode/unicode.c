#include "coppice/unicode/unicode.h"

#include <string.h>

/* What may follow a lead byte (Unicode, table 3-7). */
typedef struct lead_rule {
    uint8_t bytes;  /* of the whole character, 0: not a lead byte */
    uint8_t lowest; /* of the second byte */
    uint8_t highest;
} lead_rule;

static lead_rule rule_of(uint8_t lead)
{
    if (lead < 0x80) return (lead_rule){1, 0, 0};
    if (lead < 0xC2 || lead > 0xF4) return (lead_rule){0, 0, 0};
    if (lead < 0xE0) return (lead_rule){2, 0x80, 0xBF};
    if (lead == 0xE0) return (lead_rule){3, 0xA0, 0xBF};
    if (lead == 0xED) return (lead_rule){3, 0x80, 0x9F};
    if (lead < 0xF0) return (lead_rule){3, 0x80, 0xBF};
    if (lead == 0xF0) return (lead_rule){4, 0x90, 0xBF};
    if (lead == 0xF4) return (lead_rule){4, 0x80, 0x8F};
    return (lead_rule){4, 0x80, 0xBF};
}

/* Bytes of the well-formed character at the start, or, with *valid false, of the longest start
 * of one (at least 1): what one U+FFFD stands for. */
static size_t scan_character(const char *bytes, size_t length, bool *valid)
{
    const lead_rule rule = rule_of((uint8_t)bytes[0]);
    *valid = rule.bytes == 1;
    if (rule.bytes < 2) return 1;
    size_t at = 1;
    for (; at < rule.bytes && at < length; at++) {
        const uint8_t byte = (uint8_t)bytes[at];
        const uint8_t lowest = at == 1 ? rule.lowest : 0x80;
        const uint8_t highest = at == 1 ? rule.highest : 0xBF;
        if (byte < lowest || byte > highest) return at;
    }
    *valid = at == rule.bytes;
    return at;
}

/* Bytes at the start that are ASCII. */
static size_t ascii_run(const char *bytes, size_t length)
{
    size_t at = 0;
    uint64_t word = 0;
    while (length - at >= sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        if ((word & UINT64_C(0x8080808080808080)) != 0) break;
        at += sizeof word;
    }
    while (at < length && (uint8_t)bytes[at] < 0x80)
        at++;
    return at;
}

/* Bytes at the start that are well-formed. */
static size_t valid_run(const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        at += ascii_run(bytes + at, length - at);
        if (at == length) break;
        bool valid = false;
        const size_t step = scan_character(bytes + at, length - at, &valid);
        if (!valid) break;
        at += step;
    }
    return at;
}

bool cop_unicode_is_valid(const char *bytes, size_t length)
{
    return valid_run(bytes, length) == length;
}

cop_status cop_unicode_repair(cop_text *text, const char *bytes, size_t length, cop_error *err)
{
    size_t at = 0;
    while (at < length) {
        const size_t good = valid_run(bytes + at, length - at);
        COP_TRY(cop_text_append(text, bytes + at, good, err));
        at += good;
        if (at == length) break;
        bool valid = false;
        at += scan_character(bytes + at, length - at, &valid);
        COP_TRY(cop_text_append(text, "\xEF\xBF\xBD", 3, err));
    }
    return COP_OK;
}

size_t cop_unicode_decode(const char *text, size_t length, uint32_t *code)
{
    const uint8_t lead = (uint8_t)text[0];
    const size_t bytes = rule_of(lead).bytes;
    if (bytes < 2 || bytes > length) {
        *code = lead;
        return 1;
    }
    uint32_t value = lead & (0x7Fu >> bytes);
    for (size_t i = 1; i < bytes; i++)
        value = value << 6 | ((uint8_t)text[i] & 0x3Fu);
    *code = value;
    return bytes;
}

size_t cop_unicode_encode(uint32_t code, char bytes[4])
{
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    const size_t count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = count; i-- > 1;) {
        bytes[i] = (char)(0x80u | (code & 0x3Fu));
        code >>= 6;
    }
    bytes[0] = (char)((0xF00u >> count & 0xF0u) | code);
    return count;
}

size_t cop_unicode_previous(const char *text, size_t end)
{
    size_t start = end - 1;
    while (start > 0 && ((uint8_t)text[start] & 0xC0u) == 0x80)
        start--;
    return start;
}

int cop_unicode_clip(const char *text, size_t length, size_t most)
{
    if (length <= most) return (int)length;
    while (most > 0 && ((uint8_t)text[most] & 0xC0u) == 0x80)
        most--;
    return (int)most;
}

bool cop_unicode_is_space(uint32_t code)
{
    if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
    return code == 0x85 || code == 0xA0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 ||
           code == 0x202F || code == 0x205F || code == 0x3000;
}

static bool stands_for_itself(uint32_t byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
           (byte >= 0xAE && byte <= 0xFF);
}

/* The 68 bytes that are not printable in Latin-1 get the characters from U+0100 on, in order.
 */
uint32_t cop_unicode_of_byte(uint8_t byte)
{
    if (stands_for_itself(byte)) return byte;
    if (byte <= 0x20) return 0x100u + byte;
    return byte <= 0xA0 ? 0x121u + (byte - 0x7Fu) : 0x143u;
}

int cop_unicode_to_byte(uint32_t code)
{
    if (code <= 0xFF) return stands_for_itself(code) ? (int)code : -1;
    if (code < 0x100 || code > 0x143) return -1;
    if (code <= 0x120) return (int)(code - 0x100);
    return code < 0x143 ? (int)(code - 0x121 + 0x7F) : 0xAD;
}
