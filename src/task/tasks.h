/* The tasks, one file each, and what they share. */
#ifndef COP_TASK_TASKS_H
#define COP_TASK_TASKS_H

#include "coppice/task/task.h"

extern const cop_task cop_task_gsm8k;
extern const cop_task cop_task_arith;
extern const cop_task cop_task_math;
extern const cop_task cop_task_math_strict;
extern const cop_task cop_task_countdown;
extern const cop_task cop_task_order;
extern const cop_task cop_task_choice;
extern const cop_task cop_task_exact;
extern const cop_task cop_task_contains;
extern const cop_task cop_task_regex;
extern const cop_task cop_task_json;
extern const cop_task cop_task_mbpp;
extern const cop_task cop_task_exec;

/* A piece of a text; not owned, {0} for none. */
typedef struct cop_slice {
    const char *data;
    size_t length;
} cop_slice;

/* The field of an example; COP_ERR_FORMAT says how to name another where it is missing. */
cop_status cop_task_find_field(const json_t *example, const char *name, const json_t **value,
                               cop_error *err);

/* As cop_task.answer, for tasks whose answer is the field "answer" of any kind. */
cop_status cop_task_find_answer(const json_t *example, const json_t **answer, cop_error *err);

/* Sets a field of the example to `value`, whose reference it takes. */
cop_status cop_task_set_field(json_t *example, const char *name, json_t *value, cop_error *err);

/* A reference that is a string or a number, as text; COP_ERR_FORMAT otherwise. */
cop_status cop_task_append_answer(cop_text *text, const json_t *answer, cop_error *err);

/* Moves a copy of `answer` into the score as what was extracted; nothing if it is empty. */
cop_status cop_task_set_extracted(cop_slice answer, cop_score *score, cop_error *err);

/** Appends a JSON number in its shortest form: 3 for 3.0, 0.1 for 0.1. */
cop_status cop_task_append_number(cop_text *text, const json_t *number, cop_error *err);

#endif
