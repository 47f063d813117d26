/* Stage 2: local search around the accepted model, gated at every step.
 *
 * A local candidate is a vector over the run's seeds; statistics over candidates are turned
 * into such vectors by their unit vectors (candidate / sigma). */
#include "run/phase.h"

#include "coppice/memory.h"
#include "coppice/noise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A step that may be taken. */
typedef struct proposal {
    size_t direction; /* row of directions */
    double step;
    double q, beta;
    cop_paired paired; /* against the centre, on support */
} proposal;

typedef struct recenter {
    cop_run *run;
    size_t seeds; /* length of every vector */
    size_t size;  /* local candidates per round */
    size_t rank;  /* most principal directions */
    double lambda, sigma;
    double *principal; /* [principal_count, seeds] of unit norm */
    double *share;     /* [principal_count] of the cloud's variance, summing to 1 */
    size_t principal_count;
    double *local; /* [size, seeds] candidates of this round */
    float *gated;  /* [validate] scores of the proposal that passed the gate last */
} recenter;

/* Sets the cloud from rows of weights over `count` unit vectors: principal_j = sum_i row_ji
 * unit_i. */
static void set_cloud(recenter *r, const double *rows, const double *eigenvalue, size_t rank,
                      size_t count, const double *units, double unit_scale)
{
    double total = 0;
    for (size_t j = 0; j < rank; j++)
        total += eigenvalue[j];
    r->principal_count = 0;
    for (size_t j = 0; j < rank && total > 0; j++) {
        double *const p = r->principal + r->principal_count * r->seeds;
        memset(p, 0, r->seeds * sizeof *p);
        double square = 0;
        if (units == NULL) {
            memcpy(p, rows + j * count, count * sizeof *p);
        } else {
            for (size_t i = 0; i < count; i++) {
                const double weight = rows[j * count + i] / unit_scale;
                for (size_t s = 0; s < r->seeds; s++)
                    p[s] += weight * units[i * r->seeds + s];
            }
        }
        for (size_t s = 0; s < r->seeds; s++)
            square += p[s] * p[s];
        if (square <= 0) continue;
        for (size_t s = 0; s < r->seeds; s++)
            p[s] /= sqrt(square);
        r->share[r->principal_count++] = eigenvalue[j] / total;
    }
}

/* Candidate i of round k: sqrt(lambda) of its energy on a fresh seed, the rest in the cloud. */
static void draw_candidate(recenter *r, size_t round, size_t i)
{
    const cop_job *const job = r->run->job;
    double *const x = r->local + i * r->seeds;
    const size_t fresh = (size_t)job->population.size + round * r->size + i;
    const double lambda = r->principal_count == 0 ? 1 : r->lambda;
    memset(x, 0, r->seeds * sizeof *x);
    x[fresh] = sqrt(lambda) * r->sigma;
    for (size_t j = 0; j < r->principal_count; j++) {
        const double z = (double)cop_noise_stream_at(
            (uint64_t)job->population.seed, COP_STREAM_CLOUD, (uint32_t)round, i * r->rank + j);
        const double amplitude = sqrt(1 - lambda) * r->sigma * sqrt(r->share[j]) * z;
        const double *const p = r->principal + j * r->seeds;
        for (size_t s = 0; s < r->seeds; s++)
            x[s] += amplitude * p[s];
    }
}

/* The best-mean sigma of the population. */
static double best_sigma(const cop_run *run, const double *sigma, const double *reward)
{
    const cop_job *const job = run->job;
    double best = job->population.sigma.data[0];
    double best_mean = -INFINITY;
    for (size_t k = 0; k < job->population.sigma.count; k++) {
        double sum = 0;
        size_t count = 0;
        for (size_t i = 0; i < (size_t)job->population.size; i++) {
            if (sigma[i] != job->population.sigma.data[k]) continue;
            sum += reward[i];
            count++;
        }
        if (count > 0 && sum / (double)count > best_mean) {
            best_mean = sum / (double)count;
            best = job->population.sigma.data[k];
        }
    }
    return best;
}

