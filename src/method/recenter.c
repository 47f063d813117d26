/* Stage 2: local search around the accepted model, gated at every step. */
#include "method/recenter.h"
#include "method/guards.h"
#include "method/spend.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One round. */
typedef struct round_state {
    cop_search *search;
    cop_local_search *distribution;
    size_t number;   /* from 0 */
    cop_round round; /* as the job wants it */
    size_t tries;    /* at the gate */
    cop_candidates local;
    double *merit; /* [N] of the local candidates on support */
    cop_proposals proposals;
    float *gated; /* [validate] scores of the proposal that passed the gate last */
} round_state;

/* --- the local candidates --- */

static cop_status note(const round_state *r, const char *name, double value, const char *unit,
                       const char *meaning, cop_error *err)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/%s", r->number + 1, name);
    return cop_store_set_f64(r->search->phases->store, path, value, unit, meaning, err);
}

/* Draws local candidates and scores them and the centre on support. */
static cop_status score_local(round_state *r, cop_error *err)
{
    char path[64];
    char title[32];
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/local", r->number + 1);
    (void)snprintf(title, sizeof title, "recenter %zu", r->number + 1);
    COP_TRY(cop_local_search_draw(r->search, r->distribution, r->number, &r->local, err));
    return cop_candidates_score(r->search, &r->local, &r->round, path, title, err);
}

/* Compares the local candidates with the centre and updates where the next are drawn from. */
static cop_status judge_local(round_state *r, cop_error *err)
{
    const cop_search *const search = r->search;
    const cop_phase *const phase = r->local.phase;
    const size_t count = r->local.count;
    double *const constructive = cop_memory_alloc(count, sizeof *constructive, err);
    if (constructive == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const cop_paired paired = cop_paired_compare(
            cop_phase_scores(phase, i + 1), cop_phase_scores(phase, 0), phase->example_count,
            &search->measure, search->job->recenter.regression_weight);
        constructive[i] = r->local.valid[i] ? paired.constructive : 0;
        r->merit[i] = cop_phase_merit(phase, i + 1, &search->measure);
    }
    const cop_store_array scores = {
        .type = COP_STORE_F64, .rank = 1, .shape = {count}, .data = constructive};
    char path[96];
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/constructive", r->number + 1);
    cop_status status =
        cop_store_set(search->phases->store, path, &scores, NULL,
                      "of each local candidate, against the centre on support", err);
    if (status == COP_OK)
        status =
            note(r, "lambda", r->distribution->lambda, NULL, "isotropic share of energy", err);
    if (status == COP_OK)
        status = note(r, "sigma", r->distribution->sigma, "weight", "size of local steps", err);
    if (status == COP_OK) {
        status = cop_local_search_update(search, r->distribution, r->number, &r->local,
                                         constructive, err);
    }
    cop_memory_free(constructive);
    return status;
}

/* --- the proposals --- */

/* Adds directions, from a place in the sequence of them on, in steps around the current one. */
static cop_status add_proposals(round_state *r, size_t first, cop_phase *phase, cop_error *err)
{
    const cop_job_numbers *const factors = &r->search->job->recenter.step;
    for (size_t i = first; i < r->proposals.tried; i++) {
        for (size_t k = 0; k < factors->count; k++) {
            const double factor = factors->data[k];
            COP_TRY(cop_proposals_add(&r->proposals, r->proposals.sequence[i],
                                      r->search->step * factor, factor, err));
            COP_TRY(cop_proposals_add_row(r->search, &r->proposals, r->proposals.count - 1,
                                          phase, err));
        }
    }
    return COP_OK;
}

/* Scores what the operators made of the local candidates, all at once or as the budget leaves
 * room. */
