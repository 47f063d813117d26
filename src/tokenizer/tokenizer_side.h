/* Tokens and flags that only the files beside tokenizer.json have: tokenizer_config.json,
 * special_tokens_map.json and added_tokens.json. */
#ifndef COP_TOKENIZER_TOKENIZER_SIDE_H
#define COP_TOKENIZER_TOKENIZER_SIDE_H

#include "coppice/base/status.h"
#include "tokenizer/tokenizer_added.h"

#include <jansson.h>

/* The files' contents; NULL where a directory has none. */
typedef struct cop_tokenizer_side {
    json_t *config;      /* owned */
    json_t *special_map; /* owned */
    json_t *added;       /* owned */
} cop_tokenizer_side;

/* Reads them from a model's directory. */
cop_status cop_tokenizer_side_load(const char *model_dir, cop_tokenizer_side *side,
                                   cop_error *err);

/* Adds what they have to `added`, which holds what tokenizer.json lists, `listed`. As
 * transformers 5 does: ids decide the order only, a token that the vocabulary lacks gets the
 * next one. */
cop_status cop_tokenizer_side_add(const cop_tokenizer_side *side, const json_t *listed,
                                  cop_added *added, cop_error *err);

/* Frees the memory; *side is then {0} again. */
void cop_tokenizer_side_free(cop_tokenizer_side *side);

#endif
