/* The distribution of recentring's candidates: fresh noise and the cloud of the last update.
 *
 * A local candidate is a vector over the run's seeds; statistics over candidates are turned
 * into such vectors by their unit vectors (candidate / sigma). */
#include "run/recenter.h"

#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"

#include <math.h>
#include <string.h>

/* Sets the cloud from rows [rank, N] of amplitudes over candidates. */
static void set_cloud(const cop_run *run, cop_local_search *search,
                      const cop_candidates *candidates, const double *rows,
                      const double *eigenvalue, size_t rank)
{
    double total = 0;
    for (size_t j = 0; j < rank; j++)
        total += eigenvalue[j];
    search->principal_count = 0;
    for (size_t j = 0; j < rank && total > 0; j++) {
        double *const p = search->principal + search->principal_count * run->seed_count;
        const double norm =
            cop_candidates_spread(run, candidates, rows + j * candidates->count, p);
        if (norm <= 0) continue;
        for (size_t s = 0; s < run->seed_count; s++)
            p[s] /= norm;
        search->share[search->principal_count++] = eigenvalue[j] / total;
    }
}

cop_status cop_local_search_create(const cop_run *run, const cop_candidates *population,
                                   const cop_direction *cloud, cop_local_search *search,
                                   cop_error *err)
{
    const size_t rank = (size_t)run->job->consolidate.rank;
    *search = (cop_local_search){.lambda = run->job->recenter.lambda,
                                 .sigma = cop_candidates_best_sigma(run, population),
                                 .rank = rank};
    search->principal = cop_memory_alloc(rank * run->seed_count, sizeof(double), err);
    search->share = cop_memory_alloc(rank, sizeof *search->share, err);
    if (search->principal == NULL || search->share == NULL) {
        cop_local_search_free(search);
        return COP_ERR_MEMORY;
    }
    set_cloud(run, search, population, cloud->principal, cloud->eigenvalue, cloud->rank);
    return COP_OK;
}

/* Candidate i of round k. */
static void draw_candidate(const cop_run *run, const cop_local_search *search, size_t round,
                           size_t i, double *x)
{
    const cop_job *const job = run->job;
    const size_t size = (size_t)job->recenter.size;
    const size_t fresh = (size_t)job->population.size + round * size + i;
    const double lambda = search->principal_count == 0 ? 1 : search->lambda;
    x[fresh] = sqrt(lambda) * search->sigma;
    for (size_t j = 0; j < search->principal_count; j++) {
        const double z =
            (double)cop_noise_stream_at((uint64_t)job->population.seed, COP_STREAM_CLOUD,
                                        (uint32_t)round, i * search->rank + j);
        const double amplitude = sqrt(1 - lambda) * search->sigma * sqrt(search->share[j]) * z;
        const double *const p = search->principal + j * run->seed_count;
        for (size_t s = 0; s < run->seed_count; s++)
            x[s] += amplitude * p[s];
    }
}

cop_status cop_local_search_draw(const cop_run *run, const cop_local_search *search,
                                 size_t round, cop_candidates *local, cop_error *err)
{
    const size_t size = (size_t)run->job->recenter.size;
    *local = (cop_candidates){.count = size};
    local->vector = cop_memory_alloc(size * run->seed_count, sizeof(double), err);
    local->sigma = cop_memory_alloc(size, sizeof *local->sigma, err);
    local->reward = cop_memory_alloc(size, sizeof *local->reward, err);
    local->valid = cop_memory_alloc(size, sizeof *local->valid, err);
    if (local->vector == NULL || local->sigma == NULL || local->reward == NULL ||
        local->valid == NULL) {
        cop_candidates_free(local);
        return COP_ERR_MEMORY;
    }
    for (size_t i = 0; i < size; i++) {
        local->sigma[i] = search->sigma;
        draw_candidate(run, search, round, i, local->vector + i * run->seed_count);
    }
    return COP_OK;
}

cop_status cop_local_search_update(const cop_run *run, cop_local_search *search, size_t round,
                                   const cop_candidates *local, const double *constructive,
                                   cop_error *err)
{
    size_t members = 0;
    for (size_t i = 0; i < local->count; i++)
        members += constructive[i] > 0;
    const double target =
        cop_search_target_ess(round, (size_t)run->job->recenter.rounds, members);
    cop_search_update update = {0};
    COP_TRY(cop_search_update_run(local->sigma, constructive, local->count, target,
                                  search->lambda, search->rank, &update, err));
    search->lambda = update.lambda_after;
    if (update.member_count > 0)
        set_cloud(run, search, local, update.principal, update.eigenvalue, update.rank);
    cop_search_update_free(&update);
    return COP_OK;
}

void cop_local_search_free(cop_local_search *search)
{
    cop_memory_free(search->principal);
    cop_memory_free(search->share);
    *search = (cop_local_search){0};
}
