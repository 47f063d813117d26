/* The gate. A candidate passes if the mean of its paired gains on validate, over the centre,
 * lies above 0 by z standard errors, z being raised for the number of tries.
 *
 * Without guards all that may be tried is scored at once. With guards one follows the other,
 * for what a guard refuses is tried once more with a shorter step: how much shorter is told by
 * how far it went beyond what is allowed, first as if harm grew with the square of the step,
 * then in proportion to it. */
#include "method/gate.h"
#include "method/guards.h"
#include "method/spend.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is on record of a run that goes on must be decided alike: by rules of another version it
 * might end otherwise than it was said to. */
static cop_status check_recorded(const cop_search *search, const char *group,
                                 const cop_gate_decision *d, cop_error *err)
{
    const cop_store *const store = search->phases->store;
    char path[128];
    double z = d->z;
    int64_t accepted = d->accepted;
    (void)snprintf(path, sizeof path, "%s/z", group);
    (void)cop_store_get_f64(store, path, &z);
    (void)snprintf(path, sizeof path, "%s/accepted", group);
    (void)cop_store_get_i64(store, path, &accepted);
    COP_CHECK(fabs(z - d->z) < 1e-9 && accepted == d->accepted, err, COP_ERR_MISMATCH,
              "%s: %s was %s with z %g, and this version of the program says %s with z %g; go "
              "on with the version that began it, or choose another --out",
              search->phases->file, group, accepted ? "accepted" : "rejected", z,
              d->accepted ? "accepted" : "rejected", d->z);
    return COP_OK;
}

/* A decision's numbers into the run file. */
static cop_status keep_decision(const cop_search *search, const cop_gate_record *record,
                                cop_error *err)
{
    const cop_gate_decision *const d = &record->decision;
    const struct {
        const char *name, *unit, *meaning;
        double value;
    } numbers[] = {
        {"round", NULL, "of rounds or recentring, from 1; 0: of stage 1 or es",
         (double)record->round},
        {"try", NULL, "of that round, from 1", (double)record->attempt},
        {"q", NULL, "elite quantile; NaN: the operator has none", record->q},
        {"beta", NULL, "inverse temperature; NaN: none", record->beta},
        {"step", "weight", "amplitude of the direction", record->step},
        {"fixes", "examples", "better with the update than before", (double)d->paired.fixes},
        {"regressions", "examples", "worse with the update than before",
         (double)d->paired.regressions},
        {"constructive", NULL, "(gains - L losses) / validate examples",
         d->paired.constructive},
        {"mean", NULL, "mean gain on validate, in what /gate/on names", d->paired.mean},
        {"sd", NULL, "standard deviation of the paired differences", d->paired.sd},
        {"z", "std errors", "that the bound lies below the mean", d->z},
        {"bound", NULL, "lower bound of the gain that decided", d->bound}};
    char group[64];
    char path[128];
    (void)snprintf(group, sizeof group, "/gate/decisions/%02zu", search->gate_count);
    COP_TRY(check_recorded(search, group, d, err));
    for (size_t c = 0; c < sizeof numbers / sizeof numbers[0]; c++) {
        (void)snprintf(path, sizeof path, "%s/%s", group, numbers[c].name);
        COP_TRY(cop_store_set_f64(search->phases->store, path, numbers[c].value,
                                  numbers[c].unit, numbers[c].meaning, err));
    }
    (void)snprintf(path, sizeof path, "%s/accepted", group);
    COP_TRY(cop_store_set_i64(search->phases->store, path, d->accepted ? 1 : 0, NULL,
                              "1: it passed", err));
    (void)snprintf(path, sizeof path, "%s/share", group);
    if (search->in_turn)
        COP_TRY(cop_store_set_f64(search->phases->store, path, record->share, NULL,
                                  "of the proposal's step; below 1: a guard refused more",
                                  err));
    (void)snprintf(path, sizeof path, "%s/operator", group);
    COP_TRY(cop_store_set_text(search->phases->store, path, record->source,
                               "that found the direction", err));
    return record->guards == NULL ? COP_OK
                                  : cop_guards_note(search, group, record->guards, err);
}

