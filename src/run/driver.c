/* The job from the base's scores to the final table, on rank 0. */
#include "run/baselines.h"
#include "run/inputs.h"
#include "run/proposals.h"
#include "run/report.h"
#include "run/split_phase.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/export/export.h"
#include "coppice/noise/noise.h"

#include <stdio.h>
#include <string.h>

/* Base scores of every split, one after the other. */
typedef struct base_scores {
    cop_phase *phase;
    size_t start[COP_SPLIT_COUNT];
} base_scores;

static cop_status check_operators(const cop_job *job, cop_error *err)
{
    for (size_t i = 0; i < job->consolidate.operators.count; i++) {
        const cop_operator *found;
        if (cop_operator_find(job->consolidate.operators.data[i], &found, err) != COP_OK)
            return cop_error_prefix(err, "consolidate.operators");
    }
    return COP_OK;
}

static double accuracy_of(const cop_run *run, const float *scores, size_t count)
{
    const cop_measure correctness = {.correct_at = run->measure.correct_at};
    return cop_measure_mean(&correctness, scores, count);
}

/* Decides what probe and gate decide by, from the base's scores [count] on all examples that
 * the search sees. */
static cop_status choose_measure(cop_run *run, const float *scores, size_t count,
                                 cop_error *err)
{
    const char *const on = run->job->gate.on;
    const double share = accuracy_of(run, scores, count);
    bool flat = true;
    for (size_t i = 1; i < count; i++)
        flat = flat && scores[i] == scores[0];
    run->measure.on_reward =
        strcmp(on, "reward") == 0 ||
        (strcmp(on, "auto") == 0 && (run->task->graded || share <= 0 || share >= 1));
    COP_TRY(cop_store_set_text(run->store, "/gate/on",
                               run->measure.on_reward ? "reward" : "correct",
                               "what the choice on probe and the gate compare", err));
    COP_CHECK(
        !flat || run->job->gate.allow_flat, err, COP_ERR_CONFIG,
        "the base earns the reward %g with each of the %zu examples of support, probe and "
        "validate, so nothing tells one from another and no update could be judged; look "
        "at answers with coppice eval, check task, prompt and generation.max_new_tokens, "
        "or set gate.allow_flat: true to search all the same",
        (double)scores[0], count);
    if (!run->measure.on_reward) return COP_OK;
    cop_progress_print(&run->progress, "  decided by mean reward: %s",
                       strcmp(on, "reward") == 0 ? "gate.on says so"
                       : run->task->graded       ? "the task's rewards are graded (gate.on)"
                       : share <= 0              ? "the base is right on no example (gate.on)"
                                    : "the base is right on all examples (gate.on)");
    return COP_OK;
}

static cop_status score_base(cop_run *run, base_scores *base, cop_error *err)
{
    size_t total = 0;
    for (int s = 0; s < COP_SPLIT_COUNT; s++) {
        base->start[s] = total;
        total += run->splits.counts[s];
    }
    size_t *const examples = cop_memory_alloc(total, sizeof *examples, err);
    if (examples == NULL) return COP_ERR_MEMORY;
    for (int s = 0; s < COP_SPLIT_COUNT; s++) {
        if (run->splits.counts[s] > 0) {
            memcpy(examples + base->start[s], run->splits.examples[s],
                   run->splits.counts[s] * sizeof *examples);
        }
    }
    cop_status status =
        cop_phase_create(run, "/base", "base", examples, total, &base->phase, err);
    cop_memory_free(examples);
    COP_TRY(status);
    COP_TRY(cop_phase_add(run, base->phase, NULL, NULL, 0, err));
    COP_TRY(cop_phase_run(run, base->phase, err));
    COP_CHECK(
        cop_phase_row_valid(base->phase, 0), err, COP_ERR_NUMERIC,
        "%s: the base model itself gives logits that are not finite; check its weights, or set "
        "backend.compute: f32",
        run->job->model);
    for (int s = 0; s < COP_SPLIT_COUNT; s++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/base/accuracy_%s", cop_split_name((cop_split)s));
        COP_TRY(cop_store_set_f64(run->store, path,
                                  accuracy_of(run,
                                              cop_phase_scores(base->phase, 0) + base->start[s],
                                              run->splits.counts[s]),
                                  NULL, "share of right examples of the base", err));
    }
    char text[96];
    const float *const scores = cop_phase_scores(base->phase, 0);
    const size_t validate = run->splits.counts[COP_SPLIT_VALIDATE];
    run->centre_validate = cop_memory_alloc(validate, sizeof *run->centre_validate, err);
    if (run->centre_validate == NULL) return COP_ERR_MEMORY;
    memcpy(run->centre_validate, scores + base->start[COP_SPLIT_VALIDATE],
           validate * sizeof *scores);
    (void)snprintf(text, sizeof text, "accuracy %.3f on support, %.3f on validate",
                   accuracy_of(run, scores, run->splits.counts[COP_SPLIT_SUPPORT]),
                   accuracy_of(run, scores + base->start[COP_SPLIT_VALIDATE],
                               run->splits.counts[COP_SPLIT_VALIDATE]));
    cop_progress_end(&run->progress, text);
    return choose_measure(run, scores, base->start[COP_SPLIT_TEST], err);
}

