#include "job/job_value.h"

#include "coppice/base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *field_of(cop_job *job, const cop_job_key *key)
{
    return (char *)job + key->offset;
}

static cop_job_shown show_item(const cop_job_item *item)
{
    return cop_job_show(item->text, item->length);
}

/* A number as others write it: 0x10, 010, 1_000, 1e3. */
static bool is_other_number(const char *text)
{
    static const char characters[] = "0123456789abcdefABCDEFxXoO_";
    const char *const first = text + (*text == '-' || *text == '+');
    return isdigit((unsigned char)*first) && first[strspn(first, characters)] == '\0';
}

/* "key takes an integer, not ..." */
static cop_status fail_type(const cop_job_key *key, const char *wanted,
                            const cop_job_item *item, cop_error *err)
{
    if (item->quoted) {
        return cop_error_set(err, COP_ERR_CONFIG,
                             "%s takes %s, not the quoted text \"%s\"; leave out the quotes",
                             key->name, wanted, show_item(item).text);
    }
    const bool list = key->type == COP_JOB_NUMBERS || key->type == COP_JOB_INTEGERS;
    const char *help = "";
    if (key->type != COP_JOB_BOOLEAN && is_other_number(item->text))
        help = "; write it in plain decimal digits, such as 1000";
    if (list && strpbrk(item->text, ", ") != NULL) help = "; write a list as [1, 2]";
    return cop_error_set(err, COP_ERR_CONFIG, "%s takes %s, not \"%s\"%s", key->name, wanted,
                         show_item(item).text, help);
}

static cop_status fail_range(const cop_job_key *key, const cop_job_item *item, cop_error *err)
{
    cop_text range = {0};
    cop_status status = cop_job_key_print_range(key, &range, err);
    if (status == COP_OK) {
        status = cop_error_set(err, COP_ERR_CONFIG, "%s: %s is out of range (%s)", key->name,
                               show_item(item).text, range.data);
    }
    cop_text_free(&range);
    return status;
}

/* --- numbers --- */

static const char *skip_digits(const char *at)
{
    while (isdigit((unsigned char)*at))
        at++;
    return at;
}

/* Decimal digits with a sign before them, if any. A leading zero would be octal to some. */
static bool looks_like_integer(const char *text)
{
    const char *const first = text + (*text == '-' || *text == '+');
    const char *const end = skip_digits(first);
    return end > first && *end == '\0' && (first[0] != '0' || first[1] == '\0');
}

/* A decimal number with fraction and exponent as in YAML or JSON; no hexadecimal, no
 * infinities, no leading zero either. */
static bool looks_like_number(const char *text)
{
    const char *const first = text + (*text == '-' || *text == '+');
    const char *at = skip_digits(first);
    size_t digits = (size_t)(at - first);
    if (digits > 1 && first[0] == '0') return false;
    if (*at == '.') {
        const char *const fraction = at + 1;
        at = skip_digits(fraction);
        digits += (size_t)(at - fraction);
    }
    if (digits == 0) return false;
    if (*at == 'e' || *at == 'E') {
        const char *const exponent = at + 1 + (at[1] == '-' || at[1] == '+');
        at = skip_digits(exponent);
        if (at == exponent) return false;
    }
    return *at == '\0';
}

/* YAML's spellings of values that are not finite. */
static bool looks_infinite(const char *text)
{
    static const char *const words[] = {".inf", ".nan", "inf", "nan", "infinity"};
    const char *const word = text + (*text == '-' || *text == '+');
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (cop_text_distance(word, words[i]) == 0) return true;
    }
    return false;
}

static cop_status parse_integer(const cop_job_key *key, const cop_job_item *item,
                                int64_t *value, cop_error *err)
{
    if (key->word != NULL && strcmp(item->text, key->word) == 0) {
        *value = 0;
        return COP_OK;
    }
    if (item->quoted || !looks_like_integer(item->text)) {
        char wanted[64] = "integers";
        if (key->type == COP_JOB_INTEGER)
            (void)snprintf(wanted, sizeof wanted, "an integer%s%s",
                           key->word == NULL ? "" : " or ", key->word == NULL ? "" : key->word);
        return fail_type(key, wanted, item, err);
    }
    errno = 0;
    const long long parsed = strtoll(item->text, NULL, 10);
    if (errno == ERANGE || parsed < key->least || parsed > key->most) {
        return fail_range(key, item, err);
    }
    *value = parsed;
    return COP_OK;
}

