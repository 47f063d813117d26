/* Moving the centre by what operators make of scored candidates: a grid of steps on probe, the
 * best of them through the gate against the centre. CoRP's stage 1 is this around the base. */
#include "method/move.h"
#include "method/guards.h"
#include "method/proposals.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct mover {
    cop_search *search;
    const cop_move *move;
    cop_proposals proposals;
    cop_phase *probe;
    cop_round round; /* as the job wants it */
    size_t best;     /* proposal */
    size_t tries;    /* at the gate */
} mover;

/* Adds the proposal of direction d at one scale, which is number `place` of the grid and
 * beyond: among equals who has the lower scale comes first, then the lower direction. */
static cop_status add_step(mover *s, size_t d, double scale, size_t place, cop_error *err)
{
    const double step = scale * s->proposals.directions[d].reference;
    COP_TRY(cop_proposals_add(&s->proposals, d, step, scale, err));
    s->proposals.items[s->proposals.count - 1].turn = place * s->proposals.direction_count + d;
    return cop_proposals_add_row(s->search, &s->proposals, s->proposals.count - 1, s->probe,
                                 err);
}

/* Adds the proposals of directions at one scale, from a place in the sequence of them on. */
static cop_status add_scale(mover *s, double scale, size_t place, size_t first, cop_error *err)
{
    for (size_t k = first; k < s->proposals.tried; k++)
        COP_TRY(add_step(s, s->proposals.sequence[k], scale, place, err));
    return COP_OK;
}

/* The same of all scales. With sums those of a direction follow each other, so that its noises
 * are added up once. */
static cop_status add_grid(mover *s, const cop_job_numbers *scales, size_t first,
                           cop_error *err)
{
    for (size_t i = 0; i < scales->count && !s->search->sums; i++)
        COP_TRY(add_scale(s, scales->data[i], i, first, err));
    for (size_t k = first; k < s->proposals.tried && s->search->sums; k++) {
        for (size_t i = 0; i < scales->count; i++)
            COP_TRY(add_step(s, s->proposals.sequence[k], scales->data[i], i, err));
    }
    return COP_OK;
}

static bool better(const cop_proposal *a, const cop_proposal *b)
{
    if (a->merit != b->merit) return a->merit > b->merit;
    if (a->reward != b->reward) return a->reward > b->reward;
    return a->turn < b->turn;
}

/* Scores the proposals on probe and finds the best of those that stay in the race, the first
 * among equals. */
static cop_status score_proposals(mover *s, cop_error *err)
{
    COP_TRY(cop_phase_race_score(s->search, &s->proposals.race, s->probe, err));
    s->best = SIZE_MAX;
    for (size_t i = 0; i < s->proposals.count; i++) {
        cop_proposal *const p = &s->proposals.items[i];
        p->accuracy = NAN;
        if (cop_proposals_has_left(&s->proposals, i)) continue;
        p->accuracy = cop_phase_accuracy(s->probe, i, &s->search->measure);
        p->merit = cop_phase_merit(s->probe, i, &s->search->measure);
        p->reward = cop_phase_mean(s->probe, i);
        p->broken = !cop_phase_row_valid(s->probe, i);
        if (s->best == SIZE_MAX || cop_proposals_precede(&s->proposals, i, s->best, better))
            s->best = i;
    }
    const cop_proposal *const top = &s->proposals.items[s->best];
    const cop_proposed_direction *const d = &s->proposals.directions[top->direction];
    char merge[64] = "";
    char text[160];
    if (isfinite(d->found.q))
        (void)snprintf(merge, sizeof merge, "q %g, beta %g, ", d->found.q, d->found.beta);
    (void)snprintf(text, sizeof text, "best on probe %.3f (%s%s%sscale %g)", top->merit,
                   s->search->job->consolidate.operators.count > 1 ? d->source->name : "",
                   s->search->job->consolidate.operators.count > 1 ? ", " : "", merge,
                   top->scale);
    cop_progress_end(s->search->phases->progress, text);
    cop_phase_race_describe(&s->proposals.race, s->probe, s->search->phases->progress);
    return COP_OK;
}

/* Scores directions at all steps of the grid, all at once or as the budget leaves room. */
static cop_status score_grid(mover *s, cop_error *err)
{
    const cop_job_numbers *const scale = &s->search->job->consolidate.scale;
    size_t more = 0;
    COP_TRY(cop_proposals_choose(s->search, &s->round, &s->proposals, &more, err));
    while (more > 0) {
        const size_t first = s->proposals.tried - more;
        COP_TRY(add_grid(s, scale, first, err));
        COP_TRY(score_proposals(s, err));
        COP_TRY(cop_proposals_choose(s->search, &s->round, &s->proposals, &more, err));
    }
    return COP_OK;
}