/* Scores the centre (row 0) and the local candidates on support. */
static cop_status score_local(recenter *r, size_t round, cop_phase **phase, cop_error *err)
{
    cop_run *const run = r->run;
    char path[64];
    char title[32];
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/local", round + 1);
    (void)snprintf(title, sizeof title, "recenter %zu", round + 1);
    COP_TRY(cop_phase_create(run, path, title, run->splits.examples[COP_SPLIT_SUPPORT],
                             run->splits.counts[COP_SPLIT_SUPPORT], phase, err));
    COP_TRY(cop_phase_add(run, *phase, run->centre, NULL, 0, err));
    for (size_t i = 0; i < r->size; i++) {
        draw_candidate(r, round, i);
        COP_TRY(cop_phase_add(run, *phase, run->centre, r->local + i * r->seeds, 1, err));
    }
    COP_TRY(cop_phase_run(run, *phase, err));
    char text[64];
    (void)snprintf(text, sizeof text, "centre %.3f, best %.3f on support",
                   cop_phase_mean(*phase, 0), run->progress.best);
    cop_progress_end(&run->progress, text);
    return COP_OK;
}

/* Search update: the cloud and lambda of the next round. */
static cop_status update_cloud(recenter *r, size_t round, const double *constructive,
                               cop_error *err)
{
    const cop_job *const job = r->run->job;
    double *const sigma = cop_memory_alloc(r->size, sizeof *sigma, err);
    if (sigma == NULL) return COP_ERR_MEMORY;
    size_t members = 0;
    for (size_t i = 0; i < r->size; i++) {
        sigma[i] = r->sigma;
        if (constructive[i] > 0) members++;
    }
    cop_search_update update = {0};
    cop_status status = cop_search_update_run(
        sigma, constructive, r->size,
        cop_search_target_ess(round, (size_t)job->recenter.rounds, members), r->lambda, r->rank,
        &update, err);
    if (status == COP_OK) {
        r->lambda = update.lambda_after;
        if (update.member_count > 0) {
            set_cloud(r, update.principal, update.eigenvalue, update.rank, r->size, r->local,
                      r->sigma);
        }
    }
    cop_search_update_free(&update);
    cop_memory_free(sigma);
    return status;
}

/* The proposals of a round, with the directions that they share. */
typedef struct proposal_list {
    proposal *items; /* [count] */
    size_t count;
    double *directions; /* [direction_count, seeds] of unit norm over candidates */
    size_t direction_count;
    size_t *order; /* [count] best first */
} proposal_list;

static void free_proposals(proposal_list *list)
{
    cop_memory_free(list->items);
    cop_memory_free(list->directions);
    cop_memory_free(list->order);
}

/* Merges the local candidates over the grid of (q, beta); steps around the current one. */
static cop_status make_proposals(recenter *r, const double *accuracy, const bool *valid,
                                 proposal_list *list, cop_error *err)
{
    const cop_job *const job = r->run->job;
    const size_t betas = job->consolidate.beta.count;
    const size_t merges = job->consolidate.q.count * betas;
    const size_t steps = job->recenter.step.count;
    list->items = cop_memory_alloc(merges * steps, sizeof *list->items, err);
    list->order = cop_memory_alloc(merges * steps, sizeof *list->order, err);
    list->directions = cop_memory_alloc(merges * r->seeds, sizeof(double), err);
    double *const sigma = cop_memory_alloc(r->size, sizeof *sigma, err);
    cop_status status = COP_OK;
    if (list->items == NULL || list->order == NULL || list->directions == NULL ||
        sigma == NULL) {
        status = COP_ERR_MEMORY;
    }
    for (size_t i = 0; i < r->size && status == COP_OK; i++)
        sigma[i] = r->sigma;
    for (size_t m = 0; m < merges && status == COP_OK; m++) {
        const double q = job->consolidate.q.data[m / betas];
        const double beta = job->consolidate.beta.data[m % betas];
        cop_merge merge = {0};
        status = cop_merge_run(sigma, accuracy, valid, r->size, q, beta, r->rank, &merge, err);
        double *const direction = list->directions + list->direction_count * r->seeds;
        for (size_t i = 0; i < r->size && status == COP_OK; i++) {
            const double weight = merge.direction[i] / r->sigma;
            if (weight == 0) continue;
            for (size_t s = 0; s < r->seeds; s++)
                direction[s] += weight * r->local[i * r->seeds + s];
        }
        for (size_t k = 0; k < steps && status == COP_OK; k++) {
            list->items[list->count++] =
                (proposal){.direction = list->direction_count,
                           .step = r->run->step * job->recenter.step.data[k],
                           .q = q,
                           .beta = beta};
        }
        list->direction_count++;
        cop_merge_free(&merge);
    }
    cop_memory_free(sigma);
    return status;
}

