#include "coppice/phase/excerpt.h"

#include "coppice/base/memory.h"

#include <assert.h>
#include <string.h>

/* Finds which rows and which units of rows there are. */
static void find_extent(const uint64_t *units, size_t count, cop_phase_excerpt *x)
{
    size_t end = 0;
    x->first = x->of_units;
    for (size_t i = 0; i < count; i++) {
        const size_t row = units[i] / x->of_units;
        const size_t place = units[i] % x->of_units;
        if (place < x->first) x->first = place;
        if (place + 1 > end) end = place + 1;
        if (i > 0 && row == units[i - 1] / x->of_units) continue;
        x->rows[x->phase.row_count++] = row;
    }
    x->phase.row_units = end - x->first;
}

cop_status cop_phase_excerpt_create(const cop_phase *phase, const uint64_t *units, size_t count,
                                    cop_phase_excerpt *excerpt, cop_error *err)
{
    cop_phase_excerpt *const x = excerpt;
    assert(count >= 1 && units[count - 1] < phase->row_count * phase->row_units);
    assert(!(phase->sampling.temperature > 0)); /* a row's number tells its samples apart */
    *x = (cop_phase_excerpt){.of_units = phase->row_units};
    memcpy(x->phase.path, phase->path, sizeof x->phase.path);
    x->rows = cop_memory_alloc(count, sizeof *x->rows, err);
    x->units = cop_memory_alloc(count, sizeof *x->units, err);
    x->phase.recipes = cop_memory_alloc(count, sizeof *x->phase.recipes, err);
    if (x->rows == NULL || x->units == NULL || x->phase.recipes == NULL) {
        cop_phase_excerpt_free(x);
        return COP_ERR_MEMORY;
    }
    find_extent(units, count, x);
    size_t place = 0; /* in rows */
    for (size_t i = 0; i < count; i++) {
        place += i > 0 && units[i] / x->of_units != units[i - 1] / x->of_units;
        x->units[i] = place * x->phase.row_units + units[i] % x->of_units - x->first;
    }
    for (size_t r = 0; r < x->phase.row_count; r++)
        x->phase.recipes[r] = cop_phase_row(phase, x->rows[r]);
    const size_t start = x->first * phase->batch;
    const size_t most = x->phase.row_units * phase->batch;
    const size_t left = phase->example_count - start;
    x->phase.examples = phase->examples + start;
    x->phase.example_count = left < most ? left : most;
    x->phase.batch = phase->batch;
    x->phase.is_cut = phase->is_cut;
    x->phase.trunk = phase->trunk;
    x->phase.trunk_count = phase->trunk_count;
    x->phase.keeps_answers = phase->keeps_answers;
    return COP_OK;
}

uint64_t cop_phase_excerpt_find(const cop_phase_excerpt *excerpt, uint64_t unit)
{
    const uint64_t width = excerpt->phase.row_units;
    if (unit / width >= excerpt->phase.row_count) return UINT64_MAX;
    return excerpt->rows[unit / width] * excerpt->of_units + excerpt->first + unit % width;
}

void cop_phase_excerpt_free(cop_phase_excerpt *excerpt)
{
    cop_memory_free(excerpt->rows);
    cop_memory_free(excerpt->units);
    cop_memory_free(excerpt->phase.recipes);
    *excerpt = (cop_phase_excerpt){0};
}
