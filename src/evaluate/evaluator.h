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

struct cop_evaluator {
    cop_evaluator_options options;
    cop_model_config config;
    cop_tokenizer *tokenizer;
    cop_checkpoint *checkpoint;
    cop_backend *backend;
    cop_model *model;
    prompt_set prompts;
    cop_text unused;       /* tensors that the configuration has no use for */
    cop_text notes;        /* how the model's files were taken */
    evaluator_lane *lanes; /* [lanes of the model] */
    cop_scorer *scorer;
    cop_generation *generations; /* [lanes, batch] */
    uint32_t *samples;           /* [lanes] of the units that are generated */
    cop_prompt *batch_prompts;   /* [batch] */
    bool noted;                  /* that a response was not judged to the end */
};

/* Where the first stop string begins in text; its length if there is none. (This and the
 * following: answers.c.) */
size_t cop_evaluator_find_stop(const cop_evaluator_options *options, const cop_text *text);

/* Generates the answers of units [count <= lanes] that have the same examples and draw alike,
 * unit i in lane i -> generations [count, examples], whose contents are the caller's. */
cop_status cop_evaluator_answer(cop_evaluator *evaluator, const cop_unit *units, size_t count,
                                bool (*cancelled)(void *), void *context, cop_error *err);

#endif
