/* The options that say what answers: a model, maybe with a recipe, and how it computes. Private
 * to app/. */
#ifndef COP_APP_MODEL_OPTIONS_H
#define COP_APP_MODEL_OPTIONS_H

#include "app/app.h"

typedef struct cop_app_model {
    const char *dir, *recipe, *chat, *date; /* NULL: not given */
    const char *tokens, *compute, *arithmetic, *kind, *batch, *threads;
    cop_app_accept accept;
} cop_app_model;

/* Parses --model, --recipe, --accept, --max-new-tokens, --chat, --date, --backend, --compute,
 * --arithmetic, --batch and --threads; its input is a cop_app_model. For argp's children. */
extern const struct argp cop_app_model_argp;

/* What they come to. */
typedef struct cop_app_answering {
    size_t batch, max_new_tokens;
    cop_backend_options backend;
} cop_app_answering;

/* Checks the options and fills what they say into *how, which holds the defaults: those of 0
 * are the job file's. */
cop_status cop_app_model_resolve(const char *command, const cop_app_model *options,
                                 cop_app_answering *how, cop_error *err);

/* Reads the recipe, which belongs to `base`, and says how long it will take to apply; *recipe
 * is NULL where none is wanted. On failure there may be one to destroy. */
cop_status cop_app_model_recipe(const char *command, const cop_app_model *options,
                                const cop_checkpoint *base, cop_recipe **recipe,
                                cop_error *err);

#endif
