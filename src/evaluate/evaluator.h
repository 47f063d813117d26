/* What an evaluator holds. Private to evaluate/. */
#ifndef COP_EVALUATE_EVALUATOR_H
#define COP_EVALUATE_EVALUATOR_H

#include "coppice/evaluate/evaluate.h"
#include "evaluate/prompts.h"

/* What a lane of the model holds: `components` on the base, if applied. */
typedef struct evaluator_lane {
    bool applied;
    cop_component *components; /* [component_count] of the recipe applied last */
    size_t component_count;
} evaluator_lane;

/* Examples of one task, or texts. */
typedef struct evaluator_set {
    const cop_task *task; /* NULL: texts */
    const cop_dataset *dataset;
    size_t first;       /* number of its example 0 */
    cop_scorer *scorer; /* NULL for texts */
} evaluator_set;

struct cop_evaluator {
    cop_evaluator_options options;
    cop_model_config config;
    cop_tokenizer *tokenizer;
    cop_checkpoint *checkpoint;
    cop_backend *backend;
    cop_model *model;
    prompt_set prompts;
    cop_text unused;             /* tensors that the configuration has no use for */
    cop_text notes;              /* how the model's files were taken */
    evaluator_lane *lanes;       /* [lanes of the model] */
    evaluator_set *sets;         /* [1 + guard_count] the task's, then the guards' */
    cop_generation *generations; /* [lanes, batch] */
    uint32_t *samples;           /* [lanes] of the units that are generated */
    cop_prompt *batch_prompts;   /* [batch] */
    bool noted;                  /* that a response was not judged to the end */
};

/* The task's examples and the guards', each with who scores them; and freeing them. (This and
 * the following: sets.c.) */
cop_status cop_evaluator_make_sets(cop_evaluator *evaluator, cop_error *err);
void cop_evaluator_free_sets(cop_evaluator *evaluator);

/* The set of an example, which has a number in it; its JSON object. */
const evaluator_set *cop_evaluator_set_of(const cop_evaluator *evaluator, size_t example);
const json_t *cop_evaluator_example(const cop_evaluator *evaluator, size_t example);

/* Most tokens of a window of text. */
size_t cop_evaluator_window(const cop_evaluator *evaluator);

/* Rebuilds the weights of a lane unless it already holds this recipe. (This and the following:
 * answers.c.) */
cop_status cop_evaluator_apply(cop_evaluator *evaluator, size_t lane, const cop_recipe *recipe,
                               cop_error *err);

/* Lists a unit's prompts in evaluator->batch_prompts. */
void cop_evaluator_list_prompts(cop_evaluator *evaluator, const cop_unit *unit);

/* Scores a unit of texts -> scores [unit->count] (texts.c). */
cop_status cop_evaluator_measure(cop_evaluator *evaluator, const cop_unit *unit,
                                 bool (*cancelled)(void *), void *context, float *scores,
                                 bool *finite, cop_error *err);

/* Where the first stop string begins in text; its length if there is none. */
size_t cop_evaluator_find_stop(const cop_evaluator_options *options, const cop_text *text);

/* Generates the answers of units [count <= lanes] that have the same examples and draw alike,
 * unit i in lane i -> generations [count, examples], whose contents are the caller's. */
cop_status cop_evaluator_answer(cop_evaluator *evaluator, const cop_unit *units, size_t count,
                                bool (*cancelled)(void *), void *context, cop_error *err);

#endif
