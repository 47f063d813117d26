/* The forms in which responses name a label, from the plainest to the weakest. */
#include "task/choice.h"

#include "task/characters.h"
#include "task/regex.h"

#include <stdint.h>
#include <string.h>

/* Marks around a label or a word; no apostrophe within one. */
#define MARK "[*\"`\\x{2018}\\x{201c}]|(?<!\\w)'|'(?!\\w)"
/* What may stand around a label: parentheses, quotes, bold, \text{}. None of it is part of a
 * label, so that nothing is ever given back, and the time a pattern takes is linear. */
#define DECORATION \
    "(?:[(\\[{$\\s]|" MARK "|\\\\[(\\[]|\\\\(?:text(?:bf|rm)?|math(?:bf|rm))\\{)*+"
#define APOSTROPHE "['\\x{2019}]"
/* Behind a label by itself: no letter, nor one behind an apostrophe, and no more of a number.
 */
#define ALONE "(?!\\w|" APOSTROPHE "\\w|(?<=[0-9])(?:[.,][0-9]|\\s*%))"
#define SAYS "(?i:answer|choice|option)(?:" MARK ")*+(?i:\\s+is)?+\\s*+[:=]?+"

/* Patterns in which "@" is a label of any example, "#" one of this example's, "!" what keeps
 * other words out. Group 1 is the label. The last match of the first form that
 * matches counts. */
static const struct {
    const char *pattern;
    cop_regex_options options;
} forms[] = {
    {"\\\\boxed\\{" DECORATION "(@)" ALONE, {.caseless = true}},
    {"<answer>" DECORATION "(@)" ALONE, {.caseless = true}},
    {SAYS DECORATION "!(@)" ALONE, {0}},
    {SAYS "\\s*+\\**+\\((@)\\)", {.caseless = true}},
    {"\\A" DECORATION "(@)" ALONE "[^\\w]*\\z", {.caseless = true}}, /* nothing else */
    {"\\A" DECORATION "(#)(?:[.):*\\]])(?![0-9])", {0}},             /* "B. Paris" */
    {"\\((#)\\)", {0}},
    {"(?<!\\w)(?<!\\w" APOSTROPHE ")!(#)" ALONE, {0}},
};

/* No pronoun and no article; no end of a longer number. */
static const char *words_left_out(cop_choice_kind kind, bool last)
{
    switch (kind) {
    case COP_CHOICE_LETTERS:
        return last ? "(?!I\\b|A\\s+[a-z])" : "";
    case COP_CHOICE_SMALL_LETTERS:
        return "(?![Ii]\\b|[Aa]\\s+[a-z])";
    default:
        return last ? "(?<![0-9][.,])(?<!-)" : "";
    }
}

/* Every label that examples of this kind may have. */
static const char *any_label(cop_choice_kind kind)
{
    switch (kind) {
    case COP_CHOICE_LETTERS:
        return "[A-Z]";
    case COP_CHOICE_SMALL_LETTERS:
        return "[A-Za-z]";
    case COP_CHOICE_NUMBERS:
        return "[0-9]{1,8}";
    default:
        return NULL; /* those of the example */
    }
}

/* The labels of this example, as alternatives; the longest that stands alone will match. */
static cop_status append_labels(const cop_choice_labels *labels, cop_choice_kind kind,
                                cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_format(text, err, kind == COP_CHOICE_LETTERS ? "(?:" : "(?i:"));
    for (size_t i = 0; i < labels->count; i++)
        COP_TRY(cop_text_format(text, err, "%s%s", i == 0 ? "" : "|", labels->texts[i].data));
    return cop_text_append(text, ")", 1, err);
}

/* A form with its letters of the pattern language filled in. */
static cop_status append_pattern(size_t index, cop_choice_kind kind, const char *own,
                                 cop_text *text, cop_error *err)
{
    const bool last = index + 1 == sizeof forms / sizeof forms[0];
    const char *const any = any_label(kind) != NULL ? any_label(kind) : own;
    const char *at = forms[index].pattern;
    while (*at != '\0') {
        const size_t plain = strcspn(at, "@#");
        /* A "!" of its own follows no "?" and no "<". */
        size_t mark = 0;
        while (mark < plain &&
               !(at[mark] == '!' && (mark == 0 || strchr("?<", at[mark - 1]) == NULL)))
            mark++;
        COP_TRY(cop_text_append(text, at, mark, err));
        at += mark;
        if (*at == '\0') break;
        const char *const put = *at == '@'   ? any
                                : *at == '#' ? own
                                             : words_left_out(kind, last);
        COP_TRY(cop_text_append(text, put, strlen(put), err));
        at++;
    }
    return COP_OK;
}

static cop_status find_form(size_t index, cop_choice_kind kind, const char *own, cop_slice text,
                            cop_slice *group, bool *found, cop_error *err)
{
    cop_text pattern = {0};
    cop_regex *regex = NULL;
    cop_status status = COP_OK;
    COP_TRY_OUT(append_pattern(index, kind, own, &pattern, err));
    COP_TRY_OUT(
        cop_regex_create(pattern.data, pattern.length, forms[index].options, &regex, err));
    COP_TRY_OUT(cop_regex_find_last(regex, text, group, found, err));
out:
    cop_text_free(&pattern);
    cop_regex_destroy(&regex);
    return status;
}

cop_choice_kind cop_choice_find_kind(const cop_choice_labels *labels)
{
    static const char digits[] = "0123456789";
    size_t capitals = 0;
    size_t letters = 0;
    size_t numbers = 0;
    for (size_t i = 0; i < labels->count; i++) {
        const cop_text *const text = &labels->texts[i];
        const char first = text->data[0];
        numbers += strspn(text->data, digits) == text->length;
        letters += text->length == 1 && strchr(digits, first) == NULL;
        capitals += text->length == 1 && first >= 'A' && first <= 'Z';
    }
    if (numbers == labels->count) return COP_CHOICE_NUMBERS;
    if (capitals == labels->count) return COP_CHOICE_LETTERS;
    return letters == labels->count ? COP_CHOICE_SMALL_LETTERS : COP_CHOICE_WORDS;
}

cop_status cop_choice_find(cop_slice response, const cop_choice_labels *labels, size_t *chosen,
                           cop_error *err)
{
    cop_text own = {0};
    cop_slice group = {0};
    bool found = false;
    cop_status status = COP_OK;
    const cop_choice_kind kind = cop_choice_find_kind(labels);
    *chosen = SIZE_MAX;
    COP_TRY_OUT(append_labels(labels, kind, &own, err));
    for (size_t i = 0; i < sizeof forms / sizeof forms[0] && !found; i++)
        COP_TRY_OUT(find_form(i, kind, own.data, response, &group, &found, err));
    for (size_t i = 0; i < labels->count && found; i++) {
        const cop_text *const text = &labels->texts[i];
        if (text->length == group.length &&
            strncasecmp(text->data, group.data, group.length) == 0)
            *chosen = i;
    }
out:
    cop_text_free(&own);
    return status;
}
