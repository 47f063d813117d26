/* A search without a model, messages or a file: a landscape that a function knows.
 *
 * A seed stands for a point of DIMENSIONS numbers, a recipe for the sum of its seeds' points
 * times their amplitudes. An example is right where its own direction, which leans towards a
 * common one, has enough of the recipe's point. So small random steps are little better than
 * the base, their merge is a good deal better, and what helps on one split helps on the others.
 * A flat landscape has no common direction. */
#ifndef TESTS_UNIT_METHOD_TOY_H
#define TESTS_UNIT_METHOD_TOY_H

#include "coppice/base/log.h"
#include "coppice/base/memory.h"
#include "coppice/method/method.h"
#include "coppice/noise/noise.h"
#include "coppice/phase/phase.h"
#include "coppice/store/store.h"
#include "job/job_parse.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

enum {
    TOY_DIMENSIONS = 6,
    TOY_EXAMPLES = 160,
    TOY_SPARE = 50,
    TOY_GUARDED = 20,
    TOY_FOREVER = -1
};

typedef struct toy {
    cop_job *job;
    cop_splits splits;
    cop_store *store;
    cop_log *log;
    cop_progress progress;
    bool unsaved;
    cop_phases phases;
    cop_search search;
    bool flat;
    float below;       /* what every reward is lowered by */
    double reach;      /* of the point, beyond which logits are not finite; 0: there is none */
    double harm;       /* to what guards hold, of a step towards what helps */
    double curve;      /* and of any step, by its square */
    long left;         /* units until somebody asks the job to leave; TOY_FOREVER */
    uint64_t bad_seed; /* whose candidates' logits are not finite; 0: none */
    size_t due_every;  /* units between checkpoints */
    size_t scored;     /* units, in this start */
    double length;     /* of an answer, at most, as a share of the longest; 0: a token */
    size_t saves;      /* checkpoints that were asked for */
} toy;

static inline double toy_normal(uint64_t seed, uint64_t index)
{
    return (double)cop_noise_stream_at(seed, COP_STREAM_CLOUD, 7, index);
}

/* A seed's point: seeds are random bits, so ten of them each are a uniform number in
 * [-1.7, 1.7), of variance 1. */
static inline double toy_point(uint64_t seed, size_t dimension)
{
    return (double)(seed >> (10 * dimension) & 1023) * (3.4641 / 1024) - 1.73205;
}

/* Goes where seeds and amplitudes lead, those of a sum times its factor. */
static inline void toy_go(const cop_component *components, size_t count,
                          double at[TOY_DIMENSIONS])
{
    size_t length = 0;
    for (size_t first = 0; first < count; first += length) {
        length = cop_component_term(components, count, first);
        assert_true(length > 0);
        const double factor = (double)components[first + length - 1].factor;
        for (size_t j = first; j < first + length; j++) {
            const double amplitude = (double)components[j].amplitude;
            for (size_t d = 0; d < TOY_DIMENSIONS; d++)
                at[d] +=
                    (factor == 0 ? 1 : factor) * amplitude * toy_point(components[j].seed, d);
        }
    }
}

/* Where a row's recipe leads. */
static inline void toy_locate(const cop_phase *phase, cop_row row, double at[TOY_DIMENSIONS])
{
    memset(at, 0, TOY_DIMENSIONS * sizeof *at);
    if (row.on_trunk) toy_go(phase->trunk, phase->trunk_count, at);
    toy_go(row.components, row.count, at);
}

static inline float toy_score(const toy *t, const double at[TOY_DIMENSIONS], size_t example)
{
    double merit = -0.9 + 0.6 * toy_normal(11, example);
    for (size_t d = 0; d < TOY_DIMENSIONS; d++)
        merit += ((t->flat ? 0 : 1) + 0.3 * toy_normal(13 + d, example)) * at[d];
    return merit > 0 ? 1 : 0;
}

/* What a guard holds of a recipe: text, whose likelihood falls in the direction that helps. */
static inline float toy_guarded(const toy *t, const double at[TOY_DIMENSIONS], size_t example)
{
    double along = 0;
    double square = 0;
    for (size_t d = 0; d < TOY_DIMENSIONS; d++) {
        along += (1 + 0.1 * toy_normal(31 + d, example)) * at[d];
        square += at[d] * at[d];
    }
    return (float)(-2 + 0.1 * toy_normal(29, example) - t->harm * along - t->curve * square);
}

