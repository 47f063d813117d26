#include "coppice/json/json_text.h"
#include "coppice/json/json.h"

#include <stdbool.h>
#include <string.h>

cop_status cop_json_load(const char *text, size_t length, json_t **root, cop_error *err)
{
    return cop_json_read(text, length, JSON_REJECT_DUPLICATES | COP_JSON_STRICT, root, err);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where the string that starts with the quote json[at] has ended. */
static size_t skip_string(const char *json, size_t length, size_t at)
{
    at++;
    while (at < length && json[at] != '"')
        at += json[at] == '\\' ? 2 : 1;
    return at < length ? at + 1 : length;
}

static size_t skip_spaces(const char *json, size_t length, size_t at)
{
    while (at < length && is_space(json[at]))
        at++;
    return at;
}

/* Where the ',' or closing bracket after the value that starts at json[at] is. */
static size_t skip_value(const char *json, size_t length, size_t at)
{
    size_t depth = 0;
    while (at < length) {
        const char c = json[at];
        const bool closes = c == '}' || c == ']';
        if (depth == 0 && (closes || c == ',')) break;
        if (closes) depth--;
        if (c == '{' || c == '[') depth++;
        at = c == '"' ? skip_string(json, length, at) : at + 1;
    }
    return at;
}

cop_status cop_json_compact(const char *json, size_t length, cop_text *text, cop_error *err)
{
    size_t at = 0;
    while (at < length) {
        const size_t start = skip_spaces(json, length, at);
        at = start;
        while (at < length && !is_space(json[at])) {
            at = json[at] == '"' ? skip_string(json, length, at) : at + 1;
        }
        COP_TRY(cop_text_append(text, json + start, at - start, err));
    }
    return COP_OK;
}

bool cop_json_find_member(const char *json, size_t length, const char *key, const char **value,
                          size_t *value_length)
{
    const size_t key_length = strlen(key);
    size_t at = skip_spaces(json, length, 0) + 1; /* past the '{' */
    while (at < length) {
        const size_t name = skip_spaces(json, length, at);
        const size_t name_end = skip_string(json, length, name);
        const size_t colon = skip_spaces(json, length, name_end);
        const size_t start = skip_spaces(json, length, colon + 1);
        const size_t end = skip_value(json, length, start);
        if (start >= end) return false;
        if (name_end - name == key_length + 2 &&
            memcmp(json + name + 1, key, key_length) == 0) {
            *value = json + start;
            *value_length = end - start;
            return true;
        }
        at = end + 1;
    }
    return false;
}
