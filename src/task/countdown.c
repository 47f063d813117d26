/* Countdown: make a target from numbers, each used exactly once. The reward is 1 for a right
 * answer and up to a tenth more for the form of the response. */
#include "task/tasks.h"

#include "coppice/base/memory.h"
#include "task/expression.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_NUMBERS = 64 };

static const double tolerance = 1e-5;
static const double form_share = 0.1; /* of the reward */
static const double think_credit = 0.1;
static const double answer_credit = 0.5;

static const char think_close[] = "</think>";
static const char answer_open[] = "<answer>";
static const char answer_close[] = "</answer>";
static const char expression_characters[] = "0123456789+-*/() ";
static const char turn[] = "</think>\n<answer>";

static const char *find(cop_slice text, const char *word)
{
    return memmem(text.data, text.length, word, strlen(word));
}

static cop_slice after(cop_slice text, const char *from)
{
    return (cop_slice){from, text.length - (size_t)(from - text.data)};
}

/* The content of the last <answer>...</answer>, found from the front as pairs that do not
 * overlap. */
static cop_slice find_last_answer(cop_slice text)
{
    cop_slice answer = {0};
    for (const char *open = find(text, answer_open); open; open = find(text, answer_open)) {
        text = after(text, open + strlen(answer_open));
        const char *close = find(text, answer_close);
        if (!close) break;
        answer = (cop_slice){text.data, (size_t)(close - text.data)};
        text = after(text, close + strlen(answer_close));
    }
    return answer;
}

/* Whether it ends in </answer>, one line feed aside, after </think>, a line feed and <answer>.
 * The prompt ends in an open <think>, so the response need not have one. */
static bool has_full_form(cop_slice text)
{
    const char *at = find(text, turn);
    if (!at) return false;
    cop_slice rest = after(text, at + strlen(turn));
    if (rest.length > 0 && rest.data[rest.length - 1] == '\n') rest.length--;
    const size_t size = strlen(answer_close);
    return rest.length >= size &&
           memcmp(rest.data + rest.length - size, answer_close, size) == 0;
}

static double score_form(cop_slice text, bool has_answer)
{
    if (has_full_form(text)) return 1.0;
    return (find(text, think_close) ? think_credit : 0.0) + (has_answer ? answer_credit : 0.0);
}

/* Whether it has only the characters of an expression, one line feed at the end aside. */
static bool is_expression(cop_slice answer)
{
    if (answer.length > 0 && answer.data[answer.length - 1] == '\n') answer.length--;
    for (size_t i = 0; i < answer.length; i++)
        if (answer.data[i] == '\0' || !strchr(expression_characters, answer.data[i]))
            return false;
    return answer.length > 0;
}

/* Reads the digits that the text begins with. \return false if the number is beyond 64 bits,
 * where no example's number is. */
static bool take_literal(cop_slice *text, json_int_t *value)
{
    *value = 0;
    for (; text->length > 0; text->data++, text->length--) {
        const char c = *text->data;
        if (c < '0' || c > '9') break;
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, c - '0', value))
            return false;
    }
    return true;
}

/* Whether the expression has exactly the example's numbers, in any order. */
static bool uses_numbers(cop_slice answer, const json_t *numbers)
{
    uint64_t taken = 0;
    size_t used = 0;
    const size_t count = json_array_size(numbers);
    while (answer.length > 0) {
        if (*answer.data < '0' || *answer.data > '9') {
            answer = after(answer, answer.data + 1);
            continue;
        }
        json_int_t value;
        size_t i = 0;
        if (!take_literal(&answer, &value)) return false;
        for (; i < count; i++) {
            const json_t *number = json_array_get(numbers, i);
            const bool equal = json_is_integer(number)
                                   ? json_integer_value(number) == value
                                   : json_real_value(number) == (double)value;
            if (equal && ((taken >> i) & 1u) == 0) break;
        }
        if (i == count) return false;
        taken |= (uint64_t)1 << i;
        used++;
    }
    return used == count;
}

/* Whether an expression can hold the number: its literals have no sign and no fraction, and
 * those beyond 64 bits are not read. */
static bool is_literal(const json_t *number)
{
    static const double limit = 9223372036854775808.0; /* 2^63 */
    if (json_is_integer(number)) return json_integer_value(number) >= 0;
    const double value = json_real_value(number);
    return json_is_real(number) && value >= 0 && value < limit && value == floor(value);
}

