/* Where the ranks of a job run and what each has: cores, memory. Private to run/. */
#ifndef COP_RUN_PLACEMENT_H
#define COP_RUN_PLACEMENT_H

#include "run/context.h"

/* Collective. Plans cores and memory with the other ranks of the node and binds this one:
 * rank->plan, rank->memory_bytes. `base_bytes`: of the base's weights, which the node's ranks
 * share. COP_ERR_CONFIG: more computing threads than cores; COP_ERR_MEMORY: not even the base
 * fits. */
cop_status cop_placement_plan(cop_rank *rank, size_t base_bytes, cop_error *err);

/* Collective. Rank 0 logs what every rank computes with and where, prints it once for each
 * node, and records it and this start in the run file; `lead` is NULL elsewhere. */
cop_status cop_placement_record(cop_rank *rank, cop_lead *lead, cop_error *err);

#endif
