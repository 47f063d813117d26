#include "coppice/report/results.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RESAMPLES = 10000 };

cop_status cop_results_add(cop_results *results, const cop_result *method, const float *scores,
                           cop_error *err)
{
    COP_GROW(results->items, results->capacity, results->count + 1, err);
    float *const copy = cop_memory_alloc(results->examples, sizeof *copy, err);
    if (copy == NULL) return COP_ERR_MEMORY;
    if (results->examples > 0) memcpy(copy, scores, results->examples * sizeof *copy);
    cop_result *const made = &results->items[results->count++];
    *made = *method;
    made->scores = copy;
    return COP_OK;
}

void cop_results_free(cop_results *results)
{
    for (size_t i = 0; i < results->count; i++)
        cop_memory_free(results->items[i].scores);
    cop_memory_free(results->items);
    *results = (cop_results){0};
}

/* --- compute spent --- */

/* Units of a phase, [rows, row_units] in all, that were or will be evaluated. *taken: rows that
 * were taken over from other phases, as a whole. */
static uint64_t count_units(const cop_store *store, const char *group, uint64_t rows,
                            uint64_t row_units, uint64_t *taken)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/status", group);
    const cop_store_array *const state = cop_store_get(store, path);
    const uint64_t units = rows * row_units;
    uint64_t count = units;
    *taken = 0;
    if (state == NULL || state->type != COP_STORE_U8 || state->rank != 2 ||
        state->shape[0] * state->shape[1] != units)
        return units;
    for (uint64_t u = 0; u < units; u++) {
        const uint8_t own = ((const uint8_t *)state->data)[u];
        count -= own == COP_UNIT_LEFT_OUT || own == COP_UNIT_TAKEN_OVER;
        *taken += u % row_units == 0 && own == COP_UNIT_TAKEN_OVER;
    }
    return count;
}

/* The phase whose tokens are at `path`, if it is one. */
static void count_phase(const cop_store *store, const char *path, cop_spent *spent)
{
    static const char name[] = "/tokens";
    const size_t length = strlen(path);
    if (length < strlen(name) || strcmp(path + length - strlen(name), name) != 0) return;
    char group[512];
    char sibling[1024];
    (void)snprintf(group, sizeof group, "%.*s", (int)(length - strlen(name)), path);
    (void)snprintf(sibling, sizeof sibling, "%s/scores", group);
    const cop_store_array *const tokens = cop_store_get(store, path);
    const cop_store_array *const scores = cop_store_get(store, sibling);
    if (tokens->type != COP_STORE_U64 || tokens->rank != 2 || scores == NULL ||
        scores->rank != 2 || scores->type != COP_STORE_F32)
        return;
    const uint64_t units = tokens->shape[0] * tokens->shape[1];
    for (uint64_t u = 0; u < units; u++)
        spent->tokens += ((const uint64_t *)tokens->data)[u];
    const uint64_t answers = scores->shape[0] * scores->shape[1];
    uint64_t saved = 0; /* whose row left a race: no others are without a score at the end */
    for (uint64_t i = 0; i < answers; i++)
        saved += isnan(((const float *)scores->data)[i]) ? 1 : 0;
    uint64_t taken = 0;
    spent->units += count_units(store, group, tokens->shape[0], tokens->shape[1], &taken);
    spent->evaluations += answers - saved - taken * scores->shape[1];
    spent->saved += saved;
}

cop_spent cop_results_spent(const cop_store *store, const char *group)
{
    cop_spent spent = {0};
    const size_t length = strlen(group);
    for (size_t i = 0; i < cop_store_count(store); i++) {
        const char *const path = cop_store_path_at(store, i);
        if (strncmp(path, group, length) == 0 && path[length] == '/')
            count_phase(store, path, &spent);
    }
    return spent;
}

