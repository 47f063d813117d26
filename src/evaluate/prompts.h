/* The prompts of a data set, rendered and encoded once. Private to evaluate/. */
#ifndef COP_EVALUATE_PROMPTS_H
#define COP_EVALUATE_PROMPTS_H

#include "coppice/evaluate/evaluate.h"

/* Token ids of all prompts, one after the other. */
typedef struct prompt_set {
    cop_ids ids;
    size_t *start; /* [count + 1] offsets into ids */
    size_t count;
    size_t longest;      /* tokens, of those that are answered */
    size_t longest_text; /* of texts */
    cop_text
        unstopped;  /* token that ends an answer in the template, but stops none; empty: none */
    bool asks_date; /* the template asks for today's date */
    bool lacking;   /* there is no template, and none of the families was named */
} prompt_set;

/* Renders the templates over every example, in the model's chat family, and encodes them; texts
 * as they are. Those of guards follow those of the data set. */
cop_status cop_prompts_create(const cop_evaluator_options *options,
                              const cop_tokenizer *tokenizer, const cop_model_config *config,
                              prompt_set *prompts, cop_error *err);

/* Token ids of an example's prompt; borrowed. */
cop_prompt cop_prompts_at(const prompt_set *prompts, size_t example);

/* Frees the set; it is then {0} again. */
void cop_prompts_free(prompt_set *prompts);

#endif
