/* Reading JSON that others wrote (json.h): jansson first; where it refuses, once more with what
 * it does not hold spelt otherwise. */
#include "coppice/json/json.h"

#include "coppice/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Copies json [length] to out, from `at` on. */
typedef struct mender {
    const char *json;
    size_t length;
    size_t at;
    bool big_as_real;
    bool names; /* NaN and Infinity are taken */
    bool changed;
    size_t stop;  /* copying ends where `out` is so long */
    size_t added; /* bytes that are more than the line had */
    cop_text *out;
    cop_error *err;
} mender;

static const char replacement[] = "\\ufffd";

static cop_status copy(mender *self, size_t count)
{
    COP_TRY(cop_text_append(self->out, self->json + self->at, count, self->err));
    self->at += count;
    return COP_OK;
}

/* --- strings --- */

/* The value of "\uXXXX" at json[at], -1 if none is there. */
static long escaped_code(const mender *self, size_t at)
{
    if (at > self->length || self->length - at < 6 || memcmp(self->json + at, "\\u", 2) != 0)
        return -1;
    char digits[5] = {0};
    memcpy(digits, self->json + at + 2, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? strtol(digits, NULL, 16) : -1;
}

/* Behind the string that starts with the quote at `at`. */
static size_t end_of_string(const mender *self, size_t at)
{
    at++;
    while (at < self->length && self->json[at] != '"')
        at += self->json[at] == '\\' ? 2 : 1;
    return at < self->length ? at + 1 : self->length;
}

static bool is_key(const mender *self, size_t end)
{
    while (end < self->length && strchr(" \t\r\n", self->json[end]) != NULL)
        end++;
    return end < self->length && self->json[end] == ':';
}

static cop_status copy_escape(mender *self, bool in_key)
{
    const long code = escaped_code(self, self->at);
    const bool high = code >= 0xD800 && code <= 0xDBFF;
    const long low = high ? escaped_code(self, self->at + 6) : -1;
    if (high && low >= 0xDC00 && low <= 0xDFFF) return copy(self, 12);
    const bool half = code >= 0xD800 && code <= 0xDFFF;
    if (!half && !(in_key && code == 0)) return copy(self, 2);
    self->changed = true;
    self->at += 6;
    return cop_text_append(self->out, replacement, sizeof replacement - 1, self->err);
}

static cop_status copy_string(mender *self)
{
    const size_t end = end_of_string(self, self->at);
    const bool in_key = is_key(self, end);
    while (self->at < end) {
        const char *const escape = memchr(self->json + self->at, '\\', end - self->at);
        const size_t plain =
            escape == NULL ? end - self->at : (size_t)(escape - self->json) - self->at;
        COP_TRY(copy(self, plain));
        if (escape == NULL) break;
        if (end - self->at < 2) return copy(self, end - self->at); /* the text ends in it */
        COP_TRY(copy_escape(self, in_key));
    }
    return COP_OK;
}

/* --- numbers --- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '+' || c == '-' || c == '.';
}

/* The bytes of a number as JSON spells it at the start of word [length], 0 if it is none. */
static bool is_number(const char *word, size_t length, bool *integer)
{
    static const char digits[] = "0123456789";
    const char *at = word + (word[0] == '-');
    const size_t whole = strspn(at, digits);
    if (whole == 0 || (whole > 1 && *at == '0')) return false;
    at += whole;
    *integer = *at != '.' && *at != 'e' && *at != 'E';
    if (*at == '.') {
        const size_t fraction = strspn(at + 1, digits);
        if (fraction == 0) return false;
        at += 1 + fraction;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '+' || at[1] == '-');
        const size_t exponent = strspn(at, digits);
        if (exponent == 0) return false;
        at += exponent;
    }
    return at == word + length;
}

/* What jansson holds of the number: it, a real of the same value, or nothing but its text. */
typedef enum holding { AS_IT_IS, AS_REAL, AS_TEXT } holding;

static holding hold_number(const mender *self, const char *word, bool integer)
{
    const bool finite = isfinite(strtod(word, NULL));
    errno = 0;
    (void)strtoll(word, NULL, 10);
    const bool held = integer ? errno != ERANGE : finite;
    if (held) return AS_IT_IS;
    if (self->big_as_real && finite) return AS_REAL;
    const bool refused = self->big_as_real && !self->names; /* by jansson, as it is */
    return refused ? AS_IT_IS : AS_TEXT;
}

static holding hold_word(const mender *self, const char *word, size_t length)
{
    bool integer = false;
    if (is_number(word, length, &integer)) return hold_number(self, word, integer);
    const char *const name = word + (word[0] == '-');
    const bool python =
        self->names && (strcmp(name, "Infinity") == 0 || strcmp(word, "NaN") == 0);
    return python ? AS_TEXT : AS_IT_IS;
}

