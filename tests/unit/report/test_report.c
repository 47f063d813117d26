/* What a search leaves in a run directory, and what is seen of it from outside: a toy's run,
 * from the claim to the last file. */
#include "unit/folder_support.h"
#include "unit/method/toy.h"

#include "coppice/base/file.h"
#include "coppice/report/baselines.h"
#include "coppice/report/report.h"
#include "coppice/report/split_analysis.h"

typedef struct fixture {
    char folder[FOLDER_BYTES];
    toy t;
    cop_rundir dir;
    cop_recipe *recipe;
} fixture;

static cop_status save(void *context, cop_save_when when, cop_error *err)
{
    fixture *const f = context;
    (void)when;
    return cop_rundir_save(&f->dir, err);
}

static cop_status evaluate(void *context, cop_phase *phase, const uint64_t *units, size_t count,
                           cop_error *err)
{
    fixture *const f = context;
    return toy_evaluate(&f->t, phase, units, count, err);
}

/* A toy whose tree is that of a run directory which this process owns. */
static void set_up(fixture *f, const char *method)
{
    const cop_keeper_facts facts = {.job = "toy.yaml", .ranks = 3, .nodes = 1, .threads = 1};
    cop_error err = {0};
    *f = (fixture){0};
    assert_int_equal(folder_create(f->folder), 0);
    toy_set_up(&f->t, method, NULL, 0, NULL);
    f->dir = (cop_rundir){.times = {.interval_s = 3600, .patience_s = 1, .heartbeat_s = 5},
                          .log = f->t.log,
                          .progress = &f->t.progress,
                          .save.saved_s = -1};
    assert_int_equal(cop_rundir_claim(&f->dir, f->folder, &facts, &err), COP_OK);
    assert_int_equal(cop_rundir_read(&f->dir, &err), COP_OK);
    assert_false(f->dir.resumed);
    assert_int_equal(cop_rundir_open(&f->dir, &err), COP_OK);
    f->t.phases.store = f->dir.store;
    f->t.phases.file = f->dir.run_path;
    f->t.phases.unsaved = &f->dir.unsaved;
    f->t.phases.host = (cop_phase_host){.context = f, .evaluate = evaluate, .save = save};
    assert_int_equal(cop_recipe_create(&f->recipe, &err), COP_OK);
    (void)snprintf(f->recipe->base_sha256, sizeof f->recipe->base_sha256, "%064d", 7);
}

static void take_down(fixture *f)
{
    cop_recipe_destroy(&f->recipe);
    toy_take_down(&f->t);
    assert_int_equal(folder_remove(f->folder), 0);
}

/* A job's keys that the analyses read from the tree. */
static void put_keys(fixture *f)
{
    cop_error err = {0};
    cop_text value = {0};
    for (size_t key = 0; key < cop_job_key_count(); key++) {
        char path[160];
        (void)snprintf(path, sizeof path, "/job/keys/%s", cop_job_key_name(key));
        cop_text_clear(&value);
        assert_int_equal(cop_job_print_value(f->t.job, key, &value, &err), COP_OK);
        assert_int_equal(cop_store_set_text(f->dir.store, path, value.data, NULL, &err),
                         COP_OK);
    }
    cop_text_free(&value);
}

/* The whole search and its report. */
static void finish(fixture *f)
{
    cop_error err = {0};
    const cop_method *method = NULL;
    cop_base_scores base = {0};
    cop_candidates population = {0};
    bool improved = false;
    cop_search *const s = &f->t.search;
    put_keys(f);
    assert_int_equal(cop_method_find(f->t.job->method, &method, &err), COP_OK);
    assert_int_equal(
        cop_search_create(method, f->t.job, &f->t.splits, &f->t.phases, 1, s, &err), COP_OK);
    cop_baselines_print_plan(s);
    assert_int_equal(cop_search_score_base(s, false, &base, &err), COP_OK);
    assert_int_equal(cop_search_score_population(s, &population, &err), COP_OK);
    assert_int_equal(method->run(s, &population, &improved, &err), COP_OK);
    cop_results results = {.examples = s->splits->counts[COP_SPLIT_TEST]};
    const cop_result first = {.group = "/final", .key = "base", .title = "base", .answers = 1};
    assert_int_equal(
        cop_results_add(&results, &first,
                        cop_phase_scores(base.phase, 0) + base.start[COP_SPLIT_TEST], &err),
        COP_OK);
    assert_int_equal(cop_baselines_randopt(s, &population, &results, &err), COP_OK);
    assert_int_equal(cop_baselines_self_consistency(s, &results, &err), COP_OK);
    assert_true(results.count > 2);
    results.result = 1;
    const cop_report report = {.search = s,
                               .dir = &f->dir,
                               .recipe = f->recipe,
                               .results = &results,
                               .task = "arith",
                               .verdict = improved           ? COP_VERDICT_PASSED
                                          : method->is_gated ? COP_VERDICT_NOTHING
                                                             : COP_VERDICT_UNGATED};
    const cop_status status = cop_report_finish(&report, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    cop_results_free(&results);
    cop_candidates_free(&population);
    cop_phase_destroy(&base.phase);
    cop_rundir_close(&f->dir, COP_OK, "");
}

static void assert_file_has(const fixture *f, const char *name, const char *word)
{
    char path[FOLDER_BYTES + 32];
    cop_text text = {0};
    cop_error err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_int_equal(cop_text_read_file(&text, path, 1 << 24, &err), COP_OK);
    if (strstr(text.data, word) == NULL)
        print_error("%s lacks %s:\n%s\n", name, word, text.data);
    assert_non_null(strstr(text.data, word));
    cop_text_free(&text);
}

static void recipe_and_summary_tell_the_result(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, "corp");
    finish(&f);
    assert_file_has(&f, "recipe.json", "\"components\"");
    assert_file_has(&f, "recipe.json", f.recipe->base_sha256);
    assert_file_has(&f, "summary.json", "\"improved\": true");
    assert_file_has(&f, "summary.json", "\"randopt_k1\"");
    assert_file_has(&f, "status.json", "\"done\"");
    assert_file_has(&f, "log", "gate round 0 try 1");
    assert_true(f.recipe->component_count > 0);
    take_down(&f);
}

