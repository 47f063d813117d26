#include "search/split_summary.h"

#include "coppice/base/memory.h"
#include "search/stats_private.h"

#include <math.h>

/* Permuted data that differ from the data in rounding alone reach it. */
static const double tie_tolerance = 1e-12;

/* Space to sort in. */
typedef struct scratch {
    double *observed; /* [R] */
    double *null;     /* [P * H] */
    double *medians;  /* [P] */
} scratch;

static double median_of(double *values, size_t count)
{
    cop_stats_sort(values, count);
    return cop_stats_sorted_quantile(values, count, 0.5);
}

/* p and z of `observed` among values [count]. */
static void compare(double observed, const double *values, size_t count,
                    cop_split_summary *summary)
{
    const double mean = cop_stats_mean(values, count);
    double square = 0.0;
    size_t reached = 0;
    for (size_t i = 0; i < count; i++) {
        square += (values[i] - mean) * (values[i] - mean);
        reached += values[i] >= observed - tie_tolerance;
    }
    const double deviation = sqrt(square / (double)count);
    summary->z = deviation > tie_tolerance ? (observed - mean) / deviation : 0.0;
    summary->p = (double)(1 + reached) / (double)(1 + count);
}

static void summarise_column(const cop_split_numbers *numbers, size_t column, scratch *work,
                             cop_split_summary *summary)
{
    const size_t width = numbers->layout.width;
    const size_t h = numbers->null_halvings;
    for (size_t p = 0; p < numbers->permutations; p++) {
        for (size_t i = 0; i < h; i++)
            work->null[i] = numbers->null[(p * h + i) * width + column];
        work->medians[p] = median_of(work->null, h);
    }
    for (size_t i = 0; i < h; i++)
        work->null[i] = numbers->observed[i * width + column];
    compare(median_of(work->null, h), work->medians, numbers->permutations, summary);

    const size_t all = numbers->permutations * h;
    for (size_t i = 0; i < all; i++)
        work->null[i] = numbers->null[i * width + column];
    summary->null_mean = cop_stats_mean(work->null, all);
    cop_stats_sort(work->null, all);
    summary->null_high = cop_stats_sorted_quantile(work->null, all, 0.95);

    for (size_t i = 0; i < numbers->halvings; i++)
        work->observed[i] = numbers->observed[i * width + column];
    summary->median = median_of(work->observed, numbers->halvings);
    summary->low = cop_stats_sorted_quantile(work->observed, numbers->halvings, 0.025);
    summary->high = cop_stats_sorted_quantile(work->observed, numbers->halvings, 0.975);
}

static cop_status summarise_statistic(const cop_split_numbers *numbers, size_t id,
                                      scratch *work, cop_split_statistic *statistic,
                                      cop_error *err)
{
    const cop_split_layout *const layout = &numbers->layout;
    const size_t count = layout->count[id];
    statistic->count = count;
    statistic->value =
        cop_memory_alloc_raw(numbers->halvings * count, sizeof *statistic->value, err);
    statistic->summary = cop_memory_alloc(count, sizeof *statistic->summary, err);
    if (!statistic->value || !statistic->summary) return COP_ERR_MEMORY;
    for (size_t c = 0; c < count; c++) {
        const size_t column = layout->start[id] + c;
        for (size_t i = 0; i < numbers->halvings; i++)
            statistic->value[i * count + c] = numbers->observed[i * layout->width + column];
        summarise_column(numbers, column, work, &statistic->summary[c]);
    }
    return COP_OK;
}

/* --- ranks --- */

static size_t reproducible_rank(const cop_split_statistic *canonical)
{
    size_t rank = 0;
    while (rank < canonical->count &&
           canonical->summary[rank].median > canonical->summary[0].null_high)
        rank++;
    return rank;
}

static void describe_spectrum(cop_split_half *result)
{
    double sum = 0.0;
    double square = 0.0;
    for (size_t k = 0; k < result->spectrum_count; k++) {
        sum += result->eigenvalue[k];
        square += result->eigenvalue[k] * result->eigenvalue[k];
    }
    if (!(sum > 0.0)) return;
    result->effective_rank =
        cop_stats_effective_rank(result->eigenvalue, result->spectrum_count);
    result->participation_ratio = sum * sum / square;
    while (result->parallel_rank < result->spectrum_count &&
           result->eigenvalue[result->parallel_rank] >
               result->spectrum_high[result->parallel_rank])
        result->parallel_rank++;
}

static cop_status summarise_spectrum(const cop_split_numbers *numbers, scratch *work,
                                     cop_split_half *result, cop_error *err)
{
    const size_t count = numbers->layout.spectrum;
    result->spectrum_count = count;
    result->eigenvalue = cop_memory_alloc(count, sizeof *result->eigenvalue, err);
    result->spectrum_mean = cop_memory_alloc(count, sizeof *result->spectrum_mean, err);
    result->spectrum_high = cop_memory_alloc(count, sizeof *result->spectrum_high, err);
    if (!result->eigenvalue || !result->spectrum_mean || !result->spectrum_high)
        return COP_ERR_MEMORY;
    for (size_t k = 0; k < count; k++) {
        for (size_t p = 0; p < numbers->permutations; p++)
            work->medians[p] = numbers->null_spectrum[p * count + k];
        result->eigenvalue[k] = numbers->spectrum[k];
        result->spectrum_mean[k] = cop_stats_mean(work->medians, numbers->permutations);
        cop_stats_sort(work->medians, numbers->permutations);
        result->spectrum_high[k] =
            cop_stats_sorted_quantile(work->medians, numbers->permutations, 0.95);
    }
    describe_spectrum(result);
    return COP_OK;
}

cop_status cop_split_summarise(const cop_split_numbers *numbers, cop_split_half *result,
                               cop_error *err)
{
    cop_status status = COP_ERR_MEMORY;
    scratch work = {0};
    work.observed = cop_memory_alloc(numbers->halvings, sizeof *work.observed, err);
    work.null = cop_memory_alloc(numbers->permutations * numbers->null_halvings,
                                 sizeof *work.null, err);
    work.medians = cop_memory_alloc(numbers->permutations, sizeof *work.medians, err);
    if (!work.observed || !work.null || !work.medians) goto out;
    for (size_t id = 0; id < COP_SPLIT_STATISTICS; id++)
        COP_TRY_OUT(summarise_statistic(numbers, id, &work, &result->statistic[id], err));
    result->reproducible_rank = reproducible_rank(&result->statistic[COP_SPLIT_CANONICAL]);
    status = summarise_spectrum(numbers, &work, result, err);
out:
    cop_memory_free(work.observed);
    cop_memory_free(work.null);
    cop_memory_free(work.medians);
    return status;
}
