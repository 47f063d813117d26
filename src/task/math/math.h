/* Answers of mathematics: found in responses, compared, brought to a common form. */
#ifndef COP_TASK_MATH_MATH_H
#define COP_TASK_MATH_MATH_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "task/tasks.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends the answer that a response [length] gives: what is in the last \boxed{}, or else what
 * follows "answer is", "therefore", "=" and the like; only the last 500 characters count.
 * *found: there is one (it may be empty). *boxed: it was in a box. */
cop_status cop_math_extract(const char *response, size_t length, cop_text *answer, bool *found,
                            bool *boxed, cop_error *err);

/* Whether an answer (valid UTF-8) passes for the reference: the same text once white space and
 * LaTeX's variants are evened out, the same number or fraction to 1e-9, or the same numbers in
 * the same order. */
cop_status cop_math_is_equal(cop_slice answer, cop_slice reference, bool *equal,
                             cop_error *err);

/* Appends the form that equal answers share, for a vote: without spaces, units and LaTeX's
 * variants, numbers in their shortest decimal form. */
cop_status cop_math_canonical(cop_slice answer, cop_text *form, cop_error *err);

/* (math.c, for every task of this kind) Appends the reference: a string or a number, or a list
 * whose first entry counts. The other two are for cop_task.answer and cop_task.prepare. */
cop_status cop_math_append_reference(cop_text *text, const json_t *answer, cop_error *err);
cop_status cop_math_find_answer(const json_t *example, const json_t **answer, cop_error *err);
cop_status cop_math_prepare(json_t *example, cop_error *err);

/* The fields of the data of both mathematical tasks. */
extern const cop_task_field cop_math_fields[];

#endif