static cop_status check_example(const json_t *example, cop_error *err)
{
    const json_t *numbers = json_object_get(example, "numbers");
    COP_CHECK(json_is_array(numbers), err, COP_ERR_FORMAT,
              "the example has no list \"numbers\"");
    COP_CHECK(json_array_size(numbers) >= 1 && json_array_size(numbers) <= MOST_NUMBERS, err,
              COP_ERR_FORMAT, "field \"numbers\" has %zu entries, it must have 1 to %d",
              json_array_size(numbers), MOST_NUMBERS);
    for (size_t i = 0; i < json_array_size(numbers); i++)
        COP_CHECK(
            is_literal(json_array_get(numbers, i)), err, COP_ERR_FORMAT,
            "entry %zu of field \"numbers\" is not a whole number from 0 to 2^63 - 1, and "
            "no expression can have another",
            i);
    COP_CHECK(json_is_number(json_object_get(example, "target")), err, COP_ERR_FORMAT,
              "the example has no number \"target\"");
    return COP_OK;
}

static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    *answer = NULL;
    COP_TRY(check_example(example, err));
    *answer = example;
    return COP_OK;
}

/* The value of an expression over exactly the example's numbers. */
static bool find_value(cop_slice answer, const json_t *example, double *value)
{
    return uses_numbers(answer, json_object_get(example, "numbers")) &&
           cop_expression_evaluate(answer.data, answer.length, value) && isfinite(*value);
}

/* Expressions vote together if they have one value, to the tolerance of the reward. */
static cop_status set_extracted(double value, cop_score *score, cop_error *err)
{
    const double steps = value / tolerance;
    const double rounded = fabs(steps) < 1e15 ? round(steps) * tolerance : value;
    char digits[40];
    const int length =
        snprintf(digits, sizeof digits, "%.10g", rounded + 0.0); /* no negative zero */
    score->extracted = cop_memory_copy_string(digits, (size_t)length, err);
    return score->extracted ? COP_OK : COP_ERR_MEMORY;
}

static cop_status score_countdown(const char *response, size_t length, const json_t *answer,
                                  cop_score *score, cop_error *err)
{
    *score = (cop_score){0};
    COP_TRY(check_example(answer, err));
    const cop_slice text = {response ? response : "", length};
    const cop_slice content = find_last_answer(text);
    const double form = score_form(text, content.data);
    double value;
    if (is_expression(content) && find_value(content, answer, &value)) {
        const double target = json_number_value(json_object_get(answer, "target"));
        score->correct = fabs(value - target) < tolerance;
        COP_TRY(set_extracted(value, score, err));
    }
    score->form = cop_form_of(form == 1.0);
    score->reward = form_share * form + (score->correct ? 1.0 : 0.0);
    return COP_OK;
}

static const cop_task_field fields[] = {
    {.name = "numbers", .kind = "list of 1 to 64 whole numbers, none negative"},
    {.name = "target", .kind = "number"},
    {0},
};

const cop_task cop_task_countdown = {
    .name = "countdown",
    .summary = "make the target from the numbers, each used once; a tenth for the right form",
    .fields = fields,
    .data = "the Countdown problems of the ES fine-tuning study as they are",
    .reward =
        "1 for a right answer, and up to 0.1 for its form: <think>...</think>, a line feed, "
        "<answer>...</answer>",
    .correctness =
        "the last <answer> is an expression of + - * / and parentheses over the numbers, each "
        "used once, that is the target to 1e-5; ** and // are refused like any other "
        "character",
    .vote = "the value of an expression over exactly the numbers; others do not vote",
    .form = "<think>...</think>, a line feed, <answer>...</answer>",
    .default_system =
        "You are a helpful assistant. You first think about the reasoning process "
        "in your mind and then provide the user with the answer.",
    .default_user =
        "Using the numbers {numbers}, create an equation that equals {target}. You can use "
        "basic "
        "arithmetic operations (+, -, *, /) and each number can only be used once. Show your "
        "work "
        "in <think> </think> tags. And return the final answer in <answer> </answer> tags, for "
        "example <answer> (1 + 2) / 3 </answer>.",
    .max_reward = 1.1,
    .graded = true,
    .correct_at = 1.0,
    .answer = find_answer,
    .score = score_countdown,
};
