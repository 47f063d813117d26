/* What a run leaves behind: recipe.json, summary.json, the final table. */
#include "coppice/report/report.h"

#include "coppice/base/build_info.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "report/burnt.h"
#include "report/guards.h"
#include "report/screen.h"
#include "report/spending.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes a JSON object to a file of the run directory and releases it. */
static cop_status write_json(const cop_report *report, const char *name, json_t *object,
                             cop_error *err)
{
    char *text =
        object == NULL ? NULL : json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(object);
    COP_CHECK(text != NULL, err, COP_ERR_MEMORY, "no memory for %s", name);
    cop_text out = {0};
    char *const path = cop_text_join_path(report->dir->directory, name, err);
    cop_status status =
        path == NULL ? COP_ERR_MEMORY : cop_text_format(&out, err, "%s\n", text);
    if (status == COP_OK) status = cop_text_write_file(path, out.data, out.length, err);
    free(text);
    cop_text_free(&out);
    cop_memory_free(path);
    return status;
}

/* True or false as the gate has decided, null where none has looked. */
static json_t *improved_json(const cop_report *report)
{
    return report->verdict == COP_VERDICT_UNGATED
               ? json_null()
               : json_boolean(report->verdict == COP_VERDICT_PASSED);
}

static json_t *gate_json(const cop_report *report)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < report->search->gate_count; i++) {
        const cop_gate_record *const g = &report->search->gate[i];
        const cop_gate_decision *const d = &g->decision;
        json_t *const guards = cop_guards_decision_json(report->search, g);
        json_t *const share = report->search->in_turn ? json_real(g->share) : NULL;
        (void)json_array_append_new(
            list,
            json_pack("{s:I, s:I, s:f, s:o*, s:I, s:I, s:I, s:f, s:f, s:f, s:b, s:o*}", "round",
                      (json_int_t)g->round, "try", (json_int_t)g->attempt, "step", g->step,
                      "share", share, "examples", (json_int_t)d->count, "fixes",
                      (json_int_t)d->paired.fixes, "regressions",
                      (json_int_t)d->paired.regressions, "mean", d->paired.mean, "z", d->z,
                      "lower_bound", d->bound, "accepted", d->accepted, "guards", guards));
    }
    return list;
}

/* What the recipe says of its model. Without test examples it says nothing of accuracies. */
static json_t *metrics_json(const cop_report *report)
{
    const cop_results *const results = report->results;
    json_t *const metrics =
        json_pack("{s:s, s:o}", "task", report->task, "improved", improved_json(report));
    if (metrics == NULL) return NULL;
    if (results->examples > 0) {
        const cop_result *const base = &results->items[0];
        const cop_result *const result = &results->items[results->result];
        (void)json_object_set_new(metrics, "base_test_accuracy", json_real(base->accuracy));
        (void)json_object_set_new(metrics, "test_accuracy", json_real(result->accuracy));
        if (report->search->measure.on_reward) {
            (void)json_object_set_new(metrics, "base_test_reward", json_real(base->reward));
            (void)json_object_set_new(metrics, "test_reward", json_real(result->reward));
        }
    }
    (void)json_object_set_new(metrics, "gate", gate_json(report));
    return metrics;
}

/* The accepted model: centre as a recipe. The metrics hold only what every run of the job
 * gives, so that the file is the same whatever the machine's shape. */
static cop_status write_recipe(const cop_report *report, cop_error *err)
{
    cop_recipe *const recipe = report->recipe;
    const cop_component *components = NULL;
    size_t count = 0;
    char *const path = cop_text_join_path(report->dir->directory, "recipe.json", err);
    cop_status status = path == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK) status = cop_search_recipe(report->search, &components, &count, err);
    if (status == COP_OK) status = cop_recipe_set_components(recipe, components, count, err);
    if (status == COP_OK) {
        json_t *const metrics = metrics_json(report);
        char *const text =
            metrics == NULL ? NULL : json_dumps(metrics, JSON_COMPACT | JSON_REAL_PRECISION(9));
        json_decref(metrics);
        cop_memory_free(recipe->metrics_json);
        recipe->metrics_json =
            text == NULL ? NULL : cop_memory_copy_string(text, strlen(text), err);
        free(text);
        if (recipe->metrics_json == NULL)
            status = cop_error_set(err, COP_ERR_MEMORY, "no memory for the recipe");
    }
    if (status == COP_OK) status = cop_recipe_write(recipe, path, err);
    cop_text text = {0};
    if (status == COP_OK) status = cop_recipe_print(recipe, &text, err);
    if (status == COP_OK) {
        status = cop_store_set_text(report->dir->store, "/final/recipe", text.data,
                                    "the accepted model", err);
    }
    cop_text_free(&text);
    cop_memory_free(path);
    return status;
}

