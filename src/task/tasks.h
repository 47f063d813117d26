/* The tasks, one file each, and what they share. */
#ifndef COP_TASK_TASKS_H
#define COP_TASK_TASKS_H

#include "coppice/task.h"

extern const cop_task cop_task_gsm8k;
extern const cop_task cop_task_arith;
extern const cop_task cop_task_countdown;

/** Appends a JSON number in its shortest form: 3 for 3.0, 0.1 for 0.1. */
cop_status cop_task_append_number(cop_text *text, const json_t *number, cop_error *err);

#endif
