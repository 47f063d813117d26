/* Evaluating units on a rank that has a model. Private to run/. */
#ifndef COP_RUN_PHASE_WORK_H
#define COP_RUN_PHASE_WORK_H

#include "run/context.h"

typedef struct cop_phase_work cop_phase_work;

/* Borrows the run, whose evaluator is there. */
cop_status cop_phase_work_create(cop_run *run, cop_phase_work **work, cop_error *err);

/* What the queue calls; borrowed. */
const cop_queue_work *cop_phase_work_callbacks(const cop_phase_work *work);

/* What the queue needs to know on every rank. */
cop_queue_options cop_phase_work_options(const cop_job *job);

/* Frees *work and sets it to NULL; NULL is allowed. */
void cop_phase_work_destroy(cop_phase_work **work);

#endif
