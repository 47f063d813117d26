/* Multiple choice: the label that a response settles on. */
#include "task/choice.h"

#include "coppice/json/json.h"
#include "task/characters.h"

#include <assert.h>
#include <string.h>

/* The labels of an example without its own, and what to call one. */
static const char *const default_labels[COP_CHOICE_MOST] = {
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M",
    "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z"};

/* --- labels --- */

/* Appends a label without the parentheses and the full stop that it may be written with. */
static cop_status append_label(cop_text *text, const json_t *label, cop_error *err)
{
    cop_text raw = {0};
    cop_status status = COP_OK;
    COP_CHECK(cop_json_is_text(label) || json_is_number(label), err, COP_ERR_FORMAT,
              "a label must be a string, without a zero character, or a number");
    COP_TRY_OUT(cop_task_append_answer(&raw, label, err));
    cop_slice bare = cop_slice_strip(cop_slice_of(&raw));
    if (bare.length > 0 && bare.data[0] == '(')
        bare = (cop_slice){bare.data + 1, bare.length - 1};
    const bool ends = bare.length > 0 && strchr(").:", bare.data[bare.length - 1]) != NULL;
    if (ends) bare.length--;
    COP_TRY_OUT(cop_text_append(text, bare.data, bare.length, err));
out:
    cop_text_free(&raw);
    return status;
}

static bool is_label(const char *text)
{
    enum { MOST_BYTES = 8 };
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const size_t length = strlen(text);
    return length >= 1 && length <= MOST_BYTES && strspn(text, characters) == length;
}

static cop_status take_label(cop_choice_labels *labels, const json_t *given, cop_error *err)
{
    cop_text *const text = &labels->texts[labels->count];
    COP_TRY(append_label(text, given, err));
    assert(text->data != NULL); /* what was appended to is a text, however short */
    COP_CHECK(is_label(text->data), err, COP_ERR_FORMAT,
              "entry %zu of field \"labels\" is \"%s\"; a label is 1 to 8 letters or digits",
              labels->count, text->data);
    for (size_t i = 0; i < labels->count; i++) {
        COP_CHECK(strcasecmp(labels->texts[i].data, text->data) != 0, err, COP_ERR_FORMAT,
                  "field \"labels\" has \"%s\" twice", text->data);
    }
    labels->count++;
    return COP_OK;
}

/* The labels that an example brings, if it has a field "labels". */
static cop_status read_labels(const json_t *example, cop_choice_labels *labels, cop_error *err)
{
    const json_t *const given = json_object_get(example, "labels");
    if (given == NULL) return COP_OK;
    const size_t count = json_array_size(given);
    COP_CHECK(count >= 2 && count <= COP_CHOICE_MOST, err, COP_ERR_FORMAT,
              "field \"labels\" must be a list of 2 to %d labels", (int)COP_CHOICE_MOST);
    labels->own = true;
    for (size_t i = 0; i < count; i++)
        COP_TRY(take_label(labels, json_array_get(given, i), err));
    return COP_OK;
}

/* Labels from 1 on, or letters, for [count] choices. */
static cop_status make_labels(cop_choice_labels *labels, bool numbers, size_t count,
                              cop_error *err)
{
    for (size_t i = 0; i < count; i++) {
        cop_text *const text = &labels->texts[i];
        COP_TRY(numbers ? cop_text_format(text, err, "%zu", i + 1)
                        : cop_text_append(text, default_labels[i], 1, err));
    }
    labels->count = count;
    labels->own = numbers;
    return COP_OK;
}

static void free_labels(cop_choice_labels *labels)
{
    for (size_t i = 0; i < COP_CHOICE_MOST; i++)
        cop_text_free(&labels->texts[i]);
    *labels = (cop_choice_labels){0};
}

/* --- the right one --- */

static cop_status refuse_answer(const cop_choice_labels *labels, const char *answer,
                                cop_error *err)
{
    cop_text known = {0};
    cop_status status = COP_OK;
    COP_CHECK(
        !labels->assumed, err, COP_ERR_FORMAT,
        "field \"answer\" is %s; it must be a letter or a number from 1 to %d, or the index "
        "of a choice, from 0",
        answer, (int)COP_CHOICE_MOST);
    for (size_t i = 0; i < labels->count; i++)
        COP_TRY_OUT(
            cop_text_format(&known, err, "%s%s", i == 0 ? "" : ", ", labels->texts[i].data));
    status = cop_error_set(err, COP_ERR_FORMAT,
                           "field \"answer\" is %s, but there are %zu choices: %s", answer,
                           labels->count, known.data);
out:
    cop_text_free(&known);
    return status;
}

/* An integer is an index from 0, unless the labels are integers themselves. */
static bool is_index(const json_t *example, const json_t *answer)
{
    const json_t *const labels = json_object_get(example, "labels");
    return json_is_integer(answer) && !json_is_integer(json_array_get(labels, 0));
}