static cop_status score_proposals(round_state *r, cop_phase *phase, cop_error *err)
{
    const uint64_t left = cop_budget_left(&r->search->budget);
    size_t more = 0;
    COP_TRY(cop_proposals_choose(r->search, &r->round, &r->proposals, &more, err));
    while (more > 0) {
        COP_TRY(add_proposals(r, r->proposals.tried - more, phase, err));
        COP_TRY(cop_phase_race_score(r->search, &r->proposals.race, phase, err));
        COP_TRY(cop_proposals_choose(r->search, &r->round, &r->proposals, &more, err));
    }
    return cop_proposals_close(r->search, &r->round, &r->proposals, phase, left, &r->tries,
                               err);
}

static bool better(const cop_proposal *a, const cop_proposal *b)
{
    if (a->paired.constructive > b->paired.constructive) return true;
    return !(a->paired.constructive < b->paired.constructive) &&
           a->paired.mean > b->paired.mean;
}

/* Proposals into the run file. */
static cop_status record(round_state *r, const cop_phase *phase, cop_error *err)
{
    COP_TRY(cop_proposals_record(r->search, &r->proposals, phase, err));
    double *const column = cop_memory_alloc(r->proposals.count, sizeof *column, err);
    if (column == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < r->proposals.count; i++)
        column[i] = cop_proposals_has_left(&r->proposals, i)
                        ? NAN
                        : r->proposals.items[i].paired.constructive;
    const cop_status status = cop_phase_column(
        r->search->phases, phase, "constructive", COP_STORE_F64, column, NULL,
        "(gains - L losses) / M on support, against the centre; NaN: it left the race", err);
    cop_memory_free(column);
    return status;
}

/* Scores the proposals on support and ranks those that stay in the race. */
static cop_status rank_proposals(round_state *r, cop_error *err)
{
    cop_search *const search = r->search;
    cop_proposals *const list = &r->proposals;
    const size_t count = search->support_count;
    char path[64];
    char title[32];
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/proposals", r->number + 1);
    (void)snprintf(title, sizeof title, "recenter %zu steps", r->number + 1);
    const float *const centre = cop_phase_scores(r->local.phase, 0);
    cop_phase *phase = NULL;
    list->race.rules = (cop_race_rules){.racers = "proposals",
                                        .stages = (size_t)search->job->recenter.race,
                                        .keep = (size_t)search->job->gate.tries,
                                        .measure = search->measure,
                                        .centre = centre,
                                        .weight = search->job->recenter.regression_weight};
    cop_status status =
        cop_proposals_create_phase(search, path, title, COP_SPLIT_SUPPORT, list, &phase, err);
    if (status == COP_OK) status = score_proposals(r, phase, err);
    for (size_t i = 0; i < list->count && status == COP_OK; i++) {
        if (cop_proposals_has_left(list, i)) continue;
        list->items[i].broken = !cop_phase_row_valid(phase, i);
        list->items[i].paired =
            cop_paired_compare(cop_phase_scores(phase, i), centre, count, &search->measure,
                               search->job->recenter.regression_weight);
    }
    if (status == COP_OK) status = cop_proposals_rank(list, better, err);
    if (status == COP_OK) status = record(r, phase, err);
    if (status == COP_OK) {
        char text[64];
        (void)snprintf(text, sizeof text, "best constructive score %+.3f",
                       list->items[list->order[0]].paired.constructive);
        cop_progress_end(search->phases->progress, text);
        cop_phase_race_describe(&list->race, phase, search->phases->progress);
    }
    cop_phase_destroy(&phase);
    return status;
}

/* --- the step --- */

/* The gate on proposals [count], at most so many times; `suffix` tells its phases apart. */
static cop_status pass_gate(round_state *r, const char *suffix, const size_t *tried,
                            size_t count, size_t most, size_t *winner, cop_error *err)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/gate/round_%zu%s", r->number + 1, suffix);
    const bool again = suffix[0] != '\0';
    const cop_gate_request request = {.path = path,
                                      .title = again ? "gate, chosen step" : "gate",
                                      .round = (int64_t)r->number + 1,
                                      .first_attempt =
                                          again ? r->search->job->gate.tries + 1 : 1,
                                      .count = count,
                                      .most = most,
                                      .tries = (size_t)r->search->job->gate.tries};
    return cop_proposals_pass_gate(r->search, &r->proposals, tried, request, r->gated, winner,
                                   err);
}

