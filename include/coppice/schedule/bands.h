/** \file bands.h
 * The order in which a worker computes the units of a chunk, which rank 0 knows as well.
 */
#ifndef COPPICE_SCHEDULE_BANDS_H
#define COPPICE_SCHEDULE_BANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Units first, first + step, ..., [count]: different rows on the same examples. */
typedef struct cop_band {
    uint64_t first;
    uint64_t step; /**< units of a row */
    size_t count;
} cop_band;

/** What is left of a chunk: as many rows at a time as there are lanes, and of these the units
 * of one column (the same examples) after those of the other. With one lane the order is that
 * of the units. */
typedef struct cop_bands {
    uint64_t row_units, lanes;
    uint64_t first, end; /**< the units of the rows at hand, and what follows */
    uint64_t column;     /**< of these rows, the next one */
    uint64_t left;       /**< units that are in no band yet */
} cop_bands;

/** All of the chunk's units, count >= 1. */
cop_bands cop_bands_of(uint64_t first, uint64_t count, uint64_t row_units, size_t lanes);

/** Takes the next band; false if there is none. */
bool cop_bands_next(cop_bands *bands, cop_band *next);

#endif
