#include "run/methods.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RESAMPLES = 10000 };

cop_status cop_methods_add(cop_methods *methods, const cop_method *method, const float *scores,
                           cop_method **added, cop_error *err)
{
    void *items = methods->items;
    COP_TRY(cop_memory_grow(&items, &methods->capacity, methods->count + 1,
                            sizeof *methods->items, err));
    methods->items = items;
    float *const copy = cop_memory_alloc(methods->examples, sizeof *copy, err);
    if (copy == NULL) return COP_ERR_MEMORY;
    if (methods->examples > 0) memcpy(copy, scores, methods->examples * sizeof *copy);
    cop_method *const made = &methods->items[methods->count++];
    *made = *method;
    made->scores = copy;
    if (added != NULL) *added = made;
    return COP_OK;
}

void cop_methods_free(cop_methods *methods)
{
    for (size_t i = 0; i < methods->count; i++)
        cop_memory_free(methods->items[i].scores);
    cop_memory_free(methods->items);
    *methods = (cop_methods){0};
}

/* --- compute spent --- */

/* The phase whose tokens are at `path`, if it is one. */
static void count_phase(const cop_store *store, const char *path, cop_spent *spent)
{
    static const char name[] = "/tokens";
    const size_t length = strlen(path);
    if (length < strlen(name) || strcmp(path + length - strlen(name), name) != 0) return;
    char sibling[1024];
    (void)snprintf(sibling, sizeof sibling, "%.*s/scores", (int)(length - strlen(name)), path);
    const cop_store_array *const tokens = cop_store_get(store, path);
    const cop_store_array *const scores = cop_store_get(store, sibling);
    if (tokens->type != COP_STORE_U64 || tokens->rank != 2 || scores == NULL ||
        scores->rank != 2)
        return;
    const uint64_t units = tokens->shape[0] * tokens->shape[1];
    for (uint64_t u = 0; u < units; u++)
        spent->tokens += ((const uint64_t *)tokens->data)[u];
    spent->units += units;
    spent->evaluations += scores->shape[0] * scores->shape[1];
}

cop_spent cop_methods_spent(const cop_store *store, const char *group)
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

cop_spent cop_methods_spent_rows(const cop_phase *phase, size_t first, size_t count)
{
    cop_spent spent = {.evaluations = count * phase->example_count};
    for (size_t u = first * phase->chunks; u < (first + count) * phase->chunks; u++)
        spent.tokens += phase->tokens[u];
    return spent;
}

double cop_methods_gain_per_million(const cop_method *method)
{
    const double tokens = (double)method->search.tokens + (double)method->test.tokens;
    return tokens > 0 ? 1e6 * method->to_base.gain / tokens : 0;
}

/* --- statistics --- */

static void measure_one(const cop_run *run, const cop_methods *methods, cop_method *m,
                        double *row)
{
    const cop_measure correctness = {.correct_at = run->measure.correct_at};
    const size_t n = methods->examples;
    m->accuracy = cop_measure_mean(&correctness, m->scores, n);
    const size_t right = (size_t)llround(m->accuracy * (double)n);
    cop_stats_wilson(right, n, 0.95, &m->accuracy_95.low, &m->accuracy_95.high);
    for (size_t i = 0; i < n; i++)
        row[i] = (double)m->scores[i];
    m->reward = cop_stats_mean(row, n);
}

/* Paired differences of a method to another into row [examples]; its gain and test. */
static void compare(const cop_run *run, const cop_methods *methods, const cop_method *m,
                    const cop_method *other, double *row, cop_difference *difference)
{
    for (size_t i = 0; i < methods->examples; i++) {
        row[i] = cop_measure_value(&run->measure, m->scores[i]) -
                 cop_measure_value(&run->measure, other->scores[i]);
    }
    difference->gain = cop_stats_mean(row, methods->examples);
    difference->test =
        cop_compare_mcnemar(m->scores, other->scores, methods->examples, &run->measure);
}