static bool better(const proposal *a, const proposal *b)
{
    const int64_t net_a = (int64_t)a->paired.fixes - (int64_t)a->paired.regressions;
    const int64_t net_b = (int64_t)b->paired.fixes - (int64_t)b->paired.regressions;
    if (a->paired.constructive > b->paired.constructive) return true;
    return !(a->paired.constructive < b->paired.constructive) && net_a > net_b;
}

/* Into the run file: what was proposed in round k. */
static cop_status record(const recenter *r, const cop_phase *phase, const proposal_list *list,
                         cop_error *err)
{
    double *const columns = cop_memory_alloc(list->count * 4, sizeof *columns, err);
    if (columns == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < list->count; i++) {
        columns[i] = list->items[i].q;
        columns[list->count + i] = list->items[i].beta;
        columns[2 * list->count + i] = list->items[i].step;
        columns[3 * list->count + i] = list->items[i].paired.constructive;
    }
    static const struct {
        const char *name, *unit, *meaning;
    } names[] = {
        {"q", NULL, "elite quantile of each proposal"},
        {"beta", NULL, "inverse temperature of each proposal"},
        {"step", "weight", "amplitude of the unit direction"},
        {"constructive", NULL, "(fixes - L regressions) / M on support, against the centre"}};
    cop_status status = COP_OK;
    for (size_t c = 0; c < 4 && status == COP_OK; c++) {
        status =
            cop_phase_column(r->run, phase, names[c].name, COP_STORE_F64,
                             columns + c * list->count, names[c].unit, names[c].meaning, err);
    }
    cop_memory_free(columns);
    return status;
}

/* Scores the proposals on support and ranks them. */
static cop_status rank_proposals(recenter *r, size_t round, const float *centre_support,
                                 proposal_list *list, cop_error *err)
{
    cop_run *const run = r->run;
    const size_t count = run->splits.counts[COP_SPLIT_SUPPORT];
    char path[64];
    char title[32];
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/proposals", round + 1);
    (void)snprintf(title, sizeof title, "recenter %zu steps", round + 1);
    cop_phase *phase = NULL;
    cop_status status = cop_phase_create(
        run, path, title, run->splits.examples[COP_SPLIT_SUPPORT], count, &phase, err);
    for (size_t i = 0; i < list->count && status == COP_OK; i++) {
        status = cop_phase_add(run, phase, run->centre,
                               list->directions + list->items[i].direction * r->seeds,
                               list->items[i].step, err);
    }
    if (status == COP_OK) status = cop_phase_run(run, phase, err);
    for (size_t i = 0; i < list->count && status == COP_OK; i++) {
        list->items[i].paired = cop_paired_compare(cop_phase_scores(phase, i), centre_support,
                                                   count, (double)(float)run->task->correct_at,
                                                   run->job->recenter.regression_weight);
        size_t at = i;
        while (at > 0 && better(&list->items[i], &list->items[list->order[at - 1]])) {
            list->order[at] = list->order[at - 1];
            at--;
        }
        list->order[at] = i;
    }
    if (status == COP_OK) status = record(r, phase, list, err);
    if (status == COP_OK) {
        char text[64];
        (void)snprintf(text, sizeof text, "best constructive score %+.3f",
                       list->items[list->order[0]].paired.constructive);
        cop_progress_end(&run->progress, text);
    }
    cop_phase_destroy(&phase);
    return status;
}