/* Copies a number or name; what is no JSON stays as it is, for jansson to complain about. */
static cop_status copy_word(mender *self)
{
    size_t length = 1;
    while (self->at + length < self->length && is_word(self->json[self->at + length]))
        length++;
    cop_text word = {0};
    cop_status status = cop_text_append(&word, self->json + self->at, length, self->err);
    if (status != COP_OK) return status;
    const holding how = hold_word(self, word.data, length);
    cop_text_free(&word);
    if (how == AS_IT_IS) return copy(self, length);
    self->changed = true;
    self->added += 2;
    if (how == AS_TEXT) COP_TRY(cop_text_append(self->out, "\"", 1, self->err));
    COP_TRY(copy(self, length));
    return how == AS_TEXT ? cop_text_append(self->out, "\"", 1, self->err)
                          : cop_text_append(self->out, ".0", 2, self->err);
}

static cop_status mend(mender *self)
{
    while (self->at < self->length && self->out->length < self->stop) {
        const char c = self->json[self->at];
        if (c == '\n') self->added = 0;
        if (c == '"') {
            COP_TRY(copy_string(self));
        } else if (is_word(c)) {
            COP_TRY(copy_word(self));
        } else {
            COP_TRY(copy(self, 1));
        }
    }
    return COP_OK;
}

/* --- loading --- */

static size_t jansson_flags(size_t flags)
{
    return (flags & ~(COP_JSON_BIG_AS_REAL | COP_JSON_LINE | COP_JSON_STRICT)) | JSON_ALLOW_NUL;
}

/* A column of the text that was mended is one of the text as it was. */
static cop_status place_error(const mender *mended, json_error_t *why)
{
    cop_text out = {0};
    mender self = *mended;
    self.at = 0;
    self.added = 0;
    self.stop = (size_t)why->position;
    self.out = &out;
    const cop_status status = mend(&self);
    why->column -= (int)self.added;
    cop_text_free(&out);
    return status;
}

static cop_status load_mended(const char *text, size_t length, size_t flags, json_t **root,
                              json_error_t *why, cop_error *err)
{
    cop_text out = {0};
    mender self = {.json = text,
                   .length = length,
                   .names = (flags & COP_JSON_STRICT) == 0,
                   .big_as_real = (flags & COP_JSON_BIG_AS_REAL) != 0,
                   .stop = SIZE_MAX,
                   .out = &out,
                   .err = err};
    cop_status status = mend(&self);
    if (status == COP_OK && self.changed) {
        *root = json_loadb(out.data, out.length, jansson_flags(flags), why);
        if (*root == NULL) status = place_error(&self, why);
    }
    cop_text_free(&out);
    return status;
}

void cop_json_skip_mark(const char **text, size_t *length)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (*length < sizeof mark - 1 || memcmp(*text, mark, sizeof mark - 1) != 0) return;
    *text += sizeof mark - 1;
    *length -= sizeof mark - 1;
}

cop_status cop_json_read(const char *text, size_t length, size_t flags, json_t **root,
                         cop_error *err)
{
    *root = NULL;
    const size_t whole = length;
    cop_json_skip_mark(&text, &length);
    COP_CHECK(length == whole || (flags & COP_JSON_LINE) == 0, err, COP_ERR_FORMAT,
              "column 1: a byte order mark (U+FEFF)");
    const char *const nul = length == 0 ? NULL : memchr(text, '\0', length);
    COP_CHECK(nul == NULL, err, COP_ERR_FORMAT, "a NUL byte at %zu", (size_t)(nul - text));
    json_error_t why;
    *root = json_loadb(text, length, jansson_flags(flags), &why);
    if (*root == NULL && json_error_code(&why) != json_error_out_of_memory)
        COP_TRY(load_mended(text, length, flags, root, &why, err));
    if (*root != NULL) return COP_OK;
    COP_CHECK(json_error_code(&why) != json_error_out_of_memory, err, COP_ERR_MEMORY,
              "no memory for JSON of %zu bytes", length);
    if ((flags & COP_JSON_LINE) != 0)
        return cop_error_set(err, COP_ERR_FORMAT, "column %d: %s", why.column, why.text);
    return cop_error_set(err, COP_ERR_FORMAT, "line %d, column %d: %s", why.line, why.column,
                         why.text);
}

json_t *cop_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

bool cop_json_is_text(const json_t *value)
{
    return json_is_string(value) &&
           strlen(json_string_value(value)) == json_string_length(value);
}

cop_status cop_json_read_optional(const char *directory, const char *name, size_t limit_bytes,
                                  json_t **object, cop_error *err)
{
    cop_text text = {0};
    bool found = false;
    *object = NULL;
    cop_status status =
        cop_text_read_optional(&text, directory, name, limit_bytes, &found, err);
    if (status == COP_OK && found) {
        status = cop_json_read(text.data == NULL ? "" : text.data, text.length, 0, object, err);
        if (status == COP_OK && !json_is_object(*object))
            status = cop_error_set(err, COP_ERR_FORMAT, "it is not a JSON object");
        if (status != COP_OK) (void)cop_error_prefix(err, "%s/%s", directory, name);
    }
    if (status != COP_OK) {
        json_decref(*object);
        *object = NULL;
    }
    cop_text_free(&text);
    return status;
}
