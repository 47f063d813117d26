/* coppice eval --perplexity. Private to app/. */
#ifndef COP_APP_EVAL_PERPLEXITY_H
#define COP_APP_EVAL_PERPLEXITY_H

#include "app/model_options.h"

/* What is to be measured. */
typedef struct cop_app_perplexity {
    const cop_app_model *model;
    const char *path;   /* of the text */
    const char *window; /* tokens, as text; NULL: the model's context */
    bool json;
} cop_app_perplexity;

/* Measures how likely a model, maybe with a recipe, finds the text, and prints it. */
cop_status cop_app_eval_perplexity(const cop_app_perplexity *wanted, cop_error *err);

#endif
