/* For simple tasks of one's own: the response is, or contains, a given text. */
#include "task/tasks.h"

#include "task/characters.h"

#include <string.h>

/* Reference `index` of a string, a number or a list of them, without white space around it. */
static cop_status read_reference(const json_t *answer, size_t index, cop_text *text,
                                 cop_slice *reference, cop_error *err)
{
    cop_text_clear(text);
    COP_TRY(cop_task_append_answer(
        text, json_is_array(answer) ? json_array_get(answer, index) : answer, err));
    *reference = cop_slice_strip(cop_slice_of(text));
    COP_CHECK(reference->length > 0, err, COP_ERR_FORMAT, "field \"answer\" is empty");
    return COP_OK;
}

static size_t count_references(const json_t *answer)
{
    return json_is_array(answer) ? json_array_size(answer) : 1;
}

typedef bool (*predicate)(cop_slice response, cop_slice reference);

/* Correct if any reference fits. All are read in any case: a malformed one is an error whatever
 * the response. */
static cop_status score_any(cop_slice response, const json_t *answer, predicate fits,
                            cop_score *score, cop_error *err)
{
    cop_text text = {0};
    cop_slice reference = {0};
    cop_status status = COP_OK;
    const size_t count = count_references(answer);
    const cop_slice body = cop_slice_strip(response);
    bool correct = false;
    COP_CHECK(count > 0, err, COP_ERR_FORMAT, "field \"answer\" is an empty list");
    for (size_t i = 0; i < count; i++) {
        COP_TRY_OUT(read_reference(answer, i, &text, &reference, err));
        correct = correct || fits(body, reference);
    }
    score->correct = correct;
    score->reward = correct ? 1.0 : 0.0;
    COP_TRY_OUT(cop_task_set_extracted(body, score, err));
out:
    cop_text_free(&text);
    return status;
}

static bool contains(cop_slice response, cop_slice reference)
{
    return memmem(response.data, response.length, reference.data, reference.length) != NULL;
}

static cop_status score_exact(const char *response, size_t length, const json_t *answer,
                              cop_score *score, cop_error *err)
{
    *score = (cop_score){0};
    COP_TRY(score_any((cop_slice){response, length}, answer, cop_slice_equal, score, err));
    score->form = cop_form_of(score->extracted != NULL);
    return COP_OK;
}

static cop_status score_contains(const char *response, size_t length, const json_t *answer,
                                 cop_score *score, cop_error *err)
{
    *score = (cop_score){0};
    return score_any((cop_slice){response, length}, answer, contains, score, err);
}

/* --- beginnings --- */

/* Whether a response that begins with `beginning`, white space before it aside, may be the
 * reference. */
static bool may_become(cop_slice beginning, cop_slice reference)
{
    const size_t length =
        beginning.length < reference.length ? beginning.length : reference.length;
    if (memcmp(beginning.data, reference.data, length) != 0) return false;
    const cop_slice more = {beginning.data + length, beginning.length - length};
    return cop_slice_strip(more).length == 0;
}

/* True if some reference fits. Where they cannot be read none is said to be known. */
static bool any_fits(cop_slice text, const json_t *answer, predicate fits, bool *known)
{
    cop_text read = {0};
    cop_slice reference = {0};
    bool found = false;
    *known = count_references(answer) > 0;
    for (size_t i = 0; i < count_references(answer) && *known && !found; i++) {
        *known = read_reference(answer, i, &read, &reference, NULL) == COP_OK;
        found = *known && fits(text, reference);
    }
    cop_text_free(&read);
    return found;
}

/* Once something stands there that no reference begins with, the response is wrong. It is never
 * right before its end. */
static cop_decided decide_exact(const char *beginning, size_t length, const json_t *answer)
{
    bool known = false;
    cop_slice text = {beginning, length};
    const cop_slice body = cop_slice_strip(text);
    if (body.length == 0) return COP_DECIDED_NOTHING;
    text.length -= (size_t)(body.data - text.data);
    text.data = body.data; /* what follows is not known to be the end */
    const bool open = any_fits(text, answer, may_become, &known);
    return known && !open ? COP_DECIDED_REWARD : COP_DECIDED_NOTHING;
}

/* What is contained stays so. A reference neither begins nor ends with white space, so none of
 * it is taken off with that at the ends. */
static cop_decided decide_contains(const char *beginning, size_t length, const json_t *answer)
{
    bool known = false;
    const bool found = any_fits((cop_slice){beginning, length}, answer, contains, &known);
    return known && found ? COP_DECIDED_REWARD : COP_DECIDED_NOTHING;
}

/* What a few-shot example shows: of several answers the first. */
static cop_status prepare(json_t *example, cop_error *err)
{
    json_t *const answer = json_object_get(example, "answer");
    json_t *const first = json_array_size(answer) > 0 ? json_array_get(answer, 0) : answer;
    COP_CHECK(first == NULL || json_object_set(example, "first_answer", first) == 0, err,
              COP_ERR_MEMORY, "no memory for field \"first_answer\"");
    return COP_OK;
}

static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    const json_t *value = NULL;
    cop_score score = {0};
    *answer = NULL;
    COP_TRY(cop_task_find_answer(example, &value, err));
    const cop_status status = score_exact("", 0, value, &score, err);
    cop_score_free(&score);
    if (status == COP_OK) *answer = value;
    return status;
}

static const cop_task_field fields[] = {
    {.name = "question", .kind = "string"},
    {.name = "answer", .kind = "string or number, or a list of them: any one will do"},
    {.name = "first_answer", .kind = "string or number: the first of them", .made = true},
    {0},
};

const cop_task cop_task_exact = {
    .name = "exact",
    .summary = "the response is the given text",
    .fields = fields,
    .reward = "1 for the given text, else 0",
    .correctness =
        "response and answer are the same, case included, white space at the ends aside",
    .vote = "the response without white space at its ends",
    .form = "the response by itself, not blank",
    .default_user = "{question}",
    .default_assistant = "{first_answer}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .prepare = prepare,
    .answer = find_answer,
    .score = score_exact,
    .decided = decide_exact,
};

const cop_task cop_task_contains = {
    .name = "contains",
    .summary = "the response contains the given text",
    .fields = fields,
    .reward = "1 if the given text is there, else 0",
    .correctness =
        "the answer, case included and without white space at its ends, is part of the "
        "response",
    .vote = "the response without white space at its ends",
    .default_user = "{question}",
    .default_assistant = "{first_answer}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .prepare = prepare,
    .answer = find_answer,
    .score = score_contains,
    .decided = decide_contains,
};