cop_spent cop_results_spent_rows(const cop_phase *phase, size_t first, size_t count)
{
    cop_spent spent = {.evaluations = count * phase->example_count};
    for (size_t u = first * phase->row_units; u < (first + count) * phase->row_units; u++)
        spent.tokens += phase->tokens[u];
    return spent;
}

double cop_results_gain_per_million(const cop_result *method)
{
    const double tokens = (double)method->search.tokens + (double)method->test.tokens;
    return tokens > 0 ? 1e6 * method->to_base.gain / tokens : 0;
}

/* --- statistics --- */

static void measure_one(const cop_measure *measure, const cop_results *results, cop_result *m,
                        double *row)
{
    const cop_measure correctness = {.correct_at = measure->correct_at};
    const size_t n = results->examples;
    m->accuracy = cop_measure_mean(&correctness, m->scores, n);
    const size_t right = (size_t)llround(m->accuracy * (double)n);
    cop_stats_wilson(right, n, 0.95, &m->accuracy_95.low, &m->accuracy_95.high);
    for (size_t i = 0; i < n; i++)
        row[i] = (double)m->scores[i];
    m->reward = cop_stats_mean(row, n);
}

/* Paired differences of a method to another into row [examples]; its gain and test. */
static void compare(const cop_measure *measure, const cop_results *results, const cop_result *m,
                    const cop_result *other, double *row, cop_difference *difference)
{
    for (size_t i = 0; i < results->examples; i++) {
        row[i] = cop_measure_value(measure, m->scores[i]) -
                 cop_measure_value(measure, other->scores[i]);
    }
    difference->gain = cop_stats_mean(row, results->examples);
    difference->test =
        cop_compare_mcnemar(m->scores, other->scores, results->examples, measure);
}

cop_status cop_results_measure(cop_results *results, const cop_measure *measure, uint64_t seed,
                               cop_error *err)
{
    enum { ROWS = 3 }; /* of a method: its gains over two others, its rewards */
    const size_t n = results->examples;
    const size_t rows = ROWS * results->count;
    const cop_bootstrap how = {RESAMPLES, 0.95, seed};
    double *const values = cop_memory_alloc(rows * n, sizeof *values, err);
    cop_interval *const intervals = cop_memory_alloc(rows, sizeof *intervals, err);
    cop_status status = values == NULL || intervals == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < results->count && status == COP_OK; i++) {
        cop_result *const m = &results->items[i];
        double *const row = values + ROWS * i * n;
        compare(measure, results, m, &results->items[0], row, &m->to_base);
        compare(measure, results, m, &results->items[results->result], row + n,
                &m->to_consolidated);
        measure_one(measure, results, m, row + 2 * n);
    }
    if (status == COP_OK && n > 0)
        status = cop_compare_bootstrap(values, rows, n, &how, intervals, err);
    for (size_t i = 0; i < results->count && status == COP_OK; i++) {
        results->items[i].to_base.gain_95 = intervals[ROWS * i];
        results->items[i].to_consolidated.gain_95 = intervals[ROWS * i + 1];
        results->items[i].reward_95 = intervals[ROWS * i + 2];
    }
    cop_memory_free(intervals);
    cop_memory_free(values);
    return status;
}

/* --- the run file --- */

/* A number of a method's group. */
typedef struct entry {
    const char *name, *unit, *meaning;
    double value;
} entry;

static cop_status record_entries(cop_store *store, const cop_result *m, const entry *entries,
                                 size_t count, cop_error *err)
{
    for (size_t i = 0; i < count; i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s/%s/%s", m->group, m->key, entries[i].name);
        COP_TRY(cop_store_set_f64(store, path, entries[i].value, entries[i].unit,
                                  entries[i].meaning, err));
    }
    return COP_OK;
}

