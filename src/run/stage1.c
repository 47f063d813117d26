/* Stage 1: two-pass merges of the population over a grid, the best of them
 * through the gate against the base. */
#include "run/phase.h"

#include "coppice/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One point of the grid; row in the phase = index. */
typedef struct proposal {
    size_t merge; /* index into merges */
    double scale; /* step = scale * mean_rss */
    double step;
    double accuracy, reward; /* on probe */
} proposal;

typedef struct stage1 {
    cop_run *run;
    cop_merge *merges; /* [merge_count], (q, beta) in the job's order */
    double *q, *beta;  /* [merge_count] */
    size_t merge_count;
    proposal *proposals; /* [proposal_count] */
    size_t proposal_count, proposal_capacity;
    cop_phase *probe;
    size_t *order; /* [proposal_count] best first */
    size_t order_capacity;
} stage1;

static cop_status merge_population(stage1 *s, const double *sigma, const double *reward,
                                   const bool *valid, cop_error *err)
{
    const cop_job *const job = s->run->job;
    const size_t count = job->consolidate.q.count * job->consolidate.beta.count;
    s->merges = cop_memory_alloc(count, sizeof *s->merges, err);
    s->q = cop_memory_alloc(count, sizeof *s->q, err);
    s->beta = cop_memory_alloc(count, sizeof *s->beta, err);
    if (s->merges == NULL || s->q == NULL || s->beta == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        s->q[i] = job->consolidate.q.data[i / job->consolidate.beta.count];
        s->beta[i] = job->consolidate.beta.data[i % job->consolidate.beta.count];
        COP_TRY(cop_merge_run(sigma, reward, valid, (size_t)job->population.size, s->q[i],
                              s->beta[i], (size_t)job->consolidate.rank, &s->merges[i], err));
        s->merge_count = i + 1;
    }
    return COP_OK;
}

/* A direction over the population as one over all seeds of the run (zero for the rest). */
static cop_status widen(const cop_run *run, const double *direction, double **wide,
                        cop_error *err)
{
    *wide = cop_memory_alloc(run->seed_count, sizeof **wide, err);
    if (*wide == NULL) return COP_ERR_MEMORY;
    memcpy(*wide, direction, (size_t)run->job->population.size * sizeof **wide);
    return COP_OK;
}

/* Adds the proposals of all merges at one scale. */
static cop_status add_scale(stage1 *s, double scale, cop_error *err)
{
    for (size_t m = 0; m < s->merge_count; m++) {
        void *items = s->proposals;
        COP_TRY(cop_memory_grow(&items, &s->proposal_capacity, s->proposal_count + 1,
                                sizeof *s->proposals, err));
        s->proposals = items;
        const proposal p = {.merge = m, .scale = scale, .step = scale * s->merges[m].mean_rss};
        double *wide = NULL;
        COP_TRY(widen(s->run, s->merges[m].direction, &wide, err));
        const cop_status status = cop_phase_add(s->run, s->probe, NULL, wide, p.step, err);
        cop_memory_free(wide);
        COP_TRY(status);
        s->proposals[s->proposal_count++] = p;
    }
    return COP_OK;
}

static bool better(const proposal *a, const proposal *b)
{
    return a->accuracy > b->accuracy || (a->accuracy == b->accuracy && a->reward > b->reward);
}

/* Scores all proposals on probe; *best is the index of the best, the first among equals. */
static cop_status score_proposals(stage1 *s, size_t *best, cop_error *err)
{
    COP_TRY(cop_phase_run(s->run, s->probe, err));
    *best = 0;
    for (size_t i = 0; i < s->proposal_count; i++) {
        s->proposals[i].accuracy = cop_phase_accuracy(s->run, s->probe, i);
        s->proposals[i].reward = cop_phase_mean(s->probe, i);
        if (better(&s->proposals[i], &s->proposals[*best])) *best = i;
    }
    const proposal *const top = &s->proposals[*best];
    char text[96];
    (void)snprintf(text, sizeof text, "best on probe %.3f (q %g, beta %g, scale %g)",
                   top->accuracy, s->q[top->merge], s->beta[top->merge], top->scale);
    cop_progress_end(&s->run->progress, text);
    return COP_OK;
}

