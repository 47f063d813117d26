/* A population is drawn from its seeds' indices alone, so that any start draws the same. A
 * candidate of one seed costs a component behind the centre's, which all have in common: only
 * local candidates, which lie in a cloud, are vectors over all of them. */
#include "coppice/method/candidates.h"

#include "coppice/base/memory.h"
#include "coppice/method/method.h"
#include "coppice/noise/noise.h"
#include "method/race.h"
#include "method/spend.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cop_status cop_candidates_draw(const cop_search *search, size_t first, size_t count,
                               double shrink, cop_candidates *candidates, cop_error *err)
{
    const cop_job *const job = search->job;
    cop_candidates *const c = candidates;
    *c = (cop_candidates){.count = count, .paired = job->population.antithetic};
    c->seed_index = cop_memory_alloc(count, sizeof *c->seed_index, err);
    c->sign = cop_memory_alloc(count, sizeof *c->sign, err);
    c->sigma = cop_memory_alloc(count, sizeof *c->sigma, err);
    c->reward = cop_memory_alloc(count, sizeof *c->reward, err);
    c->valid = cop_memory_alloc(count, sizeof *c->valid, err);
    if (c->seed_index == NULL || c->sign == NULL || c->sigma == NULL || c->reward == NULL ||
        c->valid == NULL) {
        cop_candidates_free(c);
        return COP_ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        c->seed_index[i] = first + (c->paired ? i / 2 : i);
        c->sign[i] = c->paired && i % 2 == 1 ? -1 : 1;
        const double u = cop_noise_uniform((uint64_t)job->population.seed,
                                           COP_STREAM_POPULATION, 1, c->seed_index[i]);
        const size_t k = (size_t)(u * (double)job->population.sigma.count);
        c->sigma[i] = shrink * job->population.sigma.data[k];
    }
    return COP_OK;
}

/* Candidate i: the centre, and its own seed behind it, which is younger than the centre's. */
static cop_status add_single(cop_search *search, cop_candidates *c, size_t i, cop_error *err)
{
    const size_t index = c->seed_index[i];
    const cop_component own = {.seed = search->seeds[index],
                               .amplitude = (float)(c->sigma[i] * c->sign[i])};
    assert(search->centre[index] == 0);
    return cop_phase_add_to_trunk(c->phase, &own, own.amplitude == 0.0F ? 0 : 1, err);
}

/* Candidates first .. end - 1. */
static cop_status add_rows(cop_search *search, cop_candidates *c, size_t first, size_t end,
                           cop_error *err)
{
    for (size_t i = first; i < end; i++) {
        COP_TRY(c->vector == NULL
                    ? add_single(search, c, i, err)
                    : cop_search_add_candidate(search, c->phase,
                                               c->vector + i * search->seed_count, err));
    }
    return COP_OK;
}

/* Seeds, signs, sigmas and rewards beside the scores, and who left the race. */
static cop_status record(const cop_search *search, const cop_candidates *c,
                         const cop_phase_race *race, cop_error *err)
{
    COP_TRY(cop_phase_column(
        search->phases, c->phase, "reward", COP_STORE_F64, c->reward, "reward",
        "mean score of each candidate on support; NaN: it left the race", err));
    COP_TRY(cop_phase_column(search->phases, c->phase, "sigma", COP_STORE_F64, c->sigma,
                             "weight", "standard deviation of each candidate's noise", err));
    COP_TRY(cop_phase_race_record(search, race, c->phase, err));
    if (c->seed_index == NULL) return COP_OK;
    uint64_t *const seeds = cop_memory_alloc(c->count, sizeof *seeds, err);
    if (seeds == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < c->count; i++)
        seeds[i] = search->seeds[c->seed_index[i]];
    cop_status status = cop_phase_column(search->phases, c->phase, "seed", COP_STORE_U64, seeds,
                                         NULL, "of each candidate", err);
    cop_memory_free(seeds);
    if (status == COP_OK && c->paired) {
        status = cop_phase_column(search->phases, c->phase, "sign", COP_STORE_F64, c->sign,
                                  NULL, "of each candidate's noise", err);
    }
    return status;
}