static inline bool toy_is_bad(const toy *t, cop_row row, const double at[TOY_DIMENSIONS])
{
    for (size_t d = 0; d < TOY_DIMENSIONS && t->reach != 0; d++) {
        if (at[d] > t->reach || at[d] < -t->reach) return true;
    }
    for (size_t j = 0; j < row.count && t->bad_seed != 0; j++) {
        if (row.components[j].seed == t->bad_seed) return true;
    }
    return false;
}

/* Tokens of a unit's answers: those of a row and place are the same in every start. */
static inline uint64_t toy_tokens(const toy *t, const cop_phase *phase, uint64_t unit,
                                  size_t answers)
{
    const uint64_t most = (uint64_t)(t->length * (double)t->phases.max_tokens);
    if (t->length == 0) return answers;
    const uint64_t bits = phase->digest[unit / phase->row_units] ^ (unit % phase->row_units);
    return t->length >= 1 ? most * answers
                          : (bits * 0x9e3779b97f4a7c15U >> 20) % (most * answers + 1);
}

static inline cop_status toy_evaluate(void *context, cop_phase *phase, const uint64_t *units,
                                      size_t count, cop_error *err)
{
    toy *const t = context;
    float scores[TOY_EXAMPLES];
    uint64_t answers[TOY_EXAMPLES];
    for (size_t u = 0; u < count; u++) {
        const cop_unit_range range = cop_phase_unit_range(phase, units[u]);
        const cop_row row = cop_phase_row(phase, units[u] / phase->row_units);
        double at[TOY_DIMENSIONS];
        toy_locate(phase, row, at);
        for (size_t i = 0; i < range.count; i++) {
            const size_t example = phase->examples[range.first + i];
            const bool guarded = example >= TOY_EXAMPLES + TOY_SPARE;
            const float score =
                guarded ? toy_guarded(t, at, example) : toy_score(t, at, example);
            scores[i] = guarded ? score : score - t->below;
            answers[i] = score > 0 ? 1 : 2 + units[u] % 3;
        }
        const bool bad = toy_is_bad(t, row, at);
        const cop_phase_result result = {.unit = units[u],
                                         .status = bad ? COP_ERR_NUMERIC : COP_OK,
                                         .scores = bad ? NULL : scores,
                                         .score_count = bad ? 0 : range.count,
                                         .answers =
                                             phase->keeps_answers && !bad ? answers : NULL,
                                         .tokens = toy_tokens(t, phase, units[u], range.count),
                                         .seconds = 0.001,
                                         .rank = (int)(units[u] % 3)};
        assert_int_equal(cop_phase_check(&t->phases, phase, &result, err), COP_OK);
        cop_phase_take(&t->phases, phase, &result);
        t->scored++;
        COP_TRY(cop_phase_tick(&t->phases, phase, err));
    }
    assert_true(cop_phase_is_valid(phase));
    return COP_OK;
}

static inline cop_status toy_watch(void *context, bool *due, cop_error *err)
{
    toy *const t = context;
    *due = t->scored % t->due_every == 0;
    COP_CHECK(t->left != 0, err, COP_INTERRUPTED, "somebody asked");
    if (t->left > 0) t->left--;
    return COP_OK;
}

static inline cop_status toy_save(void *context, cop_save_when when, cop_error *err)
{
    toy *const t = context;
    (void)when;
    (void)err;
    t->unsaved = false;
    t->saves++;
    return COP_OK;
}

/* Puts what the job's guards hold into the splits, beyond all other examples. */
static inline void toy_add_guards(toy *t)
{
    size_t examples[TOY_GUARDED];
    for (size_t i = 0; i < TOY_GUARDED; i++)
        examples[i] = i;
    for (size_t g = 0; g < t->job->guard.count; g++) {
        assert_int_equal(t->job->guard.data[g].examples, TOY_GUARDED);
        assert_int_equal(cop_splits_add_guard(&t->splits, examples, TOY_GUARDED,
                                              TOY_EXAMPLES + TOY_SPARE + g * TOY_GUARDED, NULL),
                         COP_OK);
    }
}

