/* Sums of outer products on any processor. */
#include "rebuild/outer.h"

#include <math.h>

void cop_outer_add_scalar(float *sums, const float *left, const float *right, size_t panel,
                          size_t depth, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i++) {
        float *const row = sums + i * OUTER_COLUMNS;
        for (size_t p = 0; p < depth; p++) {
            const float factor = left[p * OUTER_ROWS + i];
            const float *const from = right + p * OUTER_LANES_SCALAR;
            for (size_t j = 0; j < columns; j++)
                row[j] =
                    fmaf(factor, from[j / OUTER_LANES_SCALAR * panel + j % OUTER_LANES_SCALAR],
                         row[j]);
        }
    }
}
