/* The state of a search: its seeds, drawn once by index, and the centre as amplitudes on them.
 */
#include "coppice/base/memory.h"
#include "coppice/method/method.h"
#include "coppice/noise/noise.h"

#include <assert.h>
#include <string.h>

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
    *search = (cop_search){.method = method,
                           .job = job,
                           .splits = splits,
                           .phases = phases,
                           /* Scores are binary32, so what they are held against is. */
                           .measure.correct_at = (double)(float)correct_at,
                           .sums = job->consolidate.sums && method->proposes,
                           .seed_count = cop_method_seed_count(method, job),
                           .budget = cop_budget_of(job)};
    const size_t count = search->seed_count;
    search->seeds = cop_memory_alloc(count, sizeof *search->seeds, err);
    search->centre = cop_memory_alloc(count, sizeof *search->centre, err);
    search->support_count = splits->counts[COP_SPLIT_SUPPORT];
    search->support = cop_memory_alloc(search->support_count, sizeof *search->support, err);
    if (search->seeds == NULL || search->centre == NULL || search->support == NULL) {
        cop_search_free(search);
        return COP_ERR_MEMORY;
    }
    if (search->support_count > 0)
        memcpy(search->support, splits->examples[COP_SPLIT_SUPPORT],
               search->support_count * sizeof *search->support);
    draw_seeds(job, method->population_count(job), search);
    return COP_OK;
}

const size_t *cop_search_examples(const cop_search *search, cop_split split, size_t *count)
{
    const bool support = split == COP_SPLIT_SUPPORT;
    *count = support ? search->support_count : search->splits->counts[split];
    return support ? search->support : search->splits->examples[split];
}

/* --- rows --- */

static cop_status put(cop_search *search, size_t *count, cop_component component,
                      cop_error *err)
{
    COP_GROW(search->row, search->row_capacity, *count + 1, err);
    search->row[(*count)++] = component;
    return COP_OK;
}

static cop_status put_trunk(cop_search *search, size_t *count, cop_error *err)
{
    for (size_t j = 0; j < search->trunk_count; j++)
        COP_TRY(put(search, count, search->trunk[j], err));
    return COP_OK;
}

/* The direction's components, of which the last one says what to take them times; nothing where
 * that is zero. */
static cop_status put_sum(cop_search *search, size_t *count, const double *direction,
                          double step, cop_error *err)
{
    const size_t before = *count;
    for (size_t s = 0; s < search->seed_count && (float)step != 0.0F; s++) {
        if ((float)direction[s] == 0.0F) continue;
        COP_TRY(put(search, count,
                    (cop_component){.seed = search->seeds[s],
                                    .amplitude = (float)direction[s],
                                    .factor = COP_IN_SUM},
                    err));
    }
    if (*count > before) search->row[*count - 1].factor = (float)step;
    return COP_OK;
}

/* centre + step * direction, NULL: nothing, each seed by itself; with `sums` behind the trunk.
 */
static cop_status put_seeds(cop_search *search, size_t *count, const double *direction,
                            double step, cop_error *err)
{
    if (search->sums) COP_TRY(put_trunk(search, count, err));
    for (size_t s = 0; s < search->seed_count; s++) {
        const double amplitude = (search->sums ? 0 : search->centre[s]) +
                                 (direction != NULL ? step * direction[s] : 0);
        if ((float)amplitude == 0.0F) continue;
        COP_TRY(put(search, count,
                    (cop_component){.seed = search->seeds[s], .amplitude = (float)amplitude},
                    err));
    }
    return COP_OK;
}

cop_status cop_search_add_centre(cop_search *search, cop_phase *phase, cop_error *err)
{
    const cop_component *components = NULL;
    size_t count = 0;
    COP_TRY(cop_search_recipe(search, &components, &count, err));
    return cop_phase_add(phase, components, count, err);
}

cop_status cop_search_add_candidate(cop_search *search, cop_phase *phase,
                                    const double *candidate, cop_error *err)
{
    size_t count = 0;
    COP_TRY(put_seeds(search, &count, candidate, 1, err));
    return cop_phase_add(phase, search->row, count, err);
}

cop_status cop_search_add_step(cop_search *search, cop_phase *phase, const double *direction,
                               double step, cop_error *err)
{
    size_t count = 0;
    if (search->sums) {
        COP_TRY(put_trunk(search, &count, err));
        COP_TRY(put_sum(search, &count, direction, step, err));
    } else {
        COP_TRY(put_seeds(search, &count, direction, step, err));
    }
    return cop_phase_add(phase, search->row, count, err);
}

cop_status cop_search_move(cop_search *search, const double *direction, double step,
                           cop_error *err)
{
    size_t count = 0;
    if (search->sums) {
        COP_TRY(put_sum(search, &count, direction, step, err));
        COP_GROW(search->trunk, search->trunk_capacity, search->trunk_count + count, err);
        for (size_t j = 0; j < count; j++)
            search->trunk[search->trunk_count++] = search->row[j];
    }
    for (size_t s = 0; s < search->seed_count; s++)
        search->centre[s] += step * direction[s];
    search->step = step;
    return COP_OK;
}

cop_status cop_search_recipe(cop_search *search, const cop_component **components,
                             size_t *count, cop_error *err)
{
    *count = 0;
    COP_TRY(put_seeds(search, count, NULL, 0, err));
    *components = search->row;
    return COP_OK;
}

void cop_search_free(cop_search *search)
{
    cop_memory_free(search->seeds);
    cop_memory_free(search->centre);
    cop_memory_free(search->trunk);
    cop_memory_free(search->row);
    cop_memory_free(search->centre_validate);
    cop_memory_free(search->support);
    cop_memory_free(search->base_support);
    for (size_t i = 0; i < search->gate_count; i++)
        cop_memory_free(search->gate[i].guards);
    cop_memory_free(search->gate);
    for (size_t g = 0; g < search->guard_count; g++)
        cop_phase_destroy(&search->guards[g].phase);
    cop_phase_destroy(&search->shorter);
    cop_memory_free(search->guards);
    cop_memory_free(search->steps);
    *search = (cop_search){0};
}
