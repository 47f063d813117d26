/* The distribution of recentring's candidates: fresh noise and the cloud of the last update.
 *
 * A local candidate is a vector over the run's seeds; statistics over candidates are turned
 * into such vectors by their unit vectors (candidate / sigma). */
#include "method/recenter.h"

#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"

#include <math.h>
#include <string.h>

/* Sets the cloud from rows [rank, N] of amplitudes over candidates. */
static void set_cloud(const cop_search *search, cop_local_search *distribution,
                      const cop_candidates *candidates, const double *rows,
                      const double *eigenvalue, size_t rank)
{
    double total = 0;
    for (size_t j = 0; j < rank; j++)
        total += eigenvalue[j];
    distribution->principal_count = 0;
    for (size_t j = 0; j < rank && total > 0; j++) {
        double *const p =
            distribution->principal + distribution->principal_count * search->seed_count;
        const double norm =
            cop_candidates_spread(search, candidates, rows + j * candidates->count, p);
        if (norm <= 0) continue;
        for (size_t s = 0; s < search->seed_count; s++)
            p[s] /= norm;
        distribution->share[distribution->principal_count++] = eigenvalue[j] / total;
    }
}

cop_status cop_local_search_create(const cop_search *search, const cop_candidates *population,
                                   const cop_direction *cloud, cop_local_search *distribution,
                                   cop_error *err)
{
    const size_t rank = (size_t)search->job->consolidate.rank;
    *distribution = (cop_local_search){.lambda = search->job->recenter.lambda,
                                       .sigma = cop_candidates_best_sigma(search, population),
                                       .rank = rank};
    distribution->principal = cop_memory_alloc(rank * search->seed_count, sizeof(double), err);
    distribution->share = cop_memory_alloc(rank, sizeof *distribution->share, err);
    if (distribution->principal == NULL || distribution->share == NULL) {
        cop_local_search_free(distribution);
        return COP_ERR_MEMORY;
    }
    set_cloud(search, distribution, population, cloud->principal, cloud->eigenvalue,
              cloud->rank);
    return COP_OK;
}

/* Candidate i of round k. */
static void draw_candidate(const cop_search *search, const cop_local_search *distribution,
                           size_t round, size_t i, double *x)
{
    const cop_job *const job = search->job;
    const size_t size = (size_t)job->recenter.size;
    const size_t fresh = (size_t)job->population.size + round * size + i;
    const double lambda = distribution->principal_count == 0 ? 1 : distribution->lambda;
    x[fresh] = sqrt(lambda) * distribution->sigma;
    for (size_t j = 0; j < distribution->principal_count; j++) {
        const double z =
            (double)cop_noise_stream_at((uint64_t)job->population.seed, COP_STREAM_CLOUD,
                                        (uint32_t)round, i * distribution->rank + j);
        const double amplitude =
            sqrt(1 - lambda) * distribution->sigma * sqrt(distribution->share[j]) * z;
        const double *const p = distribution->principal + j * search->seed_count;
        for (size_t s = 0; s < search->seed_count; s++)
            x[s] += amplitude * p[s];
    }
}

cop_status cop_local_search_draw(const cop_search *search, const cop_local_search *distribution,
                                 size_t round, cop_candidates *local, cop_error *err)
{
    const size_t size = (size_t)search->job->recenter.size;
    *local = (cop_candidates){.count = size};
    local->vector = cop_memory_alloc(size * search->seed_count, sizeof(double), err);
    local->sigma = cop_memory_alloc(size, sizeof *local->sigma, err);
    local->reward = cop_memory_alloc(size, sizeof *local->reward, err);
    local->valid = cop_memory_alloc(size, sizeof *local->valid, err);
    if (local->vector == NULL || local->sigma == NULL || local->reward == NULL ||
        local->valid == NULL) {
        cop_candidates_free(local);
        return COP_ERR_MEMORY;
    }
    for (size_t i = 0; i < size; i++) {
        local->sigma[i] = distribution->sigma;
        draw_candidate(search, distribution, round, i, local->vector + i * search->seed_count);
    }
    return COP_OK;
}

cop_status cop_local_search_update(const cop_search *search, cop_local_search *distribution,
                                   size_t round, const cop_candidates *local,
                                   const double *constructive, cop_error *err)
{
    size_t members = 0;
    for (size_t i = 0; i < local->count; i++)
        members += constructive[i] > 0;
    const double target =
        cop_search_target_ess(round, (size_t)search->job->recenter.rounds, members);
    cop_search_update update = {0};
    COP_TRY(cop_search_update_run(local->sigma, constructive, local->count, target,
                                  distribution->lambda, distribution->rank, &update, err));
    distribution->lambda = update.lambda_after;
    if (update.member_count > 0)
        set_cloud(search, distribution, local, update.principal, update.eigenvalue,
                  update.rank);
    cop_search_update_free(&update);
    return COP_OK;
}

void cop_local_search_free(cop_local_search *distribution)
{
    cop_memory_free(distribution->principal);
    cop_memory_free(distribution->share);
    *distribution = (cop_local_search){0};
}
