/* The methods on a toy landscape: they find what is there and nothing where nothing is, decide
 * by scores alone, and go on after any interruption to the same centre. */
#include "unit/method/toy.h"

#include "coppice/base/timer.h"

#include <stdlib.h>

/* Runs to the end; the centre is copied, cop_memory_free(). */
static double *finish(toy *t, bool *improved)
{
    cop_error err = {0};
    const cop_status status = toy_run(t, improved, &err);
    if (status != COP_OK) print_error("%s\n", err.message);
    assert_int_equal(status, COP_OK);
    double *const centre = cop_memory_alloc(t->search.seed_count, sizeof *centre, NULL);
    assert_non_null(centre);
    memcpy(centre, t->search.centre, t->search.seed_count * sizeof *centre);
    return centre;
}

static void every_method_improves(void **state)
{
    (void)state;
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        toy t;
        bool improved = false;
        toy_set_up(&t, cop_method_at(m)->name, NULL, 0, NULL);
        double *const centre = finish(&t, &improved);
        double *const base = cop_memory_alloc(t.search.seed_count, sizeof *base, NULL);
        const bool is_gated = cop_method_at(m)->is_gated;
        assert_int_equal(improved, is_gated);
        print_message("%s: %.3f, base %.3f, %zu units\n", cop_method_at(m)->name,
                      toy_accuracy(&t, centre), toy_accuracy(&t, base), t.scored);
        assert_true(toy_accuracy(&t, centre) > toy_accuracy(&t, base) + 0.05);
        cop_memory_free(base);
        cop_memory_free(centre);
        toy_take_down(&t);
    }
}

/* Where no iterate has finite logits on probe, none is the result. */
static void iterates_that_are_not_finite_give_the_base(void **state)
{
    (void)state;
    const char *const wild[] = {"es.rate=1000"};
    toy t;
    bool improved = true;
    toy_set_up(&t, "es", wild, 1, NULL);
    t.reach = 1;
    double *const centre = finish(&t, &improved);
    assert_false(improved);
    assert_int_equal(t.search.gate_count, 0);
    for (size_t s = 0; s < t.search.seed_count; s++)
        assert_true(centre[s] == 0);
    cop_memory_free(centre);
    toy_take_down(&t);
}

static void a_flat_landscape_gives_the_base(void **state)
{
    (void)state;
    const char *const strict[] = {"gate.z=3"};
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        if (!cop_method_at(m)->is_gated) continue;
        toy t;
        bool improved = false;
        toy_set_up(&t, cop_method_at(m)->name, strict, 1, NULL);
        t.flat = true;
        double *const centre = finish(&t, &improved);
        assert_false(improved);
        for (size_t s = 0; s < t.search.seed_count; s++)
            assert_true(centre[s] == 0);
        assert_true(t.search.gate_count > 0);
        cop_memory_free(centre);
        toy_take_down(&t);
    }
}

/* What is left to do after `units` in each start is done by the next. */
static void interrupted_runs_end_alike(void **state)
{
    (void)state;
    static const long pieces[] = {1, 5, 23, 60};
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        toy whole;
        bool improved = false;
        toy_set_up(&whole, cop_method_at(m)->name, NULL, 0, NULL);
        double *const centre = finish(&whole, &improved);
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            if (pieces[k] == 1 && m > 0) continue; /* slow, and the same for all */
            toy t;
            bool again = false;
            size_t scored = 0;
            size_t starts = 1;
            cop_error err = {0};
            toy_set_up(&t, cop_method_at(m)->name, NULL, 0, NULL);
            t.left = pieces[k];
            while (toy_run(&t, &again, &err) == COP_INTERRUPTED) {
                toy next;
                scored += t.scored;
                toy_set_up(&next, cop_method_at(m)->name, NULL, 0, t.store);
                toy_take_down(&t);
                t = next;
                t.phases.unsaved = &t.unsaved;
                t.phases.progress = &t.progress;
                t.phases.host.context = &t;
                t.left = pieces[k];
                starts++;
                assert_true(starts < 1000);
                err = (cop_error){0};
            }
            assert_int_equal(err.status, COP_OK);
            scored += t.scored;
            assert_int_equal(scored, whole.scored); /* no unit twice */
            assert_int_equal(again, improved);
            assert_memory_equal(t.search.centre, centre,
                                whole.search.seed_count * sizeof *centre);
            assert_true(starts > 1);
            toy_take_down(&t);
        }
        cop_memory_free(centre);
        toy_take_down(&whole);
    }
}

/* A run goes on by the rules that it has decided by, or not at all. */
static void decisions_on_record_are_not_turned(void **state)
{
    (void)state;
    toy t;
    toy next;
    bool improved = false;
    cop_error err = {0};
    toy_set_up(&t, "es", NULL, 0, NULL);
    cop_memory_free(finish(&t, &improved));
    assert_int_equal(
        cop_store_set_f64(t.store, "/gate/decisions/01/z", 1.625, NULL, "raised", &err),
        COP_OK);
    toy_set_up(&next, "es", NULL, 0, t.store);
    assert_int_equal(toy_run(&next, &improved, &err), COP_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "/gate/decisions/01 was accepted with z 1.625"));
    toy_take_down(&next);
    toy_take_down(&t);
}

