#include "coppice/base/text.h"

#include "coppice/base/memory.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static cop_status reserve(cop_text *text, size_t more, cop_error *err)
{
    COP_CHECK(more < SIZE_MAX - text->length - 1, err, COP_ERR_MEMORY, "a text is too long");
    COP_GROW(text->data, text->capacity, text->length + more + 1, err);
    return COP_OK;
}

cop_status cop_text_append(cop_text *text, const char *bytes, size_t length, cop_error *err)
{
    COP_TRY(reserve(text, length, err));
    if (length > 0) memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
    return COP_OK;
}

cop_status cop_text_format(cop_text *text, cop_error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    COP_CHECK(length >= 0, err, COP_ERR_INTERNAL, "a text cannot be formatted");
    COP_TRY(reserve(text, (size_t)length, err));
    va_start(arguments, format);
    (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
    return COP_OK;
}

void cop_text_clear(cop_text *text)
{
    text->length = 0;
    if (text->data != NULL) text->data[0] = '\0';
}

void cop_text_free(cop_text *text)
{
    cop_memory_free(text->data);
    *text = (cop_text){0};
}

size_t cop_text_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    const size_t n = strlen(a);
    const size_t m = strlen(b);
    if (n > LONGEST || m > LONGEST) return n > m ? n : m;
    size_t row[LONGEST + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const bool same =
                tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = diagonal + (same ? 0 : 1);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[m];
}

cop_status cop_text_append_word(cop_text *text, const char *word, cop_error *err)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789_-+=:,.@%/";
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0')
        return cop_text_append(text, word, strlen(word), err);
    COP_TRY(cop_text_append(text, "'", 1, err));
    for (;; word++) { /* a quote inside: out of the quotes, escaped, and in again */
        const size_t length = strcspn(word, "'");
        COP_TRY(cop_text_append(text, word, length, err));
        word += length;
        if (*word == '\0') return cop_text_append(text, "'", 1, err);
        COP_TRY(cop_text_append(text, "'\\''", 4, err));
    }
}

const char *cop_text_nearest(const char *word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(word) / 2 + 1;
    for (size_t i = 0; i < count; i++) {
        const size_t distance = cop_text_distance(word, candidates[i]);
        if (distance < best) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

bool cop_text_ends_in(const char *text, const char *end)
{
    const size_t length = strlen(text);
    const size_t tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

size_t cop_text_find_name(const char *name, const char *const *known, size_t count)
{
    size_t place = 0;
    while (place < count && strcmp(name, known[place]) != 0)
        place++;
    return place;
}

cop_status cop_text_refuse_name(const char *kind, const char *kinds, const char *name,
                                const char *const *known, size_t count, cop_error *err)
{
    const char *const near = cop_text_nearest(name, known, count);
    cop_text list = {0};
    cop_status status = COP_OK;
    for (size_t i = 0; i < count && status == COP_OK; i++)
        status = cop_text_format(&list, err, "%s%s", i > 0 ? ", " : "", known[i]);
    if (status == COP_OK) {
        status = cop_error_set(err, COP_ERR_CONFIG, "unknown %s \"%s\"%s%s%s; known %s: %s",
                               kind, name, near != NULL ? " (did you mean \"" : "",
                               near != NULL ? near : "", near != NULL ? "\"?)" : "", kinds,
                               count > 0 ? list.data : "none");
    }
    cop_text_free(&list);
    return status;
}
