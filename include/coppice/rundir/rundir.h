/** \file rundir.h
 * The run directory while a job owns it: the claim on it, the run file's tree in memory, when
 * the file is written, and what happens while it cannot be. All of it is rank 0's. What the run
 * file says of a job is the caller's business.
 */
#ifndef COPPICE_RUNDIR_RUNDIR_H
#define COPPICE_RUNDIR_RUNDIR_H

#include "coppice/base/log.h"
#include "coppice/base/status.h"
#include "coppice/phase/progress.h"
#include "coppice/rundir/claim.h"
#include "coppice/rundir/keeper.h"
#include "coppice/rundir/saver.h"
#include "coppice/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Lets a warning through at once and then ever less often. */
typedef struct cop_limiter {
    double next_s, gap_s;
} cop_limiter;

/** How far the run file is behind the work. */
typedef struct cop_save {
    double snapshot_s;  /**< time of the content written or being written last */
    uint64_t number;    /**< of that write */
    size_t units;       /**< done in this start by then */
    double saved_s;     /**< time of the content that is in the file; negative: of no start's */
    size_t saved_units; /**< done in this start that are in the file */
    double write_s;     /**< the last write took */
    double look_s;      /**< when to see next whether the directory was moved */
    double retry_s;     /**< no attempt before this time */
    size_t failures;    /**< attempts in a row */
    double failing_s;   /**< time of the first of them */
    cop_error error;    /**< of the last attempt */
    cop_limiter warning, trouble;
} cop_save;

/** How often and for how long; seconds. The job's keys of the same names. */
typedef struct cop_rundir_times {
    double interval_s;  /**< between checkpoints */
    double patience_s;  /**< for a result that cannot be written */
    double heartbeat_s; /**< of the claim */
} cop_rundir_times;

/** A run directory that this process owns. */
typedef struct cop_rundir {
    cop_rundir_times times;
    cop_log *log;           /**< borrowed */
    cop_progress *progress; /**< borrowed; told to those who look from outside */
    char *directory;        /**< where it is now */
    char *run_path;         /**< run.h5 in it */
    cop_claim *claim;
    cop_keeper *keeper;
    cop_saver *saver;
    cop_store *store; /**< the run file in memory */
    bool resumed;     /**< the run file was there */
    cop_error damage; /**< of a newer generation that cannot be read */
    bool unsaved;     /**< results that no write of the run file holds */
    cop_save save;
} cop_rundir;

/** Claims the directory `path`, which is made if need be; from here on a thread shows that this
 *  job lives. Times, log and progress are set. COP_ERR_BUSY: another job owns it. */
cop_status cop_rundir_claim(cop_rundir *dir, const char *path, const cop_keeper_facts *facts,
                            cop_error *err);

/** Reads the run file if there is one. */
cop_status cop_rundir_read(cop_rundir *dir, cop_error *err);

/** Starts the log file and the thread that writes: what was read belongs to this job. */
cop_status cop_rundir_open(cop_rundir *dir, cop_error *err);

/** Gives the directory back; `status` and `message` say how the job ended. What was never
 *  claimed is allowed. */
void cop_rundir_close(cop_rundir *dir, cop_status status, const char *message);

/** What goes on beside the work: writes that ended, troubles to warn of, a directory that was
 *  moved. Called often. COP_ERR_BUSY: another job took the directory; COP_INTERRUPTED: a signal
 *  asks the job to leave, then cop_rundir_save_and_leave(). */
cop_status cop_rundir_watch(cop_rundir *dir, cop_error *err);

/** The last checkpoint of a job that was asked to leave, which does not wait for it long. */
cop_status cop_rundir_save_and_leave(cop_rundir *dir, cop_error *err);

/** True if it is time for a checkpoint. */
bool cop_rundir_is_due(const cop_rundir *dir);

/** Starts to write what the tree holds now to the run file, beside the work. A write that fails
 *  is warned about, and due again after a while. */
cop_status cop_rundir_save(cop_rundir *dir, cop_error *err);

/** Writes what is not written yet and waits for it; tries again for `patience_s`. */
cop_status cop_rundir_flush(cop_rundir *dir, double patience_s, cop_error *err);

/** Calls `attempt` until it is something else than COP_ERR_IO, for at most the patience or
 * until a signal comes: a full disk may pass. */
cop_status cop_rundir_persist(cop_rundir *dir,
                              cop_status (*attempt)(void *context, cop_error *err),
                              void *context, cop_error *err);

#endif