/* The grid of steps, doubled while its end is best. */
static cop_status search_grid(stage1 *s, cop_error *err)
{
    const cop_job *const job = s->run->job;
    double largest = 0;
    for (size_t i = 0; i < job->consolidate.scale.count; i++) {
        const double scale = job->consolidate.scale.data[i];
        COP_TRY(add_scale(s, scale, err));
        if (scale > largest) largest = scale;
    }
    size_t best = 0;
    COP_TRY(score_proposals(s, &best, err));
    while (s->proposals[best].scale >= largest && largest * 2 <= job->consolidate.max_scale) {
        largest *= 2;
        COP_TRY(add_scale(s, largest, err));
        COP_TRY(score_proposals(s, &best, err));
    }
    return COP_OK;
}

/* Best first; equals keep their order. */
static cop_status rank_proposals(stage1 *s, cop_error *err)
{
    void *items = s->order;
    COP_TRY(
        cop_memory_grow(&items, &s->order_capacity, s->proposal_count, sizeof *s->order, err));
    s->order = items;
    for (size_t i = 0; i < s->proposal_count; i++) {
        size_t at = i;
        while (at > 0 && better(&s->proposals[i], &s->proposals[s->order[at - 1]])) {
            s->order[at] = s->order[at - 1];
            at--;
        }
        s->order[at] = i;
    }
    return COP_OK;
}

static cop_status column(stage1 *s, const char *name, const double *values, const char *unit,
                         const char *meaning, cop_error *err)
{
    return cop_phase_column(s->run, s->probe, name, COP_STORE_F64, values, unit, meaning, err);
}

/* Proposals and merges into the run file. */
static cop_status record(stage1 *s, cop_error *err)
{
    const size_t n = (size_t)s->run->job->population.size;
    double *const columns = cop_memory_alloc(s->proposal_count * 6, sizeof *columns, err);
    double *const directions = cop_memory_alloc(s->merge_count * n, sizeof *directions, err);
    cop_status status = columns == NULL || directions == NULL ? COP_ERR_MEMORY : COP_OK;
    static const struct {
        const char *name, *unit, *meaning;
    } names[] = {{"q", NULL, "elite quantile of each proposal"},
                 {"beta", NULL, "inverse temperature of each proposal"},
                 {"scale", NULL, "step in units of the merge's RSS norm"},
                 {"step", "weight", "amplitude of the unit direction"},
                 {"merge", NULL, "row of `direction` of each proposal"},
                 {"probe_accuracy", NULL, "share of right probe examples"}};
    for (size_t i = 0; i < s->proposal_count && status == COP_OK; i++) {
        const proposal *const p = &s->proposals[i];
        const double values[6] = {s->q[p->merge], s->beta[p->merge], p->scale,
                                  p->step,        (double)p->merge,  p->accuracy};
        for (size_t c = 0; c < 6; c++)
            columns[c * s->proposal_count + i] = values[c];
    }
    for (size_t c = 0; c < 6 && status == COP_OK; c++) {
        status = column(s, names[c].name, columns + c * s->proposal_count, names[c].unit,
                        names[c].meaning, err);
    }
    for (size_t m = 0; m < s->merge_count && status == COP_OK; m++) {
        memcpy(directions + m * n, s->merges[m].direction, n * sizeof *directions);
    }
    if (status == COP_OK) {
        const cop_store_array array = {
            .type = COP_STORE_F64, .rank = 2, .shape = {s->merge_count, n}, .data = directions};
        status =
            cop_store_set(s->run->store, "/stage1/direction", &array, NULL,
                          "unit direction of each (q, beta): amplitude per candidate", err);
    }
    if (status == COP_OK) {
        status =
            cop_store_set_text(s->run->store, "/stage1/operator", "two-pass merge", NULL, err);
    }
    cop_memory_free(columns);
    cop_memory_free(directions);
    return status;
}

