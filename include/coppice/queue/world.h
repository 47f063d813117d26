/** \file world.h
 * MPI: the ranks that this program runs on, what they agree on, and what they send each other.
 *
 * All calls work on a private duplicate of MPI_COMM_WORLD with MPI_ERRORS_RETURN. Whoever waits
 * sleeps in between (Open MPI spins otherwise).
 */
#ifndef COPPICE_QUEUE_WORLD_H
#define COPPICE_QUEUE_WORLD_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cop_world cop_world;

/** Collective. Starts MPI and duplicates the communicator. */
cop_status cop_world_open(int *argc, char ***argv, cop_world **world, cop_error *err);

/** Not collective. */
int cop_world_rank(const cop_world *world);
int cop_world_size(const cop_world *world);
int cop_world_local_rank(const cop_world *world); /**< among the ranks of this node */
int cop_world_local_size(const cop_world *world);
int cop_world_node_first(const cop_world *world); /**< lowest rank of this node: its name */
int cop_world_node_count(const cop_world *world);
const char *cop_world_host(const cop_world *world);

/** True if what started the ranks was told that they may outnumber the cores: mpirun
 * --oversubscribe, srun --overcommit. */
bool cop_world_oversubscribed(void);

/** What this rank has sent and received through this module. */
typedef struct cop_traffic {
    uint64_t sent_bytes, received_bytes; /**< messages between two ranks, payload */
    uint64_t messages;                   /**< of these, both ways */
    /** Of these bytes, both ways, what is said to and by each rank whatever it evaluates: that
     * it is ready, lives, shall stop; the order of each phase. */
    uint64_t rank_bytes;
    /** Gathers, broadcasts and agreements: what this rank would send and receive if rank 0
     * talked to every other rank by itself, the most that any algorithm moves through it. */
    uint64_t collective_bytes;
} cop_traffic;

/** Not collective. */
cop_traffic cop_world_traffic(const cop_world *world);

/** Collective. On rank 0 `all` [size, bytes] gets every rank's `mine` [bytes], in rank order;
 * NULL elsewhere. For small facts about the ranks. */
cop_status cop_world_gather(cop_world *world, const void *mine, size_t bytes, void *all,
                            cop_error *err);

/** Collective. Every rank gets rank 0's `data` [bytes]. For small decisions. */
cop_status cop_world_broadcast(cop_world *world, void *data, size_t bytes, cop_error *err);

/** Collective over the ranks of this node. Every one of them gets `all` [local size, bytes], in
 *  rank order. */
cop_status cop_world_gather_node(cop_world *world, const void *mine, size_t bytes, void *all,
                                 cop_error *err);

/** Collective. A failure on one rank becomes the failure of all: everybody returns the status
 * and message of the lowest rank that failed, COP_OK if none did. `mine` is this rank's status
 * with its message in *err. */
cop_status cop_world_agree(cop_world *world, cop_status mine, cop_error *err);

/** Collective. Ends MPI; *world is NULL afterwards. */
cop_status cop_world_close(cop_world **world, cop_error *err);

/** Not collective, does not return: MPI_Abort, for failures that cannot be agreed on. */
void cop_world_abort(cop_world *world, int exit_code);

#endif
