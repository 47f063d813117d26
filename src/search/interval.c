/* Intervals: Wilson's for a proportion, the percentile bootstrap for a mean. */
#include "coppice/search.h"

#include "coppice/memory.h"
#include "coppice/noise.h"
#include "search/stats_private.h"

#include <assert.h>
#include <math.h>

void cop_stats_wilson(size_t successes, size_t count, double confidence, double *low,
                      double *high)
{
    assert(successes <= count && confidence > 0.0 && confidence < 1.0);
    *low = 0.0;
    *high = 1.0;
    if (count == 0) return;
    const double n = (double)count;
    const double p = (double)successes / n;
    const double z = -cop_stats_normal_quantile(0.5 * (1.0 - confidence));
    const double square = z * z / n;
    const double centre = p + 0.5 * square;
    const double radius = z * sqrt((p * (1.0 - p) + 0.25 * square) / n);
    /* The ends are exact where rounding would leave a speck beyond them. */
    if (successes > 0) *low = fmax(0.0, (centre - radius) / (1.0 + square));
    if (successes < count) *high = fmin(1.0, (centre + radius) / (1.0 + square));
}

/* A uniform index below `count` from 64 random bits: the upper word of the product, built from
 * halves. The bias is below count / 2^64. */
static size_t scale_bits(uint64_t bits, uint64_t count)
{
    const uint64_t low = (bits & UINT32_MAX) * (count & UINT32_MAX);
    const uint64_t left = (bits >> 32) * (count & UINT32_MAX) + (low >> 32);
    const uint64_t right = (bits & UINT32_MAX) * (count >> 32) + (left & UINT32_MAX);
    return (size_t)((bits >> 32) * (count >> 32) + (left >> 32) + (right >> 32));
}

cop_status cop_stats_bootstrap(const double *values, size_t count, size_t resamples,
                               double confidence, uint64_t seed, double *low, double *high,
                               cop_error *err)
{
    *low = *high = 0.0;
    COP_CHECK(count >= 1 && resamples >= 1, err, COP_ERR_INTERNAL,
              "bootstrap of %zu values by %zu resamples: both must be at least 1", count,
              resamples);
    COP_CHECK(confidence > 0.0 && confidence < 1.0, err, COP_ERR_CONFIG,
              "confidence %g is not between 0 and 1", confidence);
    double *means = cop_memory_alloc_raw(resamples, sizeof *means, err);
    if (!means) return COP_ERR_MEMORY;
    for (size_t r = 0; r < resamples; r++) {
        double sum = 0.0;
        for (size_t i = 0; i < count; i++) {
            const uint64_t index = (uint64_t)r * count + i;
            sum +=
                values[scale_bits(cop_noise_bits(seed, COP_STREAM_BOOTSTRAP, 0, index), count)];
        }
        means[r] = sum / (double)count;
    }
    cop_stats_sort(means, resamples);
    *low = cop_stats_sorted_quantile(means, resamples, 0.5 * (1.0 - confidence));
    *high = cop_stats_sorted_quantile(means, resamples, 0.5 * (1.0 + confidence));
    cop_memory_free(means);
    return COP_OK;
}
