/* The queue over a toy function: every unit once, retries, failures, one rank or many. Run
 * alone here, and by tests/e2e/test_queue_ranks.py under mpirun with 2, 3 and 6 ranks. */
#include "unit/queue/queue_support.h"

static void every_unit_is_done_once(void **state)
{
    (void)state;
    for (int overlap = 0; overlap < 2; overlap++) {
        toy t = make_toy();
        cop_error err = {0};
        cop_queue_stats stats = {0};
        t.not_finite = 17;
        t.overlap = overlap == 1;
        assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
        if (t.evaluated > 1 + (int)t.overlap * ROW_UNITS)
            assert_int_equal(t.most_begun, t.overlap ? 2 : 1);
        assert_int_equal(t.begun_count, 0);
        if (!is_first()) continue;
        check_all(&t);
        assert_string_equal(t.notes, "");
        assert_int_equal(t.answers_right, UNITS - 1); /* one has neither scores nor answers */
        assert_int_equal(stats.units, UNITS);
        assert_int_equal(stats.failures + stats.nonsense + stats.silences, 0);
        assert_true(stats.chunks < UNITS);
    }
}

/* True on ranks that compute several rows side by side, here every other one. */
static bool is_wide(void)
{
    return cop_world_size(shared_world) == 1 || cop_world_rank(shared_world) % 2 == 1;
}

/* Wide ranks beside others: each group is of different rows on the same examples, and every
 * unit is done once, with its share of the group's time. */
static void units_are_computed_side_by_side(void **state)
{
    (void)state;
    for (int overlap = 0; overlap < 2; overlap++) {
        toy t = make_toy();
        cop_error err = {0};
        cop_queue_stats stats = {0};
        t.overlap = overlap == 1;
        t.lanes = is_wide() ? LANES : 0;
        t.group_s = 0.03;
        t.unit_s = is_wide() ? 0 : 0.02;
        assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
        assert_int_equal(t.wrong_groups, 0);
        assert_int_equal(t.begun_count, 0);
        if (!is_wide()) assert_int_equal(t.groups, 0);
        if (t.largest_group == LANES) assert_true(t.most_begun >= LANES);
        assert_true(t.most_begun <= (t.overlap ? 2 : 1) * (t.lanes == 0 ? 1 : LANES));
        if (is_wide() && cop_world_size(shared_world) <= 2)
            assert_int_equal(t.largest_group, LANES);
        if (!is_first()) continue;
        check_all(&t);
        assert_string_equal(t.notes, "");
        assert_int_equal(stats.failures + stats.nonsense, 0);
        if (cop_world_size(shared_world) > 2) continue;
        assert_true(t.least_seconds < 1e9);
        if (t.groups == UNITS / LANES) assert_true(t.least_seconds >= t.group_s / LANES);
    }
}

/* What goes wrong for one unit of a group is that unit's failure, and no other's. */
static void a_failure_beside_others_is_one_units(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    cop_queue_stats stats = {0};
    t.lanes = LANES;
    if (cop_world_rank(shared_world) == (cop_world_size(shared_world) > 1 ? 1 : 0))
        t.failures_left[9] = 1;
    assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
    assert_int_equal(t.wrong_groups, 0);
    if (!is_first()) return;
    check_all(&t);
    if (cop_world_size(shared_world) > 2) return;
    assert_int_equal(stats.failures, 1);
    assert_non_null(strstr(t.notes, "unit 9 failed on rank"));
    assert_null(strstr(strstr(t.notes, "failed on rank") + 1, "failed on rank"));
}

/* Units that are dropped while others are begun beside them. */
static void groups_are_dropped_whole(void **state)
{
    (void)state;
    for (int overlap = 0; overlap < 2; overlap++) {
        toy t = make_toy();
        cop_error err = {0};
        t.lanes = LANES;
        t.overlap = overlap == 1;
        t.stop_after = 7;
        t.unit_s = 0.005;
        const cop_status status = toy_run(&t, NULL, &err);
        if (is_first()) assert_int_equal(status, COP_INTERRUPTED);
        assert_int_equal(t.begun_count, 0);
        /* One that drops what it does says so to itself. */
        t = make_toy();
        t.lanes = LANES;
        t.overlap = overlap == 1;
        assert_int_equal(toy_run(&t, NULL, &err), COP_OK);
        if (is_first()) check_all(&t);
    }
}

static void what_is_done_already_is_left_out(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    const cop_queue_options options = toy_options(&t);
    const cop_queue_work work = toy_work(&t);
    if (is_first()) {
        const uint64_t units[] = {3, 4, 5, 20, 59};
        cop_queue *queue = NULL;
        int missing = 0;
        assert_int_equal(cop_queue_open(shared_world, &options, &work, &queue, &err), COP_OK);
        assert_int_equal(toy_phase(&t, queue, NULL, 0, &err), COP_OK);
        assert_int_equal(toy_phase(&t, queue, units, 5, &err), COP_OK);
        assert_int_equal(t.results, 5);
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(t.seen[units[i]], 1);
        assert_int_equal(cop_queue_close(shared_world, &queue, 60, &missing, &err), COP_OK);
        assert_int_equal(missing, 0);
        assert_null(queue);
    } else {
        assert_int_equal(cop_queue_serve(shared_world, &options, &work, &err), COP_OK);
    }
    meet();
}

