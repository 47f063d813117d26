/* The answers of a model to examples, with what they earned: what eval and compare ask for and
 * write. Private to app/. */
#ifndef COP_APP_ANSWERS_H
#define COP_APP_ANSWERS_H

#include "app/app.h"

#include "coppice/evaluate/evaluate.h"

/* All owned. Arrays are [count]; texts and ids may be NULL or empty where they were not kept.
 */
typedef struct cop_app_answers {
    size_t count;
    float *rewards;
    bool *correct;
    cop_form *forms;
    uint32_t *lengths; /* in tokens */
    cop_ids *ids;
    cop_text *responses;
    char **extracted;
    uint64_t tokens; /* of all */
    double seconds, reward_seconds;
} cop_app_answers;

/* How they are asked for. */
typedef struct cop_app_asking {
    cop_evaluator *evaluator;
    const cop_recipe *recipe; /* NULL: the base */
    const size_t *examples;   /* [count] indices into the evaluator's data */
    size_t count, batch;
    const char *label; /* of the progress on standard error, "" for none; NULL: no progress */
    bool keep;         /* texts and ids, after `done` */
    /* Called with every batch in turn: answers [first, first + count) are there. May be NULL.
     */
    cop_status (*done)(void *context, const cop_app_answers *answers, size_t first,
                       size_t count, cop_error *err);
    void *context;
} cop_app_asking;

/* Greedy answers, scored; COP_ERR_NUMERIC where logits are not finite, COP_ERR_MISMATCH where
 * the model's files were changed meanwhile. What *answers (which was {0}) holds then is the
 * caller's on failure, too. */
cop_status cop_app_answers_ask(const cop_app_asking *asking, cop_app_answers *answers,
                               cop_error *err);

/* The text of answer i as a string, \u0000 and all. */
json_t *cop_app_response_json(const cop_app_answers *answers, size_t i);

/* Whether answers i have the same text. */
bool cop_app_same_response(const cop_app_answers *a, const cop_app_answers *b, size_t i);

/* Answer i as an object: response, reward, correct, extracted, form, tokens; NULL: no memory,
 * or a response that is not UTF-8. */
json_t *cop_app_answers_json(const cop_app_answers *answers, size_t i);

/* True or false; NULL for COP_FORM_NONE. */
json_t *cop_app_form_json(cop_form form);

/* Writes a value as a line and releases it; `path` is for the message. */
cop_status cop_app_write_line(FILE *file, json_t *value, const char *path, cop_error *err);

/* Frees what they own; they are then {0} again. */
void cop_app_answers_free(cop_app_answers *answers);

#endif
