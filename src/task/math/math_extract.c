/* The forms and their order are those of the reward that RandOpt published for MATH-500 and
 * OlympiadBench. */
#include "task/characters.h"
#include "task/math/math.h"
#include "task/regex.h"

#include <string.h>

enum { CLIP_CHARACTERS = 500 };

static const char boxed[] = "\\boxed{";

/* Where the brace that was opened before `at` is closed; NULL if nowhere. */
static const char *find_closing(const char *at, const char *end)
{
    size_t depth = 1;
    for (; at < end; at++) {
        if (*at == '{') depth++;
        if (*at == '}' && --depth == 0) return at;
    }
    return NULL;
}

/* The content of the last \boxed{} with its braces in balance; what follows one that is never
 * closed is not looked at. */
static bool find_boxed(cop_slice text, cop_slice *answer)
{
    bool found = false;
    const char *const end = text.data + text.length;
    const char *at = memmem(text.data, text.length, boxed, strlen(boxed));
    while (at != NULL) {
        const char *const content = at + strlen(boxed);
        const char *const close = find_closing(content, end);
        if (close == NULL) break;
        *answer = (cop_slice){content, (size_t)(close - content)};
        found = true;
        at = memmem(close + 1, (size_t)(end - close - 1), boxed, strlen(boxed));
    }
    return found;
}

/* White space, and the letters i and I, as Python's re has them. */
#define SPACES                                                                               \
    "\\x09-\\x0d\\x1c-\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{" \
    "202f}\\x{205f}\\x{3000}"
#define S "[" SPACES "]"
#define I "[i\\x{130}\\x{131}]"
#define IN_PARENTHESES "\\\\\\(([^)]+)\\\\\\)" /* \(...\) */
#define IN_DOLLARS "\\$([^$]+)\\$"
#define AT_END "\\.?" S "*$"
#define ANSWER_IS "answer" S "+" I "s" S "*[:" SPACES "]*\\**"
#define TO_STOP "([^\\n.*]+)\\**"

typedef struct form {
    const char *pattern; /* group 1 is the answer */
    cop_regex_options options;
} form;

/* What is tried where no \boxed{} is in balance: the last match of the first that matches. */
static const form boxed_forms[] = {
    {"\\\\boxed\\{([^{}]*(?:\\{[^{}]*\\}[^{}]*)*)\\}", {0}},
    {"\\\\boxed\\{([^}]+)\\}", {0}},
};

static const form plain_forms[] = {
    {I "s" S "+" IN_PARENTHESES AT_END, {.caseless = true, .multiline = true}},
    {I "s" S "+" IN_DOLLARS AT_END, {.caseless = true, .multiline = true}},
    {"=" S "*" IN_PARENTHESES AT_END, {.caseless = true, .multiline = true}},
    {"=" S "*" IN_DOLLARS AT_END, {.caseless = true, .multiline = true}},
    {ANSWER_IS IN_PARENTHESES "\\**", {.caseless = true}},
    {ANSWER_IS IN_DOLLARS "\\**", {.caseless = true}},
    {ANSWER_IS TO_STOP, {.caseless = true}},
    /* The comma goes with the space after it: the same matches, and no cubic backtracking. */
    {"(?:therefore|thus|hence|so)" S "*(?:," S "*)?(?:the" S "+)?(?:answer" S "+" I "s" S
     "*)?[:" SPACES "]*\\**" TO_STOP,
     {.caseless = true}},
    {"(?:f" I "nal" S "+)?answer[:" SPACES "]+\\**" TO_STOP, {.caseless = true}},
    {"=" S "*([^\\n=]+)$", {.caseless = true}},
};

static cop_status find_form(const form *forms, size_t count, cop_slice text, cop_slice *answer,
                            bool *found, cop_error *err)
{
    for (size_t i = 0; i < count && !*found; i++) {
        cop_regex *regex = NULL;
        COP_TRY(cop_regex_create(forms[i].pattern, strlen(forms[i].pattern), forms[i].options,
                                 &regex, err));
        const cop_status status = cop_regex_find_last(regex, text, answer, found, err);
        cop_regex_destroy(&regex);
        COP_TRY(status);
    }
    return COP_OK;
}

static cop_status find_answer(cop_slice text, cop_slice *answer, bool *found, bool *boxed_one,
                              cop_error *err)
{
    enum {
        BOXED_FORMS = sizeof boxed_forms / sizeof boxed_forms[0],
        PLAIN_FORMS = sizeof plain_forms / sizeof plain_forms[0]
    };
    *found = find_boxed(text, answer);
    *boxed_one = *found;
    if (*found) return COP_OK;
    if (memmem(text.data, text.length, boxed, strlen(boxed)) != NULL)
        COP_TRY(find_form(boxed_forms, BOXED_FORMS, text, answer, found, err));
    *boxed_one = *found;
    if (*found) return COP_OK;
    COP_TRY(find_form(plain_forms, PLAIN_FORMS, text, answer, found, err));
    *answer = cop_slice_strip(*answer);
    return COP_OK;
}

cop_status cop_math_extract(const char *response, size_t length, cop_text *answer, bool *found,
                            bool *boxed_one, cop_error *err)
{
    cop_text text = {0};
    cop_slice slice = {"", 0};
    cop_status status = COP_OK;
    *found = false;
    *boxed_one = false;
    COP_TRY_OUT(
        cop_characters_append(&text, cop_slice_tail(response, length, CLIP_CHARACTERS), err));
    COP_TRY_OUT(find_answer(cop_slice_of(&text), &slice, found, boxed_one, err));
    COP_TRY_OUT(cop_text_append(answer, slice.data, slice.length, err));
out:
    cop_text_free(&text);
    return status;
}