/* Tries the best proposals on validate; *winner is SIZE_MAX if none passes. Keeps the winner's
 * scores. */
static cop_status pass_gate(recenter *r, size_t round, const proposal_list *list,
                            size_t *winner, cop_error *err)
{
    cop_run *const run = r->run;
    const cop_job *const job = run->job;
    const size_t count = run->splits.counts[COP_SPLIT_VALIDATE];
    const size_t wanted = (size_t)job->gate.tries;
    const size_t tries = wanted < list->count ? wanted : list->count;
    const double z = cop_gate_raise_z(job->gate.z, wanted);
    char path[64];
    (void)snprintf(path, sizeof path, "/gate/round_%zu", round + 1);
    cop_phase *phase = NULL;
    *winner = SIZE_MAX;
    cop_status status = cop_phase_create(
        run, path, "gate", run->splits.examples[COP_SPLIT_VALIDATE], count, &phase, err);
    for (size_t t = 0; t < tries && status == COP_OK; t++) {
        const proposal *const p = &list->items[list->order[t]];
        status = cop_phase_add(run, phase, run->centre,
                               list->directions + p->direction * r->seeds, p->step, err);
    }
    if (status == COP_OK) status = cop_phase_run(run, phase, err);
    if (status == COP_OK) cop_progress_end(&run->progress, NULL);
    for (size_t t = 0; t < tries && status == COP_OK && *winner == SIZE_MAX; t++) {
        const proposal *const p = &list->items[list->order[t]];
        const cop_gate_record note = {
            .round = (int64_t)round + 1,
            .attempt = (int64_t)t + 1,
            .q = p->q,
            .beta = p->beta,
            .step = p->step,
            .decision = cop_gate_decide(cop_phase_scores(phase, t), run->centre_validate, count,
                                        (double)(float)run->task->correct_at,
                                        job->recenter.regression_weight, z)};
        status = cop_driver_note_gate(run, &note, err);
        if (!note.decision.accepted || !cop_phase_row_valid(phase, t)) continue;
        *winner = list->order[t];
        memcpy(r->gated, cop_phase_scores(phase, t), count * sizeof *r->gated);
    }
    cop_phase_destroy(&phase);
    return status;
}

/* Line search on probe around the step that passed the gate. *step is 0 if probe falls at every
 * step. */
static cop_status search_line(recenter *r, size_t round, const proposal_list *list,
                              size_t winner, double *step, cop_error *err)
{
    cop_run *const run = r->run;
    const cop_job *const job = run->job;
    const proposal *const p = &list->items[winner];
    const double *const direction = list->directions + p->direction * r->seeds;
    char path[64];
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/line", round + 1);
    cop_phase *phase = NULL;
    *step = 0;
    cop_status status =
        cop_phase_create(run, path, "line search", run->splits.examples[COP_SPLIT_PROBE],
                         run->splits.counts[COP_SPLIT_PROBE], &phase, err);
    if (status == COP_OK) status = cop_phase_add(run, phase, run->centre, NULL, 0, err);
    for (size_t k = 0; k < job->recenter.step.count && status == COP_OK; k++) {
        status = cop_phase_add(run, phase, run->centre, direction,
                               p->step * job->recenter.step.data[k], err);
    }
    if (status == COP_OK) status = cop_phase_run(run, phase, err);
    double best = status == COP_OK ? cop_phase_accuracy(run, phase, 0) : 0;
    for (size_t k = 0; k < job->recenter.step.count && status == COP_OK; k++) {
        const double accuracy = cop_phase_accuracy(run, phase, k + 1);
        const double candidate = p->step * job->recenter.step.data[k];
        /* Among equals the step that the gate has seen. */
        if (accuracy > best || (accuracy >= best && (*step == 0 || candidate == p->step))) {
            best = accuracy;
            *step = candidate;
        }
    }
    if (status == COP_OK) {
        char text[64];
        (void)snprintf(text, sizeof text, "probe %.3f -> %.3f",
                       cop_phase_accuracy(run, phase, 0), best);
        cop_progress_end(&run->progress, text);
    }
    cop_phase_destroy(&phase);
    return status;
}

