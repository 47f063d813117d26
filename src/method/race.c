/* Proposals on a split, by a race where the job wants one: stage by stage those leave that are
 * behind the best beyond doubt (coppice/search/race.h), and what is left of their examples is
 * never scored. A later start finds the same scores, and so the same leave again. */
#include "method/proposals.h"
#include "method/spend.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>

cop_status cop_proposals_create_phase(cop_search *search, const char *path, const char *title,
                                      cop_split split, const cop_proposals_race *race,
                                      cop_proposals *proposals, cop_phase **phase,
                                      cop_error *err)
{
    size_t count = 0;
    const size_t *const examples = cop_search_examples(search, split, &count);
    COP_TRY(cop_phase_create(search->phases, path, title, examples, count, phase, err));
    if (race->stages == 0 || count == 0) return COP_OK;
    proposals->race = cop_race_make_plan(count, race->stages, (*phase)->batch);
    if (proposals->race.stages > 1) cop_phase_cut(*phase, proposals->race.unit);
    return COP_OK;
}

/* What a row's scores are worth in the race, [example_count]; NaN where there are none, or
 * logits were not finite. */
static void fill_values(const cop_search *search, const cop_proposals_race *race,
                        const cop_phase *phase, size_t row, double *values)
{
    const float *const scores = cop_phase_scores(phase, row);
    for (size_t c = 0; c < phase->row_units; c++) {
        const size_t unit = row * phase->row_units + c;
        const cop_unit_range range = cop_phase_unit_range(phase, unit);
        const bool known = phase->state[unit] == COP_UNIT_OK;
        for (size_t i = range.first; i < range.first + range.count; i++) {
            values[i] = NAN;
            if (!known) continue;
            values[i] = cop_measure_value(&search->measure, scores[i]);
            if (race->centre == NULL) continue;
            values[i] -= cop_measure_value(&search->measure, race->centre[i]);
            if (values[i] < 0) values[i] *= race->weight;
        }
    }
}

/* Looks after `seen` examples; the units of those who leave are left out. */
static cop_status look(cop_search *search, const cop_proposals_race *race, size_t seen,
                       cop_proposals *proposals, cop_phase *phase, double *values,
                       cop_race_row *rows, cop_error *err)
{
    const size_t count = proposals->count;
    const cop_race_look at = {.values = values,
                              .rows = count,
                              .examples = phase->example_count,
                              .seen = seen,
                              .first = proposals->racing,
                              .keep = (size_t)search->job->gate.tries,
                              .z = proposals->race.z};
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        fill_values(search, race, phase, i, values + i * phase->example_count);
        rows[i] = proposals->items[i].race;
    }
    COP_TRY(cop_race_run_look(&at, rows, err));
    for (size_t i = proposals->racing; i < count; i++) {
        if (rows[i].seen == seen) left++;
        proposals->items[i].race = rows[i];
        if (rows[i].seen > 0) cop_phase_leave_out(phase, i);
    }
    cop_log_write(search->phases->log, COP_LOG_INFO,
                  "%s: after %zu of %zu examples %zu of %zu proposals leave the race",
                  phase->title, seen, phase->example_count, left, count - proposals->racing);
    return COP_OK;
}

static cop_status run_stages(cop_search *search, const cop_proposals_race *race,
                             cop_proposals *proposals, cop_phase *phase, double *values,
                             cop_race_row *rows, cop_error *err)
{
    const cop_race_plan *const plan = &proposals->race;
    for (size_t k = 0; k < plan->stages; k++) {
        const bool last = k + 1 == plan->stages;
        const size_t end = last ? phase->row_units : (k + 1) * plan->stage_units;
        COP_TRY(cop_search_run_part(search, phase, k * plan->stage_units, end, err));
        if (last) break;
        COP_TRY(look(search, race, end * plan->unit, proposals, phase, values, rows, err));
    }
    return COP_OK;
}

cop_status cop_proposals_score(cop_search *search, const cop_proposals_race *race,
                               cop_proposals *proposals, cop_phase *phase, cop_error *err)
{
    if (proposals->race.stages <= 1) return cop_search_run_phase(search, phase, err);
    double *const values =
        cop_memory_alloc(proposals->count * phase->example_count, sizeof *values, err);
    cop_race_row *const rows = cop_memory_alloc(proposals->count, sizeof *rows, err);
    cop_status status = values == NULL || rows == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK)
        status = run_stages(search, race, proposals, phase, values, rows, err);
    if (status == COP_OK) proposals->racing = proposals->count;
    cop_memory_free(rows);
    cop_memory_free(values);
    return status;
}

bool cop_proposals_has_left(const cop_proposals *proposals, size_t index)
{
    return proposals->items[index].race.seen > 0;
}

size_t cop_proposals_count_left(const cop_proposals *proposals, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < proposals->count && count < most; i++)
        count += !cop_proposals_has_left(proposals, i);
    return count;
}

void cop_proposals_describe_race(const cop_proposals *proposals, const cop_phase *phase,
                                 cop_progress *progress)
{
    if (proposals->race.stages <= 1) return;
    size_t scored = 0;
    for (size_t i = 0; i < proposals->count; i++)
        scored += cop_phase_count_scored(phase, i);
    cop_progress_print(progress, "  race: %zu of %zu proposals left early, %zu of %zu answers",
                       proposals->count - cop_proposals_count_left(proposals, SIZE_MAX),
                       proposals->count, scored, proposals->count * phase->example_count);
}

cop_status cop_proposals_record_race(const cop_search *search, const cop_proposals *proposals,
                                     const cop_phase *phase, cop_error *err)
{
    enum { AFTER, BEHIND, WHOLE };
    enum { GAP, ERROR, REAL };
    const size_t n = proposals->count;
    if (proposals->race.stages == 0) return COP_OK;
    int64_t *const whole = cop_memory_alloc(n * WHOLE, sizeof *whole, err);
    double *const real = cop_memory_alloc(n * REAL, sizeof *real, err);
    cop_status status = whole == NULL || real == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < n && status == COP_OK; i++) {
        const cop_race_row *const row = &proposals->items[i].race;
        const bool left = row->seen > 0;
        whole[AFTER * n + i] = (int64_t)row->seen;
        whole[BEHIND * n + i] = left ? (int64_t)row->behind : -1;
        real[GAP * n + i] = left ? row->gap : NAN;
        real[ERROR * n + i] = left ? row->error : NAN;
    }
    const struct {
        const char *name, *unit, *meaning;
        cop_store_type type;
        const void *values;
    } columns[] = {
        {"left_after", "examples", "when each proposal left the race; 0: it did not",
         COP_STORE_I64, whole + AFTER * n},
        {"left_behind", NULL, "row that led then; -1: it did not leave", COP_STORE_I64,
         whole + BEHIND * n},
        {"left_gap", NULL,
         "mean by which it was behind; NaN: it did not leave, or its logits were not finite",
         COP_STORE_F64, real + GAP * n},
        {"left_error", NULL, "standard error of that mean, of all examples' one; NaN alike",
         COP_STORE_F64, real + ERROR * n}};
    for (size_t c = 0; c < sizeof columns / sizeof columns[0] && status == COP_OK; c++) {
        status = cop_phase_column(search->phases, phase, columns[c].name, columns[c].type,
                                  columns[c].values, columns[c].unit, columns[c].meaning, err);
    }
    cop_memory_free(real);
    cop_memory_free(whole);
    if (status != COP_OK) return status;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/race_z", phase->path);
    return cop_store_set_f64(search->phases->store, path, proposals->race.z, "std errors",
                             "that a proposal may be behind and stay in the race", err);
}
