/** \file run.h
 * A whole job: phases base, population, stage 1, gate, recentring, test, over MPI, with a run
 * file to resume from.
 *
 * The driver is deterministic: everything it decides follows from the scores of units. A resume
 * is the same run again, with the scores that the run file holds instead of computing them.
 */
#ifndef COPPICE_RUN_RUN_H
#define COPPICE_RUN_RUN_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "coppice/job/job.h"
#include "coppice/phase/progress.h"
#include "coppice/queue/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How to run. */
typedef struct cop_run_options {
    const char *out_dir; /**< run directory: run.h5, recipe.json, summary.json, status.json, log
                          */
    cop_progress_mode progress;
    bool quiet;         /**< print nothing but errors */
    bool oversubscribe; /**< more computing threads than cores are meant */
} cop_run_options;

/** Collective. Runs the job, or what is left of it, and writes the run directory. On
 *  COP_INTERRUPTED (SIGTERM, SIGINT, SIGUSR1) a checkpoint has been written. A run directory of
 *  another job, model or data set is COP_ERR_MISMATCH with the key that differs; one in use is
 *  COP_ERR_BUSY. Every rank returns the same status. */
cop_status cop_run_execute(cop_world *world, const cop_job *job, const cop_run_options *options,
                           cop_error *err);

/** What is found out of a job without running it. */
typedef struct cop_run_facts {
    size_t pool; /**< examples at hand for splits.drop_uninformative; SIZE_MAX: not known */
    /** First pattern of population.scope that no tensor matches, or NULL; of the job. */
    const char *idle_pattern;
} cop_run_facts;

/** Looks at what a job names, without running it: task, data and splits, prompts, model files,
 *  and the memory that rank 0 will take. What this refuses, cop_run_execute() would. *facts are
 *  set also where it fails, as far as they were found. Not collective. */
cop_status cop_run_check(const cop_job *job, cop_run_facts *facts, cop_error *err);

/** COP_ERR_USAGE where the batch system's environment promises another number of ranks than
 *  there are: then they did not find each other. Not collective. */
cop_status cop_run_check_launch(const cop_world *world, cop_error *err);

/** COP_ERR_USAGE where mpirun or srun has started several processes, for what is the work of
 * one: each would do all of it. *speaks: this is the first of them, which says so. Not
 * collective. */
cop_status cop_run_check_alone(bool *speaks, cop_error *err);

#endif