static bool find_index(const json_t *answer, size_t count, size_t *right)
{
    const json_int_t index = json_integer_value(answer);
    if (index < 0 || index >= (json_int_t)count) return false;
    *right = (size_t)index;
    return true;
}

/* The place of the example's answer among the labels. */
static cop_status find_right(const json_t *example, const cop_choice_labels *labels,
                             size_t *right, cop_error *err)
{
    const json_t *answer = NULL;
    cop_text text = {0};
    cop_status status = COP_OK;
    COP_TRY(cop_task_find_answer(example, &answer, err));
    const bool indexed = is_index(example, answer);
    if (indexed && find_index(answer, labels->count, right)) return COP_OK;
    COP_CHECK(
        json_is_string(answer) || json_is_integer(answer), err, COP_ERR_FORMAT,
        "field \"answer\" must be a label, such as a letter, or the index of a choice, from "
        "0");
    COP_TRY_OUT(append_label(&text, answer, err));
    assert(text.data != NULL);
    for (size_t i = 0; i < labels->count && !indexed; i++) {
        *right = i;
        if (strcasecmp(labels->texts[i].data, text.data) == 0) goto out;
    }
    status = refuse_answer(labels, text.data, err);
out:
    cop_text_free(&text);
    return status;
}

/* Whether an answer is a number of one or two digits in a string: a label as ARC has it, where
 * the integer 3 is an index. */
static bool is_numbered(const json_t *answer)
{
    cop_text text = {0};
    const bool numbered = json_is_string(answer) &&
                          append_label(&text, answer, NULL) == COP_OK && text.length >= 1 &&
                          text.length <= 2 && strspn(text.data, "0123456789") == text.length;
    cop_text_free(&text);
    return numbered;
}

static cop_status read_choice(const json_t *example, cop_choice_labels *labels, size_t *right,
                              cop_error *err)
{
    const json_t *answer = NULL;
    const json_t *const choices = json_object_get(example, "choices");
    const size_t count = json_is_array(choices) ? json_array_size(choices) : COP_CHOICE_MOST;
    cop_status status = COP_OK;
    *right = 0;
    COP_TRY(cop_task_find_answer(example, &answer, err));
    COP_CHECK(choices == NULL ||
                  (json_is_array(choices) && count >= 2 && count <= COP_CHOICE_MOST),
              err, COP_ERR_FORMAT, "field \"choices\" must be a list of 2 to %d strings",
              (int)COP_CHOICE_MOST);
    COP_TRY_OUT(read_labels(example, labels, err));
    if (!labels->own) {
        COP_TRY_OUT(make_labels(labels, is_numbered(answer), count, err));
        labels->assumed = choices == NULL;
    }
    if (choices != NULL && labels->count != count) {
        status = cop_error_set(err, COP_ERR_FORMAT, "there are %zu labels for %zu choices",
                               labels->count, count);
        goto out;
    }
    COP_TRY_OUT(find_right(example, labels, right, err));
out:
    if (status != COP_OK) free_labels(labels);
    return status;
}

/* --- examples --- */

/* ARC as it is published has texts and labels in an object "choices". */
static cop_status spread_choices(json_t *example, cop_error *err)
{
    json_t *const choices = json_object_get(example, "choices");
    json_t *const texts = json_object_get(choices, "text");
    json_t *const labels = json_object_get(choices, "label");
    if (!json_is_array(texts)) return COP_OK;
    const bool labelled = labels == NULL || json_object_get(example, "labels") != NULL;
    /* Labels first: the object goes with its place. */
    const bool good = (labelled || json_object_set(example, "labels", labels) == 0) &&
                      json_object_set(example, "choices", texts) == 0;
    COP_CHECK(good, err, COP_ERR_MEMORY, "no memory for field \"choices\"");
    return COP_OK;
}

static cop_status append_options(const json_t *choices, const cop_choice_labels *labels,
                                 cop_text *options, cop_error *err)
{
    for (size_t i = 0; i < labels->count; i++) {
        COP_TRY(
            cop_text_format(options, err, "%s%s. ", i == 0 ? "" : "\n", labels->texts[i].data));
        COP_TRY(cop_task_append_answer(options, json_array_get(choices, i), err));
    }
    return COP_OK;
}

/* Keeps the labels of an example's own, which then are part of its reference. */
static cop_status set_labels(json_t *example, const cop_choice_labels *labels, cop_error *err)
{
    json_t *const list = json_array();
    bool good = list != NULL;
    for (size_t i = 0; i < labels->count && good; i++)
        good = json_array_append_new(list, json_string(labels->texts[i].data)) == 0;
    COP_CHECK(good, err, COP_ERR_MEMORY, "no memory for field \"labels\"");
    return cop_task_set_field(example, "labels", list, err);
}