static void a_failed_unit_is_tried_again(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    cop_queue_stats stats = {0};
    /* Only one rank is unlucky, so that others can help. */
    if (cop_world_rank(shared_world) == (cop_world_size(shared_world) > 1 ? 1 : 0)) {
        t.failures_left[3] = 2;
        t.failures_left[40] = 1;
    }
    assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
    if (!is_first()) return;
    check_all(&t);
    if (cop_world_size(shared_world) > 2) return;
    assert_int_equal(stats.failures, 3);
    assert_non_null(strstr(t.notes, "unit 40 failed on rank"));
    assert_non_null(strstr(t.notes, "unlucky"));
}

static void three_failures_end_the_phase(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    t.failures_left[30] = 1000;
    const cop_status status = toy_run(&t, NULL, &err);
    if (!is_first()) return;
    assert_int_equal(status, COP_ERR_UNIT);
    assert_non_null(strstr(err.message, "unit 30 failed 3 times"));
    assert_non_null(strstr(err.message, "unlucky"));
}

static void a_phase_after_a_failed_one_works(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    const cop_queue_options options = toy_options(&t);
    const cop_queue_work work = toy_work(&t);
    t.failures_left[30] = 3; /* whoever tries it, as often as it is tried */
    if (is_first()) {
        uint64_t units[UNITS];
        cop_queue *queue = NULL;
        int missing = 0;
        list_units(units);
        assert_int_equal(cop_queue_open(shared_world, &options, &work, &queue, &err), COP_OK);
        assert_int_equal(toy_phase(&t, queue, units, UNITS, &err), COP_ERR_UNIT);
        memset(t.seen, 0, sizeof t.seen);
        assert_int_equal(toy_phase(&t, queue, units, 25, &err), COP_OK); /* without unit 30 */
        for (size_t u = 0; u < 25; u++)
            assert_int_equal(t.seen[u], 1);
        assert_int_equal(cop_queue_close(shared_world, &queue, 60, &missing, &err), COP_OK);
        assert_int_equal(missing, 0);
    } else {
        assert_int_equal(cop_queue_serve(shared_world, &options, &work, &err), COP_OK);
    }
    meet();
}

static void an_interruption_reaches_all_ranks_soon(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    t.unit_s = cop_world_size(shared_world) > 1 ? 2 : 0;
    t.stop_after = t.unit_s > 0 ? 1 : 5;
    const double start_s = cop_timer_now_s();
    const cop_status status = toy_run(&t, NULL, &err);
    /* A unit takes 2 s: those under way are dropped, not finished one after the other. */
    assert_true(cop_timer_now_s() - start_s < 10);
    if (!is_first()) return;
    assert_int_equal(status, COP_INTERRUPTED);
    assert_string_equal(err.message, "asked to stop");
    assert_true(t.results < UNITS);
}

static void gather_keeps_the_order_of_ranks(void **state)
{
    (void)state;
    cop_error err = {0};
    const int size = cop_world_size(shared_world);
    const int rank = cop_world_rank(shared_world);
    const int64_t mine = 100 + rank;
    int64_t all[64] = {0};
    assert_true(size <= 64);
    assert_int_equal(
        cop_world_gather(shared_world, &mine, sizeof mine, rank == 0 ? all : NULL, &err),
        COP_OK);
    for (int r = 0; r < size && rank == 0; r++)
        assert_int_equal(all[r], 100 + r);
}

static void one_ranks_failure_is_everybodys(void **state)
{
    (void)state;
    cop_error err = {0};
    const int last = cop_world_size(shared_world) - 1;
    cop_status mine = COP_OK;
    if (cop_world_rank(shared_world) == last)
        mine = cop_error_set(&err, COP_ERR_FORMAT, "bad file");
    assert_int_equal(cop_world_agree(shared_world, mine, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "bad file"));
    assert_int_equal(cop_world_agree(shared_world, COP_OK, &err), COP_OK);
}

int main(int argc, char **argv)
{
    cop_error err = {0};
    if (cop_world_open(&argc, &argv, &shared_world, &err) != COP_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_is_done_once),
        cmocka_unit_test(units_are_computed_side_by_side),
        cmocka_unit_test(a_failure_beside_others_is_one_units),
        cmocka_unit_test(groups_are_dropped_whole),
        cmocka_unit_test(what_is_done_already_is_left_out),
        cmocka_unit_test(a_failed_unit_is_tried_again),
        cmocka_unit_test(three_failures_end_the_phase),
        cmocka_unit_test(a_phase_after_a_failed_one_works),
        cmocka_unit_test(an_interruption_reaches_all_ranks_soon),
        cmocka_unit_test(gather_keeps_the_order_of_ranks),
        cmocka_unit_test(one_ranks_failure_is_everybodys),
    };
    const int result = cmocka_run_group_tests(tests, NULL, NULL);
    if (cop_world_close(&shared_world, &err) != COP_OK) return 1;
    return result;
}
