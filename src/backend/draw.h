/* Drawing a token from a row of logits: the one definition, for every backend. Private to
 * backend/. */
#ifndef COP_BACKEND_DRAW_H
#define COP_BACKEND_DRAW_H

#include <stddef.h>
#include <stdint.h>

/* Where a draw works. */
typedef struct cop_draw_scratch {
    float *weights; /* [V] */
    int32_t *ids;   /* [V] */
} cop_draw_scratch;

/* Draws an id from softmax(row / temperature) cut to its nucleus, by the uniform number u; see
 * cop_backend_ops.sample. A pure function with the same result on every processor: exponentials
 * are a fixed sequence of binary32 operations, sums are binary64 in a fixed order. */
int32_t cop_draw_token(const float *row, size_t count, double temperature, double top_p,
                       double u, const cop_draw_scratch *scratch);

#endif
