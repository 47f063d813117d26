/* Planning of cores on a given topology, apart from the machine that the process runs on. */
#ifndef COP_BASE_AFFINITY_PLAN_H
#define COP_BASE_AFFINITY_PLAN_H

#include "coppice/base/affinity.h"

/* hwloc's, declared here so that hwloc.h is seen by affinity*.c alone. */
struct hwloc_topology;
struct hwloc_bitmap_s;
struct hwloc_obj;

/* Number of cores in `set` (all processors of the machine if NULL), at least 1. */
int cop_affinity_count_cores(struct hwloc_topology *topology, const struct hwloc_bitmap_s *set);

/* The smallest part of the machine next to the GPU of that PCI bus id, or NULL: the id is
 * empty, the topology has no such device, or nothing is nearer to it than the rest. The
 * topology must have been loaded with PCI devices. */
struct hwloc_obj *cop_affinity_next_to(struct hwloc_topology *topology, const char *gpu);

/* As cop_affinity_bind(), without binding: where rank `me` is to be bound, `chosen` gets one
 * processor for each of its threads; otherwise it is empty. */
cop_status cop_affinity_plan_on(struct hwloc_topology *topology, const cop_affinity_rank *ranks,
                                int count, int me, bool oversubscribe, cop_affinity_plan *plan,
                                struct hwloc_bitmap_s *chosen, cop_error *err);

#endif