/* Tries the best proposals against the base on validate; *winner is SIZE_MAX if none passes. */
static cop_status pass_gate(stage1 *s, size_t *winner, cop_error *err)
{
    cop_run *const run = s->run;
    const cop_job *const job = run->job;
    const size_t count = run->splits.counts[COP_SPLIT_VALIDATE];
    const size_t wanted = (size_t)job->gate.tries;
    const size_t tries = wanted < s->proposal_count ? wanted : s->proposal_count;
    const double z = cop_gate_raise_z(job->gate.z, wanted);
    cop_phase *phase = NULL;
    *winner = SIZE_MAX;
    cop_status status =
        cop_phase_create(run, "/gate/stage1", "gate", run->splits.examples[COP_SPLIT_VALIDATE],
                         count, &phase, err);
    for (size_t t = 0; t < tries && status == COP_OK; t++) {
        const proposal *const p = &s->proposals[s->order[t]];
        double *wide = NULL;
        status = widen(run, s->merges[p->merge].direction, &wide, err);
        if (status == COP_OK) status = cop_phase_add(run, phase, NULL, wide, p->step, err);
        cop_memory_free(wide);
    }
    if (status == COP_OK) status = cop_phase_run(run, phase, err);
    if (status == COP_OK) cop_progress_end(&run->progress, NULL);
    for (size_t t = 0; t < tries && status == COP_OK && *winner == SIZE_MAX; t++) {
        const proposal *const p = &s->proposals[s->order[t]];
        const cop_gate_record note = {
            .round = 0,
            .attempt = (int64_t)t + 1,
            .q = s->q[p->merge],
            .beta = s->beta[p->merge],
            .step = p->step,
            .decision = cop_gate_decide(cop_phase_scores(phase, t), run->centre_validate, count,
                                        (double)(float)run->task->correct_at,
                                        job->recenter.regression_weight, z)};
        status = cop_driver_note_gate(run, &note, err);
        if (!note.decision.accepted || !cop_phase_row_valid(phase, t)) continue;
        *winner = s->order[t];
        memcpy(run->centre_validate, cop_phase_scores(phase, t),
               count * sizeof *run->centre_validate);
    }
    cop_phase_destroy(&phase);
    return status;
}

/* Makes proposal `winner` the centre and hands its merge over. */
static void commit(stage1 *s, size_t winner, cop_merge *accepted)
{
    const proposal *const p = &s->proposals[winner];
    cop_merge *const merge = &s->merges[p->merge];
    for (size_t i = 0; i < merge->count; i++)
        s->run->centre[i] = p->step * merge->direction[i];
    s->run->step = p->step;
    *accepted = *merge;
    *merge = (cop_merge){0};
}

cop_status cop_stage1_run(cop_run *run, const double *sigma, const double *reward,
                          const bool *valid, cop_merge *accepted, bool *improved,
                          cop_error *err)
{
    stage1 s = {.run = run};
    size_t winner = SIZE_MAX;
    *improved = false;
    *accepted = (cop_merge){0};
    cop_status status = COP_OK;
    COP_TRY_OUT(merge_population(&s, sigma, reward, valid, err));
    COP_TRY_OUT(cop_phase_create(run, "/stage1", "stage 1",
                                 run->splits.examples[COP_SPLIT_PROBE],
                                 run->splits.counts[COP_SPLIT_PROBE], &s.probe, err));
    COP_TRY_OUT(search_grid(&s, err));
    COP_TRY_OUT(rank_proposals(&s, err));
    COP_TRY_OUT(record(&s, err));
    COP_TRY_OUT(pass_gate(&s, &winner, err));
    *improved = winner != SIZE_MAX;
    if (*improved) commit(&s, winner, accepted);
out:
    for (size_t m = 0; m < s.merge_count; m++)
        cop_merge_free(&s.merges[m]);
    cop_memory_free(s.merges);
    cop_memory_free(s.q);
    cop_memory_free(s.beta);
    cop_memory_free(s.proposals);
    cop_memory_free(s.order);
    cop_phase_destroy(&s.probe);
    return status;
}
