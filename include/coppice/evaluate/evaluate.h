/** \file evaluate.h
 * Recipe and examples to scores: the unit of work of a job.
 */
#ifndef COPPICE_EVALUATE_EVALUATE_H
#define COPPICE_EVALUATE_EVALUATE_H

#include "coppice/base/status.h"
#include "coppice/chat/chat.h"
#include "coppice/data/dataset.h"
#include "coppice/model/model.h"
#include "coppice/recipe/recipe.h"
#include "coppice/task/scorer.h"
#include "coppice/task/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What takes the place of what a model's files say of its answers; all zero: nothing. */
typedef struct cop_answer_rules {
    bool ignore_model;              /**< no rules of generation_config.json */
    double repetition_penalty;      /**< 0: the model's; 1: none */
    int64_t no_repeat_ngram;        /**< 0: the model's; -1: none */
    int64_t min_new_tokens;         /**< 0: the model's; -1: none */
    const char *const *stop_tokens; /**< [stop_token_count] ids, or tokens by their text, in
                                     * place of the model's; "none" */
    size_t stop_token_count;
} cop_answer_rules;

/** Examples besides the task's: of another task, with the prompts that it has by itself, or of
 *  plain text, which is answered by nobody: an example's score is the mean log-likelihood per
 *  token of its field "text" (likelihood.h), in windows of COP_TEXT_WINDOW tokens at most. */
typedef struct cop_evaluator_guard {
    const cop_task *task; /**< NULL: text */
    const cop_dataset *dataset;
} cop_evaluator_guard;

/** Tokens of a window of text: what more would take in memory beside answers is not planned. */
enum { COP_TEXT_WINDOW = 1024 };

/** All that an evaluator is made of. Strings and objects are borrowed and must outlive it. */
typedef struct cop_evaluator_options {
    const char *model_dir;
    const cop_task *task;
    const cop_task_setup *setup; /**< of the task, NULL for none */
    const cop_dataset *dataset;
    /** [guard_count] more examples, numbered after those of `dataset`, one guard's after the
     *  other's. A unit's are all of one set. */
    const cop_evaluator_guard *guards;
    size_t guard_count;
    const char *system;    /**< prompt template, NULL: the task's default, "" none */
    const char *user;      /**< prompt template, NULL: the task's default */
    const char *assistant; /**< template of a few-shot example's answer, NULL: the task's */
    const cop_dataset *examples; /**< few-shot examples, as cop_task_load() gives them; needed
                                      while the evaluator is made; NULL: none */
    size_t shots;                /**< few-shot examples in each prompt */
    int64_t shot_seed;           /**< their order, as for cop_splits_create() */
    const char *chat;            /**< family name, NULL or "auto": the model's own template */
    const char *date;            /**< as cop_chat_options has it */
    const char *const *stop;     /**< [stop_count] stop strings, cut from the response */
    size_t stop_count;
    bool stop_decided; /**< answers end where the task knows all that is wanted of them */
    cop_answer_rules answers;
    size_t max_new_tokens;
    size_t batch; /**< most examples of a unit; of their answers so many at a time, or as
                   *   many as fit, where they do not depend on that */
    size_t lanes; /**< units whose answers are generated side by side, as cop_model_limits */
    bool fit_lanes;
    size_t noise_products; /**< as cop_model_limits */
    cop_backend_options backend;
} cop_evaluator_options;

/** A model on a backend with its tokenizer, and the prompts of a whole data set. */
typedef struct cop_evaluator cop_evaluator;

/** Loads model and tokenizer, renders and encodes the prompts of all examples. */
cop_status cop_evaluator_create(const cop_evaluator_options *options, cop_evaluator **evaluator,
                                cop_error *err);

/** One unit: a recipe on a set of examples. */
typedef struct cop_unit {
    const cop_recipe *recipe; /**< NULL: the base */
    const size_t *examples;   /**< [count] indices into the data set, not owned */
    size_t count;             /**< at most the evaluator's batch */
    cop_sampling sampling;    /**< all zero: greedy answers */
    bool rewards_only;        /**< of a response nothing but its reward is wanted */
} cop_unit;

