/* The search update of recentring: candidates with a positive constructive score, weighted so
 * that a given number of them effectively counts. */
#include "coppice/search/search.h"

#include "coppice/base/math.h"
#include "coppice/base/memory.h"
#include "search/cloud.h"
#include "search/stats_private.h"

#include <math.h>

enum { BISECTIONS = 60 };

static const double temperature_floor = 1e-12;
static const double temperature_limit = 1e12;
static const double ess_first_round = 16.0;
static const double ess_last_round = 4.0;

static double clip(double value, double low, double high)
{
    return fmin(fmax(value, low), high);
}

static double measure_ess(const double *score, size_t count, double temperature, double *weight)
{
    cop_stats_softmax(score, count, temperature, weight);
    return cop_weights_ess(weight, count);
}

/* The effective sample size rises with the temperature: from the number of best candidates up
 * to all of them. Sets update->weight, update->temperature and update->uniform. */
static void weigh_members(const double *score, double target, cop_search_update *update)
{
    const size_t n = update->member_count;
    double low = temperature_floor;
    double high = 1.0;
    if (target < (double)n)
        while (measure_ess(score, n, high, update->weight) < target && high < temperature_limit)
            high *= 2.0;
    update->uniform = target >= (double)n || high >= temperature_limit;
    if (update->uniform) {
        for (size_t i = 0; i < n; i++)
            update->weight[i] = 1.0 / (double)n;
        return;
    }
    for (int i = 0; i < BISECTIONS; i++) {
        const double middle = 0.5 * (low + high);
        if (measure_ess(score, n, middle, update->weight) < target)
            low = middle;
        else
            high = middle;
    }
    update->temperature = high;
    cop_stats_softmax(score, n, high, update->weight);
}

static cop_status check_input(const double *sigma, const double *score, size_t count,
                              cop_error *err)
{
    COP_CHECK(count > 0, err, COP_ERR_INTERNAL, "search update of no candidates");
    for (size_t i = 0; i < count; i++)
        COP_CHECK(isfinite(sigma[i]) && isfinite(score[i]), err, COP_ERR_NUMERIC,
                  "candidate %zu: sigma %g or constructive score %g is not finite", i, sigma[i],
                  score[i]);
    return COP_OK;
}

static size_t count_positive(const double *score, size_t count)
{
    size_t positive = 0;
    for (size_t i = 0; i < count; i++)
        positive += score[i] > 0.0;
    return positive;
}

static double next_lambda(double before, double positive_fraction)
{
    const double aim = clip(0.15 + 0.8 * (1.0 - positive_fraction), 0.15, 0.95);
    return clip(0.5 * before + 0.5 * aim, 0.05, 0.95);
}

/* Selects and weighs the members and takes their cloud. `everyone` holds sigma and count. */
static cop_status describe_members(cop_cloud_input everyone, const double *score,
                                   double target_ess, size_t rank, cop_search_update *update,
                                   cop_error *err)
{
    update->member = cop_memory_alloc(update->member_count, sizeof *update->member, err);
    update->weight = cop_memory_alloc(update->member_count, sizeof(double), err);
    double *member_score = cop_memory_alloc(update->member_count, sizeof(double), err);
    if (!update->member || !update->weight || !member_score) {
        cop_memory_free(member_score);
        return COP_ERR_MEMORY;
    }
    for (size_t i = 0, n = 0; i < everyone.count; i++) {
        if (!(score[i] > 0.0)) continue;
        member_score[n] = score[i];
        update->member[n++] = i;
    }
    weigh_members(member_score, target_ess, update);
    cop_memory_free(member_score);
    everyone.member = update->member;
    everyone.weight = update->weight;
    everyone.members = update->member_count;
    cop_cloud cloud;
    COP_TRY(cop_cloud_create(&everyone, rank, &cloud, err));
    update->rank = cloud.rank;
    update->eigenvalue = cloud.eigenvalue; /* ownership moves */
    update->principal = cloud.principal;
    return COP_OK;
}

cop_status cop_search_update_run(const double *sigma, const double *score, size_t count,
                                 double target_ess, double lambda_before, size_t rank,
                                 cop_search_update *update, cop_error *err)
{
    *update = (cop_search_update){0};
    COP_TRY(check_input(sigma, score, count, err));
    update->member_count = count_positive(score, count);
    update->positive_fraction = (double)update->member_count / (double)count;
    update->lambda_after = next_lambda(lambda_before, update->positive_fraction);
    if (update->member_count == 0) return COP_OK;
    const cop_cloud_input everyone = {.sigma = sigma, .count = count};
    const cop_status status = describe_members(everyone, score, target_ess, rank, update, err);
    if (status != COP_OK) cop_search_update_free(update);
    return status;
}

void cop_search_update_free(cop_search_update *update)
{
    cop_memory_free(update->member);
    cop_memory_free(update->weight);
    cop_memory_free(update->eigenvalue);
    cop_memory_free(update->principal);
    *update = (cop_search_update){0};
}

double cop_search_target_ess(size_t round, size_t rounds, size_t members)
{
    double effective = ess_first_round;
    if (rounds > 1) {
        const double share = fmin(1.0, (double)round / (double)(rounds - 1));
        effective *= cop_math_pow(ess_last_round / ess_first_round, share);
    }
    return fmin((double)members, 2.0 * effective);
}
