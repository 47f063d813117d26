/* The reference of the keys, and what messages say about them. */
#include "job/job_keys.h"

#include <inttypes.h>
#include <string.h>

enum {
    PAGE_COLUMNS = 100,
    RANGE_COLUMN = 72,
    MEANING_INDENT = 4,
    MOST_NAMES = (int)COP_JOB_KEYS_MAX + (int)COP_JOB_SECTIONS_MAX
};

const char *cop_job_type_name(cop_job_type type)
{
    static const char *const names[] = {
        [COP_JOB_INTEGER] = "an integer",
        [COP_JOB_NUMBER] = "a number",
        [COP_JOB_BOOLEAN] = "true or false",
        [COP_JOB_STRING] = "a text",
        [COP_JOB_PATH] = "a path",
        [COP_JOB_NUMBERS] = "a list of numbers",
        [COP_JOB_INTEGERS] = "a list of integers",
        [COP_JOB_STRINGS] = "a list of texts",
        [COP_JOB_FIELDS] = "a mapping of names",
        [COP_JOB_GUARDS] = "a list of mappings",
    };
    return names[type];
}

static cop_status print_choices(const cop_job_key *key, cop_text *text, cop_error *err)
{
    for (size_t i = 0; key->choices != NULL && key->choices[i] != NULL; i++) {
        COP_TRY(cop_text_format(text, err, "%s%s", i == 0 ? "" : " | ", key->choices[i]));
    }
    return cop_text_append(text, "", 0, err);
}

cop_status cop_job_key_print_range(const cop_job_key *key, cop_text *text, cop_error *err)
{
    switch (key->type) {
    case COP_JOB_INTEGER:
    case COP_JOB_INTEGERS:
        if (key->word != NULL) COP_TRY(cop_text_format(text, err, "%s | ", key->word));
        if (key->most == INT64_MAX)
            return cop_text_format(text, err, ">= %" PRId64, key->least);
        return cop_text_format(text, err, "%" PRId64 " .. %" PRId64, key->least, key->most);
    case COP_JOB_NUMBER:
    case COP_JOB_NUMBERS:
        if (key->word != NULL) COP_TRY(cop_text_format(text, err, "%s | ", key->word));
        if (!key->low_open && !key->high_open) {
            return cop_text_format(text, err, "%.12g .. %.12g", key->low, key->high);
        }
        return cop_text_format(text, err, "%s %.12g, %s %.12g",
                               key->low_open ? ">" : ">=", key->low,
                               key->high_open ? "<" : "<=", key->high);
    case COP_JOB_BOOLEAN:
    case COP_JOB_STRING:
    case COP_JOB_PATH:
    case COP_JOB_STRINGS:
    case COP_JOB_FIELDS:
    case COP_JOB_GUARDS:
        break;
    }
    return print_choices(key, text, err);
}

/* --- suggestions --- */

static const char *last_part(const char *name)
{
    const char *const dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

/* True if `name` lies in the same section as `other`: what is before the last dot. */
static bool is_same_section(const char *name, const char *other)
{
    const size_t length = (size_t)(last_part(name) - name);
    return length == (size_t)(last_part(other) - other) && strncmp(name, other, length) == 0;
}

/* Names of keys and sections; only those beside `beside` if that is not NULL. */
static size_t list_names(const char *beside, const char *names[MOST_NAMES])
{
    size_t count = 0;
    for (size_t i = 0; cop_job_section_at(i) != NULL; i++) {
        const char *const name = cop_job_section_at(i)->name;
        if (beside == NULL || is_same_section(name, beside)) names[count++] = name;
    }
    for (size_t i = 0; cop_job_key_at(i) != NULL; i++) {
        const char *const name = cop_job_key_at(i)->name;
        if (beside == NULL || is_same_section(name, beside)) names[count++] = name;
    }
    return count;
}

/* The first name whose last part is that of `name`: the key, in a wrong group or in none. */
static const char *find_last_part(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(last_part(names[i]), last_part(name)) == 0) return names[i];
    }
    return NULL;
}

/* The name whose last part is nearest to that of `name`. */
static const char *nearest_last_part(const char *name, const char *const *names, size_t count)
{
    const char *parts[MOST_NAMES] = {NULL};
    for (size_t i = 0; i < count; i++)
        parts[i] = last_part(names[i]);
    const char *const nearest = cop_text_nearest(last_part(name), parts, count);
    for (size_t i = 0; nearest != NULL && i < count; i++) {
        if (parts[i] == nearest) return names[i];
    }
    return NULL;
}

/* The name nearest to all of `name`, or to what is before its last dot: an entry of a mapping
 * whose key is misspelt. */
static const char *nearest_whole(const char *name, const char *const *names, size_t count)
{
    const char *const nearest = cop_text_nearest(name, names, count);
    const size_t length = (size_t)(last_part(name) - name);
    char outer[128];
    if (nearest != NULL || length == 0 || length > sizeof outer) return nearest;
    memcpy(outer, name, length - 1);
    outer[length - 1] = '\0';
    return cop_job_section_find(outer) >= 0 ? NULL : cop_text_nearest(outer, names, count);
}

