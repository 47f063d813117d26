/* What a job is made of, on every rank and without any. Private to run/. */
#ifndef COP_RUN_INPUTS_H
#define COP_RUN_INPUTS_H

#include "run/context.h"

/* Finds the task, divides the data set and loads the examples of the splits. */
cop_status cop_inputs_load(cop_rank *rank, cop_error *err);

/* The parts of that: the task; then the data set, divided; then the few-shot examples, if the
 * job has any. */
cop_status cop_inputs_find_task(cop_rank *rank, cop_error *err);
cop_status cop_inputs_divide(cop_rank *rank, cop_error *err);
cop_status cop_inputs_load_shots(cop_rank *rank, cop_error *err);

/* Frees what they made. */
void cop_inputs_free(cop_rank *rank);

/* How prompts are made and answers ended; all else is zero. */
cop_evaluator_options cop_inputs_prompt_options(const cop_rank *rank);

/* COP_ERR_MEMORY with the figures where this machine has less. */
cop_status cop_inputs_check_memory(const cop_rank *rank, cop_error *err);

/* COP_ERR_CONFIG with the least budget where the job's is smaller. */
cop_status cop_inputs_check_budget(const cop_rank *rank, cop_error *err);

#endif
