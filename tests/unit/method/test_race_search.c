/* Races within searches on the toy landscape: who left is scored so far and no further, only
 * those who stayed reach the gate, and no interruption or order of work changes anything. */
#include "unit/method/toy.h"

#include "coppice/phase/excerpt.h"
#include "coppice/search/race.h"

#include <math.h>

/* Candidates of RandOpt, for the places of its largest ensemble. */
static const char *const candidates_racing[] = {
    "population.race=4", "analysis.split_half=false", "baselines.randopt=[1, 5]",
    "consolidate.race=3"};
enum {
    CANDIDATES_RACING = sizeof candidates_racing / sizeof candidates_racing[0],
    MEMBERS = 5
};

static const char *const racing[] = {"consolidate.race=3", "recenter.race=5"};
enum { RACING = sizeof racing / sizeof racing[0] };

static void finish(toy *t)
{
    cop_error err = {0};
    bool improved = false;
    const cop_status status = toy_run(t, &improved, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    assert_int_equal(improved, strcmp(t->job->method, "randopt") != 0);
}

static const cop_store_array *array_at(const toy *t, const char *group, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", group, name);
    return cop_store_get(t->store, path);
}

/* What the tree says of a race agrees. */
static size_t check_race(const toy *t, const char *group, size_t stages)
{
    const cop_store_array *const scores = array_at(t, group, "scores");
    const cop_store_array *const status = array_at(t, group, "status");
    const cop_store_array *const left = array_at(t, group, "left_after");
    const cop_store_array *const behind = array_at(t, group, "left_behind");
    const cop_store_array *const gap = array_at(t, group, "left_gap");
    const cop_store_array *const error = array_at(t, group, "left_error");
    double z = 0;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/race_z", group);
    assert_true(cop_store_get_f64(t->store, path, &z));
    assert_non_null(left);
    const size_t rows = scores->shape[0];
    const size_t examples = scores->shape[1];
    const size_t units = status->shape[1];
    const cop_race_plan plan = cop_race_make_plan(examples, stages, 16);
    size_t gone = 0;
    assert_true(z == plan.z);
    assert_int_equal(left->shape[0], rows);
    for (size_t i = 0; i < rows; i++) {
        const size_t after = (size_t)((const int64_t *)left->data)[i];
        const size_t known = after > 0 ? after : examples;
        const int64_t leader = ((const int64_t *)behind->data)[i];
        assert_int_equal(known % (plan.unit * plan.stage_units) == 0 || known == examples, 1);
        for (size_t j = 0; j < examples; j++)
            assert_int_equal(isnan(((const float *)scores->data)[i * examples + j]) != 0,
                             j >= known);
        for (size_t c = 0; c < units; c++)
            assert_int_equal(((const uint8_t *)status->data)[i * units + c] ==
                                 COP_UNIT_LEFT_OUT,
                             c * plan.unit >= known);
        assert_int_equal(leader >= 0, after > 0);
        if (after == 0) continue;
        gone++;
        assert_true(((const double *)gap->data)[i] > z * ((const double *)error->data)[i]);
        /* Who led was there to lead. */
        const size_t theirs = (size_t)((const int64_t *)left->data)[leader];
        assert_true(theirs == 0 || theirs > after);
    }
    assert_true(rows - gone >= (size_t)t->job->gate.tries);
    return gone;
}

static void who_leaves_is_scored_no_further(void **state)
{
    (void)state;
    toy t;
    toy all;
    size_t left = 0;
    toy_set_up(&t, "corp", racing, RACING, NULL);
    finish(&t);
    left += check_race(&t, "/stage1", 3);
    for (size_t k = 1; k <= 3; k++) {
        char group[64];
        (void)snprintf(group, sizeof group, "/recenter/round_%zu/proposals", k);
        if (array_at(&t, group, "scores") != NULL) left += check_race(&t, group, 5);
    }
    assert_true(left > 0);
    toy_set_up(&all, "corp", NULL, 0, NULL);
    finish(&all);
    assert_null(array_at(&all, "/stage1", "left_after"));
    print_message("%zu proposals left; test %.3f, without the race %.3f\n", left,
                  toy_accuracy(&t, t.search.centre), toy_accuracy(&all, all.search.centre));
    assert_true(toy_accuracy(&t, t.search.centre) > 0.5);
    toy_take_down(&all);
    toy_take_down(&t);
}

/* The grid goes on beyond its end: the new proposals race against those that are through. */
static void a_longer_grid_races_on(void **state)
{
    (void)state;
    const char *const small[] = {"consolidate.race=5", "consolidate.scale=[0.25, 0.5]",
                                 "consolidate.max_scale=16", "recenter.rounds=0"};
    toy t;
    toy_set_up(&t, "corp", small, 4, NULL);
    finish(&t);
    const cop_store_array *const scale = array_at(&t, "/stage1", "scale");
    const double *const scales = scale->data;
    const size_t rows = scale->shape[0];
    assert_true(scales[rows - 1] > 0.5); /* the grid was extended */
    assert_true(check_race(&t, "/stage1", 5) > 0);
    /* Rows of the first part that were through then are whole, whatever came later. */
    const cop_store_array *const behind = array_at(&t, "/stage1", "left_behind");
    for (size_t i = 0; i < rows; i++) {
        const int64_t leader = ((const int64_t *)behind->data)[i];
        if (leader >= 0) assert_true(scales[leader] <= scales[i] || scales[i] <= 0.5);
    }
    toy_take_down(&t);
}

/* Where all that a longer grid adds leave, nothing is scored after the look at which they did.
 * The tree says of their units that they are left out all the same. */
static void a_longer_grid_that_loses_is_left_out(void **state)
{
    (void)state;
    const char *const small[] = {"consolidate.race=2", "consolidate.operators=rank",
                                 "gate.tries=1", "consolidate.max_scale=128",
                                 "recenter.rounds=0"};
    toy t;
    toy_set_up(&t, "corp", small, sizeof small / sizeof small[0], NULL);
    t.reach = 0.8;
    finish(&t);
    const cop_store_array *const left = array_at(&t, "/stage1", "left_after");
    const cop_store_array *const status = array_at(&t, "/stage1", "status");
    const size_t rows = left->shape[0];
    const size_t units = status->shape[1];
    assert_true(rows > 2); /* the grid was extended */
    assert_true(((const int64_t *)left->data)[rows - 1] > 0);
    assert_int_equal(((const uint8_t *)status->data)[rows * units - 1], COP_UNIT_LEFT_OUT);
    toy_take_down(&t);
}

static void rounds_race_too(void **state)
{
    (void)state;
    toy t;
    toy_set_up(&t, "rounds", racing, RACING, NULL);
    finish(&t);
    assert_true(check_race(&t, "/rounds/round_1/steps", 3) > 0);
    toy_take_down(&t);
}

/* The first `count` candidates in the order of their rewards. */
static void best_candidates(const char *const *settings, size_t count, toy *t, size_t *members)
{
    const cop_method *method = NULL;
    cop_base_scores base = {0};
    cop_candidates population = {0};
    cop_error err = {0};
    toy_set_up(t, "randopt", settings, settings == NULL ? 0 : CANDIDATES_RACING, NULL);
    assert_int_equal(cop_method_find("randopt", &method, &err), COP_OK);
    assert_int_equal(
        cop_search_create(method, t->job, &t->splits, &t->phases, 1, &t->search, &err), COP_OK);
    assert_int_equal(cop_search_score_base(&t->search, false, &base, &err), COP_OK);
    assert_int_equal(cop_search_score_population(&t->search, &population, &err), COP_OK);
    assert_int_equal(cop_candidates_rank(&population, members, count, &err), COP_OK);
    assert_int_equal(population.best, members[0]);
    cop_candidates_free(&population);
    cop_phase_destroy(&base.phase);
}

/* Who leaves has no reward; the ensemble that all answers choose stays and is ranked alike. */
static void candidates_race_for_the_ensemble(void **state)
{
    (void)state;
    toy all;
    toy t;
    size_t wanted[MEMBERS];
    size_t got[MEMBERS];
    best_candidates(NULL, MEMBERS, &all, wanted);
    best_candidates(candidates_racing, MEMBERS, &t, got);
    assert_memory_equal(got, wanted, sizeof got);
    const size_t left = check_race(&t, "/population", 4);
    const cop_store_array *const after = array_at(&t, "/population", "left_after");
    const double *const reward = array_at(&t, "/population", "reward")->data;
    const double *const whole = array_at(&all, "/population", "reward")->data;
    assert_null(array_at(&all, "/population", "left_after"));
    for (size_t i = 0; i < after->shape[0]; i++) {
        const bool gone = ((const int64_t *)after->data)[i] > 0;
        assert_int_equal(isnan(reward[i]) != 0, gone);
        if (!gone) assert_true(reward[i] == whole[i]);
    }
    print_message("%zu of %zu candidates left\n", left, (size_t)after->shape[0]);
    assert_true(left > after->shape[0] / 4);
    assert_true(after->shape[0] - left >= MEMBERS);
    toy_take_down(&t);
    toy_take_down(&all);
}

/* An ensemble that the population has no members for keeps nobody in the race. */
static void an_ensemble_that_is_left_out_keeps_nobody(void **state)
{
    (void)state;
    const char *more[CANDIDATES_RACING];
    size_t members[MEMBERS];
    toy t;
    memcpy(more, candidates_racing, sizeof more);
    more[2] = "baselines.randopt=[1, 5, 10000]";
    best_candidates(candidates_racing, MEMBERS, &t, members);
    const size_t left = check_race(&t, "/population", 4);
    toy_take_down(&t);
    best_candidates(more, MEMBERS, &t, members);
    assert_true(left > 0);
    assert_int_equal(check_race(&t, "/population", 4), left);
    toy_take_down(&t);
}

/* What needs all scores of the candidates is refused, with what to do. */
static void races_of_candidates_are_refused_elsewhere(void **state)
{
    (void)state;
    static const struct {
        const char *method, *setting, *says;
    } cases[] = {{"corp", "analysis.split_half=false", "method: randopt"},
                 {"randopt", "analysis.split_half=true", "analysis.split_half: false"},
                 {"randopt", "splits.drop_uninformative=true", "splits.drop_uninformative"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const settings[] = {"population.race=4", "analysis.split_half=false",
                                        cases[i].setting};
        const cop_method *method = NULL;
        cop_plan plan;
        cop_error err = {0};
        toy t;
        toy_set_up(&t, cases[i].method, settings, 3, NULL);
        const cop_budget none = cop_budget_of(t.job);
        assert_int_equal(cop_method_find(cases[i].method, &method, &err), COP_OK);
        assert_int_equal(cop_plan_make(method, t.job, &none, SIZE_MAX, &plan, &err),
                         COP_ERR_CONFIG);
        assert_non_null(strstr(err.message, "population.race"));
        assert_non_null(strstr(err.message, cases[i].says));
        toy_take_down(&t);
    }
}

static void assert_same_tree(const toy *a, const toy *b)
{
    static const char *const names[] = {
        "/scores",   "/status",     "/tokens",   "/left_after", "/left_behind",
        "/left_gap", "/left_error", "/accepted", "/row_digest", "/reward"};
    size_t compared = 0;
    assert_int_equal(cop_store_count(a->store), cop_store_count(b->store));
    for (size_t i = 0; i < cop_store_count(a->store); i++) {
        const char *const path = cop_store_path_at(a->store, i);
        const char *const leaf = strrchr(path, '/');
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            if (strcmp(leaf, names[k]) != 0) continue;
            const cop_store_array *const mine = cop_store_get(a->store, path);
            const cop_store_array *const other = cop_store_get(b->store, path);
            static const size_t width[] = {[COP_STORE_F32] = 4,
                                           [COP_STORE_F64] = 8,
                                           [COP_STORE_I64] = 8,
                                           [COP_STORE_U64] = 8,
                                           [COP_STORE_U8] = 1};
            size_t bytes = width[mine->type];
            assert_non_null(other);
            assert_int_equal(mine->rank, other->rank);
            for (int d = 0; d < mine->rank; d++) {
                assert_int_equal(mine->shape[d], other->shape[d]);
                bytes *= mine->shape[d];
            }
            if (memcmp(mine->data, other->data, bytes) != 0) print_error("%s\n", path);
            assert_memory_equal(mine->data, other->data, bytes);
            compared++;
        }
    }
    assert_true(compared > 10);
}

static void an_interrupted_race_ends_alike(void **state)
{
    (void)state;
    static const long pieces[] = {1, 3, 7, 29, 64};
    static const struct {
        const char *method;
        const char *const *settings;
        size_t count;
    } jobs[] = {{"corp", racing, RACING},
                {"rounds", racing, RACING},
                {"randopt", candidates_racing, CANDIDATES_RACING}};
    for (size_t m = 0; m < sizeof jobs / sizeof jobs[0]; m++) {
        toy whole;
        toy_set_up(&whole, jobs[m].method, jobs[m].settings, jobs[m].count, NULL);
        finish(&whole);
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            if (pieces[k] == 1 && m > 0) continue; /* slow, and the same for all */
            toy t;
            bool improved = false;
            size_t scored = 0;
            size_t starts = 1;
            cop_error err = {0};
            toy_set_up(&t, jobs[m].method, jobs[m].settings, jobs[m].count, NULL);
            t.left = pieces[k];
            while (toy_run(&t, &improved, &err) == COP_INTERRUPTED) {
                toy next;
                scored += t.scored;
                toy_set_up(&next, jobs[m].method, jobs[m].settings, jobs[m].count, t.store);
                toy_take_down(&t);
                t = next;
                t.phases.unsaved = &t.unsaved;
                t.phases.progress = &t.progress;
                t.phases.host.context = &t;
                t.left = pieces[k];
                assert_true(++starts < 1000);
                err = (cop_error){0};
            }
            assert_int_equal(err.status, COP_OK);
            assert_true(starts > 1);
            assert_int_equal(scored + t.scored, whole.scored); /* no unit twice, none in vain */
            assert_memory_equal(t.search.centre, whole.search.centre,
                                whole.search.seed_count * sizeof *t.search.centre);
            assert_same_tree(&whole, &t);
            toy_take_down(&t);
        }
        toy_take_down(&whole);
    }
}

