/* The task "regex": a pattern that comes with the data must match the response. */
#include "task/tasks.h"

#include "task/characters.h"
#include "task/regex.h"

#include <ctype.h>
#include <string.h>

enum {
    MOST_STEPS = 2000000, /* back from one place; some ten milliseconds */
    BYTE_STEPS = 50,      /* more for each byte of the response */
    ALL_PLACES = 4,       /* as many times that from all places */
    PROBE_STEPS = 200000, /* more than that on a probe is refused */
    PROBE_CHARACTERS = 48,
    MOST_UNIT = 3 /* characters that are repeated */
};

/* --- hostile patterns --- */

/* Characters of a pattern: each once, and the letters and digits in their order. */
typedef struct alphabet {
    char each[PROBE_CHARACTERS];
    size_t each_count;
    char run[PROBE_CHARACTERS];
    size_t run_count;
} alphabet;

static void collect(cop_slice pattern, alphabet *a)
{
    bool seen[256] = {false};
    *a = (alphabet){.each = "a0 ", .each_count = 3};
    for (size_t i = 0; i < a->each_count; i++)
        seen[(unsigned char)a->each[i]] = true;
    for (size_t i = 0; i < pattern.length; i++) {
        const unsigned char c = (unsigned char)pattern.data[i];
        if (isalnum(c) && a->run_count < PROBE_CHARACTERS) a->run[a->run_count++] = (char)c;
        if (seen[c] || !isprint(c) || a->each_count == PROBE_CHARACTERS) continue;
        seen[c] = true;
        a->each[a->each_count++] = (char)c;
    }
}

/* Matches a text that keeps a pattern busy which can read it in many ways: `unit` [length] over
 * and over and an end that nothing fits; then all characters that the pattern may insist on. */
static cop_status probe(const cop_regex *regex, const alphabet *a, const char *unit,
                        size_t length, cop_error *err)
{
    static const char end[] = {'\x01', '\n'};
    char text[PROBE_CHARACTERS + sizeof end + PROBE_CHARACTERS];
    for (size_t i = 0; i < PROBE_CHARACTERS; i++)
        text[i] = unit[i % length];
    memcpy(text + PROBE_CHARACTERS, end, sizeof end);
    memcpy(text + PROBE_CHARACTERS + sizeof end, a->each, a->each_count);
    const cop_slice slice = {text, PROBE_CHARACTERS + sizeof end + a->each_count};
    cop_regex_result result = COP_REGEX_NONE;
    COP_TRY(cop_regex_search(regex, slice, PROBE_STEPS, UINT64_MAX, &result, err));
    COP_CHECK(result != COP_REGEX_TOO_COSTLY, err, COP_ERR_FORMAT,
              "the pattern backtracks without bound (on \"%.*s\" over and over, for one); "
              "rewrite it without repetition inside repetition",
              (int)length, unit);
    return COP_OK;
}

/* Tries the pattern on texts of its own characters. */
static cop_status check_cost(const cop_regex *regex, cop_slice pattern, cop_error *err)
{
    alphabet a;
    collect(pattern, &a);
    for (size_t i = 0; i < a.each_count; i++)
        COP_TRY(probe(regex, &a, a.each + i, 1, err));
    for (size_t size = 2; size <= MOST_UNIT; size++) {
        for (size_t i = 0; i + size <= a.run_count; i++)
            COP_TRY(probe(regex, &a, a.run + i, size, err));
    }
    return COP_OK;
}

/* --- task --- */

static cop_status make_regex(const json_t *answer, cop_regex **regex, cop_error *err)
{
    *regex = NULL;
    COP_CHECK(json_is_string(answer) && json_string_length(answer) > 0, err, COP_ERR_FORMAT,
              "field \"answer\" must be a pattern, not empty");
    const cop_slice pattern = {json_string_value(answer), json_string_length(answer)};
    cop_status status = cop_regex_create(
        pattern.data, pattern.length,
        (cop_regex_options){.unicode_classes = true, .counted = true}, regex, err);
    if (status == COP_OK) status = check_cost(*regex, pattern, err);
    if (status == COP_OK) return COP_OK;
    cop_regex_destroy(regex);
    if (status == COP_ERR_FORMAT) (void)cop_error_prefix(err, "field \"answer\"");
    return status;
}

static const char met_limit[] = "the pattern was given up at its limit of steps or memory, "
                                "which counts as no match; rewrite "
                                "it without several repetitions that can share a text";

/* A long response is no fault of its own. */
static uint32_t allowed_steps(size_t length)
{
    const size_t most = (UINT32_MAX - MOST_STEPS) / BYTE_STEPS;
    return MOST_STEPS + BYTE_STEPS * (uint32_t)(length < most ? length : most);
}

static cop_status score_regex(const char *response, size_t length, const json_t *answer,
                              cop_score *score, cop_error *err)
{
    cop_regex *regex = NULL;
    cop_text text = {0};
    cop_status status = COP_OK;
    *score = (cop_score){0};
    COP_TRY_OUT(make_regex(answer, &regex, err));
    COP_TRY_OUT(cop_characters_append(&text, (cop_slice){response, length}, err));
    const cop_slice subject = cop_slice_of(&text);
    cop_regex_result result = COP_REGEX_NONE;
    const uint32_t steps = allowed_steps(subject.length);
    COP_TRY_OUT(
        cop_regex_search(regex, subject, steps, (uint64_t)steps * ALL_PLACES, &result, err));
    score->correct = result == COP_REGEX_FOUND;
    score->reward = score->correct ? 1.0 : 0.0;
    if (result == COP_REGEX_TOO_COSTLY) score->note = met_limit;
    COP_TRY_OUT(cop_task_set_extracted(cop_slice_strip(subject), score, err));
out:
    cop_regex_destroy(&regex);
    cop_text_free(&text);
    return status;
}

static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    const json_t *value = NULL;
    cop_regex *regex = NULL;
    *answer = NULL;
    COP_TRY(cop_task_find_answer(example, &value, err));
    COP_TRY(make_regex(value, &regex, err));
    cop_regex_destroy(&regex);
    *answer = value;
    return COP_OK;
}

static const cop_task_field fields[] = {
    {.name = "question", .kind = "string"},
    {.name = "answer", .kind = "string: a pattern in PCRE2's syntax, 4096 bytes at most"},
    {0},
};

const cop_task cop_task_regex = {
    .name = "regex",
    .summary = "the response matches a given pattern",
    .fields = fields,
    .data = "patterns that are not valid, or backtrack without bound, are refused when the "
            "data are "
            "loaded",
    .reward = "1 if the pattern matches, else 0",
    .correctness =
        "the pattern matches anywhere in the response (\\A and \\z are its ends, (?i) ignores "
        "case) within 2 million steps from one place, 50 more for each byte of the response, "
        "4 times that from all places, and 64 MiB; a response at which the limit is met "
        "counts as wrong, and a "
        "warning (in `coppice reward` a note) says so",
    .vote = "the response without white space at its ends",
    .default_user = "{question}",
    .default_assistant = NULL,
    .max_reward = 1.0,
    .correct_at = 1.0,
    .answer = find_answer,
    .score = score_regex,
};
