/* Rules that keep answers from tokens, applied to rows of logits on the host. */
#ifndef COP_MODEL_RULES_H
#define COP_MODEL_RULES_H

#include "model/group.h"

/* True if the id is a stop token's. */
bool cop_model_stops_at(const cop_model_config *config, int32_t id);

/* True if any rule can change a choice: then tokens are chosen on the host, one step at a time.
 */
bool cop_rules_are_active(const cop_generation_rules *rules);

/* Chooses a token for each of `count` rows of the model's logits. Row i is of owners[i], or of
 * nobody (NULL). uniform [count]: numbers that draw, where the options draw. -1 where the
 * logits are not finite. */
cop_status cop_rules_choose(sequence_group *group, sequence *const *owners, size_t count,
                            const double *uniform, int32_t *chosen, cop_error *err);

#endif