const char *cop_job_key_nearest(const char *name)
{
    const char *names[MOST_NAMES];
    const char *near_by[MOST_NAMES];
    const size_t count = list_names(NULL, names);
    const char *nearest = find_last_part(name, names, count);
    if (nearest == NULL) nearest = nearest_last_part(name, near_by, list_names(name, near_by));
    if (nearest == NULL) nearest = nearest_last_part(name, names, count);
    return nearest != NULL ? nearest : nearest_whole(name, names, count);
}

/* --- the reference --- */

/* Appends words wrapped at the page's width, each line indented. */
static cop_status print_wrapped(const char *words, cop_text *text, cop_error *err)
{
    size_t column = 0;
    while (*words != '\0') {
        const size_t length = strcspn(words, " ");
        if (column > 0 && column + 1 + length > PAGE_COLUMNS) {
            COP_TRY(cop_text_append(text, "\n", 1, err));
            column = 0;
        }
        COP_TRY(cop_text_format(text, err, "%*s%.*s", column == 0 ? (int)MEANING_INDENT : 1, "",
                                (int)length, words));
        column += length + (column == 0 ? (size_t)MEANING_INDENT : 1);
        words += length;
        words += *words == ' ';
    }
    return cop_text_append(text, "\n", 1, err);
}

static cop_status print_row(const char *const cells[4], cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "%-27s %-19s %-23s %s", cells[0], cells[1], cells[2],
                            cells[3]));
    while (text->length > 0 && text->data[text->length - 1] == ' ') {
        text->data[--text->length] = '\0';
    }
    return cop_text_append(text, "\n", 1, err);
}

static cop_status print_key(const cop_job_key *key, cop_text *text, cop_error *err)
{
    cop_text type = {0};
    cop_text range = {0};
    cop_status status = COP_OK;
    const char *const name = cop_job_type_name(key->type);
    const size_t article = strncmp(name, "an ", 3) == 0  ? 3
                           : strncmp(name, "a ", 2) == 0 ? 2
                                                         : 0;
    const char *const absent = key->type == COP_JOB_PATH ? "none" : "the task's";
    const char *const initial = key->initial == NULL                ? "required"
                                : strcmp(key->initial, "null") == 0 ? absent
                                                                    : key->initial;
    COP_TRY_OUT(cop_text_format(&type, err, "%s%s%s", name + article,
                                key->unit == NULL ? "" : ", ",
                                key->unit == NULL ? "" : key->unit));
    COP_TRY_OUT(cop_job_key_print_range(key, &range, err));
    const bool fits = RANGE_COLUMN + range.length <= PAGE_COLUMNS;
    const char *const cells[4] = {key->name, type.data, initial, fits ? range.data : ""};
    COP_TRY_OUT(print_row(cells, text, err));
    if (!fits) COP_TRY_OUT(print_wrapped(range.data, text, err));
    COP_TRY_OUT(print_wrapped(key->meaning, text, err));
out:
    cop_text_free(&range);
    cop_text_free(&type);
    return status;
}

/* Appends the heading of the section that begins with this key, if one does. */
static cop_status print_heading(const char *name, const char *before, cop_text *text,
                                cop_error *err)
{
    for (size_t i = 0; cop_job_section_at(i) != NULL; i++) {
        const cop_job_section *const section = cop_job_section_at(i);
        const size_t length = strlen(section->name);
        const bool inside = strncmp(name, section->name, length) == 0 && name[length] == '.';
        const bool was_inside = strncmp(before, section->name, length) == 0;
        if (section->meaning == NULL || !inside || was_inside) continue;
        COP_TRY(cop_text_format(text, err, "\n%s: %s\n", section->name, section->meaning));
    }
    return COP_OK;
}

cop_status cop_job_print_keys(cop_text *text, cop_error *err)
{
    static const char *const titles[4] = {"KEY", "TYPE, UNIT", "DEFAULT", "RANGE"};
    COP_TRY(cop_text_format(
        text, err, "%s",
        "The job file is YAML. A name a.b is key b of the group a: it may be "
        "written as \"a: {b: ...}\",\nindented below \"a:\", or as \"a.b: ...\". "
        "-s a.b=VALUE on the command line comes after the file\nand wins. A "
        "single value may stand for a list of one. Relative paths start from "
        "the job file's\ndirectory, with -s from the current one.\n\n"));
    COP_TRY(print_row(titles, text, err));
    for (size_t i = 0; i < cop_job_key_count(); i++) {
        const cop_job_key *const key = cop_job_key_at(i);
        COP_TRY(print_heading(key->name, i == 0 ? "" : cop_job_key_name(i - 1), text, err));
        COP_TRY(print_key(key, text, err));
    }
    return COP_OK;
}
