/* Sums of outer products, by instruction set: what noise of low rank adds to a tile of a
 * matrix. */
#ifndef COP_REBUILD_OUTER_H
#define COP_REBUILD_OUTER_H

#include "coppice/base/cpu.h"

#include <stddef.h>

enum {
    OUTER_ROWS = 16,     /* of a tile, and of a panel of left factors */
    OUTER_COLUMNS = 512, /* most of a tile */
    OUTER_DEPTH = 128 /* most products at a time: both panels stay in the first-level cache */
};

/* For p = 0 .. depth-1 in this order, each by fma:
 *
 *     sums [OUTER_ROWS, OUTER_COLUMNS][i, j] += left[p, i] * right[j / lanes, p, j % lanes]
 *
 * for i < rows and j < columns, and it may be more of both that is there. left is [depth,
 * OUTER_ROWS]; right has panels of `lanes` columns, `panel` numbers apart, [depth, lanes] each.
 */
typedef void cop_outer_fn(float *sums, const float *left, const float *right, size_t panel,
                          size_t depth, size_t rows, size_t columns);

/* All instruction sets give the same bits; each has panels as wide as its vectors. */
typedef struct cop_outer_kernels {
    cop_outer_fn *add;
    size_t lanes;
} cop_outer_kernels;

/* The kernels of `isa`, or of the best one below it that this build has. */
const cop_outer_kernels *cop_outer_kernels_get(cop_isa isa);

/* The entries of the table, by instruction set; those above the build's are not defined. */

cop_outer_fn cop_outer_add_scalar;
cop_outer_fn cop_outer_add_avx2;
cop_outer_fn cop_outer_add_avx512;

enum { OUTER_LANES_SCALAR = 8, OUTER_LANES_AVX2 = 8, OUTER_LANES_AVX512 = 16 };

#endif
