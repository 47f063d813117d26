#include "coppice/report/split_analysis.h"

#include "coppice/base/memory.h"
#include "coppice/job/job.h"
#include "coppice/phase/phase.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- from the run file --- */

/* What an analysis takes from a run file. */
typedef struct source {
    cop_split_input input;
    bool *valid;
    uint32_t *group;
    cop_job_numbers q, beta;
} source;

static void free_source(source *s)
{
    cop_memory_free(s->valid);
    cop_memory_free(s->group);
    cop_memory_free(s->q.data);
    cop_memory_free(s->beta.data);
}

static const cop_store_array *array_of(const cop_store *store, const char *path,
                                       cop_store_type type, int rank, cop_error *err)
{
    const cop_store_array *const array = cop_store_get(store, path);
    if (array != NULL && array->type == type && array->rank == rank) return array;
    (void)cop_error_set(err, COP_ERR_FORMAT,
                        "there is no %s: the run has not scored its population yet", path);
    return NULL;
}

/* Candidates all of whose units gave finite logits. */
static cop_status take_valid(const cop_store_array *status, source *s, cop_error *err)
{
    const uint8_t *const state = status->data;
    const size_t chunks = status->shape[1];
    s->valid = cop_memory_alloc(s->input.count, sizeof *s->valid, err);
    if (s->valid == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < s->input.count; i++) {
        s->valid[i] = true;
        for (size_t c = 0; c < chunks; c++) {
            COP_CHECK(state[i * chunks + c] != COP_UNIT_PENDING, err, COP_ERR_FORMAT,
                      "candidate %zu is not scored yet: finish the population first", i);
            COP_CHECK(
                state[i * chunks + c] != COP_UNIT_LEFT_OUT, err, COP_ERR_CONFIG,
                "candidate %zu left a race before it had all its scores, and who stays is "
                "chosen by the scores that would be halved; run the job with "
                "population.race: off",
                i);
            const uint8_t own = state[i * chunks + c];
            if (own != COP_UNIT_OK && own != COP_UNIT_TAKEN_OVER) s->valid[i] = false;
        }
    }
    s->input.valid = s->valid;
    return COP_OK;
}

/* The first candidates, who chose the examples by their own scores (/screen); 0 where nobody
 * did, or all. Scores are not permuted between them and the others: what they were flattered by
 * would pass for structure. */
static size_t count_judges(const cop_store *store, size_t candidates)
{
    int64_t judges = 0;
    if (cop_store_get(store, "/screen/replaced") == NULL ||
        !cop_store_get_i64(store, "/screen/judges", &judges))
        return 0;
    return judges > 0 && (uint64_t)judges < candidates ? (size_t)judges : 0;
}

/* Judges are a group, the others another; of these those of equal sigma, if that is asked for.
 * A group is named after the first of it. */
static cop_status take_groups(bool within_sigma, size_t judges, source *s, cop_error *err)
{
    if (!within_sigma && judges == 0) return COP_OK;
    s->group = cop_memory_alloc(s->input.count, sizeof *s->group, err);
    if (s->group == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < s->input.count; i++) {
        size_t first = i < judges ? 0 : judges;
        while (within_sigma && first < i && s->input.sigma[first] != s->input.sigma[i])
            first++;
        s->group[i] = (uint32_t)first;
    }
    s->input.group = s->group;
    return COP_OK;
}

/* A list of numbers among the job's keys. */
static cop_status take_numbers(const cop_store *store, const char *path,
                               cop_job_numbers *numbers, cop_error *err)
{
    const char *const text = cop_store_get_text(store, path);
    json_t *const list = text == NULL ? NULL : json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
    cop_status status = COP_OK;
    if (!json_is_array(list) || json_array_size(list) == 0) {
        status = cop_error_set(err, COP_ERR_FORMAT, "%s is not a list of numbers", path);
    } else {
        numbers->count = json_array_size(list);
        numbers->data = cop_memory_alloc(numbers->count, sizeof *numbers->data, err);
        if (numbers->data == NULL) status = COP_ERR_MEMORY;
    }
    for (size_t i = 0; status == COP_OK && i < numbers->count; i++) {
        const json_t *const item = json_array_get(list, i);
        if (json_is_number(item)) {
            numbers->data[i] = json_number_value(item);
        } else {
            status = cop_error_set(err, COP_ERR_FORMAT, "%s is not a list of numbers", path);
        }
    }
    json_decref(list);
    return status;
}