static void recentring_moves_and_never_falls(void **state)
{
    (void)state;
    toy t;
    bool improved = false;
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_memory_free(finish(&t, &improved));
    size_t accepted = 0;
    for (size_t g = 0; g < t.search.gate_count; g++) {
        const cop_gate_record *const r = &t.search.gate[g];
        assert_true(r->decision.accepted == (r->decision.bound > 0));
        accepted += r->decision.accepted && r->round > 0;
    }
    assert_true(accepted > 0);
    assert_non_null(cop_store_get(t.store, "/recenter/round_1/local/scores"));
    assert_non_null(cop_store_get(t.store, "/gate/decisions/01/accepted"));
    toy_take_down(&t);
}

/* Rewards are negative, so that the 0 of who gave no finite logits is more than any. */
static void broken_proposals_come_last(void **state)
{
    (void)state;
    static const char *const methods[] = {"corp", "rounds"};
    const char *const some[] = {"gate.on=reward", "gate.tries=1",
                                "consolidate.scale=[1, 2, 1000]", "consolidate.max_scale=4000"};
    const char *const all[] = {"gate.on=reward", "gate.tries=2", "consolidate.scale=[1000]",
                               "consolidate.max_scale=4000"};
    for (size_t m = 0; m < 2 * sizeof methods / sizeof methods[0]; m++) {
        const bool are_some = m % 2 == 0;
        toy t;
        bool improved = false;
        toy_set_up(&t, methods[m / 2], are_some ? some : all, 4, NULL);
        t.below = 2;
        t.reach = 5;
        cop_memory_free(finish(&t, &improved));
        assert_int_equal(improved, are_some);
        assert_true(t.search.gate_count > 0);
        for (size_t g = 0; g < t.search.gate_count; g++) {
            const cop_gate_record *const r = &t.search.gate[g];
            char path[64];
            int64_t accepted = -1;
            assert_int_equal(r->broken, !are_some);
            (void)snprintf(path, sizeof path, "/gate/decisions/%02zu/accepted", g + 1);
            assert_true(cop_store_get_i64(t.store, path, &accepted));
            assert_int_equal(accepted, r->decision.accepted);
            assert_false(r->broken && r->decision.accepted);
        }
        toy_take_down(&t);
    }
}

/* The bound is as far below the mean as that many tries ask for, no further. */
static void the_gate_is_as_strict_as_tries_ask_for(void **state)
{
    (void)state;
    static const struct {
        const char *method, *setting;
        size_t tries;
    } cases[] = {{"corp", "gate.tries=3", 3},
                 {"corp", "gate.tries=1", 1},
                 {"rounds", "gate.tries=2", 2},
                 {"es", "gate.tries=3", 1}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        toy t;
        bool improved = false;
        toy_set_up(&t, cases[c].method, &cases[c].setting, 1, NULL);
        cop_memory_free(finish(&t, &improved));
        assert_true(t.search.gate_count > 0);
        for (size_t g = 0; g < t.search.gate_count; g++)
            assert_true(t.search.gate[g].decision.z == cop_gate_raise_z(1, cases[c].tries));
        toy_take_down(&t);
    }
}

/* Their numbers are those of the groups that hold what was decided about. */
static void rounds_count_from_one(void **state)
{
    (void)state;
    toy t;
    bool improved = false;
    toy_set_up(&t, "rounds", NULL, 0, NULL);
    cop_memory_free(finish(&t, &improved));
    for (size_t g = 0; g < t.search.gate_count; g++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/gate/rounds_%d/scores",
                       (int)t.search.gate[g].round);
        assert_non_null(cop_store_get(t.store, path));
    }
    assert_int_equal(t.search.gate[0].round, 1);
    toy_take_down(&t);
}

/* Of candidates around a centre that has moved: how many there were,
 * and the most components that one has of its own. */
typedef struct around {
    size_t candidates, components;
} around;

static around seen;

static cop_status look_at_rows(void *context, cop_phase *phase, const uint64_t *units,
                               size_t count, cop_error *err)
{
    for (size_t r = 0; r < phase->row_count && phase->trunk_count > 0; r++) {
        const cop_row row = cop_phase_row(phase, r);
        if (!row.on_trunk) continue; /* the centre */
        seen.candidates++;
        if (row.count > seen.components) seen.components = row.count;
    }
    return toy_evaluate(context, phase, units, count, err);
}

/* However far the centre has moved, it is there once and not in each of its candidates. */
static void candidates_hold_their_own_seed_alone(void **state)
{
    (void)state;
    static const char *const settings[][2] = {{"es", "consolidate.sums=true"},
                                              {"rounds", "consolidate.sums=true"},
                                              {"rounds", "consolidate.sums=false"}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        toy t;
        bool improved = false;
        seen = (around){0};
        toy_set_up(&t, settings[i][0], &settings[i][1], 1, NULL);
        t.phases.host.evaluate = look_at_rows;
        cop_memory_free(finish(&t, &improved));
        assert_true(improved);
        assert_true(seen.candidates >= 24);
        assert_int_equal(seen.components, 1);
        toy_take_down(&t);
    }
}

