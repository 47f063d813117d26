/** \file keeper.h
 * The thread beside rank 0's work: it refreshes the claim, and writes status.json for those who
 * look from outside.
 */
#ifndef COPPICE_RUNDIR_KEEPER_H
#define COPPICE_RUNDIR_KEEPER_H

#include "coppice/phase/progress.h"
#include "coppice/rundir/claim.h"

/** What does not change while the job runs. Copied. */
typedef struct cop_keeper_facts {
    const char *job; /**< path of the job file */
    int64_t ranks, nodes, threads;
} cop_keeper_facts;

/** What changes, as the main thread last said. */
typedef struct cop_keeper_view {
    cop_progress progress;
    double saved_s;      /**< time of the last checkpoint, negative: none in this start */
    size_t saved_units;  /**< done in this start when it was taken */
    size_t failed_saves; /**< attempts in a row */
} cop_keeper_view;

typedef struct cop_keeper cop_keeper;

/** Starts the thread; the claim is borrowed and must outlive it. */
cop_status cop_keeper_start(cop_claim *claim, const cop_keeper_facts *facts,
                            cop_keeper **keeper, cop_error *err);

/** Tells how far the job is. Cheap: may be called as often as one likes. */
void cop_keeper_post(cop_keeper *keeper, const cop_keeper_view *view);

/** True if the thread could not do its work: *why (its message once) since the last call. */
bool cop_keeper_take_trouble(cop_keeper *keeper, cop_error *why);

/** Ends the thread, writes the last status ("done", "interrupted", "failed") with exit code and
 * message, frees *keeper and sets it to NULL; NULL is allowed. A claim that was lost leaves the
 * status alone: it is another job's. */
void cop_keeper_stop(cop_keeper **keeper, cop_status status, const char *message);

#endif
