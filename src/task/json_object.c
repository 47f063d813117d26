/* Following a format: the response holds a JSON object, valid and equal to the reference. */
#include "task/tasks.h"

#include "coppice/base/memory.h"
#include "coppice/json/json.h"
#include "task/characters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Integers of 64 bits lie below. */
static const double integer_limit = 9223372036854775808.0; /* 2^63 */

/* --- values --- */

/* The integer that a real stands for, NULL for none: 3.0 is 3. */
static json_t *make_integer(const json_t *value)
{
    const double real = json_real_value(value);
    const bool whole = json_is_real(value) && real == floor(real) && real >= -integer_limit &&
                       real < integer_limit;
    return whole ? json_integer((json_int_t)real) : NULL;
}

/* Writes numbers in one way, at any depth, so that equal values are equal texts. The value is
 * the caller's alone. */
static void even_out(json_t *value)
{
    json_t *member = NULL;
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *const integer = make_integer(json_array_get(value, i));
        if (integer != NULL)
            (void)json_array_set_new(value, i, integer);
        else
            even_out(json_array_get(value, i));
    }
    for (void *at = json_object_iter(value); at != NULL;
         at = json_object_iter_next(value, at)) {
        member = json_object_iter_value(at);
        json_t *const integer = make_integer(member);
        if (integer != NULL)
            (void)json_object_iter_set_new(value, at, integer);
        else
            even_out(member);
    }
}

static cop_status read_object(cop_slice text, json_t **object, cop_error *err)
{
    json_t *value = NULL;
    *object = NULL;
    COP_TRY(cop_json_read(text.data, text.length,
                          JSON_REJECT_DUPLICATES | COP_JSON_STRICT | COP_JSON_BIG_AS_REAL,
                          &value, err));
    if (!json_is_object(value)) {
        json_decref(value);
        return cop_error_set(err, COP_ERR_FORMAT, "it is no object");
    }
    even_out(value);
    *object = value;
    return COP_OK;
}

/* The reference: an object, or the text of one. */
static cop_status read_reference(const json_t *answer, json_t **object, cop_error *err)
{
    cop_error why = {0};
    if (json_is_object(answer)) {
        *object = json_deep_copy(answer);
        COP_CHECK(*object != NULL, err, COP_ERR_MEMORY, "no memory for a reference");
        even_out(*object);
        return COP_OK;
    }
    COP_CHECK(json_is_string(answer), err, COP_ERR_FORMAT,
              "field \"answer\" must be a JSON object, or a string with the text of one");
    const cop_slice text = {json_string_value(answer), json_string_length(answer)};
    const cop_status status = read_object(text, object, &why);
    COP_CHECK(status == COP_OK, err, status,
              "field \"answer\" must have the text of a JSON object: %s", why.message);
    return COP_OK;
}

/* --- responses --- */

/* Behind the string that begins with the quote at `at`; the end where it has none. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && end - at > 1) at++;
    return at < end ? at + 1 : end;
}

/* What lies between the first brace and the one that closes it, both included; nothing while it
 * is open. */
static cop_slice find_object(cop_slice response)
{
    const char *const end = response.data + response.length;
    const char *const begin =
        response.length > 0 ? memchr(response.data, '{', response.length) : NULL;
    size_t depth = 0;
    if (begin == NULL) return (cop_slice){0};
    for (const char *at = begin; at < end;) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
        if (depth == 0) return (cop_slice){begin, (size_t)(at - begin)};
    }
    return (cop_slice){0};
}

/* The object without white space and with its keys in order, which is what votes. */
static cop_status set_vote(const json_t *object, cop_score *score, cop_error *err)
{
    char *const text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    COP_CHECK(text != NULL, err, COP_ERR_MEMORY, "no memory for the text of an object");
    const cop_status status =
        cop_task_set_extracted((cop_slice){text, strlen(text)}, score, err);
    free(text); /* jansson's, by malloc */
    return status;
}

/* The share of the members of two objects, of all keys that either has, in which they agree. */
static double share_agreed(json_t *object, json_t *reference)
{
    size_t agreed = 0;
    size_t common = 0;
    const char *key = NULL;
    json_t *member = NULL;
    json_object_foreach(object, key, member)
    {
        const json_t *const other = json_object_get(reference, key);
        common += other != NULL;
        agreed += other != NULL && json_equal(member, other);
    }
    const size_t keys = json_object_size(object) + json_object_size(reference) - common;
    return keys == 0 ? 1.0 : (double)agreed / (double)keys;
}

static cop_status score_json(const char *response, size_t length, const json_t *answer,
                             cop_score *score, cop_error *err)
{
    json_t *object = NULL;
    json_t *reference = NULL;
    cop_status status = COP_OK;
    *score = (cop_score){0};
    COP_TRY_OUT(read_reference(answer, &reference, err));
    const cop_slice text = find_object((cop_slice){response, length});
    score->form = COP_FORM_MISSING;
    if (text.length == 0) goto out;
    status = read_object(text, &object, NULL);
    if (status == COP_ERR_FORMAT) status = COP_OK; /* not valid: a wrong answer */
    if (status != COP_OK) (void)cop_error_set(err, status, "no memory for an object");
    if (object == NULL) goto out;
    score->form = COP_FORM_FOUND;
    score->correct = json_equal(object, reference) != 0;
    score->reward = score->correct ? 1.0 : share_agreed(object, reference) / 2;
    COP_TRY_OUT(set_vote(object, score, err));
out:
    json_decref(object);
    json_decref(reference);
    return status;
}

/* The first object counts, so that nothing changes once it is closed. */
static cop_decided decide_json(const char *beginning, size_t length, const json_t *answer)
{
    (void)answer;
    const bool closed = find_object((cop_slice){beginning, length}).length > 0;
    return closed ? COP_DECIDED_ALL : COP_DECIDED_NOTHING;
}

static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    const json_t *value = NULL;
    json_t *object = NULL;
    *answer = NULL;
    COP_TRY(cop_task_find_answer(example, &value, err));
    COP_TRY(read_reference(value, &object, err));
    json_decref(object);
    *answer = value;
    return COP_OK;
}

static const cop_task_field fields[] = {
    {.name = "question", .kind = "string"},
    {.name = "answer", .kind = "object, or a string with the text of one"},
    {0},
};

const cop_task cop_task_json = {
    .name = "json",
    .summary =
        "the response has a JSON object, valid and with the given content; members count, too",
    .fields = fields,
    .reward = "1 for the given object; for another one half the share of its members that are "
              "right, of all keys that either has; else 0",
    .correctness =
        "the first object of the response, from its first brace to the one that closes it, is "
        "valid JSON without a key twice and has the same keys and values; the order of keys "
        "and white space do not count, 3.0 is 3, and \"3\" is not",
    .vote = "the object, its keys sorted, without white space",
    .form = "a JSON object that is valid",
    .default_user = "{question}\n\nAnswer with a JSON object.",
    .default_assistant = "{answer}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .graded = true,
    .answer = find_answer,
    .score = score_json,
    .decided = decide_json,
};
