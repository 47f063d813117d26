/* The state of a search: its seeds, drawn once by index, and the centre as amplitudes on them.
 */
#include "coppice/base/memory.h"
#include "coppice/method/method.h"
#include "coppice/noise/noise.h"

#include <assert.h>

/* The seeds of all populations, then those of each local round. Their stream's domains: 0 and 1
 * populations (seed, sigma), 2 + k recentring round k. */
static void draw_seeds(const cop_job *job, size_t populations, cop_search *search)
{
    const uint64_t seed = (uint64_t)job->population.seed;
    const size_t n = (size_t)job->population.size * populations;
    const size_t local = (size_t)job->recenter.size;
    for (size_t i = 0; i < n; i++)
        search->seeds[i] = cop_noise_bits(seed, COP_STREAM_POPULATION, 0, i);
    for (size_t i = n; i < search->seed_count; i++) {
        const uint32_t round = (uint32_t)((i - n) / local);
        search->seeds[i] =
            cop_noise_bits(seed, COP_STREAM_POPULATION, 2 + round, (i - n) % local);
    }
}

size_t cop_method_seed_count(const cop_method *method, const cop_job *job)
{
    const size_t drawn = (size_t)job->population.size * method->population_count(job);
    return drawn +
           (method->recentres ? (size_t)job->recenter.rounds * (size_t)job->recenter.size : 0);
}

cop_status cop_search_create(const cop_method *method, const cop_job *job,
                             const cop_splits *splits, cop_phases *phases, double correct_at,
                             cop_search *search, cop_error *err)
{
    *search = (cop_search){.job = job,
                           .splits = splits,
                           .phases = phases,
                           /* Scores are binary32, so what they are held against is. */
                           .measure.correct_at = (double)(float)correct_at,
                           .seed_count = cop_method_seed_count(method, job)};
    const size_t count = search->seed_count;
    search->seeds = cop_memory_alloc(count, sizeof *search->seeds, err);
    search->centre = cop_memory_alloc(count, sizeof *search->centre, err);
    search->row = cop_memory_alloc(count, sizeof *search->row, err);
    if (search->seeds == NULL || search->centre == NULL || search->row == NULL) {
        cop_search_free(search);
        return COP_ERR_MEMORY;
    }
    draw_seeds(job, method->population_count(job), search);
    return COP_OK;
}

cop_status cop_search_add_row(cop_search *search, cop_phase *phase, const double *centre,
                              const double *direction, double step, cop_error *err)
{
    size_t count = 0;
    for (size_t s = 0; s < search->seed_count; s++) {
        const double amplitude =
            (centre != NULL ? centre[s] : 0) + (direction != NULL ? step * direction[s] : 0);
        if ((float)amplitude == 0.0F) continue;
        search->row[count++] =
            (cop_component){.seed = search->seeds[s], .amplitude = (float)amplitude};
    }
    return cop_phase_add(phase, search->row, count, err);
}

void cop_search_free(cop_search *search)
{
    cop_memory_free(search->seeds);
    cop_memory_free(search->centre);
    cop_memory_free(search->row);
    cop_memory_free(search->centre_validate);
    cop_memory_free(search->gate);
    *search = (cop_search){0};
}
