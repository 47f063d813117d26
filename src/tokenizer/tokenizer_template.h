/* Post-processors: what is put around the ids of a text. */
#ifndef COP_TOKENIZER_TOKENIZER_TEMPLATE_H
#define COP_TOKENIZER_TOKENIZER_TEMPLATE_H

#include "coppice/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COP_TEMPLATE_REFUSAL                                                                  \
    "the post-processor has a template behind one that makes neither one nor two parts of a " \
    "text, "                                                                                  \
    "which is not supported"

/* In place of an id: the ids of the text. */
#define COP_TEMPLATE_TEXT (-1)

/* Ids and COP_TEMPLATE_TEXT, in order. */
typedef struct cop_template {
    int32_t *items; /* [count], owned */
    size_t count;
    size_t capacity;
    bool refused; /* its templates do not fit together: texts cannot be encoded with it */
} cop_template;

/* Reads "post_processor"; null is the text alone. Without `special` it leaves special tokens
 * out, but a template may still repeat the text or have it nowhere. Ids must be below `size`.
 */
cop_status cop_template_parse(const json_t *json, bool special, size_t size,
                              cop_template *template, cop_error *err);

/* Frees the memory; the template is then {0} again. */
void cop_template_free(cop_template *template);

#endif
