/* The gate. A candidate passes if the mean of its paired gains on validate, over the centre,
 * lies above 0 by z standard errors, z being raised for the number of tries. */
#include "method/gate.h"
#include "method/guards.h"
#include "method/spend.h"

#include "coppice/base/memory.h"

#include <stdio.h>
#include <string.h>

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
    for (size_t c = 0; c < sizeof numbers / sizeof numbers[0]; c++) {
        (void)snprintf(path, sizeof path, "%s/%s", group, numbers[c].name);
        COP_TRY(cop_store_set_f64(search->phases->store, path, numbers[c].value,
                                  numbers[c].unit, numbers[c].meaning, err));
    }
    (void)snprintf(path, sizeof path, "%s/accepted", group);
    COP_TRY(cop_store_set_i64(search->phases->store, path, d->accepted ? 1 : 0, NULL,
                              "1: the update was taken", err));
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
    cop_progress_print(search->phases->progress,
                       "  gate %s try %lld: %zu %s, %zu %s of %zu; mean %+.3f, lower "
                       "bound %+.3f: %s",
                       is_base(search) ? "against the base," : "against the centre,",
                       (long long)record->attempt, d->paired.fixes,
                       search->measure.on_reward ? "better" : "fixed", d->paired.regressions,
                       search->measure.on_reward ? "worse" : "broken", d->count, d->paired.mean,
                       d->bound, said);
    cop_log_write(search->phases->log, COP_LOG_INFO,
                  "gate round %lld try %lld step %g: %zu fixed, %zu broken of %zu, "
                  "mean %+.4f, z %.3f, lower bound %+.4f: %s",
                  (long long)record->round, (long long)record->attempt, record->step,
                  d->paired.fixes, d->paired.regressions, d->count, d->paired.mean, d->z,
                  d->bound, said);
    return keep_decision(search, record, err);
}

/* Puts who has passed by the task's examples to the guards. */
static cop_status ask_guards(cop_search *search, const cop_gate_candidate *c,
                             cop_gate_record *note, bool *accepted, cop_error *err)
{
    note->guards = cop_memory_alloc(search->guard_count, sizeof *note->guards, err);
    if (note->guards == NULL) return COP_ERR_MEMORY;
    const cop_status status = cop_guards_ask(search, c->vector, c->step, note->decision.z,
                                             note->guards, accepted, err);
    note->decision.accepted = *accepted;
    if (status == COP_OK) return COP_OK;
    cop_memory_free(note->guards);
    note->guards = NULL;
    return status;
}

/* Decides on row t of the gate's phase. */
static cop_status decide(cop_search *search, const cop_gate_request *request,
                         const cop_phase *phase, size_t t, bool *accepted, cop_error *err)
{
    const cop_job *const job = search->job;
    const cop_gate_candidate *const c = &request->candidates[t];
    cop_gate_record note = {
        .round = request->round,
        .attempt = request->first_attempt + (int64_t)t,
        .source = c->source,
        .q = c->q,
        .beta = c->beta,
        .step = c->step,
        .decision = cop_gate_decide(cop_phase_scores(phase, t), search->centre_validate,
                                    phase->example_count, &search->measure,
                                    job->recenter.regression_weight,
                                    cop_gate_raise_z(job->gate.z, request->tries))};
    note.broken = !cop_phase_row_valid(phase, t);
    if (note.broken) note.decision.accepted = false;
    *accepted = note.decision.accepted;
    if (*accepted && search->guard_count > 0)
        COP_TRY(ask_guards(search, c, &note, accepted, err));
    return note_decision(search, &note, err);
}

cop_status cop_gate_pass(cop_search *search, const cop_gate_request *request, float *scores,
                         size_t *winner, cop_error *err)
{
    const size_t count = search->splits->counts[COP_SPLIT_VALIDATE];
    cop_phase *phase = NULL;
    *winner = SIZE_MAX;
    cop_status status =
        cop_phase_create(search->phases, request->path, request->title,
                         search->splits->examples[COP_SPLIT_VALIDATE], count, &phase, err);
    for (size_t t = 0; t < request->count && status == COP_OK; t++) {
        const cop_gate_candidate *const c = &request->candidates[t];
        status = cop_search_add_step(search, phase, c->vector, c->step, err);
    }
    if (status == COP_OK) status = cop_search_run_phase(search, phase, err);
    if (status == COP_OK) cop_progress_end(search->phases->progress, NULL);
    for (size_t t = 0; t < request->count && status == COP_OK && *winner == SIZE_MAX; t++) {
        bool accepted = false;
        status = decide(search, request, phase, t, &accepted, err);
        if (!accepted) continue;
        *winner = t;
        memcpy(scores, cop_phase_scores(phase, t), count * sizeof *scores);
    }
    cop_phase_destroy(&phase);
    return status;
}
