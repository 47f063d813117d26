/* A phase by itself: units are cut, taken once, refused where they cannot be true, and kept in
 * the tree from which another start goes on. */
#include "unit/method/toy.h"

#include "coppice/phase/excerpt.h"
#include "coppice/report/results.h"

#include <math.h>

static const cop_component one[] = {{.seed = 5, .amplitude = 0.5F}};
static const cop_component two[] = {{.seed = 6, .amplitude = 1}, {.seed = 7, .amplitude = -1}};

static cop_phase *create(toy *t)
{
    cop_phase *phase = NULL;
    cop_error err = {0};
    assert_int_equal(cop_phase_create(&t->phases, "/test", "test",
                                      t->splits.examples[COP_SPLIT_SUPPORT],
                                      t->splits.counts[COP_SPLIT_SUPPORT], &phase, &err),
                     COP_OK);
    assert_int_equal(cop_phase_add(phase, NULL, 0, &err), COP_OK);
    assert_int_equal(cop_phase_add(phase, one, 1, &err), COP_OK);
    return phase;
}

static void rows_are_cut_into_units(void **state)
{
    (void)state;
    toy t;
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_phase *phase = create(&t);
    assert_int_equal(phase->row_units, 3); /* 40 examples, at most 16 */
    assert_int_equal(cop_phase_unit_range(phase, 2).first, 32);
    assert_int_equal(cop_phase_unit_range(phase, 2).count, 8);
    assert_int_equal(cop_phase_unit_range(phase, 3).first, 0);
    assert_int_equal(cop_phase_row(phase, 0).count, 0);
    assert_int_equal(cop_phase_row(phase, 1).count, 1);
    assert_int_equal(cop_phase_row(phase, 1).components[0].seed, 5);
    assert_false(cop_phase_row_valid(phase, 0));
    assert_true(cop_phase_is_valid(phase));
    cop_phase_destroy(&phase);
    toy_take_down(&t);
}

/* What it has in common with others a row does not hold itself, and is the same row all the
 * same: older run files go on. */
static void rows_behind_a_trunk_are_whole_rows(void **state)
{
    (void)state;
    static const cop_component whole[] = {{.seed = 6, .amplitude = 1, .factor = COP_IN_SUM},
                                          {.seed = 7, .amplitude = -1, .factor = 3},
                                          {.seed = 5, .amplitude = 0.5F}};
    toy t;
    cop_error err = {0};
    toy_set_up(&t, "corp", NULL, 0, NULL);
    static const size_t trunks[] = {0, 2, 3}; /* sums are not divided */
    for (size_t i = 0; i < 3; i++) {
        const size_t trunk = trunks[i];
        cop_phase *phase = create(&t);
        const size_t own = 3 - trunk;
        assert_int_equal(cop_phase_set_trunk(phase, whole, trunk, &err), COP_OK);
        assert_int_equal(cop_phase_add(phase, whole, 3, &err), COP_OK);
        assert_int_equal(cop_phase_add_to_trunk(phase, whole + trunk, own, &err), COP_OK);
        assert_true(phase->digest[3] == phase->digest[2]);
        assert_int_equal(cop_phase_row(phase, 3).count, own);
        assert_int_equal(cop_phase_row(phase, 3).on_trunk, trunk > 0);
        assert_false(cop_phase_row(phase, 2).on_trunk);
        double expected[TOY_DIMENSIONS];
        double at[TOY_DIMENSIONS];
        toy_locate(phase, cop_phase_row(phase, 2), expected);
        toy_locate(phase, cop_phase_row(phase, 3), at);
        assert_memory_equal(at, expected, sizeof at);
        cop_phase_destroy(&phase);
    }
    toy_take_down(&t);
}

static void damage_is_seen(void **state)
{
    (void)state;
    toy t;
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_phase *phase = create(&t);
    phase->state[1] = COP_UNIT_OK; /* with scores that are not there */
    assert_false(cop_phase_is_valid(phase));
    phase->state[1] = COP_UNIT_PENDING;
    phase->scores[0] = 1; /* of a unit that is pending */
    assert_false(cop_phase_is_valid(phase));
    cop_phase_destroy(&phase);
    toy_take_down(&t);
}