/* The centre has not moved yet. */
static bool is_base(const cop_search *search)
{
    for (size_t s = 0; s < search->seed_count; s++) {
        if (search->centre[s] != 0) return false;
    }
    return true;
}

/* Notes a decision: run file, log, screen. What the record owns is the search's then. */
static cop_status note_decision(cop_search *search, const cop_gate_record *record,
                                cop_error *err)
{
    void *items = search->gate;
    const cop_status grown = cop_memory_grow(&items, &search->gate_capacity,
                                             search->gate_count + 1, sizeof *search->gate, err);
    if (grown != COP_OK) cop_memory_free(record->guards);
    COP_TRY(grown);
    search->gate = items;
    search->gate[search->gate_count++] = *record;
    const cop_gate_decision *const d = &record->decision;
    const char *const said = d->accepted              ? "accepted"
                             : record->broken         ? "its logits are not finite"
                             : record->guards != NULL ? "a guard is against it"
                                                      : "rejected";
    const char *const risen = search->measure.on_reward ? "better" : "fixed";
    const char *const fallen = search->measure.on_reward ? "worse" : "broken";
    char shorter[48] = "";
    if (record->share < 1)
        (void)snprintf(shorter, sizeof shorter, ", %.2g of that step", record->share);
    cop_progress_print(search->phases->progress,
                       "  gate %s try %lld%s: %zu %s, %zu %s of %zu; mean %+.3f, lower "
                       "bound %+.3f: %s",
                       is_base(search) ? "against the base," : "against the centre,",
                       (long long)record->attempt, shorter, d->paired.fixes, risen,
                       d->paired.regressions, fallen, d->count, d->paired.mean, d->bound, said);
    cop_log_write(search->phases->log, COP_LOG_INFO,
                  "gate round %lld try %lld step %g: %zu %s, %zu %s of %zu, "
                  "mean %+.4f, z %.3f, lower bound %+.4f: %s",
                  (long long)record->round, (long long)record->attempt, record->step,
                  d->paired.fixes, risen, d->paired.regressions, fallen, d->count,
                  d->paired.mean, d->z, d->bound, said);
    return keep_decision(search, record, err);
}

/* --- tries --- */

/* The gate at work. */
typedef struct contest {
    cop_search *search;
    const cop_gate_request *request;
    cop_phase *whole;  /* candidates as they are */
    size_t made;       /* tries */
    size_t place;      /* the candidate that is tried */
    double share;      /* of its step */
    double next_share; /* to try next, after a guard's refusal; 0: the next candidate's turn */
} contest;

/* Puts who has passed by the task's examples to the guards. */
static cop_status ask_guards(contest *c, cop_gate_record *note, bool *accepted, cop_error *err)
{
    cop_search *const search = c->search;
    const cop_gate_candidate *const candidate = &c->request->candidates[c->place];
    const int power = c->share < 1 ? 1 : 2;
    note->guards = cop_memory_alloc(search->guard_count, sizeof *note->guards, err);
    if (note->guards == NULL) return COP_ERR_MEMORY;
    const cop_status status = cop_guards_ask(search, candidate->vector, note->step,
                                             note->decision.z, note->guards, accepted, err);
    if (status != COP_OK) {
        cop_memory_free(note->guards);
        note->guards = NULL;
        return status;
    }
    note->decision.accepted = *accepted;
    if (!*accepted) {
        *candidate->refused = fabs(note->step);
        c->next_share = c->share * cop_guards_shorten(search, note->guards, power);
    }
    return COP_OK;
}

/* Decides on what is tried, a row of its phase. */
static cop_status decide(contest *c, const cop_phase *phase, size_t row, bool *accepted,
                         cop_error *err)
{
    cop_search *const search = c->search;
    const cop_gate_request *const request = c->request;
    const cop_gate_candidate *const candidate = &request->candidates[c->place];
    cop_gate_record note = {
        .round = request->round,
        .attempt = request->first_attempt + (int64_t)c->made,
        .source = candidate->source,
        .q = candidate->q,
        .beta = candidate->beta,
        .step = c->share * candidate->step,
        .share = c->share,
        .decision = cop_gate_decide(cop_phase_scores(phase, row), search->centre_validate,
                                    phase->example_count, &search->measure,
                                    search->job->recenter.regression_weight,
                                    cop_gate_raise_z(search->job->gate.z, request->tries))};
    c->made++;
    c->next_share = 0;
    note.broken = !cop_phase_row_valid(phase, row);
    if (note.broken) note.decision.accepted = false;
    *accepted = note.decision.accepted;
    if (*accepted && search->guard_count > 0) COP_TRY(ask_guards(c, &note, accepted, err));
    return note_decision(search, &note, err);
}