/* A step other than the one that passed the gate must pass it too: *passed, with its scores in
 * r->gated. */
static cop_status gate_step(recenter *r, size_t round, const proposal *p,
                            const double *direction, double step, bool *passed, cop_error *err)
{
    cop_run *const run = r->run;
    const cop_job *const job = run->job;
    const size_t count = run->splits.counts[COP_SPLIT_VALIDATE];
    char path[64];
    (void)snprintf(path, sizeof path, "/gate/round_%zu_step", round + 1);
    cop_phase *phase = NULL;
    cop_status status =
        cop_phase_create(run, path, "gate, chosen step",
                         run->splits.examples[COP_SPLIT_VALIDATE], count, &phase, err);
    if (status == COP_OK) status = cop_phase_add(run, phase, run->centre, direction, step, err);
    if (status == COP_OK) status = cop_phase_run(run, phase, err);
    if (status == COP_OK) {
        const cop_gate_record note = {
            .round = (int64_t)round + 1,
            .attempt = job->gate.tries + 1,
            .q = p->q,
            .beta = p->beta,
            .step = step,
            .decision = cop_gate_decide(
                cop_phase_scores(phase, 0), run->centre_validate, count,
                (double)(float)run->task->correct_at, job->recenter.regression_weight,
                cop_gate_raise_z(job->gate.z, (size_t)job->gate.tries))};
        cop_progress_end(&run->progress, NULL);
        status = cop_driver_note_gate(run, &note, err);
        *passed = note.decision.accepted && cop_phase_row_valid(phase, 0);
        if (*passed) memcpy(r->gated, cop_phase_scores(phase, 0), count * sizeof *r->gated);
    }
    cop_phase_destroy(&phase);
    return status;
}

/* Moves the centre: by `step` if the gate lets it, else by the step that passed. */
static cop_status commit(recenter *r, size_t round, const proposal_list *list, size_t winner,
                         double step, cop_error *err)
{
    cop_run *const run = r->run;
    const proposal *const p = &list->items[winner];
    const double *const direction = list->directions + p->direction * r->seeds;
    bool passed = false;
    if (step != p->step) COP_TRY(gate_step(r, round, p, direction, step, &passed, err));
    run->step = passed ? step : p->step;
    for (size_t s = 0; s < r->seeds; s++)
        run->centre[s] += run->step * direction[s];
    memcpy(run->centre_validate, r->gated,
           run->splits.counts[COP_SPLIT_VALIDATE] * sizeof *r->gated);
    return COP_OK;
}

/* Compares the local candidates with the centre and updates the cloud; the merge's inputs come
 * back. */
static cop_status judge_local(recenter *r, size_t round, const cop_phase *local,
                              double *accuracy, bool *valid, cop_error *err)
{
    const cop_run *const run = r->run;
    double *const constructive = cop_memory_alloc(r->size, sizeof *constructive, err);
    if (constructive == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < r->size; i++) {
        constructive[i] =
            cop_paired_compare(cop_phase_scores(local, i + 1), cop_phase_scores(local, 0),
                               local->example_count, (double)(float)run->task->correct_at,
                               run->job->recenter.regression_weight)
                .constructive;
        accuracy[i] = cop_phase_accuracy(run, local, i + 1);
        valid[i] = cop_phase_row_valid(local, i + 1);
        if (!valid[i]) constructive[i] = 0;
    }
    const double lambda = r->lambda;
    const cop_store_array scores = {
        .type = COP_STORE_F64, .rank = 1, .shape = {r->size}, .data = constructive};
    char path[96];
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/constructive", round + 1);
    cop_status status =
        cop_store_set(r->run->store, path, &scores, NULL,
                      "of each local candidate, against the centre on support", err);
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/lambda", round + 1);
    if (status == COP_OK) {
        status = cop_store_set_f64(r->run->store, path, lambda, NULL,
                                   "isotropic share of energy", err);
    }
    (void)snprintf(path, sizeof path, "/recenter/round_%zu/sigma", round + 1);
    if (status == COP_OK) {
        status = cop_store_set_f64(r->run->store, path, r->sigma, "weight",
                                   "size of local steps", err);
    }
    if (status == COP_OK) status = update_cloud(r, round, constructive, err);
    cop_memory_free(constructive);
    return status;
}