cop_status cop_methods_measure(const cop_run *run, cop_methods *methods, cop_error *err)
{
    enum { ROWS = 3 }; /* of a method: its gains over two others, its rewards */
    const size_t n = methods->examples;
    const size_t rows = ROWS * methods->count;
    const cop_bootstrap how = {RESAMPLES, 0.95, (uint64_t)run->job->population.seed};
    double *const values = cop_memory_alloc(rows * n, sizeof *values, err);
    cop_interval *const intervals = cop_memory_alloc(rows, sizeof *intervals, err);
    cop_status status = values == NULL || intervals == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < methods->count && status == COP_OK; i++) {
        cop_method *const m = &methods->items[i];
        double *const row = values + ROWS * i * n;
        compare(run, methods, m, &methods->items[0], row, &m->to_base);
        compare(run, methods, m, &methods->items[methods->result], row + n,
                &m->to_consolidated);
        measure_one(run, methods, m, row + 2 * n);
    }
    if (status == COP_OK && n > 0)
        status = cop_compare_bootstrap(values, rows, n, &how, intervals, err);
    for (size_t i = 0; i < methods->count && status == COP_OK; i++) {
        methods->items[i].to_base.gain_95 = intervals[ROWS * i];
        methods->items[i].to_consolidated.gain_95 = intervals[ROWS * i + 1];
        methods->items[i].reward_95 = intervals[ROWS * i + 2];
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

static cop_status record_entries(cop_run *run, const cop_method *m, const entry *entries,
                                 size_t count, cop_error *err)
{
    for (size_t i = 0; i < count; i++) {
        char path[160];
        (void)snprintf(path, sizeof path, "%s/%s/%s", m->group, m->key, entries[i].name);
        COP_TRY(cop_store_set_f64(run->store, path, entries[i].value, entries[i].unit,
                                  entries[i].meaning, err));
    }
    return COP_OK;
}

static cop_status record_numbers(cop_run *run, const cop_method *m, cop_error *err)
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
         cop_methods_gain_per_million(m)}};
    return record_entries(run, m, entries, sizeof entries / sizeof entries[0], err);
}

static cop_status record_method(cop_run *run, const cop_methods *methods, const cop_method *m,
                                cop_error *err)
{
    char path[160];
    COP_TRY(record_numbers(run, m, err));
    if (methods->has_consolidated) {
        const cop_difference *const d = &m->to_consolidated;
        const entry entries[] = {
            {"gain_consolidated", NULL, "above the consolidated model, in what /gate/on names",
             d->gain},
            {"gain_consolidated_low", NULL, "95% interval, paired bootstrap", d->gain_95.low},
            {"gain_consolidated_high", NULL, "95% interval, paired bootstrap", d->gain_95.high},
            {"p_consolidated", NULL, "McNemar's exact test against that model", d->test.exact},
            {"p_consolidated_mid", NULL, "the same, mid-p", d->test.mid}};
        COP_TRY(record_entries(run, m, entries, sizeof entries / sizeof entries[0], err));
    }
    (void)snprintf(path, sizeof path, "%s/%s/title", m->group, m->key);
    COP_TRY(cop_store_set_text(run->store, path, m->title, "name for people", err));
    (void)snprintf(path, sizeof path, "%s/%s/scores", m->group, m->key);
    const cop_store_array array = {
        .type = COP_STORE_F32, .rank = 1, .shape = {methods->examples}, .data = m->scores};
    return cop_store_set(run->store, path, &array, "reward", "on each test example", err);
}

cop_status cop_methods_record(cop_run *run, const cop_methods *methods, cop_error *err)
{
    enum { BYTES = 80 };
    char *const names = cop_memory_alloc(methods->count, BYTES, err);
    const char **const pointers = cop_memory_alloc(methods->count, sizeof *pointers, err);
    cop_status status = names == NULL || pointers == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t i = 0; i < methods->count && status == COP_OK; i++) {
        const cop_method *const m = &methods->items[i];
        (void)snprintf(names + i * BYTES, BYTES, "%s/%s", m->group, m->key);
        pointers[i] = names + i * BYTES;
        status = record_method(run, methods, m, err);
    }
    if (status == COP_OK) {
        const cop_store_array array = {
            .type = COP_STORE_TEXT, .rank = 1, .shape = {methods->count}, .data = pointers};
        status = cop_store_set(run->store, "/final/methods", &array, NULL,
                               "groups of the methods on test, in the table's order", err);
    }
    cop_memory_free(pointers);
    cop_memory_free(names);
    return status;
}
