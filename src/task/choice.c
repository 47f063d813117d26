/* Multiple choice: the letter that a response settles on. */
#include "task/tasks.h"

#include "coppice/json.h"
#include "task/characters.h"
#include "task/regex.h"

#include <string.h>

enum { MOST_OPTIONS = 26 };

/* A letter by itself, perhaps in parentheses, bold or in \text{}. */
#define DECORATION "(?:\\*|\\(|\\[|\\{|\\$|\\\\text\\{|\\\\textbf\\{|\\\\mathrm\\{|\\s)*"
#define ALONE "(?![\\w'])"

typedef struct form {
    const char *pattern; /* group 1 is the letter */
    cop_regex_options options;
} form;

/* The last match of the first that matches counts. */
static const form forms[] = {
    {"\\\\boxed\\{" DECORATION "([A-Z])" ALONE, {.caseless = true}},
    {"<answer>" DECORATION "([A-Z])" ALONE, {.caseless = true}},
    {"(?i:answer|choice|option)(?i:\\s+is)?\\s*[:=]?" DECORATION "([A-Z])" ALONE, {0}},
    {"(?:answer|choice|option)(?:\\s+is)?\\s*[:=]?\\s*\\**\\(([A-Z])\\)", {.caseless = true}},
    {"\\A" DECORATION "([A-Z])" ALONE "[^\\w]*\\z", {.caseless = true}}, /* nothing else */
    {"\\A" DECORATION "([A-Z])[.):*\\]]", {0}},                          /* "B. Paris" */
    {"\\(([A-Z])\\)", {0}},
    {"(?<![\\w'])(?!I\\b|A\\s+[a-z])([A-Z])" ALONE, {0}}, /* no pronoun, no article */
};

static cop_status find_letter(cop_slice text, char *letter, cop_error *err)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0] && *letter == '\0'; i++) {
        cop_regex *regex = NULL;
        cop_slice group = {0};
        COP_TRY(cop_regex_create(forms[i].pattern, strlen(forms[i].pattern), forms[i].options,
                                 &regex, err));
        if (cop_regex_find_last(regex, text, &group)) {
            const char found = group.data[0];
            *letter = found >= 'a' ? (char)(found - 'a' + 'A') : found;
        }
        cop_regex_destroy(&regex);
    }
    return COP_OK;
}

/* "B", "b", "(B)" or the index 1, from 0. */
static cop_status read_reference(const json_t *answer, char *letter, cop_error *err)
{
    const json_int_t index = json_is_integer(answer) ? json_integer_value(answer) : -1;
    *letter = '\0';
    if (index >= 0 && index < MOST_OPTIONS) {
        *letter = (char)('A' + index);
    } else if (cop_json_is_text(answer)) {
        const char *const text = json_string_value(answer);
        const size_t start = text[0] == '(';
        const char c = text[start];
        const bool closed =
            start == 0 ? c != '\0' && text[1] == '\0' : c != '\0' && strcmp(text + 2, ")") == 0;
        if (closed && c >= 'A' && c <= 'Z') *letter = c;
        if (closed && c >= 'a' && c <= 'z') *letter = (char)(c - 'a' + 'A');
    }
    COP_CHECK(*letter != '\0', err, COP_ERR_FORMAT,
              "field \"answer\" must be a letter or the index of a choice, from 0");
    return COP_OK;
}

static cop_status score_choice(const char *response, size_t length, const json_t *answer,
                               cop_score *score, cop_error *err)
{
    char reference = '\0';
    char letter = '\0';
    cop_text text = {0};
    cop_status status = COP_OK;
    *score = (cop_score){0};
    COP_TRY(read_reference(answer, &reference, err));
    COP_TRY_OUT(cop_characters_append(&text, (cop_slice){response, length}, err));
    COP_TRY_OUT(find_letter(cop_slice_of(&text), &letter, err));
    if (letter == '\0') goto out;
    score->correct = letter == reference;
    score->reward = score->correct ? 1.0 : 0.0;
    COP_TRY_OUT(cop_task_set_extracted((cop_slice){&letter, 1}, score, err));
out:
    cop_text_free(&text);
    return status;
}

static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    const json_t *value = NULL;
    char letter = '\0';
    *answer = NULL;
    COP_TRY(cop_task_find_answer(example, &value, err));
    COP_TRY(read_reference(value, &letter, err));
    *answer = value;
    return COP_OK;
}

/* Letters the choices, and names the right one by its letter. */
static cop_status prepare(json_t *example, cop_error *err)
{
    const json_t *choices = NULL;
    const json_t *answer = NULL;
    char letter = '\0';
    cop_text options = {0};
    cop_status status = COP_OK;
    COP_TRY(cop_task_find_answer(example, &answer, err));
    COP_TRY(read_reference(answer, &letter, err));
    choices = json_object_get(example, "choices");
    const size_t count = json_array_size(choices);
    COP_CHECK(choices == NULL || (count >= 2 && count <= MOST_OPTIONS), err, COP_ERR_FORMAT,
              "field \"choices\" must be a list of 2 to %d strings", (int)MOST_OPTIONS);
    COP_CHECK(choices == NULL || (size_t)(letter - 'A') < count, err, COP_ERR_FORMAT,
              "field \"answer\" is %c, but there are %zu choices", letter, count);
    for (size_t i = 0; i < count; i++) {
        const json_t *const choice = json_array_get(choices, i);
        COP_TRY_OUT(
            cop_text_format(&options, err, "%s%c. ", i == 0 ? "" : "\n", (char)('A' + i)));
        COP_TRY_OUT(cop_task_append_answer(&options, choice, err));
    }
    if (choices != NULL && json_object_set_new(example, "options",
                                               json_stringn(options.data, options.length)) != 0)
        status = cop_error_set(err, COP_ERR_MEMORY, "no memory for field \"options\"");
    if (status == COP_OK &&
        json_object_set_new(example, "answer", json_stringn(&letter, 1)) != 0)
        status = cop_error_set(err, COP_ERR_MEMORY, "no memory for field \"answer\"");
out:
    cop_text_free(&options);
    return status;
}

static const cop_task_field fields[] = {
    {.name = "question", .kind = "string"},
    {.name = "choices",
     .kind = "list of 2 to 26 strings; not needed where the prompt has them",
     .optional = true},
    {.name = "answer", .kind = "string: a letter; or number: an index from 0"},
    {.name = "options", .kind = "string: the choices, lettered, one a line", .made = true},
    {0},
};

const cop_task cop_task_choice = {
    .name = "choice",
    .summary = "multiple choice; the letter that a response settles on",
    .fields = fields,
    .data = "MMLU as it is; ARC with fields {choices: choices.text, answer: answerKey}",
    .reward = "1 for the right letter, else 0",
    .correctness =
        "the letter in the last \\boxed{}, <answer> or after the last \"answer is\", or else "
        "the only, the first or the last letter that stands alone, is the right one",
    .vote = "the letter",
    .default_system = NULL,
    .default_user = "{question}\n\n{options}\n\nAnswer with the letter of the right choice.",
    .default_assistant = "{answer}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .prepare = prepare,
    .answer = find_answer,
    .score = score_choice,
};