static void results_that_cannot_be_true_are_refused(void **state)
{
    (void)state;
    static const float scores[16] = {0};
    static const uint64_t answers[16] = {0};
    toy t;
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_phase *phase = create(&t);
    const cop_phase_result good = {.unit = 1, .scores = scores, .score_count = 16, .tokens = 9};
    cop_phase_result bad[] = {good, good, good, good, good};
    bad[0].unit = 6;
    bad[1].score_count = 15;
    bad[2].unit = 2; /* whose examples are eight */
    bad[3].answers = answers;
    bad[4].tokens = 16 * t.phases.max_tokens + 1;
    cop_error err = {0};
    assert_int_equal(cop_phase_check(&t.phases, phase, &good, &err), COP_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(cop_phase_check(&t.phases, phase, &bad[i], &err), COP_ERR_MPI);
    cop_phase_destroy(&phase);
    toy_take_down(&t);
}

/* A phase may be extended once its rows are scored. What a later start knows of it at first is
 * less than what the tree holds, and must not cut that. */
static void rows_added_later_survive_a_restart(void **state)
{
    (void)state;
    toy t;
    toy again;
    cop_error err = {0};
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_phase *phase = create(&t);
    assert_int_equal(cop_phase_run(&t.phases, phase, &err), COP_OK);
    assert_int_equal(cop_phase_add(phase, two, 2, &err), COP_OK);
    assert_int_equal(cop_phase_run(&t.phases, phase, &err), COP_OK);
    assert_int_equal(t.scored, 9);
    toy_set_up(&again, "corp", NULL, 0, t.store);
    cop_phase *second = create(&again);
    assert_int_equal(cop_phase_run(&again.phases, second, &err), COP_OK);
    assert_int_equal(cop_phase_add(second, two, 2, &err), COP_OK);
    assert_int_equal(cop_phase_run(&again.phases, second, &err), COP_OK);
    assert_int_equal(again.scored, 0);
    assert_memory_equal(second->scores, phase->scores, 3 * 40 * sizeof *phase->scores);
    cop_phase_destroy(&second);
    cop_phase_destroy(&phase);
    toy_take_down(&again);
    toy_take_down(&t);
}

static cop_status have_no_memory(void *context, cop_error *err)
{
    (void)context;
    return cop_error_set(err, COP_ERR_MEMORY, "no memory");
}

/* Later phases keep nothing of this one: a run file without it would be taken for whole. */
static void scores_without_room_stop_the_run(void **state)
{
    (void)state;
    toy t;
    cop_error err = {0};
    toy_set_up(&t, "corp", NULL, 0, NULL);
    t.phases.host.note = have_no_memory;
    cop_phase *phase = create(&t);
    assert_int_equal(cop_phase_run(&t.phases, phase, &err), COP_ERR_MEMORY);
    assert_string_equal(err.message, "no memory");
    cop_phase_destroy(&phase);
    toy_take_down(&t);
}

static void set_rows(toy *t, const char *name, size_t rows)
{
    cop_error err = {0};
    const cop_store_array *const whole = cop_store_get(t->store, name);
    assert_non_null(whole);
    cop_store_array array = *whole;
    array.shape[0] = rows;
    assert_int_equal(cop_store_set(t->store, name, &array, NULL, NULL, &err), COP_OK);
}

/* Memory ended while three rows were written over two: what both say stands. */
static void a_group_written_in_part_is_gone_on_from(void **state)
{
    (void)state;
    static const char *const late[] = {"/test/row_digest", "/test/status", "/test/rank",
                                       "/test/tokens"};
    for (size_t missing = 1; missing <= sizeof late / sizeof late[0]; missing++) {
        toy t;
        toy again;
        cop_error err = {0};
        toy_set_up(&t, "corp", NULL, 0, NULL);
        cop_phase *phase = create(&t);
        assert_int_equal(cop_phase_add(phase, two, 2, &err), COP_OK);
        assert_int_equal(cop_phase_run(&t.phases, phase, &err), COP_OK);
        for (size_t i = 0; i < missing; i++)
            set_rows(&t, late[i], 2);
        toy_set_up(&again, "corp", NULL, 0, t.store);
        cop_phase *second = create(&again);
        assert_int_equal(cop_phase_add(second, two, 2, &err), COP_OK);
        assert_int_equal(cop_phase_run(&again.phases, second, &err), COP_OK);
        assert_int_equal(again.scored, 3);
        assert_memory_equal(second->scores, phase->scores, 3 * 40 * sizeof *phase->scores);
        cop_phase_destroy(&second);
        cop_phase_destroy(&phase);
        toy_take_down(&again);
        toy_take_down(&t);
    }
}

static void other_rows_are_refused(void **state)
{
    (void)state;
    toy t;
    toy again;
    cop_error err = {0};
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_phase *phase = create(&t);
    assert_int_equal(cop_phase_run(&t.phases, phase, &err), COP_OK);
    toy_set_up(&again, "corp", NULL, 0, t.store);
    cop_phase *second = NULL;
    assert_int_equal(cop_phase_create(&again.phases, "/test", "test",
                                      t.splits.examples[COP_SPLIT_SUPPORT], 40, &second, &err),
                     COP_OK);
    assert_int_equal(cop_phase_add(second, one, 1, &err), COP_OK);
    assert_int_equal(cop_phase_run(&again.phases, second, &err), COP_ERR_MISMATCH);
    cop_phase_destroy(&second);
    cop_phase_destroy(&phase);
    toy_take_down(&again);
    toy_take_down(&t);
}

/* Three rows, cut into units of 8; the second is left out after the first unit. */
static cop_phase *run_parts(toy *t)
{
    cop_phase *phase = NULL;
    cop_error err = {0};
    assert_int_equal(cop_phase_create(&t->phases, "/test", "test",
                                      t->splits.examples[COP_SPLIT_SUPPORT], 40, &phase, &err),
                     COP_OK);
    cop_phase_cut(phase, 8);
    assert_int_equal(phase->row_units, 5);
    assert_int_equal(cop_phase_add(phase, NULL, 0, &err), COP_OK);
    assert_int_equal(cop_phase_add(phase, one, 1, &err), COP_OK);
    assert_int_equal(cop_phase_add(phase, two, 2, &err), COP_OK);
    const cop_status first = cop_phase_run_part(&t->phases, phase, 0, 1, &err);
    if (first == COP_OK) {
        cop_phase_leave_out(phase, 1);
        assert_int_equal(cop_phase_row(phase, 2).count, 2); /* there is more to do of it */
        (void)cop_phase_run_part(&t->phases, phase, 1, 5, &err);
    }
    return phase;
}

static void rows_are_left_out_for_good(void **state)
{
    (void)state;
    toy t;
    cop_error err = {0};
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_phase *phase = run_parts(&t);
    assert_int_equal(t.scored, 3 + 2 * 4);
    assert_true(cop_phase_is_valid(phase));
    assert_int_equal(phase->state[5], COP_UNIT_OK);
    for (size_t u = 6; u < 10; u++)
        assert_int_equal(phase->state[u], COP_UNIT_LEFT_OUT);
    assert_int_equal(cop_phase_count_scored(phase, 0), 40);
    assert_int_equal(cop_phase_count_scored(phase, 1), 8);
    assert_true(cop_phase_row_valid(phase, 0) && cop_phase_row_valid(phase, 2));
    assert_false(cop_phase_row_valid(phase, 1));
    assert_true(isnan(cop_phase_mean(phase, 1)));
    assert_int_equal(t.progress.total, 11);
    assert_int_equal(t.progress.done, 11);
    /* Not even by a run of all of it. */
    assert_int_equal(cop_phase_run(&t.phases, phase, &err), COP_OK);
    assert_int_equal(t.scored, 11);
    phase->state[0] = COP_UNIT_LEFT_OUT; /* with scores */
    assert_false(cop_phase_is_valid(phase));
    cop_phase_destroy(&phase);
    toy_take_down(&t);
}

/* A later start takes over scores, not what was left out: if it decides otherwise it may. */
static void a_later_start_decides_again_who_is_left_out(void **state)
{
    (void)state;
    toy t;
    toy again;
    cop_error err = {0};
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_phase *phase = run_parts(&t);
    toy_set_up(&again, "corp", NULL, 0, t.store);
    cop_phase *second = run_parts(&again);
    assert_int_equal(again.scored, 0);
    assert_memory_equal(second->state, phase->state, 15);
    cop_phase_destroy(&second);
    toy_take_down(&again);
    toy_set_up(&again, "corp", NULL, 0, t.store);
    assert_int_equal(cop_phase_create(&again.phases, "/test", "test",
                                      t.splits.examples[COP_SPLIT_SUPPORT], 40, &second, &err),
                     COP_OK);
    cop_phase_cut(second, 8);
    assert_int_equal(cop_phase_add(second, NULL, 0, &err), COP_OK);
    assert_int_equal(cop_phase_add(second, one, 1, &err), COP_OK);
    assert_int_equal(cop_phase_add(second, two, 2, &err), COP_OK);
    assert_int_equal(cop_phase_run(&again.phases, second, &err), COP_OK);
    assert_int_equal(again.scored, 4);
    assert_true(cop_phase_row_valid(second, 1));
    cop_phase_destroy(&second);
    cop_phase_destroy(&phase);
    toy_take_down(&again);
    toy_take_down(&t);
}

/* What is taken over is not scored here, and is nobody's work of this phase; a later start that
 * takes nothing over scores it. */
static void rows_are_taken_over(void **state)
{
    (void)state;
    toy t;
    toy again;
    cop_error err = {0};
    float known[40];
    toy_set_up(&t, "corp", NULL, 0, NULL);
    for (size_t i = 0; i < 40; i++)
        known[i] = i % 2 == 0 ? 1 : 0;
    cop_phase *phase = create(&t);
    const size_t all = phase->row_count * phase->row_units;
    cop_phase_take_over(phase, 1, known);
    assert_int_equal(cop_phase_run(&t.phases, phase, &err), COP_OK);
    assert_int_equal(t.scored, all - phase->row_units);
    assert_true(cop_phase_is_valid(phase) && cop_phase_row_valid(phase, 1));
    assert_memory_equal(cop_phase_scores(phase, 1), known, sizeof known);
    for (size_t u = phase->row_units; u < 2 * phase->row_units; u++) {
        assert_int_equal(phase->state[u], COP_UNIT_TAKEN_OVER);
        assert_int_equal(phase->tokens[u], 0);
        assert_int_equal(phase->rank[u], -1);
    }
    assert_int_equal(cop_results_spent(t.store, "/test").evaluations,
                     (phase->row_count - 1) * 40);
    assert_int_equal(cop_results_spent(t.store, "/test").units, all - phase->row_units);
    toy_set_up(&again, "corp", NULL, 0, t.store);
    cop_phase *second = create(&again);
    assert_int_equal(cop_phase_run(&again.phases, second, &err), COP_OK);
    assert_int_equal(again.scored, phase->row_units);
    cop_phase_destroy(&second);
    cop_phase_destroy(&phase);
    toy_take_down(&again);
    toy_take_down(&t);
}

/* A phase all of whose rows are known is in the tree all the same. */
static void a_phase_that_is_taken_over_is_kept(void **state)
{
    (void)state;
    toy t;
    cop_error err = {0};
    const float known[40] = {0};
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_phase *phase = create(&t);
    for (size_t r = 0; r < phase->row_count; r++)
        cop_phase_take_over(phase, r, known);
    assert_int_equal(cop_phase_run(&t.phases, phase, &err), COP_OK);
    assert_int_equal(t.scored, 0);
    assert_non_null(cop_store_get(t.store, "/test/scores"));
    cop_phase_destroy(&phase);
    toy_take_down(&t);
}

/* Units with gaps between them get numbers without, and back. */
static void an_excerpt_closes_gaps(void **state)
{
    (void)state;
    static const uint64_t units[] = {2, 3, 13, 22, 23}; /* of rows of five */
    static const uint64_t numbers[] = {0, 1, 3, 4, 5};
    toy t;
    cop_error err = {0};
    cop_phase *phase = NULL;
    cop_phase_excerpt x;
    toy_set_up(&t, "corp", NULL, 0, NULL);
    assert_int_equal(cop_phase_create(&t.phases, "/test", "test",
                                      t.splits.examples[COP_SPLIT_SUPPORT], 38, &phase, &err),
                     COP_OK);
    cop_phase_cut(phase, 8);
    for (uint64_t r = 0; r < 5; r++) {
        const cop_component own = {.seed = r, .amplitude = 1};
        assert_int_equal(cop_phase_add(phase, &own, 1, &err), COP_OK);
    }
    assert_int_equal(cop_phase_excerpt_create(phase, units, 5, &x, &err), COP_OK);
    assert_int_equal(x.phase.row_count, 3);
    assert_int_equal(x.phase.row_units, 2);
    assert_int_equal(x.phase.example_count, 16);
    assert_ptr_equal(x.phase.examples, phase->examples + 16);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(x.units[i], numbers[i]);
        assert_int_equal(cop_phase_excerpt_find(&x, numbers[i]), units[i]);
        const cop_unit_range whole = cop_phase_unit_range(phase, units[i]);
        const cop_unit_range part = cop_phase_unit_range(&x.phase, numbers[i]);
        assert_int_equal(part.count, whole.count);
        assert_ptr_equal(x.phase.examples + part.first, phase->examples + whole.first);
        const cop_row row = cop_phase_row(&x.phase, numbers[i] / 2);
        assert_int_equal(row.components[0].seed, units[i] / 5);
    }
    assert_true(cop_phase_excerpt_find(&x, 6) == UINT64_MAX);
    cop_phase_excerpt_free(&x);
    /* The last unit of a row is shorter, there as here. */
    static const uint64_t last[] = {4, 9};
    assert_int_equal(cop_phase_excerpt_create(phase, last, 2, &x, &err), COP_OK);
    assert_int_equal(x.phase.example_count, 6);
    assert_int_equal(cop_phase_unit_range(&x.phase, 1).count, 6);
    assert_int_equal(cop_phase_excerpt_find(&x, 1), 9);
    cop_phase_excerpt_free(&x);
    cop_phase_destroy(&phase);
    toy_take_down(&t);
}

