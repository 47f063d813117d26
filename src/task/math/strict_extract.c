/* Where a response has its answer: in the last \boxed{}, behind the last "answer is", in the
 * last formula, or else its last number. */
#include "task/math/strict.h"

#include "task/characters.h"

#include <string.h>

enum { CLIP_CHARACTERS = 4000 };

static cop_slice between(const char *from, const char *to)
{
    return (cop_slice){from, (size_t)(to - from)};
}

/* Where the brace opened before `at` is closed; NULL if nowhere. */
static const char *find_closing(const char *at, const char *end)
{
    size_t depth = 1;
    for (; at < end; at++) {
        if (*at == '\\' && at + 1 < end) {
            at++; /* \{ and \} are no braces of LaTeX's */
            continue;
        }
        if (*at == '{') depth++;
        if (*at == '}' && --depth == 0) return at;
    }
    return NULL;
}

/* The last place of a word; letters in either case for `blind`. */
static const char *find_last(cop_slice text, const char *word, bool blind)
{
    const size_t size = strlen(word);
    for (size_t at = text.length; at >= size; at--) {
        const char *const from = text.data + at - size;
        if (blind ? strncasecmp(from, word, size) == 0 : memcmp(from, word, size) == 0)
            return from;
    }
    return NULL;
}

static cop_slice find_boxed(cop_slice text)
{
    static const char *const boxes[] = {"\\boxed", "\\fbox"};
    const char *const end = text.data + text.length;
    for (size_t b = 0; b < sizeof boxes / sizeof boxes[0]; b++) {
        cop_slice left = text;
        for (const char *at = find_last(left, boxes[b], false); at != NULL;
             at = find_last(left, boxes[b], false)) {
            const char *from = at + strlen(boxes[b]);
            while (from < end && *from == ' ')
                from++;
            if (from < end && *from == '{') {
                const char *const close = find_closing(from + 1, end);
                if (close != NULL) return between(from + 1, close);
            }
            left = between(text.data, at); /* cut off: the one before it */
        }
    }
    return (cop_slice){0};
}

/* The last formula in $, $$, \( or \[. */
static cop_slice find_formula(cop_slice text)
{
    static const char *const ends[][2] = {
        {"\\(", "\\)"}, {"\\[", "\\]"}, {"$$", "$$"}, {"$", "$"}};
    cop_slice best = {0};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const char *const close = find_last(text, ends[i][1], false);
        if (close == NULL || (best.data != NULL && close < best.data)) continue;
        const char *const open = find_last(between(text.data, close), ends[i][0], false);
        if (open == NULL) continue;
        const cop_slice inside = cop_slice_strip(between(open + strlen(ends[i][0]), close));
        if (inside.length > 0) best = inside;
        if (i == 2 && inside.length > 0) break; /* not as two single ones */
    }
    return best;
}

/* What a line says behind "answer is": its formula if it has one, else all but the full stop.
 */
static cop_slice find_said(cop_slice text)
{
    static const char *const words[] = {"answer is", "answer:", "answer is:"};
    const char *from = NULL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *const at = find_last(text, words[i], true);
        if (at != NULL && (from == NULL || at + strlen(words[i]) > from))
            from = at + strlen(words[i]);
    }
    if (from == NULL) return (cop_slice){0};
    cop_slice line = between(from, text.data + text.length);
    while (line.length > 0 && strchr(" *:\n\t", *line.data) != NULL && *line.data != '\0')
        line = (cop_slice){line.data + 1, line.length - 1};
    const char *const stop = line.length > 0 ? memchr(line.data, '\n', line.length) : NULL;
    if (stop != NULL) line = between(line.data, stop);
    const cop_slice formula = find_formula(line);
    if (formula.data != NULL) return formula;
    while (line.length > 0 && strchr(" .*", line.data[line.length - 1]) != NULL)
        line.length--;
    return line.length > 0 ? line : (cop_slice){0};
}

static bool is_number_character(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == ',' || c == '/';
}

static cop_slice find_number(cop_slice text)
{
    size_t end = text.length;
    while (end > 0 && !(text.data[end - 1] >= '0' && text.data[end - 1] <= '9'))
        end--;
    size_t start = end;
    while (start > 0 && is_number_character(text.data[start - 1]))
        start--;
    while (start < end && strchr(",/", text.data[start]) != NULL)
        start++;
    if (start < end) start -= cop_slice_minus_before(text, start);
    const size_t percent = end < text.length && text.data[end] == '%';
    return start < end ? (cop_slice){text.data + start, end + percent - start} : (cop_slice){0};
}

cop_slice cop_strict_extract(cop_slice response, bool *boxed)
{
    const cop_slice text = cop_slice_tail(response.data, response.length, CLIP_CHARACTERS);
    cop_slice found = find_boxed(text);
    *boxed = found.data != NULL;
    if (found.data == NULL) found = find_said(text);
    if (found.data == NULL) found = find_formula(text);
    if (found.data == NULL) found = find_number(text);
    return found;
}
