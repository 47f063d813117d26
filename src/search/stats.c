/* Means, quantiles, softmax, and the statistics of weights. */
#include "coppice/search/search.h"

#include "coppice/base/math.h"
#include "coppice/base/memory.h"
#include "search/stats_private.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double cop_stats_mean(const double *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return count > 0 ? sum / (double)count : 0.0;
}

static int compare_rising(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

void cop_stats_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_rising);
}

double cop_stats_sorted_quantile(const double *sorted, size_t count, double q)
{
    assert(count >= 1 && q >= 0.0 && q <= 1.0);
    const double position = q * (double)(count - 1);
    const size_t below = (size_t)position;
    if (below >= count - 1) return sorted[count - 1];
    /* From the nearer end, so that the result never leaves the two order statistics. */
    const double share = position - (double)below;
    const double low = sorted[below];
    const double high = sorted[below + 1];
    return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1.0 - share);
}

cop_status cop_stats_quantile(const double *values, size_t count, double q, double *quantile,
                              cop_error *err)
{
    *quantile = 0.0;
    COP_CHECK(count >= 1, err, COP_ERR_INTERNAL, "quantile of no values");
    COP_CHECK(q >= 0.0 && q <= 1.0, err, COP_ERR_CONFIG, "quantile q = %g is not in [0, 1]", q);
    double *sorted = cop_memory_alloc_raw(count, sizeof *sorted, err);
    if (!sorted) return COP_ERR_MEMORY;
    memcpy(sorted, values, count * sizeof *sorted);
    cop_stats_sort(sorted, count);
    *quantile = cop_stats_sorted_quantile(sorted, count, q);
    cop_memory_free(sorted);
    return COP_OK;
}

void cop_stats_softmax(const double *values, size_t count, double temperature, double *weights)
{
    double top = -INFINITY;
    for (size_t i = 0; i < count; i++)
        if (values[i] > top) top = values[i];
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        /* Equal to the top without a subtraction: infinities and a temperature of 0 work too.
         */
        weights[i] = values[i] == top ? 1.0 : cop_math_exp((values[i] - top) / temperature);
        sum += weights[i];
    }
    for (size_t i = 0; i < count; i++)
        weights[i] /= sum;
}

double cop_weights_ess(const double *weight, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += weight[i] * weight[i];
    return sum > 0.0 ? 1.0 / sum : 0.0;
}

double cop_weights_entropy(const double *weight, size_t count)
{
    double entropy = 0.0;
    for (size_t i = 0; i < count; i++)
        if (weight[i] > 0.0) entropy -= weight[i] * log(weight[i]);
    return entropy;
}

double cop_stats_effective_rank(const double *part, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += part[i];
    if (!(sum > 0.0)) return 0.0;
    double entropy = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double share = part[i] / sum;
        entropy += cop_weights_entropy(&share, 1);
    }
    return exp(entropy);
}
