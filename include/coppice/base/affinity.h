/** \file affinity.h
 * Which cores a rank and its threads run on (hwloc). The ranks of a node exchange what each may
 * use; all of them come to the same plan, and each binds itself.
 */
#ifndef COPPICE_BASE_AFFINITY_H
#define COPPICE_BASE_AFFINITY_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { COP_AFFINITY_LIST_BYTES = 512, COP_AFFINITY_GPU_BYTES = 32 };

/** What a rank may use and wants. Plain data: ranks send it to each other. */
typedef struct cop_affinity_rank {
    /** Processors that the control group, the launcher or taskset leave it, as a list
     *  "0-3,8"; empty: not known. */
    char allowed[COP_AFFINITY_LIST_BYTES];
    /** GPU that it computes on, a PCI bus id and what may follow a slash, as
     * cop_backend_locate() tells; empty: none, or not known. */
    char gpu[COP_AFFINITY_GPU_BYTES];
    int threads;      /**< that compute; 0: it only coordinates */
    double cpu_quota; /**< processors' worth of time of its control group; 0: no limit */
} cop_affinity_rank;

/** A plan for one rank. */
typedef struct cop_affinity_plan {
    int cores_node;    /**< cores of the machine */
    int cores_allowed; /**< of these, those that some rank of the node may use */
    int busy;          /**< threads of all ranks of the node */
    bool fits;         /**< every thread has a core, or at least a processor, of its own */
    bool bound;        /**< the rank was bound to its own */
    bool near_gpu;     /**< and all of that is next to its GPU */
    char text[200];    /**< one line for the log */
} cop_affinity_plan;

/** Number of cores that this process may use, at least 1. */
int cop_affinity_core_count(void);

/** Looks at what this process may use, its GPU apart. `threads`: as in the struct. */
void cop_affinity_look(int threads, cop_affinity_rank *mine);

/** An MPI launcher that gave its ranks processors which it must not use itself. */
typedef struct cop_affinity_widened {
    char launcher[64];                     /**< name of that process */
    char allowed[COP_AFFINITY_LIST_BYTES]; /**< what it may use */
    char mine[COP_AFFINITY_LIST_BYTES];    /**< what this process may use */
} cop_affinity_widened;

/** True if this process was started by an MPI launcher under taskset and the like, and may use
 * processors that those took from it. To be asked before cop_affinity_bind(). */
bool cop_affinity_is_widened(cop_affinity_widened *found);

/** Plans cores for the ranks [count] of this node, each as cop_affinity_look() saw it, and
 * binds the calling process, rank `me` of them, with the OpenMP threads that it starts later.
 * Every thread gets a core of its own, or where there are too few, a processor (hardware
 * thread). Where not even that is possible, or the control group's processor time is less than
 * the threads want, nothing is bound: that is COP_ERR_CONFIG with the figures and the remedy,
 * unless `oversubscribe`. A system that refuses to bind is no failure.
 *
 * A rank with a GPU gets the cores of the GPU's part of the machine first, and memory that it
 * allocates later comes from there while there is some. Where hwloc does not know the GPU, or
 * the whole machine is next to it, the GPU changes nothing. */
cop_status cop_affinity_bind(const cop_affinity_rank *ranks, int count, int me,
                             bool oversubscribe, cop_affinity_plan *plan, cop_error *err);

#endif