static cop_status take_source(const cop_store *store, bool within_sigma, source *s,
                              cop_error *err)
{
    const cop_store_array *const scores =
        array_of(store, "/population/scores", COP_STORE_F32, 2, err);
    const cop_store_array *const status =
        array_of(store, "/population/status", COP_STORE_U8, 2, err);
    if (scores == NULL || status == NULL) return COP_ERR_FORMAT;
    const size_t count = scores->shape[0];
    COP_CHECK(status->shape[0] == count && count <= UINT32_MAX, err, COP_ERR_FORMAT,
              "/population: its arrays differ in length");
    s->input =
        (cop_split_input){.scores = scores->data, .count = count, .examples = scores->shape[1]};
    COP_TRY(take_valid(status, s, err));
    const cop_store_array *const sigma =
        array_of(store, "/population/sigma", COP_STORE_F64, 1, err);
    if (sigma == NULL) return COP_ERR_FORMAT;
    COP_CHECK(sigma->shape[0] == count, err, COP_ERR_FORMAT,
              "/population: its arrays differ in length");
    s->input.sigma = sigma->data;
    COP_TRY(take_groups(within_sigma, count_judges(store, count), s, err));
    COP_TRY(take_numbers(store, "/job/keys/consolidate.q", &s->q, err));
    return take_numbers(store, "/job/keys/consolidate.beta", &s->beta, err);
}

/* --- into the run file --- */

static cop_status set_array(cop_store *store, const char *name, size_t rows, size_t columns,
                            const double *data, const char *meaning, cop_error *err)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/split_half/%s", name);
    cop_store_array array = {.type = COP_STORE_F64, .rank = 1, .shape = {columns}};
    if (rows > 0)
        array = (cop_store_array){.type = COP_STORE_F64, .rank = 2, .shape = {rows, columns}};
    array.data = data;
    return cop_store_set(store, path, &array, NULL, meaning, err);
}

static const struct {
    const char *name, *meaning;
    size_t offset;
} parts[] = {
    {"median", "over halvings", offsetof(cop_split_summary, median)},
    {"low", "2.5 percent over halvings", offsetof(cop_split_summary, low)},
    {"high", "97.5 percent over halvings", offsetof(cop_split_summary, high)},
    {"null_mean", "mean over halvings of permuted data",
     offsetof(cop_split_summary, null_mean)},
    {"null_95", "95th percentile over halvings of permuted data",
     offsetof(cop_split_summary, null_high)},
    {"z", "median of the first null_halvings, in standard deviations of that of permuted data",
     offsetof(cop_split_summary, z)},
    {"p", "share of permuted data whose median of the first null_halvings is as large, +1 each",
     offsetof(cop_split_summary, p)},
};

static cop_status set_statistic(cop_store *store, const cop_split_half *result,
                                cop_split_statistic_id id, cop_error *err)
{
    const cop_split_statistic *const s = &result->statistic[id];
    char name[64];
    (void)snprintf(name, sizeof name, "%s/value", cop_split_statistic_name(id));
    COP_TRY(set_array(store, name, result->halvings, s->count, s->value,
                      cop_split_statistic_meaning(id), err));
    double *const column = cop_memory_alloc(s->count, sizeof *column, err);
    if (column == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    for (size_t p = 0; p < sizeof parts / sizeof parts[0] && status == COP_OK; p++) {
        for (size_t c = 0; c < s->count; c++)
            memcpy(&column[c], (const char *)&s->summary[c] + parts[p].offset, sizeof *column);
        (void)snprintf(name, sizeof name, "%s/%s", cop_split_statistic_name(id), parts[p].name);
        status = set_array(store, name, 0, s->count, column, parts[p].meaning, err);
    }
    cop_memory_free(column);
    return status;
}

static cop_status set_count(cop_store *store, const char *name, size_t value, const char *unit,
                            const char *meaning, cop_error *err)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/split_half/%s", name);
    return cop_store_set_i64(store, path, (int64_t)value, unit, meaning, err);
}

static cop_status set_counts(cop_store *store, const cop_split_half *r, cop_error *err)
{
    const struct {
        const char *name;
        size_t value;
        const char *unit, *meaning;
    } counts[] = {
        {"candidates", r->candidates, "candidates", "that take part: all logits finite"},
        {"examples", r->examples, "examples", "of the support set"},
        {"halvings", r->halvings, "halvings", "random, of the examples"},
        {"permutations", r->permutations, "data sets",
         "in each of which every example's scores are permuted over the candidates"},
        {"null_halvings", r->null_halvings, "halvings", "first ones, taken of permuted data"},
        {"reproducible_rank", r->reproducible_rank, "dimensions",
         "leading canonical correlations above the 95th percentile of chance's largest"},
        {"parallel_rank", r->parallel_rank, "dimensions",
         "leading eigenvalues above the 95th percentile of those of permuted data"}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        COP_TRY(set_count(store, counts[i].name, counts[i].value, counts[i].unit,
                          counts[i].meaning, err));
    }
    return COP_OK;
}