/* One round; *accepted tells whether the centre moved. */
static cop_status run_round(recenter *r, size_t round, bool *accepted, cop_error *err)
{
    proposal_list list = {0};
    cop_phase *local = NULL;
    size_t winner = SIZE_MAX;
    double step = 0;
    bool any = false;
    *accepted = false;
    double *const accuracy = cop_memory_alloc(r->size, sizeof *accuracy, err);
    bool *const valid = cop_memory_alloc(r->size, sizeof *valid, err);
    cop_status status = accuracy == NULL || valid == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status != COP_OK) goto out;
    COP_TRY_OUT(score_local(r, round, &local, err));
    COP_TRY_OUT(judge_local(r, round, local, accuracy, valid, err));
    for (size_t i = 0; i < r->size; i++)
        any = any || valid[i];
    if (!any) goto out;
    COP_TRY_OUT(make_proposals(r, accuracy, valid, &list, err));
    COP_TRY_OUT(rank_proposals(r, round, cop_phase_scores(local, 0), &list, err));
    COP_TRY_OUT(pass_gate(r, round, &list, &winner, err));
    if (winner == SIZE_MAX) goto out;
    COP_TRY_OUT(search_line(r, round, &list, winner, &step, err));
    if (step <= 0) goto out;
    COP_TRY_OUT(commit(r, round, &list, winner, step, err));
    *accepted = true;
out:
    cop_phase_destroy(&local);
    free_proposals(&list);
    cop_memory_free(accuracy);
    cop_memory_free(valid);
    return status;
}

static cop_status run_rounds(recenter *r, cop_error *err)
{
    const cop_job *const job = r->run->job;
    int64_t accepts = 0;
    int64_t rejects = 0; /* in a row */
    for (size_t round = 0; round < (size_t)job->recenter.rounds; round++) {
        bool accepted = false;
        COP_TRY(run_round(r, round, &accepted, err));
        if (accepted) {
            accepts++;
            rejects = 0;
        } else {
            rejects++;
            r->sigma /= 2;
        }
        if (accepts >= job->recenter.accepts || rejects >= job->recenter.patience) break;
    }
    return COP_OK;
}

cop_status cop_recenter_run(cop_run *run, const double *sigma, const double *reward,
                            const cop_merge *cloud, cop_error *err)
{
    const cop_job *const job = run->job;
    if (job->recenter.rounds == 0) return COP_OK;
    recenter r = {.run = run,
                  .seeds = run->seed_count,
                  .size = (size_t)job->recenter.size,
                  .rank = (size_t)job->consolidate.rank,
                  .lambda = job->recenter.lambda,
                  .sigma = best_sigma(run, sigma, reward)};
    r.principal = cop_memory_alloc(r.rank * r.seeds, sizeof *r.principal, err);
    r.share = cop_memory_alloc(r.rank, sizeof *r.share, err);
    r.local = cop_memory_alloc(r.size * r.seeds, sizeof *r.local, err);
    r.gated = cop_memory_alloc(run->splits.counts[COP_SPLIT_VALIDATE], sizeof *r.gated, err);
    cop_status status = COP_ERR_MEMORY;
    if (r.principal != NULL && r.share != NULL && r.local != NULL && r.gated != NULL) {
        set_cloud(&r, cloud->principal, cloud->eigenvalue, cloud->rank, cloud->count, NULL, 1);
        status = run_rounds(&r, err);
    }
    cop_memory_free(r.principal);
    cop_memory_free(r.share);
    cop_memory_free(r.local);
    cop_memory_free(r.gated);
    return status;
}