/* Seeds of the whole run: those of all populations, then those of each recentring round. Their
 * stream's domains: 0 and 1 populations (seed, sigma), 2 + k recentring round k. */
static cop_status draw_seeds(cop_run *run, cop_error *err)
{
    const cop_job *const job = run->job;
    const uint64_t seed = (uint64_t)job->population.seed;
    const size_t n = (size_t)job->population.size * cop_inputs_population_count(job);
    const size_t local = (size_t)job->recenter.size;
    const bool recenters = strcmp(job->method, "corp") == 0;
    run->seed_count = n + (recenters ? (size_t)job->recenter.rounds * local : 0);
    run->seeds = cop_memory_alloc(run->seed_count, sizeof *run->seeds, err);
    run->centre = cop_memory_alloc(run->seed_count, sizeof *run->centre, err);
    if (run->seeds == NULL || run->centre == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        run->seeds[i] = cop_noise_bits(seed, COP_STREAM_POPULATION, 0, i);
    for (size_t i = n; i < run->seed_count; i++) {
        const uint32_t round = (uint32_t)((i - n) / local);
        run->seeds[i] = cop_noise_bits(seed, COP_STREAM_POPULATION, 2 + round, (i - n) % local);
    }
    return COP_OK;
}

static cop_status score_population(cop_run *run, cop_candidates *population, cop_error *err)
{
    COP_TRY(cop_candidates_draw(run, 0, (size_t)run->job->population.size, 1, population, err));
    COP_TRY(cop_candidates_score(run, population, "/population", "population", false, err));
    COP_CHECK(population->usable > 0, err, COP_ERR_NUMERIC,
              "no candidate gave finite logits: lower population.sigma");
    return COP_OK;
}

/* The share of weights that one candidate of each sigma does not move in the base's type. */
static cop_status measure_unmoved(cop_run *run, cop_error *err)
{
    enum { SAMPLE = 1 << 16 };
    const cop_job *const job = run->job;
    cop_recipe *recipe = NULL;
    cop_status status = cop_run_create_recipe(job, &recipe, err);
    for (size_t k = 0; k < job->population.sigma.count && status == COP_OK; k++) {
        const double sigma = job->population.sigma.data[k];
        const cop_component component = {.seed = run->seeds[0], .amplitude = (float)sigma};
        cop_export_report report = {0};
        status = cop_recipe_set_components(recipe, &component, 1, err);
        if (status == COP_OK)
            status = cop_export_measure(run->base, recipe, SAMPLE, 1, &report, err);
        if (status != COP_OK) break;
        if (report.elements == 0) {
            status = cop_error_set(err, COP_ERR_CONFIG,
                                   "population.scope: no tensor of %s matches", job->model);
            break;
        }
        const double share = 1 - (double)report.elements_moved / (double)report.elements;
        char path[64];
        (void)snprintf(path, sizeof path, "/population/unmoved/sigma_%g", sigma);
        status = cop_store_set_f64(
            run->store, path, share, NULL,
            "share of weights that a candidate of this sigma leaves as they are", err);
        cop_log_write(run->log, COP_LOG_INFO,
                      "sigma %g leaves %.1f%% of the weights as they are", sigma, 100 * share);
    }
    cop_recipe_destroy(&recipe);
    return status;
}

/* A decision's numbers into the run file. */
static cop_status keep_decision(cop_run *run, const cop_gate_record *record, cop_error *err)
{
    const cop_gate_decision *const d = &record->decision;
    const struct {
        const char *name, *unit, *meaning;
        double value;
    } numbers[] = {
        {"round", NULL, "0: against the base", (double)record->round},
        {"try", NULL, "of that round, from 1", (double)record->attempt},
        {"q", NULL, "elite quantile; NaN: the operator has none", record->q},
        {"beta", NULL, "inverse temperature; NaN: none", record->beta},
        {"step", "weight", "amplitude of the direction", record->step},
        {"fixes", "examples", "better with the update than before", (double)d->paired.fixes},
        {"regressions", "examples", "worse with the update than before",
         (double)d->paired.regressions},
        {"constructive", NULL, "(gains - L losses) / validate examples",
         d->paired.constructive},
        {"mean", NULL, "mean gain on validate, in what /gate/on names", d->paired.mean},
        {"sd", NULL, "standard deviation of the paired differences", d->paired.sd},
        {"z", "std errors", "that the bound lies below the mean", d->z},
        {"bound", NULL, "lower bound of the gain that decided", d->bound}};
    char group[64];
    char path[128];
    (void)snprintf(group, sizeof group, "/gate/decisions/%02zu", run->gate_count);
    for (size_t c = 0; c < sizeof numbers / sizeof numbers[0]; c++) {
        (void)snprintf(path, sizeof path, "%s/%s", group, numbers[c].name);
        COP_TRY(cop_store_set_f64(run->store, path, numbers[c].value, numbers[c].unit,
                                  numbers[c].meaning, err));
    }
    (void)snprintf(path, sizeof path, "%s/accepted", group);
    COP_TRY(cop_store_set_i64(run->store, path, d->accepted ? 1 : 0, NULL,
                              "1: the update was taken", err));
    (void)snprintf(path, sizeof path, "%s/operator", group);
    return cop_store_set_text(run->store, path, record->source, "that found the direction",
                              err);
}

cop_status cop_driver_note_gate(cop_run *run, const cop_gate_record *record, cop_error *err)
{
    void *items = run->gate;
    COP_TRY(cop_memory_grow(&items, &run->gate_capacity, run->gate_count + 1, sizeof *run->gate,
                            err));
    run->gate = items;
    run->gate[run->gate_count++] = *record;
    const cop_gate_decision *const d = &record->decision;
    cop_progress_print(&run->progress,
                       "  gate %s try %lld: %zu %s, %zu %s of %zu; mean %+.3f, lower "
                       "bound %+.3f: %s",
                       record->round == 0 ? "against the base," : "against the centre,",
                       (long long)record->attempt, d->paired.fixes,
                       run->measure.on_reward ? "better" : "fixed", d->paired.regressions,
                       run->measure.on_reward ? "worse" : "broken", d->count, d->paired.mean,
                       d->bound, d->accepted ? "accepted" : "rejected");
    cop_log_write(run->log, COP_LOG_INFO,
                  "gate round %lld try %lld step %g: %zu fixed, %zu broken of %zu, "
                  "mean %+.4f, z %.3f, lower bound %+.4f: %s",
                  (long long)record->round, (long long)record->attempt, record->step,
                  d->paired.fixes, d->paired.regressions, d->count, d->paired.mean, d->z,
                  d->bound, d->accepted ? "accepted" : "rejected");
    return keep_decision(run, record, err);
}

/* The base's scores on test, known since the beginning. */
static cop_status add_base(const base_scores *base, cop_methods *methods, cop_error *err)
{
    cop_method method = {.group = "/final", .key = "base", .title = "base", .answers = 1};
    method.test = cop_methods_spent_rows(base->phase, 0, 1);
    return cop_methods_add(methods, &method,
                           cop_phase_scores(base->phase, 0) + base->start[COP_SPLIT_TEST], NULL,
                           err);
}

/* The method's result on test; the base's scores where it abstained. Without a test set there
 * is nothing to evaluate. */
static cop_status test_consolidated(cop_run *run, bool improved, cop_methods *methods,
                                    cop_error *err)
{
    static const char *const others[] = {"/base", "/baselines", "/final"};
    cop_spent search = cop_methods_spent(run->store, "");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const cop_spent other = cop_methods_spent(run->store, others[i]);
        search.evaluations -= other.evaluations;
        search.tokens -= other.tokens;
    }
    cop_method method = {
        .group = "/final", .key = "consolidated", .answers = 1, .search = search};
    const char *const name = run->job->method;
    (void)snprintf(method.title, sizeof method.title, "consolidated (%s)",
                   strcmp(name, "corp") == 0 ? "CoRP" : name);
    methods->has_consolidated = true;
    if (!improved || methods->examples == 0) {
        if (!improved) method.test = methods->items[0].test;
        return cop_methods_add(methods, &method, methods->items[0].scores, NULL, err);
    }
    cop_phase *phase = NULL;
    COP_TRY(cop_phase_create(run, "/final/test", "test", run->splits.examples[COP_SPLIT_TEST],
                             methods->examples, &phase, err));
    cop_status status = cop_phase_add(run, phase, run->centre, NULL, 0, err);
    if (status == COP_OK) status = cop_phase_run(run, phase, err);
    if (status == COP_OK) {
        cop_progress_end(&run->progress, NULL);
        method.test = cop_methods_spent_rows(phase, 0, 1);
        status = cop_methods_add(methods, &method, cop_phase_scores(phase, 0), NULL, err);
    }
    cop_phase_destroy(&phase);
    return status;
}

