/* The schedule under a simulated clock, from one worker to ten thousand. */
#include "coppice/schedule/schedule.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

static cop_simulation usual(size_t workers, unsigned seed)
{
    return (cop_simulation){.schedule = {.workers = workers,
                                         .chunk_s = 5,
                                         .deadline_factor = 20,
                                         .deadline_least_s = 30},
                            .rows = workers * 10,
                            .row_units = 4,
                            .unit_s = 1,
                            .spread = 0.2,
                            .slowest = 1,
                            .message_s = 1e-4,
                            .seed = seed};
}

/* Runs it; every unit must have been answered once. */
static cop_simulation_result play(const cop_simulation *simulation)
{
    cop_simulation_result result;
    cop_error err = {0};
    assert_int_equal(cop_schedule_simulate(simulation, &result, &err), COP_OK);
    assert_int_equal(result.units, simulation->rows * simulation->row_units);
    assert_int_equal(result.done, result.units);
    assert_int_equal(result.most_answers, 1);
    return result;
}

/* Equal workers end within a unit or so of one another. */
static void equal_workers_end_together(void **state)
{
    (void)state;
    static const size_t workers[] = {1, 2, 3, 7, 30, 300};
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        for (unsigned seed = 1; seed <= 5; seed++) {
            const cop_simulation simulation = usual(workers[i], seed);
            const cop_simulation_result r = play(&simulation);
            assert_true(r.makespan_s < r.ideal_s * 1.02 + 2 * simulation.unit_s);
            assert_int_equal(r.evaluations, r.units);
            assert_true(r.gap_s < 1e-3); /* the next chunk was there */
        }
    }
}

/* Whatever the speeds: the tail is a few units, not a slow worker's last chunk. */
static void unequal_workers_end_together(void **state)
{
    (void)state;
    static const double slowest[] = {0.7, 0.3, 0.1, 0.02};
    for (size_t i = 0; i < sizeof slowest / sizeof slowest[0]; i++) {
        for (unsigned seed = 1; seed <= 5; seed++) {
            cop_simulation simulation = usual(100, seed);
            simulation.slowest = slowest[i];
            const cop_simulation_result r = play(&simulation);
            assert_true(r.makespan_s < r.ideal_s * 1.05 + 5 * simulation.unit_s);
            assert_true((double)r.evaluations < 1.05 * (double)r.units);
        }
    }
}

/* Some compute many rows side by side, in the time of one: chunks fill their lanes, and the end
 * is still common. */
static void wide_workers_end_together_with_the_others(void **state)
{
    (void)state;
    static const struct {
        size_t workers, lanes;
        double wide_share;
    } cases[] = {{1, 8, 1}, {4, 16, 1}, {40, 16, 0.25}, {100, 4, 0.5}, {30, 64, 0.1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned seed = 1; seed <= 5; seed++) {
            cop_simulation simulation = usual(cases[i].workers, seed);
            simulation.rows *= cases[i].lanes;
            simulation.lanes = cases[i].lanes;
            simulation.wide_share = cases[i].wide_share;
            simulation.slowest = 0.5;
            const cop_simulation_result r = play(&simulation);
            if (r.makespan_s >= r.ideal_s * 1.05 + 6 * simulation.unit_s)
                fail_msg("%zu workers of %zu lanes: %.1f s, the ideal is %.1f s",
                         cases[i].workers, cases[i].lanes, r.makespan_s, r.ideal_s);
            assert_true((double)r.evaluations < 1.05 * (double)r.units);
            simulation.fail_share = 0.01;
            simulation.hang_share = cases[i].workers > 30 ? 0.1 : 0;
            const cop_simulation_result hard = play(&simulation);
            assert_true(hard.makespan_s < hard.ideal_s * 1.5 + 12 * simulation.unit_s +
                                              2 * simulation.schedule.deadline_least_s);
        }
    }
}

static void late_joiners_help_from_when_they_come(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 5; seed++) {
        cop_simulation simulation = usual(60, seed);
        simulation.late_share = 0.5;
        simulation.late_s = 20;
        const cop_simulation_result r = play(&simulation);
        assert_true(r.makespan_s < r.ideal_s * 1.03 + 3 * simulation.unit_s);
        simulation.late_s = 1e5; /* they come when all is over */
        const cop_simulation_result none = play(&simulation);
        assert_true(none.makespan_s < none.ideal_s * 1.03 + 3 * simulation.unit_s);
    }
}

static void failures_and_hangs_cost_what_they_must(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 5; seed++) {
        cop_simulation simulation = usual(50, seed);
        simulation.fail_share = 0.05;
        const cop_simulation_result failing = play(&simulation);
        assert_true(failing.makespan_s < failing.ideal_s * 1.12 + 4 * simulation.unit_s);
        simulation.hang_share = 0.2;
        const cop_simulation_result hanging = play(&simulation);
        /* A fifth of the workers is lost on the way; their last units wait at most until the
         * deadline. */
        assert_true(hanging.makespan_s <
                    hanging.ideal_s * 1.12 / 0.75 + simulation.schedule.deadline_least_s);
    }
}

static void nobody_left_is_an_error(void **state)
{
    (void)state;
    cop_simulation simulation = usual(1, 1);
    cop_simulation_result result;
    cop_error err = {0};
    simulation.fail_share = 1;
    assert_int_equal(cop_schedule_simulate(&simulation, &result, &err), COP_ERR_UNIT);
}

static void ten_thousand_workers(void **state)
{
    (void)state;
    for (size_t workers = 100; workers <= 10000; workers *= 10) {
        cop_simulation simulation = usual(workers, 3);
        simulation.rows = workers * 5;
        simulation.slowest = 0.5;
        simulation.late_share = 0.1;
        simulation.late_s = 5;
        simulation.fail_share = 0.001;
        const cop_simulation_result r = play(&simulation);
        assert_true(r.makespan_s < r.ideal_s * 1.05 + 5 * simulation.unit_s);
        (void)printf(
            "* %zu workers, %zu units: makespan %.3f of the ideal, rank 0 needs %.2f us "
            "per unit\n",
            workers, r.units, r.makespan_s / r.ideal_s, 1e6 * r.schedule_s / (double)r.units);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_workers_end_together),
        cmocka_unit_test(unequal_workers_end_together),
        cmocka_unit_test(wide_workers_end_together_with_the_others),
        cmocka_unit_test(late_joiners_help_from_when_they_come),
        cmocka_unit_test(failures_and_hangs_cost_what_they_must),
        cmocka_unit_test(nobody_left_is_an_error),
        cmocka_unit_test(ten_thousand_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
