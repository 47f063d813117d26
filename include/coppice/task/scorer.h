/** \file scorer.h
 * Scoring responses by whatever their task needs: a function, or a process beside this one.
 *
 * Responses are handed over in groups and collected later, so that a task which is scored by
 * another process (generated code, an own command) works while the next group is generated.
 */
#ifndef COPPICE_TASK_SCORER_H
#define COPPICE_TASK_SCORER_H

#include "coppice/base/status.h"
#include "coppice/task/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a task is set up with, from the job file or the command line. Borrowed: must outlive
 * the scorer. All zero is right for tasks that are functions. */
typedef struct cop_task_setup {
    const char *const *command; /**< [command_count] program and arguments, found by PATH */
    size_t command_count;
    double timeout_s;  /**< for one response, wall clock; 0: the task's default */
    size_t jobs;       /**< responses scored at a time, 0: 1 */
    double correct_at; /**< the reward from which on its user takes a response for right, to
                          warn where a command says otherwise; 0: its user goes by cop_score */
} cop_task_setup;

/** One response. Borrowed during the call that takes it. */
typedef struct cop_response {
    uint64_t id;           /**< index of the example in its data set */
    const json_t *example; /**< all fields of the example */
    const json_t *answer;  /**< what cop_task.answer gave for it */
    const char *prompt;    /**< as the model got it; NULL: not known */
    const char *text;      /**< [length], NUL-terminated */
    size_t length;
} cop_response;

/** A task ready to score. */
typedef struct cop_scorer cop_scorer;

/** A group of responses on its way. */
typedef struct cop_scoring cop_scoring;

/** How a task that is not a function scores: what cop_task.scorer points to. `state` is one
 *  scorer's, `group` one group's. */
struct cop_scorer_ops {
    cop_status (*open)(const cop_task_setup *setup, void **state, cop_error *err);
    /** Takes over responses [count]; must not wait for their scores. */
    cop_status (*submit)(void *state, const cop_response *responses, size_t count, void **group,
                         cop_error *err);
    /** Waits for scores [count] and frees the group, whatever happens; no scores for NULL.
     *  `cancelled` as in cop_scorer_collect(). */
    cop_status (*collect)(void *state, void *group, cop_score *scores,
                          bool (*cancelled)(void *), void *context, cop_error *err);
    void (*close)(void *state);
};

/** Makes a scorer: starts what the task needs, COP_ERR_CONFIG if it cannot be had here. */
cop_status cop_scorer_create(const cop_task *task, const cop_task_setup *setup,
                             cop_scorer **scorer, cop_error *err);

/** Hands over responses [count]. Groups are collected in the order of their submission, and all
 *  of them before the scorer is destroyed. */
cop_status cop_scorer_submit(cop_scorer *scorer, const cop_response *responses, size_t count,
                             cop_scoring **scoring, cop_error *err);

/** Waits for a group's scores [count] (the caller's, cop_score_free() each; NULL: drops the
 *  group) and frees it. `cancelled` (may be NULL) is polled, true gives COP_INTERRUPTED. On
 *  failure there are no scores; the scorer can be used on. A malformed reference answer is
 *  COP_ERR_FORMAT, a process that fails or is late COP_ERR_UNIT. */
cop_status cop_scorer_collect(cop_scorer *scorer, cop_scoring **scoring, cop_score *scores,
                              bool (*cancelled)(void *), void *context, cop_error *err);

/** Frees *scorer, ends what it started, and sets it to NULL; NULL is allowed. */
void cop_scorer_destroy(cop_scorer **scorer);

#endif
