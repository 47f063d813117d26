/* Sums of outer products by vectors of any width: one text, which the file of each instruction
 * set includes once, after it has defined
 *
 *     V(name)   the intrinsic of that name for whole vectors
 *     floats    a whole vector
 *     LANES     its elements
 *     STRIP     rows that stay in registers, with three vectors each: enough sums in flight
 * that no fma waits for the one before it; divides OUTER_ROWS */
#ifndef COP_REBUILD_OUTER_VECTOR_H
#define COP_REBUILD_OUTER_VECTOR_H

#include "rebuild/outer.h"

enum { MOST_VECTORS = 3 };

/* STRIP rows of `vectors` panels, a constant. */
INLINE void add_strip(float *sums, const float *left, const float *right, size_t panel,
                      size_t depth, size_t vectors)
{
    floats sum[STRIP][MOST_VECTORS];
#pragma GCC unroll 8
    for (size_t i = 0; i < STRIP; i++) {
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++)
            sum[i][v] = V(loadu_ps)(sums + i * OUTER_COLUMNS + v * LANES);
    }
    for (size_t p = 0; p < depth; p++) {
        floats b[MOST_VECTORS];
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++)
            b[v] = V(loadu_ps)(right + v * panel + p * LANES);
#pragma GCC unroll 8
        for (size_t i = 0; i < STRIP; i++) {
            const floats a = V(set1_ps)(left[p * OUTER_ROWS + i]);
#pragma GCC unroll 3
            for (size_t v = 0; v < vectors; v++)
                sum[i][v] = V(fmadd_ps)(a, b[v], sum[i][v]);
        }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < STRIP; i++) {
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++)
            V(storeu_ps)(sums + i * OUTER_COLUMNS + v * LANES, sum[i][v]);
    }
}

INLINE void add_tile(float *sums, const float *left, const float *right, size_t panel,
                     size_t depth, size_t rows, size_t columns)
{
    for (size_t j = 0; j < columns; j += MOST_VECTORS * (size_t)LANES) {
        const float *const from = right + j / LANES * panel;
        for (size_t i = 0; i < rows; i += STRIP) {
            float *const to = sums + i * OUTER_COLUMNS + j;
            if (columns - j > 2 * (size_t)LANES) {
                add_strip(to, left + i, from, panel, depth, 3);
            } else if (columns - j > (size_t)LANES) {
                add_strip(to, left + i, from, panel, depth, 2);
            } else {
                add_strip(to, left + i, from, panel, depth, 1);
            }
        }
    }
}

#endif
