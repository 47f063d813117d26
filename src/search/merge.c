/* CoRP's two-pass merge: an elite by reward, weighted once by reward and once more by how well
 * a candidate agrees with the provisional mean. */
#include "coppice/search/search.h"

#include "coppice/base/memory.h"
#include "search/cloud.h"
#include "search/merge_private.h"
#include "search/stats_private.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Keeps kappa finite where the cloud has no extent. */
static const double trace_floor = 1e-12;
/* Amplitudes this small move no weight, but each would cost a pass over the noise. */
static const double amplitude_floor = 1e-12;
/* A deviation this small beside the values is rounding. */
static const double deviation_floor = 1e-12;

static cop_status check_input(const double *sigma, const double *reward, const bool *valid,
                              size_t count, size_t *taking_part, cop_error *err)
{
    *taking_part = 0;
    for (size_t i = 0; i < count; i++) {
        if (valid && !valid[i]) continue;
        COP_CHECK(isfinite(sigma[i]) && isfinite(reward[i]), err, COP_ERR_NUMERIC,
                  "candidate %zu: sigma %g or reward %g is not finite", i, sigma[i], reward[i]);
        (*taking_part)++;
    }
    COP_CHECK(*taking_part > 0, err, COP_ERR_NUMERIC,
              "merge: none of %zu candidates has a valid score", count);
    return COP_OK;
}

/* The q-quantile of the rewards that take part. */
static cop_status find_threshold(const double *reward, const bool *valid, size_t taking_part,
                                 double q, cop_merge *merge, cop_error *err)
{
    double *values = cop_memory_alloc_raw(taking_part, sizeof *values, err);
    if (!values) return COP_ERR_MEMORY;
    size_t n = 0;
    for (size_t i = 0; i < merge->count; i++)
        if (!valid || valid[i]) values[n++] = reward[i];
    const cop_status status = cop_stats_quantile(values, n, q, &merge->threshold, err);
    cop_memory_free(values);
    return status;
}

/* The best one alone where rounding leaves none. */
void cop_merge_select(const double *reward, const bool *valid, cop_merge *merge)
{
    size_t best = SIZE_MAX;
    merge->elite_count = 0;
    for (size_t i = 0; i < merge->count; i++) {
        if (valid && !valid[i]) continue;
        if (best == SIZE_MAX || reward[i] > reward[best]) best = i;
        if (reward[i] >= merge->threshold) merge->elite[merge->elite_count++] = i;
    }
    assert(best != SIZE_MAX);
    if (merge->elite_count == 0) merge->elite[merge->elite_count++] = best;
}

/* Standard scores by the population deviation, added to sum with `sign`. */
static void add_standard_scores(const double *values, size_t count, double sign, double *sum)
{
    const double mean = cop_stats_mean(values, count);
    double square = 0.0;
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) {
        square += (values[i] - mean) * (values[i] - mean);
        largest = fmax(largest, fabs(values[i]));
    }
    const double deviation = sqrt(square / (double)count);
    if (deviation <= deviation_floor * largest) return;
    for (size_t i = 0; i < count; i++)
        sum[i] += sign * (values[i] - mean) / deviation;
}

static double measure_norm(const double *weight, const double *sigma, const cop_merge *merge)
{
    double square = 0.0;
    for (size_t i = 0; i < merge->elite_count; i++) {
        const double amplitude = weight[i] * sigma[merge->elite[i]];
        square += amplitude * amplitude;
    }
    return sqrt(square);
}

/* Both passes; pass2_weight holds the exponents until its softmax. */
static void weigh_elite(const double *sigma, const double *reward, double beta,
                        cop_merge *merge)
{
    const size_t n = merge->elite_count;
    double *exponent = merge->pass2_weight;
    for (size_t i = 0; i < n; i++)
        exponent[i] = beta * reward[merge->elite[i]];
    cop_stats_softmax(exponent, n, 1.0, merge->pass1_weight);
    const double norm = measure_norm(merge->pass1_weight, sigma, merge);
    for (size_t i = 0; i < n; i++) {
        const double scale = sigma[merge->elite[i]];
        merge->alignment[i] = norm > 0.0 ? merge->pass1_weight[i] * scale / norm : 0.0;
        const double along = scale * merge->alignment[i];
        merge->dispersion[i] = fmax(0.0, scale * scale - along * along);
    }
    add_standard_scores(merge->alignment, n, 1.0, exponent);
    add_standard_scores(merge->dispersion, n, -1.0, exponent);
    cop_stats_softmax(exponent, n, 1.0, merge->pass2_weight);
}

