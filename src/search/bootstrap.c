/* The percentile bootstrap. */
#include "coppice/search/compare.h"

#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"
#include "search/stats_private.h"

#include <string.h>

/* A uniform index below `count` from 64 random bits: the upper word of the product, built from
 * halves. The bias is below count / 2^64. */
static size_t scale_bits(uint64_t bits, uint64_t count)
{
    const uint64_t low = (bits & UINT32_MAX) * (count & UINT32_MAX);
    const uint64_t left = (bits >> 32) * (count & UINT32_MAX) + (low >> 32);
    const uint64_t right = (bits & UINT32_MAX) * (count >> 32) + (left & UINT32_MAX);
    return (size_t)((bits >> 32) * (count >> 32) + (left >> 32) + (right >> 32));
}

/* Means of all rows over one resample; columns [count, rows] holds the values of a draw side by
 * side. */
static void resample(const double *columns, size_t rows, size_t count, uint64_t seed, size_t r,
                     double *sums)
{
    memset(sums, 0, rows * sizeof *sums);
    for (size_t i = 0; i < count; i++) {
        const uint64_t index = (uint64_t)r * count + i;
        const size_t drawn =
            scale_bits(cop_noise_bits(seed, COP_STREAM_BOOTSTRAP, 0, index), count);
        for (size_t row = 0; row < rows; row++)
            sums[row] += columns[drawn * rows + row];
    }
    for (size_t row = 0; row < rows; row++)
        sums[row] /= (double)count;
}

cop_status cop_compare_bootstrap(const double *values, size_t rows, size_t count,
                                 const cop_bootstrap *how, cop_interval *intervals,
                                 cop_error *err)
{
    const size_t resamples = how->resamples;
    COP_CHECK(rows >= 1 && count >= 1 && resamples >= 1, err, COP_ERR_INTERNAL,
              "bootstrap of %zu rows of %zu values by %zu resamples: all must be at least 1",
              rows, count, resamples);
    COP_CHECK(how->confidence > 0.0 && how->confidence < 1.0, err, COP_ERR_CONFIG,
              "confidence %g is not between 0 and 1", how->confidence);
    cop_status status = COP_ERR_MEMORY;
    size_t cells = 0;
    double *columns = NULL;
    double *means = NULL; /* [rows, resamples] */
    double *sums = NULL;
    COP_CHECK(cop_memory_multiply(rows, count > resamples ? count : resamples, &cells), err,
              COP_ERR_MEMORY, "no memory for %zu rows of %zu values", rows, count);
    columns = cop_memory_alloc_raw(rows * count, sizeof *columns, err);
    means = cop_memory_alloc_raw(rows * resamples, sizeof *means, err);
    sums = cop_memory_alloc_raw(rows, sizeof *sums, err);
    if (columns == NULL || means == NULL || sums == NULL) goto out;
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < count; i++)
            columns[i * rows + row] = values[row * count + i];
    for (size_t r = 0; r < resamples; r++) {
        resample(columns, rows, count, how->seed, r, sums);
        for (size_t row = 0; row < rows; row++)
            means[row * resamples + r] = sums[row];
    }
    for (size_t row = 0; row < rows; row++) {
        double *const own = means + row * resamples;
        cop_stats_sort(own, resamples);
        intervals[row].low =
            cop_stats_sorted_quantile(own, resamples, 0.5 * (1.0 - how->confidence));
        intervals[row].high =
            cop_stats_sorted_quantile(own, resamples, 0.5 * (1.0 + how->confidence));
    }
    status = COP_OK;
out:
    cop_memory_free(sums);
    cop_memory_free(means);
    cop_memory_free(columns);
    return status;
}