/* A toy of this method and these overrides; its tree is empty, or a copy of `store`. */
static inline void toy_set_up(toy *t, const char *method, const char *const *overrides,
                              size_t count, const cop_store *store)
{
    static const char text[] =
        "model: m\n"
        "task: {name: arith, data: d}\n"
        "splits: {support: 40, probe: 30, validate: 60, test: 30}\n"
        "population: {size: 24, sigma: [0.05, 0.1], seed: 3}\n"
        "consolidate: {q: [0.5, 0.75], beta: [1, 10], scale: [1, 2], max_scale: 4}\n"
        "recenter: {rounds: 3, size: 12}\n"
        "rounds: {count: 3}\n"
        "es: {iterations: 6, rate: 8}\n"
        "gate: {z: 1, tries: 3}\n"
        "backend: {batch: 16}\n";
    const cop_job_source source = {.text = text, .length = strlen(text), .path = "toy.yaml"};
    const size_t counts[COP_SPLIT_COUNT] = {40, 30, 60, 30};
    const char *all[32];
    char chosen[32];
    cop_error err = {0};
    *t = (toy){.left = TOY_FOREVER, .due_every = 7};
    assert_true(count < 31);
    (void)snprintf(chosen, sizeof chosen, "method=%s", method);
    all[0] = chosen;
    for (size_t i = 0; i < count; i++)
        all[i + 1] = overrides[i];
    const cop_status parsed = cop_job_parse(&source, all, count + 1, &t->job, &err);
    if (parsed != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(parsed, COP_OK);
    const size_t spare = t->job->splits.drop_uninformative ? TOY_SPARE : 0;
    assert_int_equal(
        cop_splits_create(TOY_EXAMPLES + spare, counts, 40, 5, NULL, &t->splits, &err), COP_OK);
    assert_int_equal(store == NULL ? cop_store_create(&t->store, &err)
                                   : cop_store_clone(store, &t->store, &err),
                     COP_OK);
    toy_add_guards(t);
    assert_int_equal(cop_log_create(0, COP_LOG_ERROR, &t->log, &err), COP_OK);
    cop_progress_start(&t->progress, COP_PROGRESS_NEVER, true);
    t->phases = (cop_phases){.store = t->store,
                             .file = "toy",
                             .unsaved = &t->unsaved,
                             .progress = &t->progress,
                             .log = t->log,
                             .batch = 16,
                             .max_tokens = (uint64_t)t->job->generation.max_new_tokens,
                             .host = {t, toy_evaluate, toy_watch, NULL, toy_save}};
}

static inline cop_status toy_set_guards(toy *t, cop_error *err)
{
    cop_guard guards[4];
    assert_true(t->job->guard.count <= 4);
    for (size_t g = 0; g < t->job->guard.count; g++)
        guards[g] = (cop_guard){.name = t->job->guard.data[g].task,
                                .measure = {.on_reward = true},
                                .loss = t->job->guard.data[g].loss,
                                .examples = t->splits.guarded + t->splits.guard_start[g],
                                .count = TOY_GUARDED};
    return t->job->guard.count == 0
               ? COP_OK
               : cop_search_set_guards(&t->search, guards, t->job->guard.count, err);
}

/* The whole search: base, population, method. */
static inline cop_status toy_run(toy *t, bool *improved, cop_error *err)
{
    const cop_method *method = NULL;
    cop_base_scores base = {0};
    cop_candidates population = {0};
    cop_status status = COP_OK;
    *improved = false;
    COP_TRY(cop_method_find(t->job->method, &method, err));
    COP_TRY(cop_search_create(method, t->job, &t->splits, &t->phases, 1, &t->search, err));
    COP_TRY_OUT(toy_set_guards(t, err));
    COP_TRY_OUT(cop_search_score_base(&t->search, false, &base, err));
    COP_TRY_OUT(cop_search_score_population(&t->search, &population, err));
    status = method->run(&t->search, &population, improved, err);
out:
    cop_candidates_free(&population);
    cop_phase_destroy(&base.phase);
    return status;
}

static inline void toy_take_down(toy *t)
{
    cop_search_free(&t->search);
    cop_splits_free(&t->splits);
    cop_store_destroy(&t->store);
    cop_log_destroy(&t->log);
    cop_job_destroy(&t->job);
}

/* Share of right test examples of a centre [seed_count]. */
static inline double toy_accuracy(const toy *t, const double *centre)
{
    const cop_search *const s = &t->search;
    double right = 0;
    double at[TOY_DIMENSIONS] = {0};
    for (size_t i = 0; i < s->seed_count; i++) {
        for (size_t d = 0; d < TOY_DIMENSIONS; d++)
            at[d] += centre[i] * toy_point(s->seeds[i], d);
    }
    for (size_t i = 0; i < t->splits.counts[COP_SPLIT_TEST]; i++)
        right += (double)toy_score(t, at, t->splits.examples[COP_SPLIT_TEST][i]);
    return right / (double)t->splits.counts[COP_SPLIT_TEST];
}

#endif
