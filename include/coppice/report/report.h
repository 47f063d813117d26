/** \file report.h
 * What a run leaves behind, and what it is seen by from outside.
 */
#ifndef COPPICE_REPORT_REPORT_H
#define COPPICE_REPORT_REPORT_H

#include "coppice/base/text.h"
#include "coppice/method/method.h"
#include "coppice/recipe/recipe.h"
#include "coppice/report/results.h"
#include "coppice/rundir/rundir.h"

/** What the gate has said of the result. */
typedef enum cop_verdict {
    COP_VERDICT_UNGATED = -1, /**< the method has no gate */
    COP_VERDICT_NOTHING = 0,  /**< nothing passed: the result is the base */
    COP_VERDICT_PASSED = 1
} cop_verdict;

typedef struct cop_report {
    cop_search *search; /**< its centre is the result */
    cop_rundir *dir;
    cop_recipe *recipe; /**< of the base: all but components and metrics, which are filled in */
    const char *task;
    cop_results *results;  /**< all that were tested, the base first */
    size_t candidate;      /**< RandOpt's best on support */
    double support_reward; /**< of it */
    cop_verdict verdict;
    double seconds;
} cop_report;

/** Writes recipe.json and summary.json and prints the final table. Tried again while the
 * disk is full. */
cop_status cop_report_finish(const cop_report *report, cop_error *err);

/* --- from outside --- */

/** Tells how a run is doing, from outside and from any machine that sees its directory: phase,
 *  rate, best so far, ranks, age of the last checkpoint, and whether its owner lives. Reads
 *  status.json, the claim and, where these say nothing, the run file; writes nothing. An owner
 *  on another machine is watched for up to two and a half of its heartbeats. As a page, or as
 *  one JSON object. *running (may be NULL): there is something to come. `path` is a run
 *  directory or its run file. COP_ERR_FORMAT: there is no run. */
cop_status cop_run_status(const char *path, bool json, cop_text *text, bool *running,
                          cop_error *err);

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
