/* Mathematics with short answers in LaTeX: MATH-500, OlympiadBench and the like. */
#include "task/math/math.h"

#include "task/characters.h"

/* OlympiadBench puts its answers in dollar signs, which responses do not. */
static cop_slice drop_dollars(cop_slice answer)
{
    cop_slice text = cop_slice_strip(answer);
    const bool ends = text.length > 0 && text.data[text.length - 1] == '$';
    if (ends) text.length--;
    if (text.length > 0 && text.data[0] == '$') {
        text.data++;
        text.length--;
    }
    return cop_slice_strip(text);
}

/* The reference: a string or a number, or a list whose first entry counts. */
cop_status cop_math_append_reference(cop_text *text, const json_t *answer, cop_error *err)
{
    cop_text raw = {0};
    cop_status status = COP_OK;
    const bool list = json_is_array(answer);
    if (list && json_array_size(answer) == 0) {
        return cop_error_set(err, COP_ERR_FORMAT, "field \"answer\" is an empty list");
    }
    COP_TRY_OUT(cop_task_append_answer(&raw, list ? json_array_get(answer, 0) : answer, err));
    const cop_slice whole = cop_slice_of(&raw);
    const cop_slice used = list ? drop_dollars(whole) : whole;
    if (cop_slice_strip(used).length == 0) {
        status = cop_error_set(err, COP_ERR_FORMAT, "field \"answer\" is empty");
        goto out;
    }
    COP_TRY_OUT(cop_text_append(text, used.data, used.length, err));
out:
    cop_text_free(&raw);
    return status;
}

cop_status cop_math_find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    cop_text text = {0};
    const json_t *value = NULL;
    *answer = NULL;
    COP_TRY(cop_task_find_answer(example, &value, err));
    const cop_status status = cop_math_append_reference(&text, value, err);
    cop_text_free(&text);
    if (status == COP_OK) *answer = value;
    return status;
}

/* Puts the entry of a list that counts in its place, so that templates show it as it is. */
cop_status cop_math_prepare(json_t *example, cop_error *err)
{
    cop_text text = {0};
    const json_t *answer = NULL;
    COP_TRY(cop_task_find_answer(example, &answer, err));
    if (!json_is_array(answer)) return COP_OK;
    cop_status status = cop_math_append_reference(&text, answer, err);
    if (status == COP_OK)
        status =
            cop_task_set_field(example, "answer", json_stringn(text.data, text.length), err);
    cop_text_free(&text);
    return status;
}

static cop_status score_math(const char *response, size_t length, const json_t *answer,
                             cop_score *score, cop_error *err)
{
    cop_text reference = {0};
    cop_text extracted = {0};
    cop_text form = {0};
    bool found = false;
    bool boxed = false;
    cop_status status = COP_OK;
    *score = (cop_score){0};
    COP_TRY_OUT(cop_math_append_reference(&reference, answer, err));
    COP_TRY_OUT(cop_math_extract(response, length, &extracted, &found, &boxed, err));
    score->form = cop_form_of(boxed);
    if (!found) goto out;
    COP_TRY_OUT(cop_math_is_equal(cop_slice_of(&extracted), cop_slice_of(&reference),
                                  &score->correct, err));
    score->reward = score->correct ? 1.0 : 0.0;
    COP_TRY_OUT(cop_math_canonical(cop_slice_of(&extracted), &form, err));
    COP_TRY_OUT(cop_task_set_extracted(cop_slice_of(&form), score, err));
out:
    cop_text_free(&reference);
    cop_text_free(&extracted);
    cop_text_free(&form);
    return status;
}

const cop_task_field cop_math_fields[] = {
    {.name = "question", .kind = "string"},
    {.name = "answer", .kind = "string, number or list whose first entry counts"},
    {0},
};

const cop_task cop_task_math = {
    .name = "math",
    .summary = "mathematics with short answers in LaTeX, in \\boxed{} or said in words",
    .fields = cop_math_fields,
    .data =
        "MATH-500 with fields {question: problem}; OlympiadBench with {answer: final_answer}",
    .reward = "1 for the reference answer, else 0",
    .correctness =
        "the same text once white space and LaTeX's variants are evened out, the same "
        "number or fraction to 1e-9, or the same numbers in the same order; only the last 500 "
        "characters of the response count",
    .vote = "the answer without spaces, units and LaTeX's variants; numbers and fractions as "
            "decimals",
    .form = "\\boxed{}",
    .default_system = NULL,
    .default_user =
        "{question}\n\nThink step by step, and put your final answer within \\boxed{{}}.",
    .default_assistant = "\\boxed{{{answer}}}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .prepare = cop_math_prepare,
    .answer = cop_math_find_answer,
    .score = score_math,
};