static void take(const contest *c, const cop_phase *phase, size_t row, float *scores,
                 cop_gate_winner *winner)
{
    winner->index = c->place;
    winner->step = c->share * c->request->candidates[c->place].step;
    memcpy(scores, cop_phase_scores(phase, row), phase->example_count * sizeof *scores);
}

static cop_status create_phase(const contest *c, const char *path, cop_phase **phase,
                               cop_error *err)
{
    return cop_phase_create(c->search->phases, path, c->request->title,
                            c->search->splits->examples[COP_SPLIT_VALIDATE],
                            c->search->splits->counts[COP_SPLIT_VALIDATE], phase, err);
}

/* All candidates at once. */
static cop_status try_together(contest *c, float *scores, cop_gate_winner *winner,
                               cop_error *err)
{
    const cop_gate_request *const request = c->request;
    const size_t count = request->count < request->most ? request->count : request->most;
    for (size_t t = 0; t < count; t++)
        COP_TRY(cop_search_add_step(c->search, c->whole, request->candidates[t].vector,
                                    request->candidates[t].step, err));
    COP_TRY(cop_search_run_phase(c->search, c->whole, err));
    cop_progress_end(c->search->phases->progress, NULL);
    for (c->place = 0; c->place < count && winner->index == SIZE_MAX; c->place++) {
        bool accepted = false;
        COP_TRY(decide(c, c->whole, c->place, &accepted, err));
        if (accepted) take(c, c->whole, c->place, scores, winner);
    }
    return COP_OK;
}

/* \return false: nobody is left. */
static bool choose_next(contest *c)
{
    if (c->made > 0 && c->next_share > 0) {
        c->share = c->next_share;
        return true;
    }
    c->share = 1;
    if (c->made > 0) c->place++;
    for (; c->place < c->request->count; c->place++) {
        const cop_gate_candidate *const candidate = &c->request->candidates[c->place];
        if (*candidate->refused == 0 || fabs(candidate->step) < *candidate->refused)
            return true;
    }
    return false;
}

/* One after the other, and shorter steps of what a guard refuses. */
static cop_status try_in_turn(contest *c, float *scores, cop_gate_winner *winner,
                              cop_error *err)
{
    while (c->made < c->request->most && winner->index == SIZE_MAX && choose_next(c)) {
        const cop_gate_candidate *const candidate = &c->request->candidates[c->place];
        bool accepted = false;
        if (c->share < 1 && c->search->shorter == NULL)
            COP_TRY(create_phase(c, "/gate/shorter", &c->search->shorter, err));
        cop_phase *const phase = c->share < 1 ? c->search->shorter : c->whole;
        const size_t row = phase->row_count;
        COP_TRY(cop_search_add_step(c->search, phase, candidate->vector,
                                    c->share * candidate->step, err));
        COP_TRY(cop_search_run_phase(c->search, phase, err));
        cop_progress_end(c->search->phases->progress, NULL);
        COP_TRY(decide(c, phase, row, &accepted, err));
        if (accepted) take(c, phase, row, scores, winner);
    }
    return COP_OK;
}

cop_status cop_gate_pass(cop_search *search, const cop_gate_request *request, float *scores,
                         cop_gate_winner *winner, cop_error *err)
{
    contest c = {.search = search, .request = request, .share = 1};
    *winner = (cop_gate_winner){.index = SIZE_MAX};
    COP_TRY(create_phase(&c, request->path, &c.whole, err));
    const cop_status status = search->in_turn ? try_in_turn(&c, scores, winner, err)
                                              : try_together(&c, scores, winner, err);
    cop_phase_destroy(&c.whole);
    return status;
}
