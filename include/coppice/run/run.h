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
#include "coppice/queue/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** When the live progress line is drawn. */
typedef enum cop_progress_mode {
    COP_PROGRESS_AUTO, /**< where rank 0's output, or its launcher's, is a terminal */
    COP_PROGRESS_ALWAYS,
    COP_PROGRESS_NEVER
} cop_progress_mode;

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

/** Looks at what a job names, without running it: task, data and splits, prompts, model files,
 *  and the memory that rank 0 will take. What this refuses, cop_run_execute() would. Not
 *  collective. */
cop_status cop_run_check(const cop_job *job, cop_error *err);

/** Tells how a run is doing, from outside and from any machine that sees its directory: phase,
 *  rate, best so far, ranks, age of the last checkpoint, and whether its owner lives. Reads
 *  status.json, the claim and, where these say nothing, the run file; writes nothing. An owner
 *  on another machine is watched for up to two and a half of its heartbeats. As a page, or as
 *  one JSON object. *running (may be NULL): there is something to come. `path` is a run
 *  directory or its run file. COP_ERR_FORMAT: there is no run. */
cop_status cop_run_status(const char *path, bool json, cop_text *text, bool *running,
                          cop_error *err);

/** COP_ERR_USAGE where the batch system's environment promises another number of ranks than
 *  there are: then they did not find each other. Not collective. */
cop_status cop_run_check_launch(const cop_world *world, cop_error *err);

/** Prints a run file for people, or as JSON: job, phases, decisions, result. Safe beside a
 * running job. `path` is a run directory or file. */
cop_status cop_run_inspect(const char *path, bool json, cop_text *text, cop_error *err);

/** How to analyse a run file. */
typedef struct cop_analyze_options {
    size_t halvings;     /**< of the support examples; 0: 100 */
    size_t permutations; /**< data sets with permuted scores; 0: 1000 */
    int64_t seed;        /**< of both; negative: the job's population.seed */
    bool within_sigma;   /**< scores are permuted among candidates of equal sigma only */
    bool json;           /**< print JSON */
    int threads;         /**< at least 1; the numbers do not depend on it */
    /** Called now and then, `done` of `total` steps; true: stop. May be NULL. */
    bool (*tick)(void *context, size_t done, size_t total);
    void *context;
} cop_analyze_options;

/** Does the split-half analysis of a run file's population and prints it, whether the job did
 * it or not; the file is only read. `path` is a run directory or file. A population that is not
 * scored to its end is COP_ERR_FORMAT, one too small to be halved COP_ERR_CONFIG. */
cop_status cop_run_analyze(const char *path, const cop_analyze_options *options, cop_text *text,
                           cop_error *err);

#endif
