#include "method/proposals.h"

#include "coppice/base/memory.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Takes over what an operator found: each direction as a vector over the run's seeds. */
static cop_status take_directions(const cop_search *search, const cop_candidates *candidates,
                                  const cop_operator *source, cop_directions *found,
                                  cop_proposals *proposals, cop_error *err)
{
    for (size_t i = 0; i < found->count; i++) {
        COP_GROW(proposals->directions, proposals->direction_capacity,
                 proposals->direction_count + 1, err);
        double *const vector = cop_memory_alloc(search->seed_count, sizeof *vector, err);
        if (vector == NULL) return COP_ERR_MEMORY;
        double reference = found->items[i].reference;
        const double norm =
            cop_candidates_spread(search, candidates, found->items[i].amplitude, vector);
        if (candidates->paired && norm > 0) {
            /* Two of a pair cancel in part: what is left has the natural length. */
            reference *= norm;
            for (size_t s = 0; s < search->seed_count; s++)
                vector[s] /= norm;
        }
        proposals->directions[proposals->direction_count++] =
            (cop_proposed_direction){.source = source,
                                     .found = found->items[i], /* ownership moves */
                                     .reference = reference,
                                     .vector = vector};
        found->items[i] = (cop_direction){0};
    }
    return COP_OK;
}

cop_status cop_proposals_find(const cop_search *search, const cop_candidates *candidates,
                              const double *reward, cop_proposals *proposals, cop_error *err)
{
    const cop_job *const job = search->job;
    cop_operator_input input = cop_candidates_input(search, candidates, reward);
    input.rank =
        0; /* a cloud is [rank, N] numbers, and wanted of the accepted direction alone */
    *proposals = (cop_proposals){0};
    for (size_t k = 0; k < job->consolidate.operators.count; k++) {
        const cop_operator *chosen = NULL;
        cop_directions found = {0};
        COP_TRY(cop_operator_find(job->consolidate.operators.data[k], &chosen, err));
        COP_TRY(cop_operator_run(chosen, &input, &found, err));
        const cop_status status =
            take_directions(search, candidates, chosen, &found, proposals, err);
        cop_directions_free(&found);
        COP_TRY(status);
    }
    return COP_OK;
}

cop_status cop_proposals_find_cloud(const cop_search *search, const cop_candidates *candidates,
                                    const double *reward, const cop_proposed_direction *of,
                                    cop_direction *found, cop_error *err)
{
    cop_operator_input input = cop_candidates_input(search, candidates, reward);
    cop_directions all = {0};
    *found = (cop_direction){0};
    if (isfinite(of->found.q)) {
        input.q = &of->found.q;
        input.q_count = 1;
    }
    if (isfinite(of->found.beta)) {
        input.beta = &of->found.beta;
        input.beta_count = 1;
    }
    COP_TRY(cop_operator_run(of->source, &input, &all, err));
    assert(all.count == 1);
    *found = all.items[0]; /* ownership moves */
    all.items[0] = (cop_direction){0};
    cop_directions_free(&all);
    return COP_OK;
}

cop_status cop_proposals_add(cop_proposals *proposals, size_t direction, double step,
                             double scale, cop_error *err)
{
    COP_GROW(proposals->items, proposals->capacity, proposals->count + 1, err);
    proposals->items[proposals->count] = (cop_proposal){
        .direction = direction, .step = step, .scale = scale, .turn = proposals->count};
    proposals->count++;
    return COP_OK;
}

const double *cop_proposals_vector(const cop_proposals *proposals, size_t index)
{
    return proposals->directions[proposals->items[index].direction].vector;
}

cop_status cop_proposals_add_row(cop_search *search, const cop_proposals *proposals,
                                 size_t index, cop_phase *phase, cop_error *err)
{
    return cop_search_add_step(search, phase, cop_proposals_vector(proposals, index),
                               proposals->items[index].step, err);
}

cop_status cop_proposals_create_phase(cop_search *search, const char *path, const char *title,
                                      cop_split split, cop_proposals *proposals,
                                      cop_phase **phase, cop_error *err)
{
    size_t count = 0;
    const size_t *const examples = cop_search_examples(search, split, &count);
    return cop_phase_race_create(search, path, title, examples, count, &proposals->race, phase,
                                 err);
}

bool cop_proposals_has_left(const cop_proposals *proposals, size_t index)
{
    return cop_phase_race_has_left(&proposals->race, index);
}

size_t cop_proposals_count_left(const cop_proposals *proposals, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < proposals->count && count < most; i++)
        count += !cop_proposals_has_left(proposals, i);
    return count;
}

