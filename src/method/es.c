/* The classical evolution strategy: every iteration moves the centre along the shaped rewards
 * of a fresh population, asking nobody. The iterate that is best on probe, the last among
 * equals, faces the gate. */
#include "method/gate.h"
#include "method/guards.h"
#include "method/methods.h"
#include "method/spend.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct strategy {
    cop_search *search;
    cop_phase *probe;  /* row k: the centre after iteration k + 1 */
    double *best;      /* [seeds] the iterate that is best on probe */
    double merit;      /* its */
    double reward;     /* its */
    size_t best_after; /* its iterations; 0: none yet */
} strategy;

/* centre += rate * sigma / sqrt(N) along the unit direction: with z-scored rewards
 * rate * sigma / N * sum_i z_i noise_i. */
static cop_status step(strategy *s, const cop_candidates *candidates, cop_error *err)
{
    cop_search *const search = s->search;
    const cop_job *const job = search->job;
    const cop_operator *chosen = NULL;
    cop_directions found = {0};
    const cop_operator_input input =
        cop_candidates_input(search, candidates, candidates->reward);
    COP_TRY(cop_operator_find(job->es.shaping, &chosen, err));
    COP_TRY(cop_operator_run(chosen, &input, &found, err));
    double *const vector = cop_memory_alloc(search->seed_count, sizeof *vector, err);
    cop_status status = vector == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK && found.count > 0) {
        double square = 0;
        for (size_t i = 0; i < candidates->count; i++)
            square += candidates->valid[i] ? candidates->sigma[i] * candidates->sigma[i] : 0;
        const double length = job->es.rate * sqrt(square) / (double)candidates->usable;
        (void)cop_candidates_spread(search, candidates, found.items[0].amplitude, vector);
        status = cop_search_move(search, vector, length, err);
    }
    cop_memory_free(vector);
    cop_directions_free(&found);
    return status;
}

/* Scores the centre on probe and keeps it if no iterate was better: where probe shows no errors
 * any more, later iterates still have fewer of those that it does not show. */
static cop_status look(strategy *s, size_t iteration, cop_error *err)
{
    cop_search *const search = s->search;
    COP_TRY(cop_search_add_centre(search, s->probe, err));
    COP_TRY(cop_search_run_phase(search, s->probe, err));
    const double merit = cop_phase_merit(s->probe, iteration, &search->measure);
    const double reward = cop_phase_mean(s->probe, iteration);
    char text[64];
    (void)snprintf(text, sizeof text, "iteration %zu: probe %.3f", iteration + 1, merit);
    cop_progress_end(search->phases->progress, text);
    const bool worse = merit < s->merit || (merit == s->merit && reward < s->reward);
    if ((s->best_after > 0 && worse) || !cop_phase_row_valid(s->probe, iteration))
        return COP_OK;
    s->merit = merit;
    s->reward = reward;
    s->best_after = iteration + 1;
    memcpy(s->best, search->centre, search->seed_count * sizeof *s->best);
    return COP_OK;
}

/* *made: the budget had room for it. */
static cop_status iterate(strategy *s, const cop_candidates *population, size_t iteration,
                          bool *made, cop_error *err)
{
    cop_search *const search = s->search;
    const size_t size = (size_t)search->job->population.size;
    const cop_round round = cop_round_of_later(search->method, search->job);
    cop_candidates drawn = {0};
    cop_status status = COP_OK;
    if (iteration > 0) {
        char path[64];
        char title[32];
        (void)snprintf(path, sizeof path, "/es/iteration_%zu", iteration + 1);
        (void)snprintf(title, sizeof title, "es %zu", iteration + 1);
        COP_TRY_OUT(cop_candidates_draw(search, iteration * size, size, 1, &drawn, err));
        COP_TRY_OUT(cop_candidates_score(search, &drawn, &round, path, title, err));
    }
    const cop_candidates *const candidates = iteration == 0 ? population : &drawn;
    *made = candidates->count > 0;
    if (!*made) goto out;
    if (candidates->usable > 0) COP_TRY_OUT(step(s, candidates, err));
    COP_TRY_OUT(look(s, iteration, err));
out:
    cop_candidates_free(&drawn);
    return status;
}

/* The chosen iterate against the base, or as much of the way to it as guards allow. */
static cop_status pass_gate(strategy *s, bool *improved, cop_error *err)
{
    cop_search *const search = s->search;
    const cop_operator *chosen = NULL;
    COP_TRY(cop_operator_find(search->job->es.shaping, &chosen, err));
    double refused = 0;
    const cop_gate_candidate whole = {.vector = s->best,
                                      .step = 1,
                                      .source = chosen->name,
                                      .q = NAN,
                                      .beta = NAN,
                                      .refused = &refused};
    size_t tries = 1;
    size_t most = 1;
    if (search->in_turn) {
        const uint64_t left = cop_budget_left(&search->budget);
        tries = (size_t)search->job->gate.tries;
        most = cop_budget_es_tries(search->job, left);
        COP_TRY(cop_search_note_step(search, "/gate/es", "tries at the gate", tries, most, left,
                                     err));
    }
    const cop_gate_request request = {.path = "/gate/es",
                                      .title = "gate",
                                      .round = 0,
                                      .first_attempt = 1,
                                      .candidates = &whole,
                                      .count = 1,
                                      .most = most,
                                      .tries = tries};
    cop_gate_winner winner;
    COP_TRY(cop_gate_pass(search, &request, search->centre_validate, &winner, err));
    *improved = winner.index != SIZE_MAX;
    if (!*improved) return COP_OK;
    cop_guards_commit(search);
    for (size_t i = 0; i < search->seed_count; i++)
        search->centre[i] = winner.step * s->best[i];
    return COP_OK;
}

cop_status cop_es_run(cop_search *search, const cop_candidates *population, bool *improved,
                      cop_error *err)
{
    strategy s = {.search = search};
    cop_status status = COP_OK;
    *improved = false;
    s.best = cop_memory_alloc(search->seed_count, sizeof *s.best, err);
    if (s.best == NULL) return COP_ERR_MEMORY;
    COP_TRY_OUT(cop_phase_create(search->phases, "/es/probe", "es probe",
                                 search->splits->examples[COP_SPLIT_PROBE],
                                 search->splits->counts[COP_SPLIT_PROBE], &s.probe, err));
    bool made = true;
    for (size_t k = 0; k < (size_t)search->job->es.iterations && made; k++)
        COP_TRY_OUT(iterate(&s, population, k, &made, err));
    memset(search->centre, 0, search->seed_count * sizeof *search->centre);
    if (s.best_after > 0) COP_TRY_OUT(pass_gate(&s, improved, err));
out:
    cop_phase_destroy(&s.probe);
    cop_memory_free(s.best);
    return status;
}
