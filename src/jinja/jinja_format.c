/* Formats: the % operator, str.format() and dates. */
#include "coppice/unicode/unicode.h"
#include "jinja/jinja_text.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

enum { MOST_PLACES = 1000 };

/* One %-directive of a format. */
typedef struct directive {
    char spec[24]; /* for snprintf, without the letter: flags, width, precision */
    char letter;
    int precision; /* -1: none */
    int width;
    bool left;
} directive;

/* The values that a format takes in turn. */
typedef struct supply {
    const jinja_value *items;
    size_t count, taken;
} supply;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits at *at; -1 where there are too many. */
static int read_number(jinja_text format, size_t *at)
{
    int number = 0;
    while (*at < format.length && is_digit(format.data[*at])) {
        number = 10 * number + (format.data[(*at)++] - '0');
        if (number > MOST_PLACES) return -1;
    }
    return number;
}

static cop_status read_directive(jinja_run *run, jinja_text format, size_t *at, directive *d)
{
    size_t used = 0;
    *d = (directive){.precision = -1};
    d->spec[used++] = '%';
    while (*at < format.length && strchr("-+ 0#", format.data[*at]) != NULL && used < 6) {
        d->left = d->left || format.data[*at] == '-';
        d->spec[used++] = format.data[(*at)++];
    }
    d->width = read_number(format, at);
    if (*at < format.length && format.data[*at] == '.') {
        (*at)++;
        d->precision = read_number(format, at);
        if (d->precision < 0) d->width = -1;
    }
    if (d->width < 0 || *at >= format.length)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "a %% format is not complete");
    if (d->width > 0)
        used += (size_t)snprintf(d->spec + used, sizeof d->spec - used, "%d", d->width);
    if (d->precision >= 0)
        (void)snprintf(d->spec + used, sizeof d->spec - used, ".%d", d->precision);
    d->letter = format.data[(*at)++];
    return COP_OK;
}

static cop_status put_spaces(jinja_run *run, jinja_buffer *buffer, size_t count)
{
    for (size_t i = 0; i < count; i++)
        COP_TRY(cop_jinja_put(run, buffer, " ", 1));
    return COP_OK;
}

/* A string in its width, cut to its precision, both in characters. */
static cop_status put_padded(jinja_run *run, jinja_buffer *buffer, const directive *d,
                             jinja_text text)
{
    if (d->precision >= 0) text.length = cop_jinja_byte_of(text, (size_t)d->precision);
    const size_t length = cop_jinja_count(text);
    const size_t padding = (size_t)d->width > length ? (size_t)d->width - length : 0;
    if (!d->left) COP_TRY(put_spaces(run, buffer, padding));
    COP_TRY(cop_jinja_put(run, buffer, text.data, text.length));
    return d->left ? put_spaces(run, buffer, padding) : COP_OK;
}

static cop_status put_number(jinja_run *run, jinja_buffer *buffer, const directive *d,
                             jinja_value value)
{
    char spec[32];
    char text[2 * MOST_PLACES + 400];
    const bool whole = strchr("diuxXo", d->letter) != NULL;
    if (!cop_jinja_is_number(value) ||
        (whole && d->letter != 'd' && d->letter != 'i' && d->letter != 'u' &&
         (!cop_jinja_is_integral(value) || value.integer < 0)))
        return cop_jinja_fail(run, COP_ERR_FORMAT, "%%%c cannot format this %s", d->letter,
                              cop_jinja_type_name(value));
    if (whole && value.kind == JINJA_FLOAT && !(value.real > -9e18 && value.real < 9e18))
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "%%%c of a number so large is not "
                              "supported",
                              d->letter);
    int length = 0;
    if (whole) {
        const long long number =
            value.kind == JINJA_FLOAT ? (long long)value.real : (long long)value.integer;
        (void)snprintf(spec, sizeof spec, "%sll%c", d->spec,
                       d->letter == 'u' ? 'd' : d->letter);
        length = snprintf(text, sizeof text, spec, number);
    } else {
        (void)snprintf(spec, sizeof spec, "%s%c", d->spec, d->letter);
        length = snprintf(text, sizeof text, spec, cop_jinja_number(value));
    }
    return cop_jinja_put(run, buffer, text, (size_t)length);
}

static cop_status put_directive(jinja_run *run, jinja_buffer *buffer, const directive *d,
                                supply *values)
{
    if (d->letter == '%') return cop_jinja_put(run, buffer, "%", 1);
    if (values->taken == values->count)
        return cop_jinja_fail(run, COP_ERR_FORMAT, "a %% format has not enough values");
    const jinja_value value = values->items[values->taken++];
    if (d->letter == 's' || d->letter == 'r') {
        jinja_buffer text = {0};
        COP_TRY(d->letter == 's' ? cop_jinja_put_str(run, &text, value)
                                 : cop_jinja_put_repr(run, &text, value));
        return put_padded(run, buffer, d, cop_jinja_buffer_str(&text).text);
    }
    if (strchr("diuxXofFeEgG", d->letter) == NULL)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED, "the format %%%c is not supported",
                              d->letter);
    return put_number(run, buffer, d, value);
}