bool cop_proposals_precede(const cop_proposals *proposals, size_t a, size_t b,
                           bool (*better)(const cop_proposal *, const cop_proposal *))
{
    const cop_proposal *const x = &proposals->items[a];
    const cop_proposal *const y = &proposals->items[b];
    const bool a_left = cop_proposals_has_left(proposals, a);
    const bool b_left = cop_proposals_has_left(proposals, b);
    if (a_left || b_left) return b_left && !a_left;
    if (x->broken != y->broken) return y->broken;
    return better(x, y);
}

cop_status cop_proposals_rank(cop_proposals *proposals,
                              bool (*better)(const cop_proposal *, const cop_proposal *),
                              cop_error *err)
{
    cop_memory_free(proposals->order);
    proposals->order = cop_memory_alloc(proposals->count, sizeof *proposals->order, err);
    if (proposals->order == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < proposals->count; i++) {
        size_t at = i;
        while (at > 0 &&
               cop_proposals_precede(proposals, i, proposals->order[at - 1], better)) {
            proposals->order[at] = proposals->order[at - 1];
            at--;
        }
        proposals->order[at] = i;
    }
    return COP_OK;
}

cop_status cop_proposals_record(cop_search *search, const cop_proposals *proposals,
                                const cop_phase *phase, cop_error *err)
{
    static const struct {
        const char *name, *unit, *meaning;
    } columns[] = {{"q", NULL, "elite quantile of each proposal; NaN: the operator has none"},
                   {"beta", NULL, "inverse temperature of each proposal; NaN: none"},
                   {"scale", NULL, "step over the reference step"},
                   {"step", "weight", "amplitude of the direction"},
                   {"merge", NULL, "number of the direction of each proposal"}};
    enum { COLUMNS = sizeof columns / sizeof columns[0] };
    const size_t count = proposals->count;
    double *const values = cop_memory_alloc(count * COLUMNS, sizeof *values, err);
    const char **const names = cop_memory_alloc(count, sizeof *names, err);
    cop_status status = values == NULL || names == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < count && status == COP_OK; i++) {
        const cop_proposal *const p = &proposals->items[i];
        const cop_proposed_direction *const d = &proposals->directions[p->direction];
        const double row[COLUMNS] = {d->found.q, d->found.beta, p->scale, p->step,
                                     (double)p->direction};
        for (size_t c = 0; c < COLUMNS; c++)
            values[c * count + i] = row[c];
        names[i] = d->source->name;
    }
    for (size_t c = 0; c < COLUMNS && status == COP_OK; c++) {
        status = cop_phase_column(search->phases, phase, columns[c].name, COP_STORE_F64,
                                  values + c * count, columns[c].unit, columns[c].meaning, err);
    }
    if (status == COP_OK) {
        status = cop_phase_column(search->phases, phase, "operator", COP_STORE_TEXT, names,
                                  NULL, "that found the direction of each proposal", err);
    }
    cop_memory_free(names);
    cop_memory_free(values);
    return status == COP_OK ? cop_phase_race_record(search, &proposals->race, phase, err)
                            : status;
}

cop_status cop_proposals_pass_gate(cop_search *search, cop_proposals *proposals,
                                   const size_t *tried, cop_gate_request request, float *scores,
                                   size_t *winner, cop_error *err)
{
    *winner = SIZE_MAX;
    cop_gate_candidate *const candidates =
        cop_memory_alloc(request.count, sizeof *candidates, err);
    if (candidates == NULL) return COP_ERR_MEMORY;
    for (size_t t = 0; t < request.count; t++) {
        const cop_proposal *const p = &proposals->items[tried[t]];
        cop_proposed_direction *const d = &proposals->directions[p->direction];
        candidates[t] = (cop_gate_candidate){.vector = d->vector,
                                             .step = p->step,
                                             .source = d->source->name,
                                             .q = d->found.q,
                                             .beta = d->found.beta,
                                             .refused = &d->refused};
    }
    request.candidates = candidates;
    cop_gate_winner passed;
    cop_status status = cop_gate_pass(search, &request, scores, &passed, err);
    *winner = passed.index == SIZE_MAX ? SIZE_MAX : tried[passed.index];
    if (status == COP_OK && *winner != SIZE_MAX &&
        passed.step != proposals->items[*winner].step) {
        const cop_proposal whole = proposals->items[*winner];
        status = cop_proposals_add(proposals, whole.direction, passed.step,
                                   whole.scale * (passed.step / whole.step), err);
        *winner = proposals->count - 1;
    }
    cop_memory_free(candidates);
    return status;
}

void cop_proposals_free(cop_proposals *proposals)
{
    for (size_t i = 0; i < proposals->direction_count; i++) {
        cop_proposed_direction *const d = &proposals->directions[i];
        cop_direction_free(&d->found);
        cop_memory_free(d->vector);
    }
    cop_memory_free(proposals->directions);
    cop_memory_free(proposals->sequence);
    cop_memory_free(proposals->items);
    cop_memory_free(proposals->order);
    cop_phase_race_free(&proposals->race);
    *proposals = (cop_proposals){0};
}