/* What the prompt asks for. */
static const char *name_kind(const cop_choice_labels *labels)
{
    switch (cop_choice_find_kind(labels)) {
    case COP_CHOICE_NUMBERS:
        return "number";
    case COP_CHOICE_WORDS:
        return "label";
    default:
        return "letter";
    }
}

/* Labels the choices, and names the right one by its label. */
static cop_status prepare(json_t *example, cop_error *err)
{
    cop_choice_labels labels = {0};
    cop_text options = {0};
    cop_status status = COP_OK;
    size_t right = 0;
    COP_TRY(spread_choices(example, err));
    COP_TRY(read_choice(example, &labels, &right, err));
    const json_t *const choices = json_object_get(example, "choices");
    if (choices != NULL) {
        COP_TRY_OUT(append_options(choices, &labels, &options, err));
        COP_TRY_OUT(cop_task_set_field(example, "options",
                                       json_stringn(options.data, options.length), err));
    }
    if (!labels.assumed) COP_TRY_OUT(set_labels(example, &labels, err));
    COP_TRY_OUT(
        cop_task_set_field(example, "label_kind", json_string(name_kind(&labels)), err));
    COP_TRY_OUT(
        cop_task_set_field(example, "answer", json_string(labels.texts[right].data), err));
out:
    cop_text_free(&options);
    free_labels(&labels);
    return status;
}

/* A reference is a label by itself, or an object with "answer" and the "labels" it is one of.
 */
static cop_status wrap_reference(const json_t *answer, json_t **example, cop_error *err)
{
    json_t *held = NULL;
    memcpy(&held, &answer, sizeof held); /* jansson counts references also in what is read */
    *example = json_is_object(answer) ? json_incref(held) : json_pack("{s:O}", "answer", held);
    COP_CHECK(*example != NULL, err, COP_ERR_MEMORY, "no memory for a reference");
    return COP_OK;
}

static cop_status score_choice(const char *response, size_t length, const json_t *answer,
                               cop_score *score, cop_error *err)
{
    cop_choice_labels labels = {0};
    cop_text text = {0};
    json_t *example = NULL;
    cop_status status = COP_OK;
    size_t right = 0;
    size_t chosen = SIZE_MAX;
    *score = (cop_score){0};
    COP_TRY_OUT(wrap_reference(answer, &example, err));
    COP_TRY_OUT(read_choice(example, &labels, &right, err));
    COP_TRY_OUT(cop_characters_append(&text, (cop_slice){response, length}, err));
    COP_TRY_OUT(cop_choice_find(cop_slice_of(&text), &labels, &chosen, err));
    score->form = cop_form_of(chosen != SIZE_MAX);
    if (chosen == SIZE_MAX) goto out;
    score->correct = chosen == right;
    score->reward = score->correct ? 1.0 : 0.0;
    COP_TRY_OUT(cop_task_set_extracted(cop_slice_of(&labels.texts[chosen]), score, err));
out:
    json_decref(example);
    cop_text_free(&text);
    free_labels(&labels);
    return status;
}

static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    cop_choice_labels labels = {0};
    const json_t *value = NULL;
    size_t right = 0;
    *answer = NULL;
    COP_TRY(cop_task_find_answer(example, &value, err));
    COP_TRY(read_choice(example, &labels, &right, err));
    free_labels(&labels);
    *answer = json_object_get(example, "labels") != NULL ? example : value;
    return COP_OK;
}

static const cop_task_field fields[] = {
    {.name = "question", .kind = "string"},
    {.name = "choices",
     .kind =
         "list of 2 to 26 strings, or an object of lists \"text\" and \"label\"; not needed "
         "where the prompt has them",
     .optional = true},
    {.name = "labels",
     .kind =
         "list of strings or numbers: a label for each choice; without it A, B, ..., or 1, 2, "
         "... where the answer is such a string",
     .optional = true},
    {.name = "answer", .kind = "string: a label; or number: an index from 0"},
    {.name = "options",
     .kind = "string: the choices with their labels, one a line",
     .made = true},
    {.name = "label_kind",
     .kind = "string: what the labels are: \"letter\", \"number\" or \"label\"",
     .made = true},
    {0},
};

const cop_task cop_task_choice = {
    .name = "choice",
    .summary = "multiple choice; the label that a response settles on",
    .fields = fields,
    .data = "MMLU as it is; ARC with fields {answer: answerKey}",
    .reward = "1 for the right label, else 0",
    .correctness =
        "the label in the last \\boxed{}, <answer> or after the last \"answer is\", or else "
        "the only, the first or the last label that stands alone, is the right one",
    .vote = "the label",
    .form = "a label of the example",
    .default_system = NULL,
    .default_user =
        "{question}\n\n{options}\n\nAnswer with the {label_kind} of the right choice.",
    .default_assistant = "{answer}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .prepare = prepare,
    .answer = find_answer,
    .score = score_choice,
};