static cop_status open_phase(cop_search *search, cop_candidates *c, cop_phase_race *race,
                             const cop_candidates_phase *of, cop_error *err)
{
    c->first_row = of->with_centre ? 1 : 0;
    COP_TRY(cop_phase_race_create(search, of->path, of->title, of->examples, of->count, race,
                                  &c->phase, err));
    if (c->vector == NULL) {
        const cop_component *centre = NULL;
        size_t centre_count = 0;
        COP_TRY(cop_search_recipe(search, &centre, &centre_count, err));
        COP_TRY(cop_phase_set_trunk(c->phase, centre, centre_count, err));
    }
    return of->with_centre ? cop_search_add_centre(search, c->phase, err) : COP_OK;
}

cop_status cop_candidates_open(cop_search *search, cop_candidates *candidates,
                               const cop_candidates_phase *of, size_t count, cop_error *err)
{
    cop_phase_race none = {0};
    COP_TRY(open_phase(search, candidates, &none, of, err));
    return add_rows(search, candidates, 0, count, err);
}

/* Scores as many of the candidates as the budget has room for: all at once, or the first ones
 * and then those that shorter answers leave room for. Their number is then the count. Some may
 * have rows before. */
static cop_status run_rows(cop_search *search, cop_candidates *c, cop_phase_race *race,
                           const cop_round *round, cop_error *err)
{
    const size_t wanted = c->count;
    const size_t before = c->phase->row_count - c->first_row;
    const uint64_t owed = before > 0 ? cop_search_count_pending(c->phase) : 0;
    const uint64_t left = cop_budget_left_beside(&search->budget, owed);
    const uint64_t reserve = cop_round_reserve(round, left);
    size_t next = cop_round_candidates(round, left, reserve, before);
    c->count = before;
    for (bool has_rows = before > 0; has_rows || next > 0; has_rows = false) {
        COP_TRY(add_rows(search, c, c->count, c->count + next, err));
        c->count += next;
        COP_TRY(cop_phase_race_score(search, race, c->phase, err));
        next = cop_round_candidates(round, cop_budget_left(&search->budget), reserve, c->count);
    }
    return cop_search_note_step(search, c->phase->path, "candidates", wanted, c->count, left,
                                err);
}

/* For the places of the largest ensemble that the population has members for, by the mean that
 * candidates are ranked by. */
static cop_race_rules rules_of(const cop_job *job)
{
    cop_race_rules rules = {.racers = "candidates",
                            .stages = (size_t)job->population.race,
                            .places = 1,
                            .measure = {.on_reward = true}};
    for (size_t k = 0; k < job->baselines.randopt.count; k++) {
        const int64_t members = job->baselines.randopt.data[k];
        if (members <= job->population.size && (size_t)members > rules.places)
            rules.places = (size_t)members;
    }
    rules.keep = rules.places;
    return rules;
}

/* Rewards, of those who did not leave the race, and the best candidate. */
static void rank_by_reward(cop_candidates *c, const cop_phase_race *race)
{
    c->usable = 0;
    for (size_t i = 0; i < c->count; i++) {
        const size_t row = c->first_row + i;
        c->reward[i] = cop_phase_race_has_left(race, row) ? NAN : cop_phase_mean(c->phase, row);
        c->valid[i] = cop_phase_row_valid(c->phase, row);
        if (c->valid[i]) c->usable++;
        const bool ahead = isnan(c->reward[c->best]) || !c->valid[c->best] ||
                           c->reward[i] > c->reward[c->best];
        if (c->valid[i] && ahead) c->best = i;
    }
}

static void tell(const cop_search *search, const cop_candidates *c, bool with_centre)
{
    char text[96];
    if (with_centre) {
        (void)snprintf(text, sizeof text, "centre %.3f, best %.3f on support",
                       cop_phase_mean(c->phase, 0), c->reward[c->best]);
    } else {
        (void)snprintf(text, sizeof text, "best %.3f on support (candidate index %zu of %zu)",
                       c->reward[c->best], c->best, c->count);
    }
    cop_progress_end(search->phases->progress, text);
}

cop_status cop_candidates_score(cop_search *search, cop_candidates *candidates,
                                const cop_round *round, const char *path, const char *title,
                                cop_error *err)
{
    cop_candidates *const c = candidates;
    cop_phase_race race = {.rules = rules_of(search->job)};
    const bool with_centre = round->first > 0;
    const cop_candidates_phase whole = {.path = path,
                                        .title = title,
                                        .examples = search->support,
                                        .count = search->support_count,
                                        .with_centre = with_centre};
    assert(c->count == round->candidates);
    c->usable = 0;
    cop_status status = COP_OK;
    if (c->phase == NULL) status = open_phase(search, c, &race, &whole, err);
    if (status == COP_OK) status = run_rows(search, c, &race, round, err);
    if (status == COP_OK && c->count > 0) {
        rank_by_reward(c, &race);
        tell(search, c, with_centre);
        cop_phase_race_describe(&race, c->phase, search->phases->progress);
        if (!with_centre) status = record(search, c, &race, err);
    }
    cop_phase_race_free(&race);
    return status;
}

