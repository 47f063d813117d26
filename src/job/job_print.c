/* Values of a job as YAML text that reads back as the same. */
#include "job/job_guard.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shortest text that reads back as the same number. */
static cop_status print_number(double value, cop_text *text, cop_error *err)
{
    char best[40] = "";
    for (int precision = 17; precision >= 1; precision--) {
        char digits[40];
        (void)snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) != value) break;
        if (best[0] == '\0' || strlen(digits) < strlen(best)) memcpy(best, digits, sizeof best);
    }
    return cop_text_append(text, best, strlen(best), err);
}

/* Bytes of the UTF-8 sequence at `at` and its code point; a byte that begins none stands for
 * itself (a path need not be UTF-8; YAML must). */
static size_t decode_utf8(const unsigned char *at, uint32_t *code)
{
    const size_t more = at[0] >= 0xf0 ? 3 : at[0] >= 0xe0 ? 2 : at[0] >= 0xc2 ? 1 : 0;
    *code = at[0];
    if (at[0] < 0x80 || more == 0 || at[0] > 0xf4) return 1;
    uint32_t wide = at[0] & (0x3fU >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xc0U) != 0x80U) return 1;
        wide = wide << 6 | (at[i] & 0x3fU);
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (wide < least[more] || wide > 0x10ffff || (wide >= 0xd800 && wide <= 0xdfff)) return 1;
    *code = wide;
    return more + 1;
}

/* True if YAML allows the character as it is and does not take it for a line break. */
static bool is_plain_character(uint32_t code, size_t length)
{
    if (code < 0x80) return code >= 0x20 && code != 0x7f && code != '"' && code != '\\';
    if (length == 1 || code <= 0xa0 || code == 0x2028 || code == 0x2029) return false;
    return code != 0xfeff && (code & 0xfffeU) != 0xfffe;
}

/* Appends one character of a double-quoted text. */
static cop_status print_character(const char *at, size_t length, uint32_t code, cop_text *text,
                                  cop_error *err)
{
    switch (code) {
    case '"':
    case '\\':
        return cop_text_format(text, err, "\\%c", (char)code);
    case '\n':
        return cop_text_append(text, "\\n", 2, err);
    case '\t':
        return cop_text_append(text, "\\t", 2, err);
    case '\r':
        return cop_text_append(text, "\\r", 2, err);
    default:
        break;
    }
    if (is_plain_character(code, length)) return cop_text_append(text, at, length, err);
    if (code < 0x100) return cop_text_format(text, err, "\\x%02" PRIX32, code);
    if (code < 0x10000) return cop_text_format(text, err, "\\u%04" PRIX32, code);
    return cop_text_format(text, err, "\\U%08" PRIX32, code);
}

static cop_status print_string(const char *string, cop_text *text, cop_error *err)
{
    if (string == NULL) return cop_text_append(text, "null", 4, err);
    COP_TRY(cop_text_append(text, "\"", 1, err));
    while (*string != '\0') {
        uint32_t code = 0;
        const size_t length = decode_utf8((const unsigned char *)string, &code);
        COP_TRY(print_character(string, length, code, text, err));
        string += length;
    }
    return cop_text_append(text, "\"", 1, err);
}

static cop_status print_separator(size_t index, cop_text *text, cop_error *err)
{
    return cop_text_append(text, ", ", index == 0 ? 0 : 2, err);
}

static cop_status print_numbers(const cop_job_numbers *numbers, cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_append(text, "[", 1, err));
    for (size_t i = 0; i < numbers->count; i++) {
        COP_TRY(print_separator(i, text, err));
        COP_TRY(print_number(numbers->data[i], text, err));
    }
    return cop_text_append(text, "]", 1, err);
}

static cop_status print_integers(const cop_job_integers *integers, cop_text *text,
                                 cop_error *err)
{
    COP_TRY(cop_text_append(text, "[", 1, err));
    for (size_t i = 0; i < integers->count; i++) {
        COP_TRY(print_separator(i, text, err));
        COP_TRY(cop_text_format(text, err, "%" PRId64, integers->data[i]));
    }
    return cop_text_append(text, "]", 1, err);
}

static cop_status print_strings(const cop_job_strings *strings, cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_append(text, "[", 1, err));
    for (size_t i = 0; i < strings->count; i++) {
        COP_TRY(print_separator(i, text, err));
        COP_TRY(print_string(strings->data[i], text, err));
    }
    return cop_text_append(text, "]", 1, err);
}

static cop_status print_fields(const cop_fields *fields, cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_append(text, "{", 1, err));
    for (size_t i = 0; i < fields->count; i++) {
        COP_TRY(print_separator(i, text, err));
        COP_TRY(print_string(fields->data[i].name, text, err));
        COP_TRY(cop_text_append(text, ": ", 2, err));
        COP_TRY(print_string(fields->data[i].source, text, err));
    }
    return cop_text_append(text, "}", 1, err);
}

static cop_status print_guards(const cop_job_guards *guards, cop_text *text, cop_error *err);

/* The value of a key at its place. */
static cop_status print_field(const void *field, const cop_job_key *key, cop_text *text,
                              cop_error *err)
{
    switch (key->type) {
    case COP_JOB_INTEGER:
        if (key->word != NULL && *(const int64_t *)field == 0)
            return cop_text_append(text, key->word, strlen(key->word), err);
        return cop_text_format(text, err, "%" PRId64, *(const int64_t *)field);
    case COP_JOB_NUMBER:
        if (key->word != NULL && isnan(*(const double *)field))
            return cop_text_append(text, key->word, strlen(key->word), err);
        return print_number(*(const double *)field, text, err);
    case COP_JOB_BOOLEAN:
        return cop_text_format(text, err, "%s", *(const bool *)field ? "true" : "false");
    case COP_JOB_STRING:
    case COP_JOB_PATH:
        return print_string(*(char *const *)field, text, err);
    case COP_JOB_NUMBERS:
        return print_numbers(field, text, err);
    case COP_JOB_INTEGERS:
        return print_integers(field, text, err);
    case COP_JOB_STRINGS:
        return print_strings(field, text, err);
    case COP_JOB_FIELDS:
        return print_fields(field, text, err);
    case COP_JOB_GUARDS:
        return print_guards(field, text, err);
    }
    return cop_error_set(err, COP_ERR_INTERNAL, "%s has an unknown type", key->name);
}

static cop_status print_guards(const cop_job_guards *guards, cop_text *text, cop_error *err)
{
    size_t count = 0;
    const cop_job_key *const keys = cop_job_guard_keys(&count);
    COP_TRY(cop_text_append(text, "[", 1, err));
    for (size_t i = 0; i < guards->count; i++) {
        COP_TRY(print_separator(i, text, err));
        for (size_t k = 0; k < count; k++) {
            COP_TRY(cop_text_format(text, err, "%s%s: ", k == 0 ? "{" : ", ", keys[k].name));
            COP_TRY(print_field((const char *)&guards->data[i] + keys[k].offset, &keys[k], text,
                                err));
        }
        COP_TRY(cop_text_append(text, "}", 1, err));
    }
    return cop_text_append(text, "]", 1, err);
}

cop_status cop_job_print_value(const cop_job *job, size_t index, cop_text *text, cop_error *err)
{
    const cop_job_key *const key = cop_job_key_at(index);
    COP_CHECK(key != NULL, err, COP_ERR_INTERNAL, "a job has no key number %zu", index);
    return print_field((const char *)job + key->offset, key, text, err);
}
