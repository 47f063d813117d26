/* Mathematics judged by structure: what the answer is, not which numbers it has. */
#include "task/characters.h"
#include "task/math/math.h"
#include "task/math/strict.h"

static cop_status judge(cop_slice answer, cop_slice wanted, cop_score *score, cop_error *err)
{
    cop_strict_tree *given = NULL;
    cop_strict_tree *reference = NULL;
    cop_text key = {0};
    cop_status status = COP_OK;
    COP_TRY_OUT(cop_strict_read(answer, &given, err));
    COP_TRY_OUT(cop_strict_read(wanted, &reference, err));
    score->correct = cop_strict_is_equal(given, reference);
    score->reward = score->correct ? 1.0 : 0.0;
    COP_TRY_OUT(cop_strict_append_key(given, &key, err));
    COP_TRY_OUT(cop_task_set_extracted(cop_slice_of(&key), score, err));
out:
    cop_strict_free(&given);
    cop_strict_free(&reference);
    cop_text_free(&key);
    return status;
}

static cop_status score_strict(const char *response, size_t length, const json_t *answer,
                               cop_score *score, cop_error *err)
{
    cop_text reference = {0};
    cop_text text = {0};
    bool boxed = false;
    cop_status status = COP_OK;
    *score = (cop_score){0};
    COP_TRY_OUT(cop_math_append_reference(&reference, answer, err));
    COP_TRY_OUT(cop_characters_append(&text, (cop_slice){response, length}, err));
    const cop_slice found = cop_strict_extract(cop_slice_of(&text), &boxed);
    score->form = cop_form_of(boxed);
    if (found.data != NULL) COP_TRY_OUT(judge(found, cop_slice_of(&reference), score, err));
out:
    cop_text_free(&reference);
    cop_text_free(&text);
    return status;
}

const cop_task cop_task_math_strict = {
    .name = "math-strict",
    .summary = "as math, but answers are read and compared as mathematics, not as text",
    .fields = cop_math_fields,
    .data =
        "MATH-500 with fields {question: problem}; OlympiadBench with {answer: final_answer}",
    .reward = "1 for the reference answer, else 0",
    .correctness =
        "the answer in the last \\boxed{}, else after the last \"answer is\", else the last "
        "formula or number, is the reference: the same words, or the same value (exactly, "
        "where "
        "it is rational), pairs and intervals in order and with their parentheses, sets and "
        "lists in no order; units and degrees aside, 50% is 0.5 and 50; only the last 4000 "
        "characters of the response count",
    .vote = "the value: numbers as fractions or decimals, sets and lists sorted",
    .form = "\\boxed{}",
    .default_system = NULL,
    .default_user =
        "{question}\n\nThink step by step, and put your final answer within \\boxed{{}}.",
    .default_assistant = "\\boxed{{{answer}}}",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .prepare = cop_math_prepare,
    .answer = cop_math_find_answer,
    .score = score_strict,
};