/* Rows of one component cost what they hold, whatever the number of seeds. */
static void a_hundred_thousand_rows_take_little(void **state)
{
    (void)state;
    enum { ROWS = 100000, LIMIT = 100 << 20 };
    static const size_t examples[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    toy t;
    cop_error err = {0};
    toy_set_up(&t, "corp", NULL, 0, NULL);
    cop_phase *phase = NULL;
    assert_int_equal(cop_phase_create(&t.phases, "/test", "test", examples, 8, &phase, &err),
                     COP_OK);
    for (uint64_t r = 0; r < ROWS; r++) {
        const cop_component own = {.seed = r, .amplitude = 1};
        assert_int_equal(cop_phase_add(phase, &own, 1, &err), COP_OK);
    }
    const size_t row_bytes = sizeof *phase->recipes + sizeof *phase->digest +
                             8 * sizeof *phase->scores +
                             phase->row_units * (sizeof *phase->state + sizeof *phase->tokens +
                                                 sizeof *phase->seconds + sizeof *phase->rank +
                                                 sizeof *phase->arithmetic);
    const size_t bytes = phase->row_capacity * row_bytes + ROWS * sizeof(cop_component);
    print_message("%zu rows: %.1f MB\n", phase->row_count, (double)bytes / 1e6);
    assert_true(bytes < LIMIT);
    assert_true(cop_phase_is_valid(phase));
    cop_phase_destroy(&phase);
    toy_take_down(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_cut_into_units),
        cmocka_unit_test(rows_behind_a_trunk_are_whole_rows),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(results_that_cannot_be_true_are_refused),
        cmocka_unit_test(rows_added_later_survive_a_restart),
        cmocka_unit_test(scores_without_room_stop_the_run),
        cmocka_unit_test(a_group_written_in_part_is_gone_on_from),
        cmocka_unit_test(other_rows_are_refused),
        cmocka_unit_test(rows_are_left_out_for_good),
        cmocka_unit_test(a_later_start_decides_again_who_is_left_out),
        cmocka_unit_test(rows_are_taken_over),
        cmocka_unit_test(a_phase_that_is_taken_over_is_kept),
        cmocka_unit_test(an_excerpt_closes_gaps),
        cmocka_unit_test(a_hundred_thousand_rows_take_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
