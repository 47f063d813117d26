/* Few-shot examples: which ones a prompt gets, rendered. Private to evaluate/. */
#ifndef COP_EVALUATE_SHOTS_H
#define COP_EVALUATE_SHOTS_H

#include "coppice/evaluate/evaluate.h"

typedef struct cop_shots cop_shots;

/* Sets up the order in which examples are drawn. Without shots *shots is NULL. */
cop_status cop_shots_create(const cop_evaluator_options *options, cop_shots **shots,
                            cop_error *err);

/* Frees *shots and sets it to NULL; NULL is allowed. */
void cop_shots_destroy(cop_shots **shots);

/* Messages of the shots for a prompt whose user message is `user`: the first in the order,
 * leaving out those that ask the same. messages [2 * options.shots], user and assistant in
 * turn; their texts live as long as the shots. COP_ERR_CONFIG if there are too few. */
cop_status cop_shots_choose(cop_shots *shots, const char *user, cop_chat_message *messages,
                            cop_error *err);

#endif
