/* The job from the base's scores to the final table, on rank 0. */
#include "coppice/report/baselines.h"
#include "coppice/report/report.h"
#include "run/context.h"
#include "run/guards.h"
#include "run/split_phase.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/export/export.h"
#include "coppice/noise/noise.h"

#include <stdio.h>
#include <string.h>

static cop_status check_operators(const cop_job *job, cop_error *err)
{
    for (size_t i = 0; i < job->consolidate.operators.count; i++) {
        const cop_operator *found;
        if (cop_operator_find(job->consolidate.operators.data[i], &found, err) != COP_OK)
            return cop_error_prefix(err, "consolidate.operators");
    }
    return COP_OK;
}

/* The base's scores on test, known since the beginning. */
static cop_status add_base(const cop_base_scores *base, cop_results *results, cop_error *err)
{
    cop_result method = {.group = "/final", .key = "base", .title = "base", .answers = 1};
    method.test = cop_results_spent_rows(base->phase, 0, 1);
    return cop_results_add(results, &method,
                           cop_phase_scores(base->phase, 0) + base->start[COP_SPLIT_TEST], err);
}

/* The method's result on test; the base's scores where it abstained. Without a test set there
 * is nothing to evaluate. */
static cop_status test_consolidated(cop_search *search, const cop_method *method, bool improved,
                                    cop_results *results, cop_error *err)
{
    static const char *const others[] = {"/base", "/baselines", "/final"};
    const cop_store *const store = search->phases->store;
    cop_spent spent = cop_results_spent(store, "");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const cop_spent other = cop_results_spent(store, others[i]);
        spent.evaluations -= other.evaluations;
        spent.tokens -= other.tokens;
    }
    cop_result result = {
        .group = "/final", .key = "consolidated", .answers = 1, .search = spent};
    (void)snprintf(result.title, sizeof result.title, "consolidated (%s)", method->title);
    results->has_consolidated = true;
    if (!improved || results->examples == 0) {
        if (!improved) result.test = results->items[0].test;
        return cop_results_add(results, &result, results->items[0].scores, err);
    }
    cop_phase *phase = NULL;
    COP_TRY(cop_phase_create(search->phases, "/final/test", "test",
                             search->splits->examples[COP_SPLIT_TEST], results->examples,
                             &phase, err));
    cop_status status = cop_search_add_centre(search, phase, err);
    if (status == COP_OK) status = cop_phase_run(search->phases, phase, err);
    if (status == COP_OK) {
        cop_progress_end(search->phases->progress, NULL);
        result.test = cop_results_spent_rows(phase, 0, 1);
        status = cop_results_add(results, &result, cop_phase_scores(phase, 0), err);
    }
    cop_phase_destroy(&phase);
    return status;
}

/* A recipe that says of which base it is. */
static cop_status describe_base(const cop_lead *lead, cop_recipe **recipe, cop_error *err)
{
    COP_TRY(cop_rank_create_recipe(lead->rank->job, lead->rank->base, recipe, err));
    (void)snprintf((*recipe)->base_sha256, sizeof(*recipe)->base_sha256, "%s",
                   lead->base_sha256);
    (*recipe)->files = lead->base_files;
    (*recipe)->untied_head = lead->untied_head;
    return COP_OK;
}

/* The search by the job's method, then everything that is told about it. `best` is the best
 * candidate on support. */
static cop_status search_and_report(cop_lead *lead, const cop_method *method,
                                    const cop_base_scores *base,
                                    const cop_candidates *population, size_t best,
                                    cop_error *err)
{
    cop_search *const search = &lead->search;
    cop_results results = {.examples = search->splits->counts[COP_SPLIT_TEST]};
    cop_report report = {.search = search,
                         .dir = &lead->dir,
                         .results = &results,
                         .task = lead->rank->task->name,
                         .candidate = best,
                         .support_reward = population->reward[best],
                         .verdict = COP_VERDICT_UNGATED};
    bool improved = false;
    cop_status status = COP_OK;
    COP_TRY_OUT(describe_base(lead, &report.recipe, err));
    COP_TRY_OUT(add_base(base, &results, err));
    COP_TRY_OUT(method->run(search, population, &improved, err));
    if (method->is_gated) report.verdict = improved ? COP_VERDICT_PASSED : COP_VERDICT_NOTHING;
    if (report.verdict == COP_VERDICT_NOTHING) {
        cop_progress_print(
            &lead->progress,
            "  no proposal%s is better than the base beyond doubt: the result is "
            "the base model",
            search->guard_count > 0 ? " that no guard is against" : "");
    }
    if (results.examples > 0) {
        COP_TRY_OUT(cop_baselines_randopt(search, population, &results, err));
        COP_TRY_OUT(cop_baselines_self_consistency(search, &results, err));
    }
    results.result = results.count > 1 ? 1 : 0; /* RandOpt, K = 1 */
    if (method->is_gated) {
        results.result = results.count;
        COP_TRY_OUT(test_consolidated(search, method, improved, &results, err));
    }
    COP_TRY_OUT(cop_base_check_whole(lead, err));
    report.seconds = cop_timer_now_s() - lead->progress.start_s;
    status = cop_report_finish(&report, err);
out:
    cop_recipe_destroy(&report.recipe);
    cop_results_free(&results);
    return status;
}

/* What the budget, if there is one, leaves of the search. */
static cop_status print_budget(const cop_lead *lead, cop_error *err)
{
    cop_text text = {0};
    const cop_status status =
        cop_plan_print_budget(lead->rank->job, lead->rank->splits.pool_count, &text, err);
    for (const char *at = text.data; status == COP_OK && at != NULL && *at != '\0';) {
        const int length = (int)strcspn(at, "\n");
        cop_progress_print(lead->search.phases->progress, "%.*s", length, at);
        at += length + (at[length] == '\n' ? 1 : 0);
    }
    cop_text_free(&text);
    return status;
}

cop_status cop_driver_run(cop_lead *lead, cop_error *err)
{
    const cop_rank *const rank = lead->rank;
    const cop_method *method = NULL;
    cop_search *const search = &lead->search;
    cop_base_scores base = {0};
    cop_candidates population = {0};
    size_t best = 0;
    cop_status status = COP_OK;
    cop_lead_set_phases(lead);
    COP_TRY_OUT(check_operators(rank->job, err));
    COP_TRY_OUT(cop_method_find(rank->job->method, &method, err));
    COP_TRY_OUT(cop_search_create(method, rank->job, &rank->splits, &lead->phases,
                                  rank->own_task.correct_at, search, err));
    COP_TRY_OUT(cop_run_guards_give(rank, search, err));
    cop_baselines_print_plan(search);
    COP_TRY_OUT(print_budget(lead, err));
    COP_TRY_OUT(cop_search_score_base(search, rank->task->graded, &base, err));
    COP_TRY_OUT(cop_lead_note_moved(lead, err));
    COP_TRY_OUT(cop_search_score_population(search, &population, err));
    COP_TRY_OUT(cop_split_phase_run(lead, err));
    COP_TRY_OUT(cop_candidates_rank(&population, &best, 1, err));
    status = search_and_report(lead, method, &base, &population, best, err);
out:
    cop_candidates_free(&population);
    cop_phase_destroy(&base.phase);
    return status;
}