static cop_status record_numbers(cop_store *store, const cop_result *m, cop_error *err)
{
    const entry entries[] = {
        {"accuracy", NULL, "share of right answers on test", m->accuracy},
        {"accuracy_low", NULL, "Wilson's 95% interval", m->accuracy_95.low},
        {"accuracy_high", NULL, "Wilson's 95% interval", m->accuracy_95.high},
        {"reward", "reward", "mean on test", m->reward},
        {"reward_low", "reward", "95% interval, bootstrap", m->reward_95.low},
        {"reward_high", "reward", "95% interval, bootstrap", m->reward_95.high},
        {"gain", NULL, "above the base, in what /gate/on names", m->to_base.gain},
        {"gain_low", NULL, "95% interval, paired bootstrap", m->to_base.gain_95.low},
        {"gain_high", NULL, "95% interval, paired bootstrap", m->to_base.gain_95.high},
        {"p_base", NULL, "McNemar's exact test against the base; on rewards the sign test",
         m->to_base.test.exact},
        {"p_base_mid", NULL, "the same, mid-p", m->to_base.test.mid},
        {"answers", NULL, "for one question", (double)m->answers},
        {"search_evaluations", "answers", "to find the method", (double)m->search.evaluations},
        {"search_tokens", "tokens", "generated to find the method", (double)m->search.tokens},
        {"test_evaluations", "answers", "on test; of the base on all splits",
         (double)m->test.evaluations},
        {"test_tokens", "tokens", "generated for these answers", (double)m->test.tokens},
        {"gain_per_million_tokens", NULL, "gain by tokens of search and test",
         cop_results_gain_per_million(m)}};
    return record_entries(store, m, entries, sizeof entries / sizeof entries[0], err);
}

static cop_status record_method(cop_store *store, const cop_results *results,
                                const cop_result *m, cop_error *err)
{
    char path[160];
    COP_TRY(record_numbers(store, m, err));
    if (results->has_consolidated) {
        const cop_difference *const d = &m->to_consolidated;
        const entry entries[] = {
            {"gain_consolidated", NULL, "above the consolidated model, in what /gate/on names",
             d->gain},
            {"gain_consolidated_low", NULL, "95% interval, paired bootstrap", d->gain_95.low},
            {"gain_consolidated_high", NULL, "95% interval, paired bootstrap", d->gain_95.high},
            {"p_consolidated", NULL, "McNemar's exact test against that model", d->test.exact},
            {"p_consolidated_mid", NULL, "the same, mid-p", d->test.mid}};
        COP_TRY(record_entries(store, m, entries, sizeof entries / sizeof entries[0], err));
    }
    (void)snprintf(path, sizeof path, "%s/%s/title", m->group, m->key);
    COP_TRY(cop_store_set_text(store, path, m->title, "name for people", err));
    (void)snprintf(path, sizeof path, "%s/%s/scores", m->group, m->key);
    const cop_store_array array = {
        .type = COP_STORE_F32, .rank = 1, .shape = {results->examples}, .data = m->scores};
    return cop_store_set(store, path, &array, "reward", "on each test example", err);
}

cop_status cop_results_record(cop_store *store, const cop_results *results, cop_error *err)
{
    enum { BYTES = 80 };
    char *const names = cop_memory_alloc(results->count, BYTES, err);
    const char **const pointers = cop_memory_alloc(results->count, sizeof *pointers, err);
    cop_status status = names == NULL || pointers == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < results->count && status == COP_OK; i++) {
        const cop_result *const m = &results->items[i];
        (void)snprintf(names + i * BYTES, BYTES, "%s/%s", m->group, m->key);
        pointers[i] = names + i * BYTES;
        status = record_method(store, results, m, err);
    }
    if (status == COP_OK) {
        const cop_store_array array = {
            .type = COP_STORE_TEXT, .rank = 1, .shape = {results->count}, .data = pointers};
        status = cop_store_set(store, "/final/methods", &array, NULL,
                               "groups of the methods on test, in the table's order", err);
    }
    cop_memory_free(pointers);
    cop_memory_free(names);
    return status;
}