/* A host that scores what it is given from the last unit to the first, as ranks may. */
static cop_status evaluate_backwards(void *context, cop_phase *phase, const uint64_t *units,
                                     size_t count, cop_error *err)
{
    for (size_t u = count; u > 0; u--)
        COP_TRY(toy_evaluate(context, phase, &units[u - 1], 1, err));
    return COP_OK;
}

static void the_order_of_work_decides_nothing(void **state)
{
    (void)state;
    toy forth;
    toy back;
    toy_set_up(&forth, "corp", racing, RACING, NULL);
    toy_set_up(&back, "corp", racing, RACING, NULL);
    back.phases.host.evaluate = evaluate_backwards;
    finish(&forth);
    finish(&back);
    assert_memory_equal(forth.search.centre, back.search.centre,
                        forth.search.seed_count * sizeof *forth.search.centre);
    assert_same_tree(&forth, &back);
    toy_take_down(&back);
    toy_take_down(&forth);
}

/* Proposals with logits that are not finite leave at the first look. */
static void proposals_that_are_not_finite_leave(void **state)
{
    (void)state;
    toy t;
    cop_error err = {0};
    toy_set_up(&t, "corp", racing, RACING, NULL);
    const cop_method *method = NULL;
    cop_base_scores base = {0};
    cop_candidates population = {0};
    bool improved = false;
    assert_int_equal(cop_method_find("corp", &method, &err), COP_OK);
    assert_int_equal(cop_search_create(method, t.job, &t.splits, &t.phases, 1, &t.search, &err),
                     COP_OK);
    assert_int_equal(cop_search_score_base(&t.search, false, &base, &err), COP_OK);
    assert_int_equal(cop_search_score_population(&t.search, &population, &err), COP_OK);
    /* From now on whatever holds the best candidate's seed is bad: every merge does. */
    size_t best = 0;
    assert_int_equal(cop_candidates_rank(&population, &best, 1, &err), COP_OK);
    t.bad_seed = t.search.seeds[best];
    assert_int_equal(method->run(&t.search, &population, &improved, &err), COP_OK);
    assert_false(improved);
    const cop_store_array *const left = array_at(&t, "/stage1", "left_after");
    size_t stayed = 0;
    for (size_t i = 0; i < left->shape[0]; i++)
        stayed += ((const int64_t *)left->data)[i] == 0;
    assert_int_equal(stayed, t.job->gate.tries);
    cop_candidates_free(&population);
    cop_phase_destroy(&base.phase);
    toy_take_down(&t);
}