/* The grid of steps, doubled while its end is best. */
static cop_status search_grid(mover *s, cop_error *err)
{
    const cop_job *const job = s->search->job;
    const uint64_t left = cop_budget_left(&s->search->budget);
    size_t place = job->consolidate.scale.count;
    double largest = 0;
    for (size_t i = 0; i < job->consolidate.scale.count; i++)
        largest = fmax(largest, job->consolidate.scale.data[i]);
    COP_TRY(score_grid(s, err));
    while (s->proposals.items[s->best].scale >= largest &&
           largest * 2 <= job->consolidate.max_scale &&
           cop_round_may_double(&s->round, cop_budget_left(&s->search->budget),
                                s->proposals.tried)) {
        largest *= 2;
        COP_TRY(add_scale(s, largest, place++, 0, err));
        COP_TRY(score_proposals(s, err));
    }
    return cop_proposals_close(s->search, &s->round, &s->proposals, s->probe, left, &s->tries,
                               err);
}

/* Proposals and directions into the run file. */
static cop_status record(mover *s, const cop_candidates *candidates, cop_error *err)
{
    const size_t n = candidates->count;
    const size_t directions = s->proposals.direction_count;
    COP_TRY(cop_proposals_record(s->search, &s->proposals, s->probe, err));
    double *const accuracy = cop_memory_alloc(s->proposals.count, sizeof *accuracy, err);
    double *const rows = cop_memory_alloc(directions * n, sizeof *rows, err);
    cop_status status = accuracy == NULL || rows == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < s->proposals.count && status == COP_OK; i++)
        accuracy[i] = s->proposals.items[i].accuracy;
    if (status == COP_OK) {
        status = cop_phase_column(s->search->phases, s->probe, "probe_accuracy", COP_STORE_F64,
                                  accuracy, NULL,
                                  "share of right probe examples; NaN: it left the race", err);
    }
    for (size_t d = 0; d < directions && status == COP_OK; d++) {
        memcpy(rows + d * n, s->proposals.directions[d].found.amplitude, n * sizeof *rows);
    }
    if (status == COP_OK) {
        char path[96];
        (void)snprintf(path, sizeof path, "%s/direction", s->move->path);
        const cop_store_array array = {
            .type = COP_STORE_F64, .rank = 2, .shape = {directions, n}, .data = rows};
        status = cop_store_set(s->search->phases->store, path, &array, NULL,
                               "unit direction of each merge: amplitude per candidate", err);
    }
    cop_memory_free(rows);
    cop_memory_free(accuracy);
    return status;
}

/* Tries the best proposals on validate against the centre, whose new scores are kept. */
static cop_status pass_gate(mover *s, size_t *winner, cop_error *err)
{
    COP_TRY(cop_proposals_rank(&s->proposals, better, err));
    const cop_gate_request request = {.path = s->move->gate_path,
                                      .title = "gate",
                                      .round = s->move->round,
                                      .first_attempt = 1,
                                      .count =
                                          cop_proposals_count_left(&s->proposals, SIZE_MAX),
                                      .most = s->tries,
                                      .tries = (size_t)s->search->job->gate.tries};
    return cop_proposals_pass_gate(s->search, &s->proposals, s->proposals.order, request,
                                   s->search->centre_validate, winner, err);
}

/* Moves the centre along proposal `winner`. */
static cop_status commit(mover *s, size_t winner, cop_error *err)
{
    cop_guards_commit(s->search);
    return cop_search_move(s->search, cop_proposals_vector(&s->proposals, winner),
                           s->proposals.items[winner].step, err);
}

cop_status cop_move_run(cop_search *search, const cop_move *move,
                        const cop_candidates *candidates, cop_direction *accepted, bool *moved,
                        cop_error *err)
{
    mover s = {.search = search,
               .move = move,
               .round = cop_round_of_population(search->method, search->job)};
    size_t winner = SIZE_MAX;
    *moved = false;
    if (accepted != NULL) *accepted = (cop_direction){0};
    cop_status status = COP_OK;
    COP_TRY_OUT(cop_proposals_find(search, candidates, candidates->reward, &s.proposals, err));
    if (s.proposals.direction_count == 0) { /* all candidates are equally good */
        cop_log_write(search->phases->log, COP_LOG_INFO, "%s: the scores show no direction",
                      move->title);
        cop_progress_print(search->phases->progress, "%s: the scores show no direction",
                           move->title);
        goto out;
    }
    s.proposals.race.rules = (cop_race_rules){.racers = "proposals",
                                              .stages = (size_t)search->job->consolidate.race,
                                              .keep = (size_t)search->job->gate.tries,
                                              .measure = search->measure};
    COP_TRY_OUT(cop_proposals_create_phase(search, move->path, move->title, COP_SPLIT_PROBE,
                                           &s.proposals, &s.probe, err));
    COP_TRY_OUT(search_grid(&s, err));
    COP_TRY_OUT(record(&s, candidates, err));
    COP_TRY_OUT(pass_gate(&s, &winner, err));
    *moved = winner != SIZE_MAX;
    if (*moved) COP_TRY_OUT(commit(&s, winner, err));
    if (*moved && accepted != NULL) {
        const size_t direction = s.proposals.items[winner].direction;
        status = cop_proposals_find_cloud(search, candidates, candidates->reward,
                                          &s.proposals.directions[direction], accepted, err);
    }
out:
    cop_proposals_free(&s.proposals);
    cop_phase_destroy(&s.probe);
    return status;
}