static void set_direction(const double *sigma, cop_merge *merge)
{
    memset(merge->direction, 0, merge->count * sizeof *merge->direction);
    merge->mean_rss = measure_norm(merge->pass2_weight, sigma, merge);
    if (!(merge->mean_rss > 0.0)) return;
    for (size_t i = 0; i < merge->elite_count; i++) {
        const double amplitude = merge->pass2_weight[i] * sigma[merge->elite[i]];
        if (fabs(amplitude) >= amplitude_floor)
            merge->direction[merge->elite[i]] = amplitude / merge->mean_rss;
    }
}

void cop_merge_weigh(const double *sigma, const double *reward, double beta, cop_merge *merge)
{
    weigh_elite(sigma, reward, beta, merge);
    set_direction(sigma, merge);
}

static cop_status describe_cloud(const double *sigma, size_t rank, cop_merge *merge,
                                 cop_error *err)
{
    const cop_cloud_input input = {
        .sigma = sigma,
        .member = merge->elite,
        .weight = merge->pass2_weight,
        .members = merge->elite_count,
        .count = merge->count,
    };
    cop_cloud cloud;
    COP_TRY(cop_cloud_create(&input, rank, &cloud, err));
    merge->trace_cov = cloud.trace;
    merge->effective_rank = cloud.effective_rank;
    merge->kappa = merge->mean_rss * merge->mean_rss / (cloud.trace + trace_floor);
    merge->rank = cloud.rank;
    merge->eigenvalue = cloud.eigenvalue; /* ownership moves */
    merge->principal = cloud.principal;
    return COP_OK;
}

cop_status cop_merge_create(size_t count, size_t taking_part, cop_merge *merge, cop_error *err)
{
    *merge = (cop_merge){.count = count};
    merge->elite = cop_memory_alloc(taking_part, sizeof *merge->elite, err);
    merge->pass1_weight = cop_memory_alloc(taking_part, sizeof(double), err);
    merge->pass2_weight = cop_memory_alloc(taking_part, sizeof(double), err);
    merge->alignment = cop_memory_alloc(taking_part, sizeof(double), err);
    merge->dispersion = cop_memory_alloc(taking_part, sizeof(double), err);
    merge->direction = cop_memory_alloc(count, sizeof(double), err);
    const bool complete = merge->elite && merge->pass1_weight && merge->pass2_weight &&
                          merge->alignment && merge->dispersion && merge->direction;
    return complete ? COP_OK : COP_ERR_MEMORY;
}

cop_status cop_merge_run(const double *sigma, const double *reward, const bool *valid,
                         size_t count, double q, double beta, size_t rank, cop_merge *merge,
                         cop_error *err)
{
    cop_status status = COP_OK;
    size_t taking_part;
    *merge = (cop_merge){0};
    COP_CHECK(isfinite(beta), err, COP_ERR_CONFIG, "merge: beta %g is not finite", beta);
    COP_TRY(check_input(sigma, reward, valid, count, &taking_part, err));
    COP_TRY_OUT(cop_merge_create(count, taking_part, merge, err));
    COP_TRY_OUT(find_threshold(reward, valid, taking_part, q, merge, err));
    cop_merge_select(reward, valid, merge);
    cop_merge_weigh(sigma, reward, beta, merge);
    merge->ess = cop_weights_ess(merge->pass2_weight, merge->elite_count);
    merge->entropy = cop_weights_entropy(merge->pass2_weight, merge->elite_count);
    COP_TRY_OUT(describe_cloud(sigma, rank, merge, err));
out:
    if (status != COP_OK) cop_merge_free(merge);
    return status;
}

void cop_merge_free(cop_merge *merge)
{
    cop_memory_free(merge->elite);
    cop_memory_free(merge->pass1_weight);
    cop_memory_free(merge->pass2_weight);
    cop_memory_free(merge->alignment);
    cop_memory_free(merge->dispersion);
    cop_memory_free(merge->eigenvalue);
    cop_memory_free(merge->principal);
    cop_memory_free(merge->direction);
    *merge = (cop_merge){0};
}
