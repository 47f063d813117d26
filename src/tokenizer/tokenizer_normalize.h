/* Normalizers: rewriting a text before it is cut. */
#ifndef COP_TOKENIZER_TOKENIZER_NORMALIZE_H
#define COP_TOKENIZER_TOKENIZER_NORMALIZE_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "tokenizer/pretokenize_pattern.h"

#include <jansson.h>
#include <stddef.h>

typedef struct cop_normalizer cop_normalizer;

/* Reads "normalizer"; null leaves texts as they are. */
cop_status cop_normalizer_parse(const json_t *json, cop_normalizer **normalizer,
                                cop_error *err);

/* Frees *normalizer and sets it to NULL; NULL is allowed. */
void cop_normalizer_destroy(cop_normalizer **normalizer);

/* Replaces *text by its normalised form; `spare` is scratch. */
cop_status cop_normalizer_run(const cop_normalizer *normalizer, cop_matcher *matcher,
                              cop_text *text, cop_text *spare, cop_error *err);

#endif
