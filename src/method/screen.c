/* An example whose value (right or wrong, or its reward, whichever decides) is the same with
 * all of the first n candidates adds the same to each mean: it tells no candidate from another,
 * and costs as much as one that does. Such examples are replaced by the next of the pool, in
 * the order of the split. That is done once; what comes in is not looked at again.
 *
 * What this does to means. They are of a set that was chosen, so they are neither what the base
 * earned on the first set nor what another run has; hence the base is scored on the new
 * examples, too. And an example that hardly any candidate solves stays only where one of the
 * first n does, one that nearly all solve only where one of them does not: where most are hard
 * the first n are flattered, where most are easy they look worse than they are. How much, their
 * mean beside that of the others tells. */
#include "method/screen.h"
#include "method/spend.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char screen_path[] = "/screen/population";
static const char again_path[] = "/screen/replacements";

typedef struct screen {
    cop_search *search;
    size_t judges;        /* n */
    size_t finite;        /* of these, with finite logits: they decide */
    cop_candidates first; /* they, on the split's own examples */
    cop_candidates again; /* they on the examples that came in, the base first */
    size_t *places;       /* [replaced] in support of the examples that went, rising */
    size_t by_all, by_none, by_equal; /* examples that say nothing */
    size_t replaced;                  /* of these, at most the pool and the budget's room */
} screen;

/* --- who goes --- */

/* Whether all finite judges earn the same value with the example at `place`, and which. */
static bool is_equal(const screen *s, size_t place, double *value)
{
    bool known = false;
    for (size_t i = 0; i < s->judges; i++) {
        if (!cop_phase_row_valid(s->first.phase, i)) continue;
        const double own =
            cop_measure_value(&s->search->measure, cop_phase_scores(s->first.phase, i)[place]);
        if (known && own != *value) return false;
        *value = own;
        known = true;
    }
    return true;
}

static size_t count_found(const screen *s)
{
    return s->by_all + s->by_none + s->by_equal;
}

/* Finds the examples that say nothing, of which `most` may go. One finite judge cannot tell, so
 * none is found then. */
static void judge(screen *s, size_t most)
{
    for (size_t i = 0; i < s->judges; i++)
        s->finite += cop_phase_row_valid(s->first.phase, i);
    for (size_t j = 0; j < s->search->support_count && s->finite >= 2; j++) {
        double value = 0;
        if (!is_equal(s, j, &value)) continue;
        if (s->search->measure.on_reward) {
            s->by_equal++;
        } else if (value > 0) {
            s->by_all++;
        } else {
            s->by_none++;
        }
        if (s->replaced < most) s->places[s->replaced++] = j;
    }
}

static cop_status find_uninformative(screen *s, cop_error *err)
{
    cop_search *const search = s->search;
    const cop_candidates_phase whole = {.path = screen_path,
                                        .title = "screen",
                                        .examples = search->support,
                                        .count = search->support_count};
    s->places = cop_memory_alloc(search->support_count, sizeof *s->places, err);
    if (s->places == NULL) return COP_ERR_MEMORY;
    COP_TRY(cop_candidates_draw(search, 0, s->judges, 1, &s->first, err));
    COP_TRY(cop_candidates_open(search, &s->first, &whole, s->judges, err));
    COP_TRY(cop_search_run_phase(search, s->first.phase, err));
    const cop_round round = cop_round_of_population(search->method, search->job);
    const uint64_t left = cop_budget_left(&search->budget);
    judge(s, cop_round_replacements(&round, left, search->splits->pool_count));
    cop_progress_end(search->phases->progress, NULL);
    return cop_search_note_step(search, again_path, "examples that tell no candidates apart",
                                count_found(s), s->replaced, left, err);
}

/* --- who comes --- */