static void a_tree_of_other_recipes_is_refused(void **state)
{
    (void)state;
    toy first;
    toy other;
    bool improved = false;
    cop_error err = {0};
    const char *const seed[] = {"population.seed=4"};
    toy_set_up(&first, "corp", NULL, 0, NULL);
    cop_memory_free(finish(&first, &improved));
    toy_set_up(&other, "corp", seed, 1, first.store);
    assert_int_equal(toy_run(&other, &improved, &err), COP_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "group /population"));
    toy_take_down(&other);
    toy_take_down(&first);
}

static void candidates_that_are_not_finite_are_left_out(void **state)
{
    (void)state;
    toy t;
    bool improved = false;
    toy_set_up(&t, "corp", NULL, 0, NULL);
    t.bad_seed = cop_noise_bits(3, COP_STREAM_POPULATION, 0, 4);
    double *const centre = finish(&t, &improved);
    assert_true(improved);
    assert_true(t.search.seeds[4] == t.bad_seed);
    assert_true(centre[4] == 0);
    cop_memory_free(centre);
    toy_take_down(&t);
}

static void pairs_share_a_seed(void **state)
{
    (void)state;
    const char *const paired[] = {"population.antithetic=true"};
    toy t;
    bool improved = false;
    toy_set_up(&t, "corp", paired, 1, NULL);
    cop_memory_free(finish(&t, &improved));
    const cop_store_array *const seeds = cop_store_get(t.store, "/population/seed");
    const cop_store_array *const signs = cop_store_get(t.store, "/population/sign");
    assert_non_null(seeds);
    assert_non_null(signs);
    for (size_t i = 0; i + 1 < seeds->shape[0]; i += 2) {
        assert_true(((const uint64_t *)seeds->data)[i] ==
                    ((const uint64_t *)seeds->data)[i + 1]);
        assert_true(((const double *)signs->data)[i] == -((const double *)signs->data)[i + 1]);
    }
    toy_take_down(&t);
}

static void a_base_that_tells_nothing_apart_stops(void **state)
{
    (void)state;
    const char *const allowed[] = {"gate.allow_flat=true"};
    for (int allow = 0; allow < 2; allow++) {
        toy t;
        bool improved = false;
        cop_error err = {0};
        toy_set_up(&t, "corp", allowed, (size_t)allow, NULL);
        t.flat = true;
        /* Nobody is right by then: every example needs more than the base has. */
        for (int s = 0; s < COP_SPLIT_COUNT; s++) {
            size_t worst = 0;
            for (size_t i = 0; i < TOY_EXAMPLES; i++) {
                if (toy_normal(11, i) < toy_normal(11, worst)) worst = i;
            }
            for (size_t i = 0; i < t.splits.counts[s]; i++)
                t.splits.examples[s][i] = worst;
        }
        const cop_status status = toy_run(&t, &improved, &err);
        assert_int_equal(status, allow ? COP_OK : COP_ERR_CONFIG);
        if (!allow) assert_non_null(strstr(err.message, "gate.allow_flat"));
        assert_false(improved);
        toy_take_down(&t);
    }
}

static void methods_are_found_by_name(void **state)
{
    (void)state;
    cop_error err = {0};
    const cop_method *method = NULL;
    for (size_t m = 0; cop_method_at(m) != NULL; m++) {
        assert_int_equal(cop_method_find(cop_method_at(m)->name, &method, &err), COP_OK);
        assert_ptr_equal(method, cop_method_at(m));
        /* The job's key takes it, too. */
        toy t;
        toy_set_up(&t, method->name, NULL, 0, NULL);
        assert_string_equal(t.job->method, method->name);
        toy_take_down(&t);
    }
    assert_int_equal(cop_method_find("corpp", &method, &err), COP_ERR_CONFIG);
    assert_null(method);
    assert_non_null(strstr(err.message, "corp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_improves),
        cmocka_unit_test(iterates_that_are_not_finite_give_the_base),
        cmocka_unit_test(a_flat_landscape_gives_the_base),
        cmocka_unit_test(interrupted_runs_end_alike),
        cmocka_unit_test(decisions_on_record_are_not_turned),
        cmocka_unit_test(recentring_moves_and_never_falls),
        cmocka_unit_test(broken_proposals_come_last),
        cmocka_unit_test(the_gate_is_as_strict_as_tries_ask_for),
        cmocka_unit_test(rounds_count_from_one),
        cmocka_unit_test(candidates_hold_their_own_seed_alone),
        cmocka_unit_test(a_tree_of_other_recipes_is_refused),
        cmocka_unit_test(candidates_that_are_not_finite_are_left_out),
        cmocka_unit_test(pairs_share_a_seed),
        cmocka_unit_test(a_base_that_tells_nothing_apart_stops),
        cmocka_unit_test(methods_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