static cop_status parse_number(const cop_job_key *key, const cop_job_item *item, double *value,
                               cop_error *err)
{
    if (key->word != NULL && strcmp(item->text, key->word) == 0) {
        *value = NAN;
        return COP_OK;
    }
    char wanted[64] = "numbers";
    if (key->type == COP_JOB_NUMBER)
        (void)snprintf(wanted, sizeof wanted, "a number%s%s", key->word == NULL ? "" : " or ",
                       key->word == NULL ? "" : key->word);
    if (!item->quoted && looks_infinite(item->text)) {
        return fail_type(key,
                         key->type == COP_JOB_NUMBERS ? "finite numbers" : "a finite number",
                         item, err);
    }
    if (item->quoted || !looks_like_number(item->text))
        return fail_type(key, wanted, item, err);
    const double parsed = strtod(item->text, NULL);
    const bool low = key->low_open ? parsed > key->low : parsed >= key->low;
    const bool high = key->high_open ? parsed < key->high : parsed <= key->high;
    if (!isfinite(parsed) || !low || !high) return fail_range(key, item, err);
    *value = parsed + 0.0; /* no negative zero: it would print as another value */
    return COP_OK;
}

/* YAML 1.2 has two words for it; what YAML 1.1 took besides them is refused by name. */
static cop_status parse_boolean(const cop_job_key *key, const cop_job_item *item, bool *value,
                                cop_error *err)
{
    const bool yes = strcmp(item->text, "true") == 0;
    if (item->quoted || (!yes && strcmp(item->text, "false") != 0))
        return fail_type(key, "true or false", item, err);
    *value = yes;
    return COP_OK;
}

/* --- texts --- */

