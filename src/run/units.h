/* Evaluating units on a rank that has a model. Private to run/. */
#ifndef COP_RUN_UNITS_H
#define COP_RUN_UNITS_H

#include "run/context.h"

typedef struct cop_units cop_units;

/* Borrows the rank, whose evaluator is there. `idle` (may be NULL) is called now and then while
 * a unit is computed. */
cop_status cop_units_create(cop_rank *rank, void (*idle)(void *context), void *idle_context,
                            cop_units **units, cop_error *err);

/* What the queue calls; borrowed. */
const cop_queue_work *cop_units_callbacks(const cop_units *units);

/* What the queue needs to know on every rank. */
cop_queue_options cop_units_options(const cop_job *job);

/* Frees *units and sets it to NULL; NULL is allowed. */
void cop_units_destroy(cop_units **units);

/* On the other ranks: evaluates units until rank 0 dismisses them. May be entered late. */
cop_status cop_units_serve(cop_rank *rank, cop_error *err);

#endif