/** What a unit gave. Arrays are the caller's. */
typedef struct cop_unit_result {
    cop_status status; /**< COP_OK, or COP_ERR_NUMERIC where logits were not finite */
    float *rewards;    /**< [count]; 0 where status is not COP_OK */
    bool *correct;     /**< [count]; NULL: not wanted */
    char **extracted;  /**< [count] answers (the caller's, cop_memory_free); NULL: not wanted */
    cop_text *responses; /**< [count], \u0000 and all (the caller's); NULL: not wanted */
    cop_form *forms;     /**< [count]; NULL: not wanted */
    cop_ids *ids;        /**< [count] tokens (the caller's, cop_ids_free); NULL: not wanted */
    uint64_t generated_tokens;
    double seconds; /**< of this rank's time: generation, rewards and waiting for those */
    double reward_seconds; /**< of these: handing over, scoring, waiting for scores */
} cop_unit_result;

/** A unit that is generated and on its way to its rewards. */
typedef struct cop_unit_pending cop_unit_pending;

/** Whether an evaluator could be made, as far as that can be told without weights, scorer and
 *  backend: the model's configuration, its tokenizer, and every example's prompt. */
cop_status cop_evaluator_check(const cop_evaluator_options *options, cop_error *err);

/** Units that cop_evaluator_begin() takes at a time. */
size_t cop_evaluator_lanes(const cop_evaluator *evaluator);

/** Generates the responses of units [count, 1 .. cop_evaluator_lanes()] side by side and hands
 *  them to the scorer. The units have the same examples and draw alike, but for the number of
 *  the sample. Units with the components that their lane had before need no rebuild.
 *
 *  pending [count] are the units' handles, for cop_evaluator_finish(). A unit that could not be
 *  begun has none, and failures [count] says why; the others are not touched by that: where
 *  nothing can be generated side by side, each is generated by itself. `cancelled` (may be
 * NULL) is polled during generation; true gives COP_INTERRUPTED to all that are not begun. Not
 * finite logits are a unit's result. The time of a unit is its part of what was done together,
 * and its own.
 *
 *  Units of several calls may be pending; they are finished in the order of their beginning,
 * and all of them before the evaluator is destroyed. */
void cop_evaluator_begin(cop_evaluator *evaluator, const cop_unit *units, size_t count,
                         bool (*cancelled)(void *), void *context, cop_unit_pending **pending,
                         cop_error *failures);

/** Waits for a unit's rewards and frees *pending, whatever happens. `result` NULL drops the
 *  unit. */
cop_status cop_evaluator_finish(cop_evaluator *evaluator, cop_unit_pending **pending,
                                bool (*cancelled)(void *), void *context,
                                cop_unit_result *result, cop_error *err);

/** cop_evaluator_begin() and cop_evaluator_finish() of one unit. */
cop_status cop_evaluator_run(cop_evaluator *evaluator, const cop_unit *unit,
                             bool (*cancelled)(void *), void *context, cop_unit_result *result,
                             cop_error *err);

/** True if some scores come from a process and may be waited for beside other work. */
bool cop_evaluator_overlaps(const cop_evaluator *evaluator);

/** Tensors of the checkpoint that the model has no use for, for a warning; NULL if none. */
const char *cop_evaluator_unused_tensors(const cop_evaluator *evaluator);

/** The token by which answers end in the model's template although it stops none, so that they
 *  go on to the limit, for a warning; NULL if there is none. */
const char *cop_evaluator_unstopped(const cop_evaluator *evaluator);

/** True if the template asks for today's date. */
bool cop_evaluator_asks_date(const cop_evaluator *evaluator);

/** What a user should know of how the model's files were taken, a line each: mostly nothing. */
const cop_text *cop_evaluator_notes(const cop_evaluator *evaluator);

/** Token ids of an example's prompt; borrowed. */
cop_prompt cop_evaluator_prompt(const cop_evaluator *evaluator, size_t example);

/** The parts, for reports: all borrowed. */
cop_checkpoint *cop_evaluator_checkpoint(const cop_evaluator *evaluator);
const cop_backend *cop_evaluator_backend(const cop_evaluator *evaluator);
cop_model *cop_evaluator_model(cop_evaluator *evaluator);

/** Frees *evaluator and sets it to NULL; NULL is allowed. */
void cop_evaluator_destroy(cop_evaluator **evaluator);

#endif