static void no_gate_is_no_improvement(void **state)
{
    (void)state;
    fixture f;
    set_up(&f, "randopt");
    finish(&f);
    assert_file_has(&f, "summary.json", "\"improved\": null");
    take_down(&f);
}

static void inspect_shows_and_lists(void **state)
{
    (void)state;
    fixture f;
    cop_text page = {0};
    cop_text json = {0};
    cop_error err = {0};
    set_up(&f, "corp");
    finish(&f);
    assert_int_equal(cop_run_inspect(f.folder, false, &page, &err), COP_OK);
    assert_non_null(strstr(page.data, "RandOpt, K = 1"));
    assert_non_null(strstr(page.data, "population"));
    assert_int_equal(cop_run_inspect(f.folder, true, &json, &err), COP_OK);
    assert_non_null(strstr(json.data, "\"row_digest\""));
    cop_text_free(&json);
    cop_text_free(&page);
    assert_int_equal(cop_run_inspect("/nowhere/at/all", false, &page, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "/nowhere/at/all"));
    cop_text_free(&page);
    take_down(&f);
}

static void status_tells_who_lives(void **state)
{
    (void)state;
    fixture f;
    cop_text text = {0};
    cop_error err = {0};
    bool running = false;
    set_up(&f, "corp");
    assert_int_equal(cop_run_status(f.folder, false, &text, &running, &err), COP_OK);
    assert_true(running); /* this process owns it */
    cop_text_clear(&text);
    finish(&f);
    assert_int_equal(cop_run_status(f.folder, true, &text, &running, &err), COP_OK);
    assert_false(running);
    assert_non_null(strstr(text.data, "\"done\""));
    cop_text_free(&text);
    take_down(&f);
}

static void the_population_is_analyzed(void **state)
{
    (void)state;
    fixture f;
    cop_text text = {0};
    cop_error err = {0};
    set_up(&f, "corp");
    finish(&f);
    const cop_analyze_options how = {
        .halvings = 20, .permutations = 50, .seed = -1, .threads = 1, .json = true};
    assert_int_equal(cop_run_analyze(f.folder, &how, &text, &err), COP_OK);
    assert_non_null(strstr(text.data, "reproducible_rank"));
    cop_text_clear(&text);
    cop_analyze_options page = how;
    page.json = false;
    assert_int_equal(cop_run_analyze(f.folder, &page, &text, &err), COP_OK);
    assert_non_null(strstr(text.data, "24 candidates, 40 examples, 20 halvings"));
    cop_text_free(&text);
    take_down(&f);
}

static void an_owned_directory_is_busy(void **state)
{
    (void)state;
    fixture f;
    cop_error err = {0};
    set_up(&f, "corp");
    const cop_keeper_facts facts = {.job = "other.yaml", .ranks = 1, .nodes = 1, .threads = 1};
    cop_rundir second = {
        .times = {.heartbeat_s = 5}, .log = f.t.log, .progress = &f.t.progress};
    /* The owner is this very process, which lives: nobody else gets it. */
    assert_int_equal(cop_rundir_claim(&second, f.folder, &facts, &err), COP_ERR_BUSY);
    cop_rundir_close(&second, COP_ERR_BUSY, "");
    finish(&f);
    take_down(&f);
}

/* What was scored by one start is there for the next, from the file. */
static void a_second_start_reads_what_the_first_wrote(void **state)
{
    (void)state;
    fixture f;
    cop_error err = {0};
    set_up(&f, "corp");
    finish(&f);
    const cop_keeper_facts facts = {.job = "toy.yaml", .ranks = 3, .nodes = 1, .threads = 1};
    cop_rundir again = {.times = {.interval_s = 1, .patience_s = 1, .heartbeat_s = 5},
                        .log = f.t.log,
                        .progress = &f.t.progress};
    assert_int_equal(cop_rundir_claim(&again, f.folder, &facts, &err), COP_OK);
    assert_int_equal(cop_rundir_read(&again, &err), COP_OK);
    assert_true(again.resumed);
    assert_non_null(cop_store_get(again.store, "/population/scores"));
    assert_int_equal(cop_rundir_open(&again, &err), COP_OK);
    again.unsaved = true;
    assert_int_equal(cop_rundir_flush(&again, 1, &err), COP_OK);
    assert_false(again.unsaved);
    cop_rundir_close(&again, COP_INTERRUPTED, "a signal");
    assert_file_has(&f, "status.json", "\"interrupted\"");
    take_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipe_and_summary_tell_the_result),
        cmocka_unit_test(no_gate_is_no_improvement),
        cmocka_unit_test(inspect_shows_and_lists),
        cmocka_unit_test(status_tells_who_lives),
        cmocka_unit_test(the_population_is_analyzed),
        cmocka_unit_test(an_owned_directory_is_busy),
        cmocka_unit_test(a_second_start_reads_what_the_first_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