/* Puts the first of the pool in their places, and scores judges and base on them. */
static cop_status replace(screen *s, cop_error *err)
{
    cop_search *const search = s->search;
    const size_t *const pool = search->splits->pool;
    if (s->replaced == 0) return COP_OK;
    const cop_candidates_phase new = {.path = again_path,
                                      .title = "screen, new ones",
                                      .examples = pool,
                                      .count = s->replaced,
                                      .with_centre = true};
    for (size_t k = 0; k < s->replaced; k++)
        search->support[s->places[k]] = pool[k];
    COP_TRY(cop_candidates_draw(search, 0, s->judges, 1, &s->again, err));
    COP_TRY(cop_candidates_open(search, &s->again, &new, s->judges, err));
    COP_TRY(cop_search_run_phase(search, s->again.phase, err));
    cop_progress_end(search->phases->progress, NULL);
    COP_CHECK(cop_phase_row_valid(s->again.phase, 0), err, COP_ERR_NUMERIC,
              "%s: the base model itself gives logits that are not finite; check its weights, "
              "or set backend.compute: f32",
              search->job->model);
    return COP_OK;
}

/* Scores [support] of a row on what support is now: `was` on the split's own, and row `row` of
 * the phase of the new ones. */
static void merge_scores(const screen *s, const float *was, size_t row, float *scores)
{
    memcpy(scores, was, s->search->support_count * sizeof *scores);
    for (size_t k = 0; k < s->replaced; k++)
        scores[s->places[k]] = cop_phase_scores(s->again.phase, row)[k];
}

/* Opens the population's phase with the rows of which something is known. */
static cop_status take_over(const screen *s, cop_candidates *population, cop_error *err)
{
    cop_search *const search = s->search;
    const cop_candidates_phase whole = {.path = "/population",
                                        .title = "population",
                                        .examples = search->support,
                                        .count = search->support_count};
    COP_TRY(cop_candidates_open(search, population, &whole, s->judges, err));
    float *const scores = cop_memory_alloc(search->support_count, sizeof *scores, err);
    if (scores == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < s->judges; i++) {
        const bool finite = cop_phase_row_valid(s->first.phase, i) &&
                            (s->replaced == 0 || cop_phase_row_valid(s->again.phase, i + 1));
        if (!finite) continue; /* whatever it is, it is scored there */
        merge_scores(s, cop_phase_scores(s->first.phase, i), i + 1, scores);
        cop_phase_take_over(population->phase, i, scores);
    }
    cop_memory_free(scores);
    return COP_OK;
}

/* --- the record --- */

static cop_status note(const screen *s, const char *name, size_t value, const char *unit,
                       const char *meaning, cop_error *err)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/screen/%s", name);
    return cop_store_set_i64(s->search->phases->store, path, (int64_t)value, unit, meaning,
                             err);
}

static cop_status note_examples(const screen *s, const char *name, const uint64_t *examples,
                                const char *meaning, cop_error *err)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/screen/%s", name);
    const cop_store_array array = {
        .type = COP_STORE_U64, .rank = 1, .shape = {s->replaced}, .data = examples};
    return cop_store_set(s->search->phases->store, path, &array, NULL, meaning, err);
}

/* Which example went, and which came for it. */
static cop_status note_replaced(const screen *s, cop_error *err)
{
    if (s->replaced == 0) return COP_OK;
    const cop_splits *const splits = s->search->splits;
    uint64_t *const went = cop_memory_alloc(s->replaced, sizeof *went, err);
    uint64_t *const came = cop_memory_alloc(s->replaced, sizeof *came, err);
    cop_status status = went == NULL || came == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t k = 0; k < s->replaced && status == COP_OK; k++) {
        went[k] = splits->examples[COP_SPLIT_SUPPORT][s->places[k]];
        came[k] = splits->pool[k];
    }
    if (status == COP_OK)
        status = note_examples(s, "replaced", went, "examples of support that went", err);
    if (status == COP_OK)
        status = note_examples(s, "replacement", came, "examples that came for them", err);
    cop_memory_free(went);
    cop_memory_free(came);
    return status;
}

/* The base on what support is now, beside what it was on the split's own. */
static cop_status note_base(const screen *s, double *accuracy, cop_error *err)
{
    const cop_search *const search = s->search;
    const cop_measure correctness = {.correct_at = search->measure.correct_at};
    const cop_measure reward = {.on_reward = true};
    float *const scores = cop_memory_alloc(search->support_count, sizeof *scores, err);
    if (scores == NULL) return COP_ERR_MEMORY;
    merge_scores(s, search->base_support, 0, scores);
    *accuracy = cop_measure_mean(&correctness, scores, search->support_count);
    const double mean = cop_measure_mean(&reward, scores, search->support_count);
    cop_memory_free(scores);
    COP_TRY(cop_store_set_f64(search->phases->store, "/screen/base_accuracy", *accuracy, NULL,
                              "share of right examples of the base on support as it is now",
                              err));
    return cop_store_set_f64(search->phases->store, "/screen/base_reward", mean, "reward",
                             "mean score of the base on support as it is now", err);
}

