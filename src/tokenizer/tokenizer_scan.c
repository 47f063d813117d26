#include "tokenizer/tokenizer_scan.h"
#include "coppice/unicode/unicode.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static cop_status refuse(const cop_scan *scan, const char *expected, cop_error *err)
{
    size_t line = 1;
    for (size_t i = 0; i < scan->at && i < scan->length; i++)
        line += scan->json[i] == '\n';
    return cop_error_set(err, COP_ERR_FORMAT, "line %zu: there should be %s", line, expected);
}

char cop_scan_peek(cop_scan *scan)
{
    for (; scan->at < scan->length; scan->at++) {
        const char c = scan->json[scan->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return c;
    }
    return '\0';
}

cop_status cop_scan_open(cop_scan *scan, char open, cop_error *err)
{
    if (cop_scan_peek(scan) != open) {
        return refuse(scan, open == '{' ? "an object" : "a list", err);
    }
    scan->at++;
    return COP_OK;
}

cop_status cop_scan_next(cop_scan *scan, char close, size_t *count, bool *more, cop_error *err)
{
    const char c = cop_scan_peek(scan);
    *more = c != close;
    if (c == close) {
        scan->at++;
        return COP_OK;
    }
    if ((*count)++ == 0) return COP_OK;
    if (c != ',') return refuse(scan, "a ',' or the end of the list or object", err);
    scan->at++;
    return COP_OK;
}

/* The value of four hexadecimal digits, -1 if there are none. */
static int read_hex(const cop_scan *scan, size_t at)
{
    if (scan->length < 4 || at > scan->length - 4) return -1;
    int value = 0;
    for (size_t i = 0; i < 4; i++) {
        const char c = scan->json[at + i];
        const char lower = (char)(c | 0x20);
        int digit = -1;
        if (c >= '0' && c <= '9') digit = c - '0';
        if (lower >= 'a' && lower <= 'f') digit = lower - 'a' + 10;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Takes what follows "\u", a pair of surrogates as one character. */
static cop_status scan_code(cop_scan *scan, cop_text *out, cop_error *err)
{
    int code = read_hex(scan, scan->at);
    scan->at += 4;
    if (code >= 0xD800 && code <= 0xDBFF && scan->at + 6 <= scan->length &&
        memcmp(scan->json + scan->at, "\\u", 2) == 0) {
        const int low = read_hex(scan, scan->at + 2);
        if (low < 0xDC00 || low > 0xDFFF)
            return refuse(scan, "the other half of a \\u pair", err);
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        scan->at += 6;
    }
    if (code < 0 || (code >= 0xD800 && code <= 0xDFFF)) {
        return refuse(scan, "a character behind \\u", err);
    }
    char bytes[4];
    return cop_text_append(out, bytes, cop_unicode_encode((uint32_t)code, bytes), err);
}

static cop_status scan_escape(cop_scan *scan, cop_text *out, cop_error *err)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char c = scan->at < scan->length ? scan->json[scan->at] : '\0';
    scan->at++;
    if (c == 'u') return scan_code(scan, out, err);
    const char *const found = c == '\0' ? NULL : strchr(names, c);
    if (found == NULL) return refuse(scan, "a valid escape in the string", err);
    return cop_text_append(out, values + (found - names), 1, err);
}

cop_status cop_scan_string(cop_scan *scan, cop_text *out, cop_error *err)
{
    if (cop_scan_peek(scan) != '"') return refuse(scan, "a string", err);
    scan->at++;
    while (scan->at < scan->length) {
        const char *const start = scan->json + scan->at;
        const size_t left = scan->length - scan->at;
        size_t run = 0;
        while (run < left && start[run] != '"' && start[run] != '\\' &&
               (uint8_t)start[run] >= ' ')
            run++;
        COP_TRY(cop_text_append(out, start, run, err));
        scan->at += run;
        if (run == left) break;
        if ((uint8_t)start[run] < ' ') return refuse(scan, "no control character", err);
        scan->at++;
        if (start[run] == '"') return COP_OK;
        COP_TRY(scan_escape(scan, out, err));
    }
    return refuse(scan, "the end of a string", err);
}

cop_status cop_scan_integer(cop_scan *scan, size_t most, size_t *value, cop_error *err)
{
    *value = 0;
    size_t digits = 0;
    const char first = cop_scan_peek(scan);
    for (; scan->at < scan->length; scan->at++, digits++) {
        const char c = scan->json[scan->at];
        if (c < '0' || c > '9' || *value > most) break;
        *value = *value * 10 + (size_t)(c - '0');
    }
    const char after = scan->at < scan->length ? scan->json[scan->at] : ' ';
    if (digits > 0 && *value <= most && !(first == '0' && digits > 1) &&
        strchr(".eE0123456789", after) == NULL) {
        return COP_OK;
    }
    char expected[64];
    (void)snprintf(expected, sizeof expected, "an integer from 0 to %zu", most);
    return refuse(scan, expected, err);
}

/* Behind the string that starts at `at`; may lie behind the text's end if the string has none.
 */
static size_t skip_string(const cop_scan *scan, size_t at)
{
    const char *const json = scan->json;
    const size_t length = scan->length;
    at++;
    while (at < length && json[at] != '"')
        at += json[at] == '\\' ? 2 : 1;
    return at + 1;
}

/* Behind the value that starts at `at`, as far as brackets and strings tell. */
static size_t skip_value(const cop_scan *scan, size_t at)
{
    const char *const json = scan->json;
    const size_t length = scan->length;
    size_t depth = 0;
    while (at < length) {
        const char c = json[at];
        if (c == '"') {
            at = skip_string(scan, at);
            continue;
        }
        const bool closes = c == '}' || c == ']';
        if (depth == 0 && (closes || c == ',')) break;
        depth += c == '{' || c == '[';
        depth -= closes;
        at++;
    }
    return at;
}

cop_status cop_scan_skip(cop_scan *scan, cop_scan *value, cop_error *err)
{
    if (cop_scan_peek(scan) != ':') return refuse(scan, "a ':'", err);
    scan->at++;
    (void)cop_scan_peek(scan);
    const size_t start = scan->at;
    scan->at = skip_value(scan, start);
    if (scan->at >= scan->length || scan->at == start) return refuse(scan, "a value", err);
    *value = (cop_scan){.json = scan->json, .length = scan->at, .at = start};
    return COP_OK;
}