/* Scores of all candidates, [N, M]. */
static const float *scores_of(const cop_candidates *candidates)
{
    return cop_phase_scores(candidates->phase, candidates->first_row);
}

cop_operator_input cop_candidates_input(const cop_search *search,
                                        const cop_candidates *candidates, const double *reward)
{
    const cop_job *const job = search->job;
    return (cop_operator_input){.count = candidates->count,
                                .examples = candidates->phase->example_count,
                                .scores = scores_of(candidates),
                                .sigma = candidates->sigma,
                                .reward = reward,
                                .valid = candidates->valid,
                                .q = job->consolidate.q.data,
                                .q_count = job->consolidate.q.count,
                                .beta = job->consolidate.beta.data,
                                .beta_count = job->consolidate.beta.count,
                                .rank = (size_t)job->consolidate.rank};
}

double cop_candidates_spread(const cop_search *search, const cop_candidates *candidates,
                             const double *amplitude, double *direction)
{
    const cop_candidates *const c = candidates;
    memset(direction, 0, search->seed_count * sizeof *direction);
    for (size_t i = 0; i < c->count; i++) {
        if (amplitude[i] == 0) continue;
        if (c->vector == NULL) {
            direction[c->seed_index[i]] += c->sign[i] * amplitude[i];
            continue;
        }
        const double weight = amplitude[i] / c->sigma[i];
        for (size_t s = 0; s < search->seed_count; s++)
            direction[s] += weight * c->vector[i * search->seed_count + s];
    }
    double square = 0;
    for (size_t s = 0; s < search->seed_count; s++)
        square += direction[s] * direction[s];
    return sqrt(square);
}

/* What a candidate whose logits were not finite counts for: no more than any other. */
static double least_reward(const cop_candidates *candidates)
{
    double least = 0;
    for (size_t i = 0; i < candidates->count; i++) {
        if (candidates->valid[i]) least = fmin(least, candidates->reward[i]);
    }
    return least;
}

double cop_candidates_best_sigma(const cop_search *search, const cop_candidates *candidates)
{
    const double least = least_reward(candidates);
    const cop_job_numbers *const sigmas = &search->job->population.sigma;
    double best = sigmas->data[0];
    double best_mean = -INFINITY;
    for (size_t k = 0; k < sigmas->count; k++) {
        double sum = 0;
        size_t count = 0;
        for (size_t i = 0; i < candidates->count; i++) {
            if (candidates->sigma[i] != sigmas->data[k]) continue;
            sum += candidates->valid[i] ? candidates->reward[i] : least;
            count++;
        }
        if (count > 0 && sum / (double)count > best_mean) {
            best_mean = sum / (double)count;
            best = sigmas->data[k];
        }
    }
    return best;
}

/* A candidate with what it is ranked by. */
typedef struct ranked {
    bool valid;
    double reward;
    size_t index;
} ranked;

static int compare_ranked(const void *a, const void *b)
{
    const ranked *const x = a;
    const ranked *const y = b;
    if (x->valid != y->valid) return x->valid ? -1 : 1;
    if (x->reward != y->reward) return x->reward > y->reward ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

cop_status cop_candidates_rank(const cop_candidates *candidates, size_t *members, size_t count,
                               cop_error *err)
{
    ranked *const all = cop_memory_alloc(candidates->count, sizeof *all, err);
    if (all == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < candidates->count; i++) {
        const double reward = candidates->reward[i];
        all[i] = (ranked){candidates->valid[i], isnan(reward) ? -INFINITY : reward, i};
    }
    qsort(all, candidates->count, sizeof *all, compare_ranked);
    for (size_t k = 0; k < count; k++)
        members[k] = all[k].index;
    cop_memory_free(all);
    return COP_OK;
}

void cop_candidates_free(cop_candidates *candidates)
{
    cop_memory_free(candidates->seed_index);
    cop_memory_free(candidates->sign);
    cop_memory_free(candidates->vector);
    cop_memory_free(candidates->sigma);
    cop_memory_free(candidates->reward);
    cop_memory_free(candidates->valid);
    cop_phase_destroy(&candidates->phase);
    *candidates = (cop_candidates){0};
}