/* Another number of stages is another job: what was left out then is asked for now, or the
 * arrays do not fit. */
static void a_tree_of_another_race_is_refused(void **state)
{
    (void)state;
    const char *const other[] = {"consolidate.race=2"};
    toy t;
    toy again;
    bool improved = false;
    cop_error err = {0};
    toy_set_up(&t, "corp", racing, RACING, NULL);
    finish(&t);
    toy_set_up(&again, "corp", other, 1, t.store);
    assert_int_equal(toy_run(&again, &improved, &err), COP_ERR_FORMAT);
    toy_take_down(&again);
    toy_take_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_leaves_is_scored_no_further),
        cmocka_unit_test(a_longer_grid_races_on),
        cmocka_unit_test(a_longer_grid_that_loses_is_left_out),
        cmocka_unit_test(candidates_race_for_the_ensemble),
        cmocka_unit_test(an_ensemble_that_is_left_out_keeps_nobody),
        cmocka_unit_test(races_of_candidates_are_refused_elsewhere),
        cmocka_unit_test(rounds_race_too),
        cmocka_unit_test(an_interrupted_race_ends_alike),
        cmocka_unit_test(the_order_of_work_decides_nothing),
        cmocka_unit_test(proposals_that_are_not_finite_leave),
        cmocka_unit_test(a_tree_of_another_race_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
