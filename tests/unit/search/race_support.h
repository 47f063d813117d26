/* Replays of races over scores that are all known. */
#ifndef TESTS_UNIT_SEARCH_RACE_SUPPORT_H
#define TESTS_UNIT_SEARCH_RACE_SUPPORT_H

#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"
#include "coppice/search/race.h"
#include "coppice/search/search.h"

#include <math.h>

static inline double race_normal(uint64_t domain, uint64_t index)
{
    return (double)cop_noise_stream_at(29, COP_STREAM_CLOUD, (uint32_t)domain, index);
}

/* Right answers of proposals as a search makes them: examples are hard or easy for all, rows of
 * a family (a direction) differ little, families and steps differ more. */
static inline void race_generate(uint64_t seed, size_t rows, size_t examples, double *values)
{
    enum { FAMILY = 6 };
    const uint64_t base = 1000 + seed * 8;
    for (size_t i = 0; i < rows; i++) {
        const double merit = 0.25 * race_normal(base, i / FAMILY) +
                             0.3 * race_normal(base + 1, i % FAMILY) +
                             0.1 * race_normal(base + 2, i);
        for (size_t j = 0; j < examples; j++) {
            const double own = race_normal(base + 3, j) +
                               0.5 * race_normal(base + 4, i / FAMILY * examples + j) +
                               0.3 * race_normal(base + 5, i * examples + j);
            values[i * examples + j] = merit + own > 0 ? 1 : 0;
        }
    }
}

/* A permutation of 0 .. count - 1; that of seed 0 is the identity. */
static inline void race_permute(uint64_t seed, size_t count, size_t *place)
{
    for (size_t i = 0; i < count; i++)
        place[i] = i;
    for (size_t i = count; i > 1 && seed > 0; i--) {
        const size_t j = cop_noise_bits(seed, COP_STREAM_BOOTSTRAP, 3, i) % i;
        const size_t moved = place[i - 1];
        place[i - 1] = place[j];
        place[j] = moved;
    }
}

/* The row with the highest sum of values [rows, examples], the first among equals, of those
 * that did not leave; `row` NULL: of all. */
static inline size_t race_choose(const double *values, size_t rows, size_t examples,
                                 const cop_race_row *row)
{
    size_t best = rows;
    double most = 0;
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t j = 0; j < examples; j++)
            sum += values[i * examples + j];
        if ((row != NULL && row[i].seen > 0) || (best < rows && sum <= most)) continue;
        best = i;
        most = sum;
    }
    return best;
}

/* What a race came to. */
typedef struct race_replay {
    size_t chosen;
    double answers; /* that it took */
} race_replay;

/* A race over values [rows, examples] in so many stages. */
static inline race_replay race_run(const double *values, size_t rows, size_t examples,
                                   size_t stages, size_t keep)
{
    const cop_race_plan plan = cop_race_make_plan(examples, stages, examples);
    cop_race_row *const row = cop_memory_alloc(rows, sizeof *row, NULL);
    race_replay got = {0};
    assert_non_null(row);
    for (size_t k = 0; k + 1 < plan.stages; k++) {
        const cop_race_look look = {.values = values,
                                    .rows = rows,
                                    .examples = examples,
                                    .seen = (k + 1) * plan.unit * plan.stage_units,
                                    .keep = keep,
                                    .z = plan.z};
        assert_int_equal(cop_race_run_look(&look, row, NULL), COP_OK);
    }
    for (size_t i = 0; i < rows; i++)
        got.answers += (double)(row[i].seen > 0 ? row[i].seen : examples);
    got.chosen = race_choose(values, rows, examples, row);
    cop_memory_free(row);
    return got;
}

#endif
