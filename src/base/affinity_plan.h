/* Planning of cores on a given topology, apart from the machine that the process runs on. */
#ifndef COP_BASE_AFFINITY_PLAN_H
#define COP_BASE_AFFINITY_PLAN_H

#include "coppice/affinity.h"

/* hwloc's, declared here so that hwloc.h is seen by affinity.c alone. */
struct hwloc_topology;
struct hwloc_bitmap_s;

/* What is asked for, and what the surroundings say. */
typedef struct cop_affinity_request {
    int local_rank;
    int local_ranks;
    bool coordinator_idle;
    int threads;
    bool launcher_bound; /* whoever started this process gave it fewer processors than it has */
    double cpu_quota; /* processors' worth of time that the control group allows; 0: no limit */
} cop_affinity_request;

/* Number of cores in `set` (all processors of the machine if NULL), at least 1. */
int cop_affinity_count_cores(struct hwloc_topology *topology, const struct hwloc_bitmap_s *set);

/* Fills *plan for a process that may use the processors in `allowed`. Where the rank is to be
 * bound by us `chosen` gets one processor of each of its cores, otherwise it is empty. */
cop_status cop_affinity_plan_on(struct hwloc_topology *topology,
                                const struct hwloc_bitmap_s *allowed,
                                const cop_affinity_request *request, cop_affinity_plan *plan,
                                struct hwloc_bitmap_s *chosen, cop_error *err);

#endif