static cop_status check_choice(const cop_job_key *key, const cop_job_item *item, cop_error *err)
{
    if (key->choices == NULL || (key->fits != NULL && key->fits(item->text))) return COP_OK;
    size_t count = 0;
    for (; key->fits == NULL && key->choices[count] != NULL; count++) {
        if (strcmp(item->text, key->choices[count]) == 0) return COP_OK;
    }
    cop_text range = {0};
    const char *const nearest = cop_text_nearest(item->text, key->choices, count);
    cop_status status = cop_job_key_print_range(key, &range, err);
    if (status == COP_OK) {
        status = cop_error_set(err, COP_ERR_CONFIG, "%s: unknown choice \"%s\" (%s)%s%s%s",
                               key->name, show_item(item).text, range.data,
                               nearest == NULL ? "" : "; did you mean \"",
                               nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
    }
    cop_text_free(&range);
    return status;
}

/* A text, or NULL for YAML's null where the default is that. */
static cop_status parse_text(const cop_job_key *key, const cop_job_item *item,
                             const char *directory, char **value, cop_error *err)
{
    *value = NULL;
    if (cop_job_item_is_null(item)) {
        const bool optional = key->initial != NULL && strcmp(key->initial, "null") == 0;
        COP_CHECK(optional, err, COP_ERR_CONFIG, "%s has no value", key->name);
        return COP_OK;
    }
    COP_CHECK(item->length > 0 || key->may_be_empty, err, COP_ERR_CONFIG,
              "%s must not be an empty text", key->name);
    COP_TRY(check_choice(key, item, err));
    if (key->check != NULL && key->check(item->text, err) != COP_OK)
        return cop_error_prefix(err, "%s", key->name);
    if (key->type == COP_JOB_PATH) {
        COP_CHECK(item->text[0] != '~', err, COP_ERR_CONFIG,
                  "%s: \"%s\": ~ is not replaced by the home directory; write the path in full",
                  key->name, show_item(item).text);
        *value = cop_text_join_path(directory, item->text, err);
    } else {
        *value = cop_memory_copy_string(item->text, item->length, err);
    }
    return *value == NULL ? COP_ERR_MEMORY : COP_OK;
}

/* --- lists --- */

static cop_status check_count(const cop_job_key *key, const cop_job_entry *entry,
                              cop_error *err)
{
    COP_CHECK(entry->count > 0 || key->may_be_empty, err, COP_ERR_CONFIG,
              "%s must not be an empty list", key->name);
    return COP_OK;
}

static cop_status set_numbers(cop_job_numbers *field, const cop_job_key *key,
                              const cop_job_entry *entry, cop_error *err)
{
    COP_TRY(check_count(key, entry, err));
    double *const data = cop_memory_alloc(entry->count, sizeof *data, err);
    if (data == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < entry->count; i++) {
        const cop_status status = parse_number(key, &entry->items[i], &data[i], err);
        if (status != COP_OK) {
            cop_memory_free(data);
            return status;
        }
    }
    cop_memory_free(field->data);
    *field = (cop_job_numbers){.data = data, .count = entry->count};
    return COP_OK;
}

static cop_status set_integers(cop_job_integers *field, const cop_job_key *key,
                               const cop_job_entry *entry, cop_error *err)
{
    COP_TRY(check_count(key, entry, err));
    int64_t *const data = cop_memory_alloc(entry->count, sizeof *data, err);
    if (data == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < entry->count; i++) {
        const cop_status status = parse_integer(key, &entry->items[i], &data[i], err);
        if (status != COP_OK) {
            cop_memory_free(data);
            return status;
        }
    }
    cop_memory_free(field->data);
    *field = (cop_job_integers){.data = data, .count = entry->count};
    return COP_OK;
}

static void free_strings(cop_job_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        cop_memory_free(strings->data[i]);
    cop_memory_free(strings->data);
    *strings = (cop_job_strings){0};
}

/* Whether a word of a command is a path: there only where it looks like nothing else. */
static bool is_path_word(const char *word, size_t index)
{
    if (index == 0 && strchr(word, '/') != NULL) return true;
    return strncmp(word, "./", 2) == 0 || strncmp(word, "../", 3) == 0;
}

static cop_status set_strings(cop_job_strings *field, const cop_job_key *key,
                              const cop_job_entry *entry, const char *directory, cop_error *err)
{
    COP_TRY(check_count(key, entry, err));
    cop_job_strings made = {.count = entry->count};
    made.data = cop_memory_alloc(entry->count, sizeof *made.data, err);
    if (made.data == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    for (size_t i = 0; i < entry->count; i++) {
        const cop_job_item *const item = &entry->items[i];
        if (cop_job_item_is_null(item) || item->length == 0) {
            status = cop_error_set(err, COP_ERR_CONFIG,
                                   "%s: item %zu is empty (the word null needs quotes)",
                                   key->name, i + 1);
            goto out;
        }
        made.data[i] = key->is_command && is_path_word(item->text, i)
                           ? cop_text_join_path(directory, item->text, err)
                           : cop_memory_copy_string(item->text, item->length, err);
        if (made.data[i] == NULL) status = COP_ERR_MEMORY;
        if (status != COP_OK) goto out;
    }
    free_strings(field);
    *field = made;
    return COP_OK;
out:
    free_strings(&made);
    return status;
}

/* --- mappings --- */

/* A mapping begins: its entries follow one by one. Nothing in its place is an empty one. */
static cop_status begin_mapping(cop_fields *field, const cop_job_key *key,
                                const cop_job_entry *entry, cop_error *err)
{
    const bool nothing =
        entry->shape == COP_JOB_SCALAR && cop_job_item_is_null(&entry->items[0]);
    COP_CHECK(entry->shape == COP_JOB_GROUP || nothing, err, COP_ERR_CONFIG,
              "%s takes %s, such as {question: problem}, not %s", key->name,
              cop_job_type_name(key->type),
              entry->shape == COP_JOB_LIST ? "a list" : "a single value");
    cop_fields_free(field);
    return COP_OK;
}

cop_status cop_job_value_set_pair(cop_job *job, const cop_job_key *key, const char *name,
                                  const cop_job_entry *entry, cop_error *err)
{
    enum { MOST_NAME_BYTES = 100 }; /* YAML's keys are short */
    COP_CHECK(strlen(name) <= MOST_NAME_BYTES, err, COP_ERR_CONFIG,
              "%s: the name \"%s\" is longer than %d bytes", key->name,
              cop_job_show(name, strlen(name)).text, (int)MOST_NAME_BYTES);
    COP_CHECK(entry->shape == COP_JOB_SCALAR, err, COP_ERR_CONFIG,
              "%s takes the name of a field, not a %s",
              cop_job_show(entry->name, strlen(entry->name)).text,
              entry->shape == COP_JOB_LIST ? "list" : "mapping");
    const cop_job_item *const item = &entry->items[0];
    COP_CHECK(name[0] != '\0' && item->length > 0 && !cop_job_item_is_null(item), err,
              COP_ERR_CONFIG, "%s: a name is empty (the word null needs quotes)", key->name);
    return cop_fields_set(field_of(job, key), name, item->text, err);
}

/* --- fields --- */

cop_status cop_job_value_set_item(void *field, const cop_job_key *key, const cop_job_item *item,
                                  const char *directory, cop_error *err)
{
    char *text = NULL;
    switch (key->type) {
    case COP_JOB_INTEGER:
        return parse_integer(key, item, field, err);
    case COP_JOB_NUMBER:
        return parse_number(key, item, field, err);
    case COP_JOB_BOOLEAN:
        return parse_boolean(key, item, field, err);
    case COP_JOB_STRING:
    case COP_JOB_PATH:
        COP_TRY(parse_text(key, item, directory, &text, err));
        cop_memory_free(*(char **)field);
        *(char **)field = text;
        return COP_OK;
    default:
        return cop_error_set(err, COP_ERR_INTERNAL, "%s holds no single value", key->name);
    }
}

static bool is_list(const cop_job_key *key)
{
    return key->type == COP_JOB_NUMBERS || key->type == COP_JOB_INTEGERS ||
           key->type == COP_JOB_STRINGS;
}

/* A group or list where there must be a value, or nothing at all. */
static cop_status check_shape(const cop_job_key *key, const cop_job_entry *entry,
                              cop_error *err)
{
    const char *const type = cop_job_type_name(key->type);
    const bool text = key->type == COP_JOB_STRING || key->type == COP_JOB_PATH;
    COP_CHECK(entry->shape != COP_JOB_GROUP, err, COP_ERR_CONFIG,
              "%s takes %s, not a mapping%s", key->name, type,
              text || key->type == COP_JOB_STRINGS
                  ? "; put text with a colon or braces in quotes"
                  : "");
    COP_CHECK(entry->shape != COP_JOB_LIST || is_list(key), err, COP_ERR_CONFIG,
              "%s takes %s, not a list%s", key->name, type,
              text ? "; put text with brackets in quotes" : "");
    COP_CHECK(entry->shape != COP_JOB_RECORDS, err, COP_ERR_CONFIG,
              "%s: a list holds plain values, not lists or mappings (text "
              "with a colon or brackets needs quotes)",
              key->name);
    COP_CHECK(text || entry->shape == COP_JOB_LIST || !cop_job_item_is_null(&entry->items[0]),
              err, COP_ERR_CONFIG, "%s has no value", key->name);
    return COP_OK;
}

cop_status cop_job_value_set(cop_job *job, const cop_job_key *key, const cop_job_entry *entry,
                             const char *directory, cop_error *err)
{
    void *const field = field_of(job, key);
    if (key->type == COP_JOB_FIELDS) return begin_mapping(field, key, entry, err);
    COP_TRY(check_shape(key, entry, err));
    switch (key->type) {
    case COP_JOB_INTEGER:
    case COP_JOB_NUMBER:
    case COP_JOB_BOOLEAN:
    case COP_JOB_STRING:
    case COP_JOB_PATH:
        return cop_job_value_set_item(field, key, &entry->items[0], directory, err);
    case COP_JOB_NUMBERS:
        return set_numbers(field, key, entry, err);
    case COP_JOB_INTEGERS:
        return set_integers(field, key, entry, err);
    case COP_JOB_STRINGS:
        return set_strings(field, key, entry, directory, err);
    case COP_JOB_FIELDS:
    case COP_JOB_GUARDS:
        break;
    }
    return cop_error_set(err, COP_ERR_INTERNAL, "%s has an unknown type", key->name);
}

void cop_job_value_free(cop_job *job, const cop_job_key *key)
{
    void *const field = field_of(job, key);
    if (key->type == COP_JOB_STRING || key->type == COP_JOB_PATH) {
        cop_memory_free(*(char **)field);
        *(char **)field = NULL;
    } else if (key->type == COP_JOB_NUMBERS) {
        cop_job_numbers *const numbers = field;
        cop_memory_free(numbers->data);
        *numbers = (cop_job_numbers){0};
    } else if (key->type == COP_JOB_INTEGERS) {
        cop_job_integers *const integers = field;
        cop_memory_free(integers->data);
        *integers = (cop_job_integers){0};
    } else if (key->type == COP_JOB_STRINGS) {
        free_strings(field);
    } else if (key->type == COP_JOB_FIELDS) {
        cop_fields_free(field);
    }
}
