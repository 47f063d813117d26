#include "method/race.h"
#include "method/spend.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>

cop_status cop_phase_race_create(cop_search *search, const char *path, const char *title,
                                 const size_t *examples, size_t count, cop_phase_race *race,
                                 cop_phase **phase, cop_error *err)
{
    COP_TRY(cop_phase_create(search->phases, path, title, examples, count, phase, err));
    if (race->rules.stages == 0 || count == 0) return COP_OK;
    race->plan = cop_race_make_plan(count, race->rules.stages, (*phase)->batch);
    if (race->plan.stages > 1) cop_phase_cut(*phase, race->plan.unit);
    return COP_OK;
}

/* What a row's scores are worth in the race, [example_count]; NaN where there are none, or
 * logits were not finite. */
static void fill_values(const cop_race_rules *rules, const cop_phase *phase, size_t row,
                        double *values)
{
    const float *const scores = cop_phase_scores(phase, row);
    for (size_t c = 0; c < phase->row_units; c++) {
        const size_t unit = row * phase->row_units + c;
        const cop_unit_range range = cop_phase_unit_range(phase, unit);
        const bool known = phase->state[unit] == COP_UNIT_OK;
        for (size_t i = range.first; i < range.first + range.count; i++) {
            values[i] = NAN;
            if (!known) continue;
            values[i] = cop_measure_value(&rules->measure, scores[i]);
            if (rules->centre == NULL) continue;
            values[i] -= cop_measure_value(&rules->measure, rules->centre[i]);
            if (values[i] < 0) values[i] *= rules->weight;
        }
    }
}

/* Looks after `seen` examples; the units of those who leave are left out. */
static cop_status look(cop_search *search, cop_phase_race *race, size_t seen, cop_phase *phase,
                       double *values, cop_error *err)
{
    const cop_race_look at = {.values = values,
                              .rows = race->count,
                              .examples = phase->example_count,
                              .seen = seen,
                              .first = race->raced,
                              .keep = race->rules.keep,
                              .places = race->rules.places,
                              .z = race->plan.z};
    size_t left = 0;
    for (size_t i = 0; i < race->count; i++)
        fill_values(&race->rules, phase, i, values + i * phase->example_count);
    COP_TRY(cop_race_run_look(&at, race->rows, err));
    for (size_t i = race->raced; i < race->count; i++) {
        if (race->rows[i].seen == seen) left++;
        if (race->rows[i].seen > 0) cop_phase_leave_out(phase, i);
    }
    cop_log_write(search->phases->log, COP_LOG_INFO,
                  "%s: after %zu of %zu examples %zu of %zu %s leave the race", phase->title,
                  seen, phase->example_count, left, race->count - race->raced,
                  race->rules.racers);
    return COP_OK;
}

static cop_status run_stages(cop_search *search, cop_phase_race *race, cop_phase *phase,
                             double *values, cop_error *err)
{
    const cop_race_plan *const plan = &race->plan;
    for (size_t k = 0; k < plan->stages; k++) {
        const bool last = k + 1 == plan->stages;
        const size_t end = last ? phase->row_units : (k + 1) * plan->stage_units;
        COP_TRY(cop_search_run_part(search, phase, k * plan->stage_units, end, err));
        if (last) break;
        COP_TRY(look(search, race, end * plan->unit, phase, values, err));
    }
    race->raced = race->count;
    return COP_OK;
}

cop_status cop_phase_race_score(cop_search *search, cop_phase_race *race, cop_phase *phase,
                                cop_error *err)
{
    if (race->plan.stages <= 1) return cop_search_run_phase(search, phase, err);
    COP_GROW(race->rows, race->capacity, phase->row_count, err);
    while (race->count < phase->row_count)
        race->rows[race->count++] = (cop_race_row){0};
    double *const values =
        cop_memory_alloc(race->count * phase->example_count, sizeof *values, err);
    if (values == NULL) return COP_ERR_MEMORY;
    const cop_status status = run_stages(search, race, phase, values, err);
    cop_memory_free(values);
    return status;
}

bool cop_phase_race_has_left(const cop_phase_race *race, size_t row)
{
    return row < race->count && race->rows[row].seen > 0;
}

void cop_phase_race_describe(const cop_phase_race *race, const cop_phase *phase,
                             cop_progress *progress)
{
    if (race->plan.stages <= 1) return;
    size_t left = 0;
    size_t scored = 0;
    for (size_t i = 0; i < race->count; i++) {
        left += cop_phase_race_has_left(race, i);
        scored += cop_phase_count_scored(phase, i);
    }
    cop_progress_print(progress, "  race: %zu of %zu %s left early, %zu of %zu answers", left,
                       race->count, race->rules.racers, scored,
                       race->count * phase->example_count);
}

cop_status cop_phase_race_record(const cop_search *search, const cop_phase_race *race,
                                 const cop_phase *phase, cop_error *err)
{
    enum { AFTER, BEHIND, WHOLE };
    enum { GAP, ERROR, REAL };
    const size_t n = phase->row_count;
    if (race->plan.stages == 0) return COP_OK;
    int64_t *const whole = cop_memory_alloc(n * WHOLE, sizeof *whole, err);
    double *const real = cop_memory_alloc(n * REAL, sizeof *real, err);
    cop_status status = whole == NULL || real == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < n && status == COP_OK; i++) {
        const bool left = cop_phase_race_has_left(race, i);
        const cop_race_row row =
            left ? race->rows[i] : (cop_race_row){.gap = NAN, .error = NAN};
        whole[AFTER * n + i] = (int64_t)row.seen;
        whole[BEHIND * n + i] = left ? (int64_t)row.behind : -1;
        real[GAP * n + i] = row.gap;
        real[ERROR * n + i] = row.error;
    }
    const struct {
        const char *name, *unit, *meaning;
        cop_store_type type;
        const void *values;
    } columns[] = {
        {"left_after", "examples", "when each row left the race; 0: it did not", COP_STORE_I64,
         whole + AFTER * n},
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
    return cop_store_set_f64(search->phases->store, path, race->plan.z, "std errors",
                             "that a row may be behind and stay in the race", err);
}

void cop_phase_race_free(cop_phase_race *race)
{
    cop_memory_free(race->rows);
    *race = (cop_phase_race){0};
}
