/* Word problems whose answer is one number: gsm8k, scored as its published reward does, and
 * arith, which forgives a full stop after the number. */
#include "task/tasks.h"

#include "coppice/json.h"
#include "coppice/memory.h"
#include "task/characters.h"

#include <string.h>

/* Only this much of a response's end is looked at, in characters. */
enum { CLIP_CHARACTERS = 300 };

static const char mark[] = "#### ";
static const char spaces[] = " \t\r\n";

/* The last number after a mark and the last number at all, with their signs; {0} for none. */
typedef struct found_numbers {
    cop_slice marked;
    cop_slice last;
} found_numbers;

static bool is_number_character(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == ',';
}

static bool has_digit(cop_slice s)
{
    for (size_t i = 0; i < s.length; i++)
        if (s.data[i] >= '0' && s.data[i] <= '9') return true;
    return false;
}

/* Goes through the runs of number characters from the end. Neither a mark nor a sign can be
 * part of a run, so this finds what a search from the front finds last. */
static found_numbers find_numbers(cop_slice text)
{
    found_numbers found = {0};
    const size_t mark_length = sizeof mark - 1;
    size_t end = text.length;
    while (end > 0 && !(found.marked.data && found.last.data)) {
        if (!is_number_character(text.data[end - 1])) {
            end--;
            continue;
        }
        size_t start = end;
        while (start > 0 && is_number_character(text.data[start - 1]))
            start--;
        if (start > 0 && text.data[start - 1] == '-') start--;
        const cop_slice run = {text.data + start, end - start};
        const bool marked =
            start >= mark_length && memcmp(run.data - mark_length, mark, mark_length) == 0;
        if (marked && !found.marked.data) found.marked = run;
        const bool lone_dot = run.length == 1 && run.data[0] == '.';
        if (!lone_dot && !found.last.data) found.last = run;
        end = start;
    }
    return found;
}

static cop_status append_without_commas(cop_text *text, cop_slice s, cop_error *err)
{
    for (size_t i = 0; i < s.length; i++)
        if (s.data[i] != ',') COP_TRY(cop_text_append(text, s.data + i, 1, err));
    return cop_text_append(text, "", 0, err);
}

/* The reference as plain digits. A string may be a whole solution that ends in "#### 72". */
static cop_status append_reference(cop_text *text, const json_t *answer, cop_error *err)
{
    if (json_is_number(answer)) return cop_task_append_number(text, answer, err);
    COP_CHECK(cop_json_is_text(answer), err, COP_ERR_FORMAT,
              "field \"answer\" must be a string, without a zero character, or a number");
    const char *start = json_string_value(answer);
    for (const char *next = strstr(start, "####"); next; next = strstr(start, "####"))
        start = next + strlen("####");
    size_t length = strlen(start);
    while (length > 0 && strchr(spaces, start[length - 1]))
        length--;
    while (length > 0 && strchr(spaces, *start)) {
        start++;
        length--;
    }
    COP_TRY(append_without_commas(text, (cop_slice){start, length}, err));
    COP_CHECK(text->length > 0, err, COP_ERR_FORMAT, "field \"answer\" is empty");
    return COP_OK;
}

/* Moves `answer` into the score, unless it is no number at all. */
static cop_status set_extracted(const cop_text *answer, cop_score *score, cop_error *err)
{
    const cop_slice s = {answer->data, answer->length};
    if (!has_digit(s)) return COP_OK;
    score->extracted = cop_memory_copy_string(s.data, s.length, err);
    return score->extracted ? COP_OK : COP_ERR_MEMORY;
}

/* gsm8k: right if the last marked number is the reference, commas aside, or else if the last
 * number of all is, as written. */
static cop_status score_gsm8k(const char *response, size_t length, const json_t *answer,
                              cop_score *score, cop_error *err)
{
    cop_text reference = {0};
    cop_text number = {0};
    cop_status status = COP_OK;
    *score = (cop_score){0};
    COP_TRY_OUT(append_reference(&reference, answer, err));
    const found_numbers found = find_numbers(cop_slice_tail(response, length, CLIP_CHARACTERS));
    const cop_slice chosen = found.marked.data ? found.marked : found.last;
    COP_TRY_OUT(append_without_commas(&number, chosen, err));
    const cop_slice marked = {found.marked.data ? number.data : NULL, number.length};
    score->correct = (marked.data && cop_slice_equal(marked, cop_slice_of(&reference))) ||
                     (found.last.data && cop_slice_equal(found.last, cop_slice_of(&reference)));
    score->reward = score->correct ? 1.0 : 0.0;
    COP_TRY_OUT(set_extracted(&number, score, err));
out:
    cop_text_free(&reference);
    cop_text_free(&number);
    return status;
}

/* arith: the last marked number, or else the last number; commas and full stops after it do not
 * matter. */
static cop_status score_arith(const char *response, size_t length, const json_t *answer,
                              cop_score *score, cop_error *err)
{
    cop_text reference = {0};
    cop_text number = {0};
    cop_status status = COP_OK;
    *score = (cop_score){0};
    COP_TRY_OUT(append_reference(&reference, answer, err));
    const found_numbers found = find_numbers(cop_slice_tail(response, length, CLIP_CHARACTERS));
    COP_TRY_OUT(
        append_without_commas(&number, found.marked.data ? found.marked : found.last, err));
    while (number.length > 0 && number.data[number.length - 1] == '.')
        number.length--;
    score->correct = cop_slice_equal(cop_slice_of(&number), cop_slice_of(&reference));
    score->reward = score->correct ? 1.0 : 0.0;
    COP_TRY_OUT(set_extracted(&number, score, err));
out:
    cop_text_free(&reference);
    cop_text_free(&number);
    return status;
}

static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    *answer = NULL;
    const json_t *value = NULL;
    COP_TRY(cop_task_find_answer(example, &value, err));
    COP_CHECK(json_is_string(value) || json_is_number(value), err, COP_ERR_FORMAT,
              "field \"answer\" must be a string or a number");
    *answer = value;
    return COP_OK;
}

static const cop_task_field fields[] = {
    {.name = "question", .kind = "string"},
    {.name = "answer", .kind = "string or number; of a solution the part after ####"},
    {0},
};

const cop_task cop_task_gsm8k = {
    .name = "gsm8k",
    .summary =
        "grade-school word problems; the number after the last ####, else the last number",
    .fields = fields,
    .data = "GSM8K as it is",
    .reward = "1 for the reference number, else 0",
    .correctness =
        "the last number after #### is the reference, commas aside, or the last number of "
        "all is, as written; only the last 300 characters count, and \"540.\" is not "
        "\"540\"",
    .vote = "the number without commas",
    .default_system = NULL,
    .default_user = "{question}",
    .default_assistant = "{answer}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .answer = find_answer,
    .score = score_gsm8k,
};

const cop_task cop_task_arith = {
    .name = "arith",
    .summary = "as gsm8k, but a full stop after the number is not held against it",
    .fields = fields,
    .data = "as gsm8k",
    .reward = "1 for the reference number, else 0",
    .correctness =
        "the last number after ####, or else the last number, is the reference; commas and "
        "full stops after it aside; only the last 300 characters count",
    .vote = "the number without commas",
    .default_system = NULL,
    .default_user = "{question}",
    .default_assistant = "{answer}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .answer = find_answer,
    .score = score_arith,
};
