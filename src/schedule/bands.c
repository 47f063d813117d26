#include "coppice/schedule/bands.h"

#include <assert.h>

/* Units from `first` to the end of the last row that is at hand then, at most `left`. */
static uint64_t rows_end(const cop_bands *b)
{
    const uint64_t border = (b->first / b->row_units + b->lanes) * b->row_units;
    return border - b->first < b->left ? border : b->first + b->left;
}

cop_bands cop_bands_of(uint64_t first, uint64_t count, uint64_t row_units, size_t lanes)
{
    assert(row_units > 0 && lanes > 0);
    cop_bands bands = {.row_units = row_units, .lanes = lanes, .first = first, .left = count};
    bands.end = rows_end(&bands);
    return bands;
}

bool cop_bands_next(cop_bands *b, cop_band *next)
{
    if (b->left == 0) return false;
    for (;;) {
        if (b->column == b->row_units) {
            b->first = b->end;
            b->column = 0;
            b->end = rows_end(b);
        }
        const uint64_t place = b->first % b->row_units;
        const uint64_t ahead = (b->column++ + b->row_units - place) % b->row_units;
        if (ahead >= b->end - b->first) continue; /* part of a row, which has no such unit */
        *next =
            (cop_band){.first = b->first + ahead,
                       .step = b->row_units,
                       .count = (size_t)((b->end - b->first - ahead - 1) / b->row_units + 1)};
        b->left -= next->count;
        return true;
    }
}
