/* Word problems whose answer is one number: gsm8k, scored as its published reward does, and
 * arith, which forgives a full stop after the number. */
#include "task/tasks.h"

#include "coppice/base/memory.h"
#include "coppice/json/json.h"
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
 * part of a run, so this finds what a search from the front finds last. The published function
 * takes a comma by itself for a number, and knows ASCII's minus sign alone; a number of arith
 * has a digit, and U+2212 is a minus sign too. */
static found_numbers find_numbers(cop_slice text, bool arith)
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
        const size_t minus = cop_slice_minus_before(text, start);
        if (minus == 1 || arith) start -= minus;
        const cop_slice run = {text.data + start, end - start};
        end = start;
        if (arith && !has_digit(run)) continue;
        const bool marked =
            start >= mark_length && memcmp(run.data - mark_length, mark, mark_length) == 0;
        if (marked && !found.marked.data) found.marked = run;
        const bool lone_dot = run.length == 1 && run.data[0] == '.';
        if (!lone_dot && !found.last.data) found.last = run;
    }
    return found;
}

static cop_status append_without_commas(cop_text *text, cop_slice s, cop_error *err)
{
    for (size_t i = 0; i < s.length; i++)
        if (s.data[i] != ',') COP_TRY(cop_text_append(text, s.data + i, 1, err));
    return cop_text_append(text, "", 0, err);
}

/* Whether it is a decimal number as a response can have it: no other is ever found in one. */
static bool is_decimal(cop_slice s)
{
    size_t digits = 0;
    size_t dots = 0;
    if (s.length == 0 || s.length > CLIP_CHARACTERS) return false;
    for (size_t i = s.data[0] == '-'; i < s.length; i++) {
        if (!is_number_character(s.data[i]) || s.data[i] == ',') return false;
        if (s.data[i] == '.') {
            dots++;
        } else {
            digits++;
        }
    }
    return digits > 0 && dots <= 1;
}

/* A string may be a whole solution that ends in "#### 72". */
static cop_status append_solution(cop_text *text, const json_t *answer, cop_error *err)
{
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

/* The reference as plain digits. */
static cop_status append_reference(cop_text *text, const json_t *answer, cop_error *err)
{
    enum { SHOWN = 40 };
    COP_CHECK(cop_json_is_text(answer) || json_is_number(answer), err, COP_ERR_FORMAT,
              "field \"answer\" must be a string, without a zero character, or a number");
    if (json_is_number(answer)) {
        COP_TRY(cop_task_append_number(text, answer, err));
    } else {
        COP_TRY(append_solution(text, answer, err));
    }
    COP_CHECK(is_decimal(cop_slice_of(text)), err, COP_ERR_FORMAT,
              "field \"answer\" is \"%.*s\", which no response can match: it must be a number "
              "of decimal digits such as 72, -1,200 or 0.5, or a solution that ends in one "
              "after ####",
              (int)(text->length < SHOWN ? text->length : SHOWN), text->data);
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
    const found_numbers found =
        find_numbers(cop_slice_tail(response, length, CLIP_CHARACTERS), false);
    const cop_slice chosen = found.marked.data ? found.marked : found.last;
    COP_TRY_OUT(append_without_commas(&number, chosen, err));
    const cop_slice marked = {found.marked.data ? number.data : NULL, number.length};
    score->correct = (marked.data && cop_slice_equal(marked, cop_slice_of(&reference))) ||
                     (found.last.data && cop_slice_equal(found.last, cop_slice_of(&reference)));
    score->reward = score->correct ? 1.0 : 0.0;
    score->form = cop_form_of(found.marked.data != NULL && has_digit(found.marked));
    COP_TRY_OUT(set_extracted(&number, score, err));
out:
    cop_text_free(&reference);
    cop_text_free(&number);
    return status;
}

/* Without the full stops at its end. */
static void drop_stop(cop_text *number)
{
    while (number->length > 0 && number->data[number->length - 1] == '.')
        number->data[--number->length] = '\0';
}

/* Appends a number of arith: with ASCII's minus sign, without commas, and without an ellipsis
 * before it. The point of ".5" stays. */
static cop_status append_arith(cop_text *text, cop_slice run, cop_error *err)
{
    if (run.length == 0) return cop_text_append(text, "", 0, err);
    size_t sign = 0;
    while (!is_number_character(run.data[sign]))
        sign++;
    size_t digits = sign;
    while (digits < run.length && (run.data[digits] == '.' || run.data[digits] == ','))
        digits++;
    if (digits < sign + 2) digits = sign;
    if (sign > 0) COP_TRY(cop_text_append(text, "-", 1, err));
    return append_without_commas(text, (cop_slice){run.data + digits, run.length - digits},
                                 err);
}

/* arith: the last marked number, or else the last number; commas, and full stops around it, do
 * not matter. */
static cop_status score_arith(const char *response, size_t length, const json_t *answer,
                              cop_score *score, cop_error *err)
{
    cop_text reference = {0};
    cop_text number = {0};
    cop_status status = COP_OK;
    *score = (cop_score){0};
    COP_TRY_OUT(append_reference(&reference, answer, err));
    const found_numbers found =
        find_numbers(cop_slice_tail(response, length, CLIP_CHARACTERS), true);
    COP_TRY_OUT(append_arith(&number, found.marked.data ? found.marked : found.last, err));
    drop_stop(&reference);
    drop_stop(&number);
    score->correct = cop_slice_equal(cop_slice_of(&number), cop_slice_of(&reference));
    score->reward = score->correct ? 1.0 : 0.0;
    score->form = cop_form_of(found.marked.data != NULL);
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
    cop_text reference = {0};
    COP_TRY(cop_task_find_answer(example, &value, err));
    const cop_status status = append_reference(&reference, value, err);
    cop_text_free(&reference);
    if (status == COP_OK) *answer = value;
    return status;
}

static const cop_task_field fields[] = {
    {.name = "question", .kind = "string"},
    {.name = "answer", .kind = "string or number, decimal; of a solution the part after ####"},
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
    .form = "a number after \"#### \"",
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
        "the last number after ####, or else the last number, is the reference; a number has "
        "a digit; commas, and full stops around it, aside; Unicode's minus sign is one too; "
        "only the last 300 characters count",
    .vote = "the number without commas",
    .form = "a number after \"#### \"",
    .default_system = NULL,
    .default_user = "{question}",
    .default_assistant = "{answer}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .answer = find_answer,
    .score = score_arith,
};
