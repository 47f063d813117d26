/** \file affinity.h
 * Which cores a rank and its threads run on (hwloc).
 */
#ifndef COPPICE_AFFINITY_H
#define COPPICE_AFFINITY_H

#include "coppice/status.h"

#include <stdbool.h>
#include <stddef.h>

/** A plan for one rank. */
typedef struct cop_affinity_plan {
    int cores_allowed; /**< cores that this process may use (control group, taskset, batch
                          system) */
    int cores_node;    /**< cores of the machine */
    int first_core;    /**< of this rank within the allowed ones */
    int threads;
    bool bound;     /**< the rank was bound to its own cores */
    char text[160]; /**< one line for the log */
} cop_affinity_plan;

/** Number of cores that this process may use, at least 1. */
int cop_affinity_core_count(void);

/** Plans `threads` cores for local rank `local_rank` of `local_ranks` on this node, all of them
 *  computing except the first where `coordinator_idle`, and binds the calling process (and the
 *  OpenMP threads that it starts later) to them if every rank can have its own; otherwise
 *  leaves it unbound and says so. Where the batch system has already bound the process to
 *  `threads` cores of its own it stays there. */
cop_status cop_affinity_bind(int local_rank, int local_ranks, bool coordinator_idle,
                             int threads, cop_affinity_plan *plan, cop_error *err);

#endif