static cop_status record(const screen *s, double *base, cop_error *err)
{
    COP_TRY(note(s, "judges", s->judges, "candidates", "the first ones, who decide", err));
    COP_TRY(note(s, "finite", s->finite, "candidates", "of these, with finite logits", err));
    COP_TRY(note(s, "solved_by_all", s->by_all, "examples", "that all of them solve", err));
    COP_TRY(note(s, "solved_by_none", s->by_none, "examples", "that none of them solves", err));
    COP_TRY(note(s, "equal_reward", s->by_equal, "examples",
                 "that earn all of them the same, where rewards decide", err));
    COP_TRY(note(s, "pool", s->search->splits->pool_count, "examples",
                 "of no split that were at hand, at most as many as support has", err));
    COP_TRY(note_replaced(s, err));
    return note_base(s, base, err);
}

/* What was done, and what it means, for people. */
static void tell(const screen *s, double base)
{
    cop_progress *const out = s->search->phases->progress;
    const cop_measure correctness = {.correct_at = s->search->measure.correct_at};
    const size_t pool = s->search->splits->pool_count;
    const size_t found = count_found(s);
    char kinds[96];
    (void)snprintf(kinds, sizeof kinds, "%zu all of them solve, %zu none", s->by_all,
                   s->by_none);
    if (s->search->measure.on_reward)
        (void)snprintf(kinds, sizeof kinds, "%zu earn them all the same", s->by_equal);
    if (s->finite < 2) {
        cop_progress_print(out,
                           "  %zu of the first %zu candidates gave finite logits: no example "
                           "is replaced",
                           s->finite, s->judges);
        return;
    }
    cop_progress_print(out,
                       "  %zu of %zu examples tell none of the first %zu candidates apart "
                       "(%s); %zu replaced%s",
                       found, s->search->support_count, s->judges, kinds, s->replaced,
                       s->replaced == found ? ""
                       : pool == 0          ? ", for there is none that no split uses"
                       : s->replaced < pool
                           ? ", for the budget has room for no more"
                           : ", for then no more were left that no split uses");
    if (s->replaced == 0) return;
    cop_progress_print(
        out,
        "  from here on means on support are of other examples: the base is right on %.3f of "
        "them, and was on %.3f",
        base,
        cop_measure_mean(&correctness, s->search->base_support, s->search->support_count));
}

cop_status cop_screen_run(cop_search *search, cop_candidates *population, cop_error *err)
{
    screen s = {.search = search, .judges = cop_job_judges(search->job)};
    double base = NAN;
    cop_status status = COP_OK;
    COP_TRY_OUT(find_uninformative(&s, err));
    COP_TRY_OUT(replace(&s, err));
    COP_TRY_OUT(record(&s, &base, err));
    tell(&s, base);
    status = take_over(&s, population, err);
out:
    cop_candidates_free(&s.first);
    cop_candidates_free(&s.again);
    cop_memory_free(s.places);
    return status;
}

cop_status cop_screen_compare(const cop_search *search, const cop_candidates *population,
                              cop_error *err)
{
    const size_t judges = cop_job_judges(search->job);
    double sum[2] = {0, 0};
    size_t count[2] = {0, 0};
    for (size_t i = 0; i < population->count; i++) {
        if (!population->valid[i]) continue;
        sum[i >= judges] += population->reward[i];
        count[i >= judges]++;
    }
    COP_TRY(cop_store_set_f64(search->phases->store, "/screen/judges_reward",
                              count[0] > 0 ? sum[0] / (double)count[0] : NAN, "reward",
                              "mean on support of the candidates that decided", err));
    return cop_store_set_f64(search->phases->store, "/screen/others_reward",
                             count[1] > 0 ? sum[1] / (double)count[1] : NAN, "reward",
                             "mean on support of the other candidates; NaN: there are none",
                             err);
}