static cop_status set_spectrum(cop_store *store, const cop_split_half *r, cop_error *err)
{
    COP_TRY(set_array(store, "spectrum/eigenvalue", 0, r->spectrum_count, r->eigenvalue,
                      "squared singular values of the doubly centred scores", err));
    COP_TRY(set_array(store, "spectrum/null_mean", 0, r->spectrum_count, r->spectrum_mean,
                      "mean over permuted data", err));
    COP_TRY(set_array(store, "spectrum/null_95", 0, r->spectrum_count, r->spectrum_high,
                      "95th percentile over permuted data", err));
    COP_TRY(cop_store_set_f64(store, "/split_half/effective_rank", r->effective_rank,
                              "dimensions", "exp(entropy) of the eigenvalues' shares", err));
    return cop_store_set_f64(store, "/split_half/participation_ratio", r->participation_ratio,
                             "dimensions", "(sum)^2 / sum of squares of the eigenvalues", err);
}

/* What scores are permuted within, as the run file has it. */
static const char *name_groups(const cop_store *store, const cop_split_request *request)
{
    const cop_store_array *const scores = cop_store_get(store, "/population/scores");
    const bool judged =
        scores != NULL && scores->rank == 2 && count_judges(store, scores->shape[0]) > 0;
    if (judged) return request->within_sigma ? "sigma and judges" : "judges";
    return request->within_sigma ? "sigma" : "all";
}

static cop_status set_result(cop_store *store, const cop_split_request *request,
                             const char *within, const cop_split_half *r, cop_error *err)
{
    cop_store_remove(store, "/split_half");
    COP_TRY(set_counts(store, r, err));
    COP_TRY(set_count(store, "seed", request->seed, NULL, "of halvings and permutations", err));
    COP_TRY(cop_store_set_text(store, "/split_half/permuted_within", within,
                               "candidates that scores are permuted among", err));
    COP_TRY(set_array(store, "q", 0, r->pair_count, r->q,
                      "elite quantile of each direction_cosine", err));
    COP_TRY(set_array(store, "beta", 0, r->pair_count, r->beta,
                      "inverse temperature of each direction_cosine", err));
    for (int id = 0; id < COP_SPLIT_STATISTICS; id++)
        COP_TRY(set_statistic(store, r, (cop_split_statistic_id)id, err));
    return set_spectrum(store, r, err);
}

bool cop_split_is_there(const cop_store *store, const cop_split_request *request)
{
    const struct {
        const char *path;
        uint64_t value;
    } wanted[] = {{"/split_half/halvings", request->halvings},
                  {"/split_half/permutations", request->permutations},
                  {"/split_half/seed", request->seed}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        int64_t value = 0;
        if (!cop_store_get_i64(store, wanted[i].path, &value)) return false;
        if ((uint64_t)value != wanted[i].value) return false;
    }
    const char *const within = cop_store_get_text(store, "/split_half/permuted_within");
    return within != NULL && strcmp(within, name_groups(store, request)) == 0;
}

/* --- the analysis --- */

/* As many threads as their work spaces leave half of the memory that there is. */
static int limit_threads(const cop_split_input *input, int wanted)
{
    enum { MOST = 64 };
    const double n = (double)input->count;
    const double m = (double)input->examples;
    const double each = sizeof(double) * (3.0 * n * m + 3.0 * m * m);
    const double available = (double)cop_memory_available_bytes();
    if (wanted > MOST) wanted = MOST;
    while (wanted > 1 && available > 0 && wanted * each > available / 2)
        wanted--;
    return wanted;
}

cop_status cop_split_analyse(const cop_store *from, const cop_split_request *request,
                             cop_store *to, cop_error *err)
{
    source s = {0};
    cop_split_half result = {0};
    cop_status status = take_source(from, request->within_sigma, &s, err);
    if (status == COP_OK) {
        const cop_split_options options = {.halvings = request->halvings,
                                           .permutations = request->permutations,
                                           .seed = request->seed,
                                           .q = s.q.data,
                                           .beta = s.beta.data,
                                           .q_count = s.q.count,
                                           .beta_count = s.beta.count,
                                           .threads = limit_threads(&s.input, request->threads),
                                           .tick = request->tick,
                                           .context = request->context};
        status = cop_split_half_run(&s.input, &options, &result, err);
    }
    if (status == COP_OK)
        status = set_result(to, request, name_groups(from, request), &result, err);
    cop_split_half_free(&result);
    free_source(&s);
    return status;
}