cop_status cop_jinja_put_formatted(jinja_run *run, jinja_buffer *buffer, jinja_text format,
                                   jinja_value values)
{
    const bool tuple = cop_jinja_is_tuple(values);
    jinja_value list = values;
    if (!tuple) {
        COP_TRY(cop_jinja_list(run, JINJA_SORT_TUPLE, 1, &list));
        list.list->items[0] = values;
    }
    supply all = {.items = list.list->items, .count = list.list->count};
    for (size_t i = 0; i < format.length;) {
        const char *const mark = memchr(format.data + i, '%', format.length - i);
        const size_t end = mark == NULL ? format.length : (size_t)(mark - format.data);
        COP_TRY(cop_jinja_put(run, buffer, format.data + i, end - i));
        i = end;
        if (mark == NULL) break;
        directive d;
        i++;
        if (i < format.length && format.data[i] == '(')
            return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                                  "a %% format with names is not supported");
        COP_TRY(read_directive(run, format, &i, &d));
        COP_TRY(put_directive(run, buffer, &d, &all));
    }
    if (all.taken < all.count && values.kind != JINJA_DICT && values.kind != JINJA_UNDEFINED &&
        !(values.kind == JINJA_LIST && !tuple))
        return cop_jinja_fail(run, COP_ERR_FORMAT, "a %% format has too many values");
    return COP_OK;
}

/* --- str.format() --- */

/* The argument that a field names; *next counts those without a name. */
static cop_status find_field(const jinja_run *run, jinja_text field,
                             const jinja_arguments *args, size_t *next, jinja_value *value)
{
    size_t at = 0;
    const int index = field.length == 0 ? (int)(*next)++ : read_number(field, &at);
    if (at == field.length && index >= 0 && (size_t)index < args->count) {
        *value = args->items[index];
        return COP_OK;
    }
    for (size_t i = 0; at == 0 && i < args->named; i++) {
        if (args->names[i].length != field.length ||
            memcmp(args->names[i].data, field.data, field.length) != 0)
            continue;
        *value = args->named_items[i];
        return COP_OK;
    }
    return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                          "format(): the field {%.*s} is not supported", cop_jinja_shown(field),
                          field.data);
}

cop_status cop_jinja_put_braces(jinja_run *run, jinja_buffer *buffer, jinja_text format,
                                const jinja_arguments *args)
{
    size_t next = 0;
    for (size_t i = 0; i < format.length; i++) {
        const char c = format.data[i];
        const bool doubled = i + 1 < format.length && format.data[i + 1] == c;
        if (c != '{' && c != '}') {
            COP_TRY(cop_jinja_put(run, buffer, &c, 1));
        } else if (doubled) {
            COP_TRY(cop_jinja_put(run, buffer, &c, 1));
            i++;
        } else {
            const char *const end = memchr(format.data + i, '}', format.length - i);
            if (c == '}' || end == NULL)
                return cop_jinja_fail(run, COP_ERR_FORMAT, "format(): a brace stands alone");
            const jinja_text field = {format.data + i + 1, (size_t)(end - format.data) - i - 1};
            jinja_value value = cop_jinja_none();
            COP_TRY(find_field(run, field, args, &next, &value));
            COP_TRY(cop_jinja_put_str(run, buffer, value));
            i = (size_t)(end - format.data);
        }
    }
    return COP_OK;
}

/* --- dates --- */

/* Python fills in what a date without a zone has none of, and the rest is the C library's. */
static cop_status prepare(jinja_run *run, jinja_text format, jinja_buffer *plain)
{
    for (size_t i = 0; i < format.length; i++) {
        const char c = format.data[i];
        const char next = i + 1 < format.length ? format.data[i + 1] : '\0';
        if (c == '\0')
            return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                                  "strftime_now: a NUL in the format is not supported");
        if (c != '%') {
            COP_TRY(cop_jinja_put(run, plain, &c, 1));
            continue;
        }
        i++;
        if (next == 'z' || next == 'Z') continue;
        if (next == 'f') {
            COP_TRY(cop_jinja_put_word(run, plain, "000000"));
            continue;
        }
        if (next == 's' || next == ':' || next == '\0')
            return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                                  "strftime_now: the format \"%%%s\" is not supported",
                                  next == 's'   ? "s"
                                  : next == ':' ? ":"
                                                : "");
        const char pair[2] = {'%', next};
        COP_TRY(cop_jinja_put(run, plain, pair, 2));
    }
    /* One character more tells an empty result from a failure. */
    return cop_jinja_put(run, plain, ".\0", 2);
}

cop_status cop_jinja_put_date(jinja_run *run, jinja_buffer *buffer, jinja_text format)
{
    jinja_buffer plain = {0};
    COP_TRY(prepare(run, format, &plain));
    const size_t room = 64 + 40 * plain.length;
    char *const text = cop_jinja_take(&run->arena, room, run->err);
    if (text == NULL) return COP_ERR_UNSUPPORTED;
    const locale_t plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain_locale == (locale_t)0)
        return cop_jinja_fail(run, COP_ERR_INTERNAL, "there is no C locale");
    const size_t length = strftime_l(text, room, plain.data, run->now, plain_locale);
    freelocale(plain_locale);
    if (length == 0)
        return cop_jinja_fail(run, COP_ERR_UNSUPPORTED,
                              "strftime_now: the format \"%.*s\" is not supported",
                              cop_jinja_shown(format), format.data);
    return cop_jinja_put(run, buffer, text, length - 1);
}