/* "Budget: 19840 of 20000 answers, 812345 tokens spent." */
static cop_status print_budget(const cop_budget *b, cop_progress *out, cop_error *err)
{
    cop_text text = {0};
    if (!cop_budget_is_set(b)) return COP_OK;
    const cop_status status = cop_spending_describe(b->answers, b->spent_answers, b->tokens,
                                                    b->spent_tokens, &text, err);
    if (status == COP_OK) cop_progress_print(out, "Budget: %s spent.", text.data);
    cop_text_free(&text);
    return status;
}

static cop_status print_guards(const cop_search *search, cop_progress *out, cop_error *err)
{
    cop_text text = {0};
    const cop_status status = cop_guards_print(search, &text, err);
    if (status == COP_OK && text.length > 0) cop_progress_print(out, "%s", text.data);
    cop_text_free(&text);
    return status;
}

static cop_status print_next(const cop_report *report, cop_progress *out, cop_error *err)
{
    cop_text text = {0};
    cop_status status = cop_text_format(&text, err, "coppice export ");
    if (status == COP_OK) status = cop_text_append_word(&text, report->dir->directory, err);
    if (status == COP_OK) status = cop_text_format(&text, err, " --model ");
    if (status == COP_OK) status = cop_text_append_word(&text, report->search->job->model, err);
    if (status == COP_OK) cop_progress_print(out, "Next:    %s --out MODEL_DIR", text.data);
    cop_text_free(&text);
    return status;
}

static cop_status print_end(const cop_report *report, cop_error *err)
{
    cop_progress *const out = report->dir->progress;
    cop_text table = {0};
    cop_status status = cop_results_print(report->dir->store, &table, err);
    if (status == COP_OK) status = cop_text_append(&table, "", 0, err);
    if (status == COP_OK && table.length > 0) cop_progress_print(out, "\n%s", table.data);
    cop_text_clear(&table);
    if (status == COP_OK) status = cop_burnt_print(report->dir->store, "", &table, err);
    if (status == COP_OK && table.length > 0) {
        table.data[--table.length] = '\0'; /* printed as a line */
        cop_progress_print(out, "%s.", table.data);
    }
    cop_text_free(&table);
    COP_TRY(status);
    char spent[16];
    char tested[80] = "No test examples (splits.test: 0), so no accuracy is reported.";
    if (report->results->examples > 0)
        (void)snprintf(tested, sizeof tested, "%zu test examples, never used to decide.",
                       report->results->examples);
    cop_timer_format(spent, sizeof spent, report->seconds);
    cop_progress_print(
        out, "%s %s", tested,
        report->verdict == COP_VERDICT_UNGATED
            ? "The recipe is RandOpt's best candidate on support; no gate has seen it."
        : report->verdict == COP_VERDICT_PASSED
            ? "The consolidated model passed the gate on held-out examples."
            : "Nothing passed the gate, so the result is the base model.");
    COP_TRY(print_guards(report->search, out, err));
    COP_TRY(print_budget(&report->search->budget, out, err));
    cop_progress_print(out, "%s, %llu tokens generated in this start.", spent,
                       (unsigned long long)report->dir->progress->all_tokens);
    cop_progress_print(out, "Written: %s/{run.h5, recipe.json, summary.json, log}",
                       report->dir->directory);
    return report->verdict == COP_VERDICT_NOTHING ? COP_OK : print_next(report, out, err);
}

static json_t *difference_json(const cop_difference *d)
{
    return json_pack("{s:f, s:[f,f], s:f, s:f, s:I, s:I}", "gain", d->gain, "gain_95",
                     d->gain_95.low, d->gain_95.high, "p_exact", d->test.exact, "p_mid",
                     d->test.mid, "gained", (json_int_t)d->test.gained, "lost",
                     (json_int_t)d->test.lost);
}

static json_t *method_json(const cop_results *results, const cop_result *m)
{
    json_t *const object = json_pack(
        "{s:f, s:[f,f], s:f, s:f, s:[f,f], s:o, s:I, s:I, s:I, s:I, s:I, s:f}", "accuracy",
        m->accuracy, "accuracy_95", m->accuracy_95.low, m->accuracy_95.high, "reward",
        m->reward, "gain_over_base", m->to_base.gain, "gain_over_base_95",
        m->to_base.gain_95.low, m->to_base.gain_95.high, "against_base",
        difference_json(&m->to_base), "answers_per_question", (json_int_t)m->answers,
        "search_evaluations", (json_int_t)m->search.evaluations, "search_tokens",
        (json_int_t)m->search.tokens, "test_evaluations", (json_int_t)m->test.evaluations,
        "test_tokens", (json_int_t)m->test.tokens, "gain_per_million_tokens",
        cop_results_gain_per_million(m));
    if (object != NULL && results->has_consolidated)
        (void)json_object_set_new(object, "against_consolidated",
                                  difference_json(&m->to_consolidated));
    return object;
}