/* CoRP: the population merged around the base, then recentred. */
static cop_status merge_and_recenter(cop_run *run, const cop_candidates *population,
                                     bool *improved, cop_error *err)
{
    static const cop_move move = {
        .path = "/stage1", .title = "stage 1", .gate_path = "/gate/stage1", .round = 0};
    cop_direction accepted = {0};
    COP_TRY(cop_stage1_run(run, &move, population, &accepted, improved, err));
    const cop_status status =
        *improved ? cop_recenter_run(run, population, &accepted, err) : COP_OK;
    cop_direction_free(&accepted);
    return status;
}

/* Makes one better model of the population, or leaves the centre at the base. */
static cop_status consolidate(cop_run *run, const cop_candidates *population, bool *improved,
                              cop_error *err)
{
    const char *const method = run->job->method;
    if (strcmp(method, "rounds") == 0) {
        COP_TRY(cop_rounds_run(run, population, improved, err));
    } else if (strcmp(method, "es") == 0) {
        COP_TRY(cop_es_run(run, population, improved, err));
    } else {
        COP_TRY(merge_and_recenter(run, population, improved, err));
    }
    if (!*improved) {
        cop_progress_print(&run->progress,
                           "  no proposal is better than the base beyond doubt: the result is "
                           "the base model");
    }
    return COP_OK;
}

