/* Factors of noise of low rank, as the kernels of outer.h take them. Product p of a list of
 * components is number p % rank of component p / rank. */
#ifndef COP_REBUILD_FACTORS_H
#define COP_REBUILD_FACTORS_H

#include "coppice/rebuild/rebuild.h"
#include "rebuild/outer.h"

#include <stdbool.h>

/* What factors are drawn from. */
typedef struct factor_source {
    const cop_component *components; /* [count] */
    size_t count;
    uint32_t tensor;
    float scale;
    bool alone; /* components of one sum: their factors are of no concern */
    cop_low_rank low;
    cop_isa isa;
} factor_source;

/* Those that are kept; each may be NULL. */
struct cop_rebuild_factors {
    size_t row, rows; /* of the matrix, that `left` has panels of */
    float *left;      /* [panels of OUTER_ROWS rows, depth, OUTER_ROWS] */
    float *right;     /* [panels of `lanes` columns, depth, lanes] */
};

/* Products of a list of components. */
static inline size_t factor_depth(const factor_source *source)
{
    return source->count * source->low.rank;
}

/* Left factors of products p .. p+depth-1 and OUTER_ROWS rows from `row` on, of which those
 * outside the matrix are of no concern: [depth, OUTER_ROWS], in `room` unless they are kept. */
const float *cop_factors_left(const factor_source *source, const cop_rebuild_factors *kept,
                              size_t p, size_t depth, size_t row, float *room);

/* Right factors of the same products for the `columns` columns from `column` on, a multiple of
 * the lanes: panels that are *panel numbers apart, in `room` [panels, depth, lanes] unless they
 * are kept. */
const float *cop_factors_right(const factor_source *source, const cop_rebuild_factors *kept,
                               size_t p, size_t depth, size_t column, size_t columns,
                               float *room, size_t *panel);

/* Draws what is worth keeping for `rows` rows from `row` on. NULL: nothing. */
cop_rebuild_factors *cop_factors_keep(const factor_source *source, size_t row, size_t rows,
                                      int threads);

#endif
