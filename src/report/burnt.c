/* A perturbation that destroys a model makes it ramble: its answers are wrong and go on to the
 * limit, so that it costs many times what a good candidate does. Tokens are kept by unit, which
 * is enough for a candidate's mean. */
#include "report/burnt.h"

#include "coppice/phase/phase.h"

#include <math.h>
#include <stdio.h>

static const double at_limit = 0.9; /* of the longest answer */

/* The arrays of a phase; NULLs where there is none. */
typedef struct phase_arrays {
    const cop_store_array *scores, *tokens, *status;
} phase_arrays;

static const cop_store_array *find(const cop_store *store, const char *group, const char *name,
                                   cop_store_type type)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/%s", group, name);
    const cop_store_array *const array = cop_store_get(store, path);
    return array != NULL && array->type == type && array->rank == 2 ? array : NULL;
}

static phase_arrays find_phase(const cop_store *store, const char *group)
{
    phase_arrays p = {find(store, group, "scores", COP_STORE_F32),
                      find(store, group, "tokens", COP_STORE_U64),
                      find(store, group, "status", COP_STORE_U8)};
    const bool whole = p.scores != NULL && p.tokens != NULL && p.status != NULL &&
                       p.tokens->shape[0] == p.scores->shape[0] &&
                       p.status->shape[0] == p.scores->shape[0] &&
                       p.status->shape[1] == p.tokens->shape[1];
    return whole ? p : (phase_arrays){0};
}

/* What a candidate has generated. */
typedef struct work {
    double tokens, answers;
} work;

/* A row's tokens, and the answers that it gave: who left a race was not asked for all. */
static void add_row(const phase_arrays *p, uint64_t row, work *w)
{
    if (p->scores == NULL || row >= p->scores->shape[0]) return;
    const uint64_t units = p->tokens->shape[1];
    const uint64_t examples = p->scores->shape[1];
    const float *const scores = (const float *)p->scores->data + row * examples;
    for (uint64_t c = 0; c < units; c++)
        w->tokens += (double)((const uint64_t *)p->tokens->data)[row * units + c];
    for (uint64_t m = 0; m < examples; m++)
        w->answers += !isnan(scores[m]);
}

/* Of candidate i; where its scores were taken over it has answered in the groups of /screen, of
 * which the second has the base first. */
static work work_of(const cop_store *store, const phase_arrays *population, uint64_t i)
{
    work w = {0};
    const uint64_t units = population->status->shape[1];
    if (((const uint8_t *)population->status->data)[i * units] != COP_UNIT_TAKEN_OVER) {
        add_row(population, i, &w);
        return w;
    }
    const phase_arrays first = find_phase(store, "/screen/population");
    const phase_arrays again = find_phase(store, "/screen/replacements");
    add_row(&first, i, &w);
    add_row(&again, i + 1, &w);
    return w;
}

/* What a row is worth beside the base, on the examples that it answered. `base` [M] is on the
 * split's own; where some were replaced everybody answered all, and its mean stands at /screen.
 */
static double compare(const cop_store *store, const cop_measure *measure, const float *base,
                      const float *scores, size_t examples)
{
    double own = 0;
    double its = 0;
    size_t count = 0;
    for (size_t m = 0; m < examples; m++) {
        if (isnan(scores[m])) continue;
        own += cop_measure_value(measure, scores[m]);
        its += cop_measure_value(measure, base[m]);
        count++;
    }
    if (count == 0) return 0;
    double screened = 0;
    const char *const path =
        measure->on_reward ? "/screen/base_reward" : "/screen/base_accuracy";
    if (cop_store_get_f64(store, path, &screened)) its = screened * (double)count;
    return (own - its) / (double)count;
}

cop_status cop_burnt_note(cop_store *store, const cop_measure *measure, const float *base,
                          uint64_t max_tokens, cop_error *err)
{
    const phase_arrays population = find_phase(store, "/population");
    if (population.scores == NULL) return COP_OK;
    const uint64_t examples = population.scores->shape[1];
    const float *const scores = population.scores->data;
    int64_t count = 0;
    double burnt = 0;
    double all = 0;
    for (uint64_t i = 0; i < population.scores->shape[0]; i++) {
        const work w = work_of(store, &population, i);
        all += w.tokens;
        if (compare(store, measure, base, scores + i * examples, examples) >= 0 ||
            w.tokens < at_limit * (double)max_tokens * w.answers)
            continue;
        burnt += w.tokens;
        count++;
    }
    COP_TRY(cop_store_set_i64(store, "/population/destructive/candidates", count, "candidates",
                              "worse than the base, with answers at the limit of their length "
                              "on average",
                              err));
    return cop_store_set_f64(store, "/population/destructive/token_share",
                             all > 0 ? burnt / all : 0, NULL,
                             "of the population's tokens that is theirs", err);
}

static bool read_burnt(const cop_store *store, int64_t *count, double *share)
{
    return cop_store_get_i64(store, "/population/destructive/candidates", count) &&
           cop_store_get_f64(store, "/population/destructive/token_share", share);
}

cop_status cop_burnt_print(const cop_store *store, const char *indent, cop_text *text,
                           cop_error *err)
{
    int64_t count = 0;
    double share = 0;
    if (!read_burnt(store, &count, &share) || count == 0) return COP_OK;
    return cop_text_format(text, err,
                           "%s%lld candidate%s of the population %s worse than the base and "
                           "answer%s to the limit of tokens: %.0f%% of its tokens\n",
                           indent, (long long)count, count == 1 ? "" : "s",
                           count == 1 ? "is" : "are", count == 1 ? "s" : "", 100 * share);
}

json_t *cop_burnt_json(const cop_store *store)
{
    int64_t count = 0;
    double share = 0;
    if (!read_burnt(store, &count, &share)) return NULL;
    return json_pack("{s:I, s:f}", "candidates", (json_int_t)count, "token_share", share);
}