/* Candidates that were scored. */
static json_int_t count_population(const cop_report *report)
{
    const cop_store_array *const reward =
        cop_store_get(report->dir->store, "/population/reward");
    return reward != NULL ? (json_int_t)reward->shape[0]
                          : (json_int_t)report->search->job->population.size;
}

static json_t *limit_json(uint64_t limit)
{
    return limit > 0 ? json_integer((json_int_t)limit) : json_null();
}

static json_t *budget_json(const cop_budget *b)
{
    return json_pack("{s:o, s:o, s:I, s:I}", "answers", limit_json(b->answers), "tokens",
                     limit_json(b->tokens), "spent_answers", (json_int_t)b->spent_answers,
                     "spent_tokens", (json_int_t)b->spent_tokens);
}

static cop_status write_summary(const cop_report *report, cop_error *err)
{
    const cop_results *const results = report->results;
    const cop_spent spent = cop_results_spent(report->dir->store, "");
    json_t *const models = json_object();
    for (size_t i = 0; i < results->count && results->examples > 0; i++) {
        (void)json_object_set_new(models, results->items[i].key,
                                  method_json(results, &results->items[i]));
    }
    json_t *const summary = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:I, s:I, s:f, s:I, s:I, s:I, s:o, s:f, s:I, "
        "s:I, "
        "s:I, s:I, s:s}",
        "coppice", cop_build_version(), "job", report->search->job->path, "method",
        report->search->job->method, "task", report->task, "model", report->search->job->model,
        "improved", improved_json(report), "decided_by",
        report->search->measure.on_reward ? "reward" : "correct", "test", models,
        "test_examples", (json_int_t)results->examples, "randopt_candidate",
        (json_int_t)report->candidate, "randopt_support_reward", report->support_reward,
        "population", count_population(report), "recipe_components",
        (json_int_t)report->recipe->component_count, "gate_decisions",
        (json_int_t)report->search->gate_count, "gate", gate_json(report), "seconds_this_start",
        report->seconds, "generated_tokens", (json_int_t)spent.tokens, "evaluations",
        (json_int_t)spent.evaluations, "answers_saved_by_races", (json_int_t)spent.saved,
        "units", (json_int_t)spent.units, "base_sha256", report->recipe->base_sha256);
    json_t *const burnt = cop_burnt_json(report->dir->store);
    if (burnt != NULL) (void)json_object_set_new(summary, "destructive_candidates", burnt);
    json_t *const guards = cop_guards_result_json(report->search);
    if (guards != NULL) (void)json_object_set_new(summary, "guards", guards);
    json_t *const screen = cop_screen_json(report->dir->store);
    if (screen != NULL) (void)json_object_set_new(summary, "support_screen", screen);
    if (summary != NULL && cop_budget_is_set(&report->search->budget))
        (void)json_object_set_new(summary, "budget", budget_json(&report->search->budget));
    return write_json(report, "summary.json", summary, err);
}

/* All that is written at the end; may be tried again where it failed. */
static cop_status write_all(void *context, cop_error *err)
{
    const cop_report *const report = context;
    COP_TRY(cop_claim_check(report->dir->claim, err));
    COP_TRY(write_recipe(report, err));
    COP_TRY(write_summary(report, err));
    COP_TRY(cop_rundir_save(report->dir, err));
    return cop_rundir_flush(report->dir, 0, err);
}

cop_status cop_report_finish(const cop_report *report, cop_error *err)
{
    cop_results *const results = report->results;
    if (results->examples > 0) {
        COP_TRY(cop_results_measure(results, &report->search->measure,
                                    (uint64_t)report->search->job->population.seed, err));
        COP_TRY(cop_results_record(report->dir->store, results, err));
    }
    COP_TRY(cop_burnt_note(report->dir->store, &report->search->measure,
                           report->search->base_support, report->search->phases->max_tokens,
                           err));
    COP_TRY(cop_store_set_i64(report->dir->store, "/final/improved", (int64_t)report->verdict,
                              NULL,
                              "1: the result passed the gate; 0: nothing did, it is the base; "
                              "-1: the method has no gate",
                              err));
    COP_TRY(cop_store_set_i64(report->dir->store, "/final/randopt_candidate",
                              (int64_t)report->candidate, NULL, "best candidate on support",
                              err));
    cop_report all = *report;
    COP_TRY(cop_rundir_persist(report->dir, write_all, &all, err));
    for (size_t i = 0; i < results->count && results->examples > 0; i++) {
        cop_log_write(report->dir->log, COP_LOG_INFO, "test accuracy of %s: %.4f",
                      results->items[i].title, results->items[i].accuracy);
    }
    return print_end(report, err);
}