/* RandOpt: the best candidate on support is the result, ungated. */
static void take_best(cop_run *run, const cop_candidates *population, size_t best)
{
    run->centre[population->seed[best]] = population->sign[best] * population->sigma[best];
}

/* The search by the job's method, then everything that is told about it. `best` is the best
 * candidate on support. */
static cop_status search_and_report(cop_run *run, const base_scores *base,
                                    const cop_candidates *population, size_t best,
                                    cop_error *err)
{
    const bool merges = strcmp(run->job->method, "randopt") != 0;
    cop_methods methods = {.examples = run->splits.counts[COP_SPLIT_TEST]};
    cop_report report = {.methods = &methods,
                         .candidate = best,
                         .support_reward = population->reward[best],
                         .verdict = COP_VERDICT_UNGATED};
    bool improved = false;
    cop_status status = COP_OK;
    COP_TRY_OUT(add_base(base, &methods, err));
    if (merges) {
        COP_TRY_OUT(consolidate(run, population, &improved, err));
        report.verdict = improved ? COP_VERDICT_PASSED : COP_VERDICT_NOTHING;
    } else {
        take_best(run, population, best);
    }
    if (methods.examples > 0) {
        COP_TRY_OUT(cop_baselines_randopt(run, population, &methods, err));
        COP_TRY_OUT(cop_baselines_self_consistency(run, &methods, err));
    }
    methods.result = methods.count > 1 ? 1 : 0; /* RandOpt, K = 1 */
    if (merges) {
        methods.result = methods.count;
        COP_TRY_OUT(test_consolidated(run, improved, &methods, err));
    }
    COP_TRY_OUT(cop_run_check_base_whole(run, err));
    report.seconds = cop_timer_now_s() - run->progress.start_s;
    status = cop_report_finish(run, &report, err);
out:
    cop_methods_free(&methods);
    return status;
}

cop_status cop_driver_run(cop_run *run, cop_error *err)
{
    base_scores base = {0};
    cop_candidates population = {0};
    size_t best = 0;
    cop_status status = COP_OK;
    COP_TRY_OUT(check_operators(run->job, err));
    COP_TRY_OUT(draw_seeds(run, err));
    cop_baselines_print_plan(run);
    COP_TRY_OUT(score_base(run, &base, err));
    COP_TRY_OUT(measure_unmoved(run, err));
    COP_TRY_OUT(score_population(run, &population, err));
    COP_TRY_OUT(cop_split_phase_run(run, err));
    COP_TRY_OUT(cop_baselines_rank(&population, &best, 1, err));
    status = search_and_report(run, &base, &population, best, err);
out:
    cop_candidates_free(&population);
    cop_phase_destroy(&base.phase);
    return status;
}
