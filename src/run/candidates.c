#include "run/candidates.h"

#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

cop_status cop_candidates_draw(const cop_run *run, size_t first, size_t count, double shrink,
                               cop_candidates *candidates, cop_error *err)
{
    const cop_job *const job = run->job;
    cop_candidates *const c = candidates;
    *c = (cop_candidates){.count = count, .paired = job->population.antithetic};
    c->seed = cop_memory_alloc(count, sizeof *c->seed, err);
    c->sign = cop_memory_alloc(count, sizeof *c->sign, err);
    c->sigma = cop_memory_alloc(count, sizeof *c->sigma, err);
    c->reward = cop_memory_alloc(count, sizeof *c->reward, err);
    c->valid = cop_memory_alloc(count, sizeof *c->valid, err);
    if (c->seed == NULL || c->sign == NULL || c->sigma == NULL || c->reward == NULL ||
        c->valid == NULL) {
        cop_candidates_free(c);
        return COP_ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        c->seed[i] = first + (c->paired ? i / 2 : i);
        c->sign[i] = c->paired && i % 2 == 1 ? -1 : 1;
        const double u = cop_noise_uniform((uint64_t)job->population.seed,
                                           COP_STREAM_POPULATION, 1, c->seed[i]);
        const size_t k = (size_t)(u * (double)job->population.sigma.count);
        c->sigma[i] = shrink * job->population.sigma.data[k];
    }
    return COP_OK;
}

static cop_status add_rows(const cop_run *run, cop_candidates *c, cop_error *err)
{
    double *const unit = cop_memory_alloc(run->seed_count, sizeof *unit, err);
    if (unit == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    for (size_t i = 0; i < c->count && status == COP_OK; i++) {
        if (c->vector != NULL) {
            status = cop_phase_add(run, c->phase, run->centre, c->vector + i * run->seed_count,
                                   1, err);
            continue;
        }
        unit[c->seed[i]] = c->sign[i];
        status = cop_phase_add(run, c->phase, run->centre, unit, c->sigma[i], err);
        unit[c->seed[i]] = 0;
    }
    cop_memory_free(unit);
    return status;
}

/* Seeds, signs, sigmas and rewards beside the scores. */
static cop_status record(cop_run *run, const cop_candidates *c, cop_error *err)
{
    COP_TRY(cop_phase_column(run, c->phase, "reward", COP_STORE_F64, c->reward, "reward",
                             "mean score of each candidate on support", err));
    COP_TRY(cop_phase_column(run, c->phase, "sigma", COP_STORE_F64, c->sigma, "weight",
                             "standard deviation of each candidate's noise", err));
    if (c->seed == NULL) return COP_OK;
    uint64_t *const seeds = cop_memory_alloc(c->count, sizeof *seeds, err);
    if (seeds == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < c->count; i++)
        seeds[i] = run->seeds[c->seed[i]];
    cop_status status = cop_phase_column(run, c->phase, "seed", COP_STORE_U64, seeds, NULL,
                                         "of each candidate", err);
    cop_memory_free(seeds);
    if (status == COP_OK && c->paired) {
        status = cop_phase_column(run, c->phase, "sign", COP_STORE_F64, c->sign, NULL,
                                  "of each candidate's noise", err);
    }
    return status;
}

cop_status cop_candidates_score(cop_run *run, cop_candidates *candidates, const char *path,
                                const char *title, bool with_centre, cop_error *err)
{
    cop_candidates *const c = candidates;
    c->first_row = with_centre ? 1 : 0;
    COP_TRY(cop_phase_create(run, path, title, run->splits.examples[COP_SPLIT_SUPPORT],
                             run->splits.counts[COP_SPLIT_SUPPORT], &c->phase, err));
    if (with_centre) COP_TRY(cop_phase_add(run, c->phase, run->centre, NULL, 0, err));
    COP_TRY(add_rows(run, c, err));
    COP_TRY(cop_phase_run(run, c->phase, err));
    c->usable = 0;
    for (size_t i = 0; i < c->count; i++) {
        c->reward[i] = cop_phase_mean(c->phase, c->first_row + i);
        c->valid[i] = cop_phase_row_valid(c->phase, c->first_row + i);
        if (c->valid[i]) c->usable++;
        if (c->reward[i] > c->reward[c->best]) c->best = i;
    }
    char text[96];
    if (with_centre) {
        (void)snprintf(text, sizeof text, "centre %.3f, best %.3f on support",
                       cop_phase_mean(c->phase, 0), c->reward[c->best]);
    } else {
        (void)snprintf(text, sizeof text, "best %.3f on support (seed %zu of %zu)",
                       c->reward[c->best], c->best, c->count);
    }
    cop_progress_end(&run->progress, text);
    return with_centre ? COP_OK : record(run, c, err);
}

const float *cop_candidates_scores(const cop_candidates *candidates)
{
    return cop_phase_scores(candidates->phase, candidates->first_row);
}

cop_operator_input cop_candidates_input(const cop_run *run, const cop_candidates *candidates,
                                        const double *reward)
{
    const cop_job *const job = run->job;
    return (cop_operator_input){.count = candidates->count,
                                .examples = candidates->phase->example_count,
                                .scores = cop_candidates_scores(candidates),
                                .sigma = candidates->sigma,
                                .reward = reward,
                                .valid = candidates->valid,
                                .q = job->consolidate.q.data,
                                .q_count = job->consolidate.q.count,
                                .beta = job->consolidate.beta.data,
                                .beta_count = job->consolidate.beta.count,
                                .rank = (size_t)job->consolidate.rank};
}

double cop_candidates_spread(const cop_run *run, const cop_candidates *candidates,
                             const double *amplitude, double *direction)
{
    const cop_candidates *const c = candidates;
    memset(direction, 0, run->seed_count * sizeof *direction);
    for (size_t i = 0; i < c->count; i++) {
        if (amplitude[i] == 0) continue;
        if (c->vector == NULL) {
            direction[c->seed[i]] += c->sign[i] * amplitude[i];
            continue;
        }
        const double weight = amplitude[i] / c->sigma[i];
        for (size_t s = 0; s < run->seed_count; s++)
            direction[s] += weight * c->vector[i * run->seed_count + s];
    }
    double square = 0;
    for (size_t s = 0; s < run->seed_count; s++)
        square += direction[s] * direction[s];
    return sqrt(square);
}

double cop_candidates_best_sigma(const cop_run *run, const cop_candidates *candidates)
{
    const cop_job_numbers *const sigmas = &run->job->population.sigma;
    double best = sigmas->data[0];
    double best_mean = -INFINITY;
    for (size_t k = 0; k < sigmas->count; k++) {
        double sum = 0;
        size_t count = 0;
        for (size_t i = 0; i < candidates->count; i++) {
            if (candidates->sigma[i] != sigmas->data[k]) continue;
            sum += candidates->reward[i];
            count++;
        }
        if (count > 0 && sum / (double)count > best_mean) {
            best_mean = sum / (double)count;
            best = sigmas->data[k];
        }
    }
    return best;
}

void cop_candidates_free(cop_candidates *candidates)
{
    cop_memory_free(candidates->seed);
    cop_memory_free(candidates->sign);
    cop_memory_free(candidates->vector);
    cop_memory_free(candidates->sigma);
    cop_memory_free(candidates->reward);
    cop_memory_free(candidates->valid);
    cop_phase_destroy(&candidates->phase);
    *candidates = (cop_candidates){0};
}