/* A line search on probe, the centre being row 0. */
typedef struct line {
    cop_phase *phase;
    size_t first; /* proposal of row 1 */
    size_t best;  /* proposal, SIZE_MAX while the centre is better than all */
    double best_merit;
} line;

static cop_status extend_line(round_state *r, line *l, size_t direction, double scale,
                              double step, cop_error *err)
{
    COP_TRY(cop_proposals_add(&r->proposals, direction, step, scale, err));
    return cop_proposals_add_row(r->search, &r->proposals, r->proposals.count - 1, l->phase,
                                 err);
}

/* Scores what is new; among equals the step that the gate has seen. */
static cop_status score_line(round_state *r, line *l, double seen, cop_error *err)
{
    COP_TRY(cop_search_run_phase(r->search, l->phase, err));
    l->best_merit = cop_phase_merit(l->phase, 0, &r->search->measure);
    l->best = SIZE_MAX;
    for (size_t i = l->first; i < r->proposals.count; i++) {
        cop_proposal *const p = &r->proposals.items[i];
        p->merit = cop_phase_merit(l->phase, i - l->first + 1, &r->search->measure);
        p->broken = !cop_phase_row_valid(l->phase, i - l->first + 1);
        if (p->broken) continue;
        if (p->merit > l->best_merit ||
            (p->merit >= l->best_merit && (l->best == SIZE_MAX || p->step == seen))) {
            l->best_merit = p->merit;
            l->best = i;
        }
    }
    char text[64];
    (void)snprintf(text, sizeof text, "probe %.3f -> %.3f",
                   cop_phase_merit(l->phase, 0, &r->search->measure), l->best_merit);
    cop_progress_end(r->search->phases->progress, text);
    return COP_OK;
}

/* Line search on probe around the step that passed the gate, doubled while the largest is
 * best: *chosen is the proposal, SIZE_MAX if probe falls at every step. */
static cop_status search_line(round_state *r, size_t winner, size_t *chosen, cop_error *err)
{
    cop_search *const search = r->search;
    const cop_job *const job = search->job;
    const cop_proposal seen = r->proposals.items[winner];
    char path[64];
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/line", r->number + 1);
    line l = {.first = r->proposals.count};
    double largest = 0;
    cop_status status = COP_OK;
    COP_TRY_OUT(cop_phase_create(search->phases, path, "line search",
                                 search->splits->examples[COP_SPLIT_PROBE],
                                 search->splits->counts[COP_SPLIT_PROBE], &l.phase, err));
    COP_TRY_OUT(cop_search_add_centre(search, l.phase, err));
    for (size_t k = 0; k < job->recenter.step.count; k++) {
        const double factor = job->recenter.step.data[k];
        if (factor > largest) largest = factor;
        COP_TRY_OUT(extend_line(r, &l, seen.direction, factor, seen.step * factor, err));
    }
    COP_TRY_OUT(score_line(r, &l, seen.step, err));
    while (l.best != SIZE_MAX && r->proposals.items[l.best].scale >= largest &&
           r->proposals.items[l.best].scale > 1 && largest * 2 <= job->consolidate.max_scale &&
           cop_round_may_extend_line(&r->round, cop_budget_left(&search->budget))) {
        largest *= 2;
        COP_TRY_OUT(extend_line(r, &l, seen.direction, largest, seen.step * largest, err));
        COP_TRY_OUT(score_line(r, &l, seen.step, err));
    }
    *chosen = l.best;
out:
    cop_phase_destroy(&l.phase);
    return status;
}

/* The gate has let a step pass, and probe is worse after it and all others. */
static void tell_not_taken(const round_state *r)
{
    static const char text[] =
        "what passed the gate is not taken, for probe falls at every step";
    cop_progress_print(r->search->phases->progress, "  %s", text);
    cop_log_write(r->search->phases->log, COP_LOG_INFO, "recenter %zu: %s", r->number + 1,
                  text);
}

