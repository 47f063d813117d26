/** \file asked.h
 * What a run asks, from its run file: its job, task and examples, for whoever asks the same
 * again.
 */
#ifndef COPPICE_RUN_ASKED_H
#define COPPICE_RUN_ASKED_H

#include "coppice/data/dataset.h"
#include "coppice/evaluate/evaluate.h"
#include "coppice/job/job.h"

/** A run's questions. */
typedef struct cop_asked cop_asked;

/** Reads the job of a run directory or run file, of a run that has ended or not, and finds its
 *  task. Nothing else that the job names is looked at. */
cop_status cop_asked_open(const char *path, cop_asked **asked, cop_error *err);

/** The job as the run resolved it; borrowed, as all that follows. */
const cop_job *cop_asked_job(const cop_asked *asked);

/** The task as the job has it, and what it is set up with. */
const cop_task *cop_asked_task(const cop_asked *asked);
const cop_task_setup *cop_asked_setup(const cop_asked *asked);

/** Divides the data as the run did; COP_ERR_MISMATCH where the file is another one now. */
cop_status cop_asked_divide(cop_asked *asked, cop_error *err);

/** The splits, from cop_asked_divide(). */
const cop_splits *cop_asked_splits(const cop_asked *asked);

/** Which examples of another file, or of the same, have a prompt that the run has chosen by:
 *  one of its support, probe or validate examples, or of those at hand to replace them. *seen
 *  [*count] is to be freed with cop_memory_free(). The file is read as the run's task reads
 *  it, with `fields`. After cop_asked_divide(). */
cop_status cop_asked_find_seen(const cop_asked *asked, const char *path,
                               const cop_fields *fields, bool **seen, size_t *count,
                               cop_error *err);

/** Adds to seen [count] the examples of the data set, of a whole file, that guards of the run's
 *  task were asked. Guards are known by the digest of their file: that of another with the same
 *  prompts is not found. */
cop_status cop_asked_mark_guarded(const cop_asked *asked, const cop_dataset *dataset,
                                  bool *seen, size_t count, cop_error *err);

/** Loads the few-shot examples, if the job has any and they are not there yet;
 *  COP_ERR_MISMATCH where the file is another one now. */
cop_status cop_asked_load_shots(cop_asked *asked, cop_error *err);

/** How the run makes prompts and ends answers, and its few-shot examples; model, data, batch
 *  and backend are the caller's. */
cop_evaluator_options cop_asked_options(const cop_asked *asked);

/** Frees *asked and sets it to NULL; NULL is allowed. */
void cop_asked_destroy(cop_asked **asked);

#endif