/* Moves the centre: by the chosen step if the gate lets it, else by the one that passed. */
static cop_status commit(round_state *r, size_t winner, size_t chosen, cop_error *err)
{
    cop_search *const search = r->search;
    size_t taken = winner;
    if (r->proposals.items[chosen].step != r->proposals.items[winner].step) {
        size_t passed = SIZE_MAX;
        COP_TRY(pass_gate(r, "_step", &chosen, 1, 1, &passed, err));
        if (passed != SIZE_MAX) taken = passed;
    }
    cop_guards_commit(search);
    COP_TRY(cop_search_move(search, cop_proposals_vector(&r->proposals, taken),
                            r->proposals.items[taken].step, err));
    memcpy(search->centre_validate, r->gated,
           search->splits->counts[COP_SPLIT_VALIDATE] * sizeof *r->gated);
    return COP_OK;
}

/* --- rounds --- */

/* *accepted tells whether the centre moved, *made whether the budget had room for the round. */
static cop_status run_round(round_state *r, bool *accepted, bool *made, cop_error *err)
{
    size_t winner = SIZE_MAX;
    size_t chosen = SIZE_MAX;
    *accepted = false;
    COP_TRY(score_local(r, err));
    *made = r->local.count > 0;
    if (!*made) return COP_OK;
    COP_TRY(judge_local(r, err));
    if (r->local.usable == 0) return COP_OK;
    COP_TRY(cop_proposals_find(r->search, &r->local, r->merit, &r->proposals, err));
    if (r->proposals.direction_count == 0) return COP_OK;
    COP_TRY(rank_proposals(r, err));
    const size_t racers = cop_proposals_count_left(&r->proposals, SIZE_MAX);
    COP_TRY(pass_gate(r, "", r->proposals.order, racers, r->tries, &winner, err));
    if (winner == SIZE_MAX) return COP_OK;
    COP_TRY(search_line(r, winner, &chosen, err));
    if (chosen == SIZE_MAX) {
        tell_not_taken(r);
        return COP_OK;
    }
    COP_TRY(commit(r, winner, chosen, err));
    *accepted = true;
    return COP_OK;
}

static cop_status start_round(cop_search *search, cop_local_search *distribution, size_t number,
                              bool *accepted, bool *made, cop_error *err)
{
    round_state r = {.search = search,
                     .distribution = distribution,
                     .number = number,
                     .round = cop_round_of_recentring(search->job)};
    r.merit = cop_memory_alloc((size_t)search->job->recenter.size, sizeof *r.merit, err);
    r.gated =
        cop_memory_alloc(search->splits->counts[COP_SPLIT_VALIDATE], sizeof *r.gated, err);
    const cop_status status = r.merit == NULL || r.gated == NULL
                                  ? COP_ERR_MEMORY
                                  : run_round(&r, accepted, made, err);
    cop_candidates_free(&r.local);
    cop_proposals_free(&r.proposals);
    cop_memory_free(r.merit);
    cop_memory_free(r.gated);
    return status;
}

cop_status cop_recenter_run(cop_search *search, const cop_candidates *population,
                            const cop_direction *cloud, cop_error *err)
{
    const cop_job *const job = search->job;
    if (job->recenter.rounds == 0) return COP_OK;
    cop_local_search distribution;
    COP_TRY(cop_local_search_create(search, population, cloud, &distribution, err));
    cop_status status = COP_OK;
    int64_t accepts = 0;
    int64_t rejects = 0; /* in a row */
    for (size_t k = 0; k < (size_t)job->recenter.rounds; k++) {
        bool accepted = false;
        bool made = false;
        COP_TRY_OUT(start_round(search, &distribution, k, &accepted, &made, err));
        if (!made) break;
        if (accepted) {
            accepts++;
            rejects = 0;
        } else {
            rejects++;
            distribution.sigma /= 2;
        }
        if (accepts >= job->recenter.accepts || rejects >= job->recenter.patience) break;
    }
out:
    cop_local_search_free(&distribution);
    return status;
}
