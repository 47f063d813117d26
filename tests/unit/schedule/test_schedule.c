/* The schedule by itself: every unit once, sizes of chunks, failures, deadlines, copies. */
#include "unit/schedule/schedule_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 8 };

static int report_failure(cop_schedule *schedule, size_t worker, uint64_t unit, double now_s)
{
    cop_schedule_verdict verdict;
    int attempts = 0;
    cop_error err = {0};
    assert_int_equal(
        cop_schedule_failed(schedule, worker, unit, now_s, &verdict, &attempts, &err), COP_OK);
    return verdict == COP_SCHEDULE_TAKEN ? attempts : -(int)verdict;
}

/* Nothing before a worker joins; the order of units; what it owes. */
static void a_worker_gets_its_units_in_order(void **state)
{
    (void)state;
    cop_schedule *s = make(1, 10, 1, 1);
    assert_int_equal(take(s, 0, 0).count, 0);
    cop_schedule_join(s, 0, 1);
    assert_true(cop_schedule_is_idle(s, 0));
    uint64_t next = 0;
    double now_s = 0;
    while (cop_schedule_left(s) > 0) {
        const cop_schedule_chunk chunk = take(s, 0, now_s);
        assert_true(chunk.count > 0);
        assert_int_equal(chunk.first, next);
        assert_true(cop_schedule_owes(s, 0));
        for (size_t i = 0; i < chunk.count; i++) {
            now_s += 1;
            assert_int_equal(cop_schedule_done(s, 0, next++, 1, now_s), COP_SCHEDULE_TAKEN);
        }
    }
    assert_int_equal(next, 10);
    assert_int_equal(take(s, 0, now_s).count, 0);
    cop_schedule_destroy(&s);
    cop_schedule_destroy(&s);
}

static void answers_that_nobody_owes_are_told(void **state)
{
    (void)state;
    cop_schedule *s = make(2, 100, 1, 1);
    cop_schedule_join(s, 0, 1);
    cop_schedule_join(s, 1, 1);
    const uint64_t mine = take(s, 0, 0).first;
    const uint64_t other = take(s, 1, 0).first;
    assert_int_equal(cop_schedule_done(s, 0, other, 1, 1), COP_SCHEDULE_UNKNOWN);
    assert_int_equal(cop_schedule_done(s, 0, UINT64_MAX, 1, 1), COP_SCHEDULE_UNKNOWN);
    assert_int_equal(cop_schedule_done(s, 0, mine, 1, 1), COP_SCHEDULE_TAKEN);
    assert_int_equal(cop_schedule_done(s, 0, mine, 1, 1), COP_SCHEDULE_UNKNOWN);
    assert_int_equal(report_failure(s, 0, mine, 1), -COP_SCHEDULE_UNKNOWN);
    assert_int_equal(cop_schedule_left(s), 99);
    cop_schedule_destroy(&s);
}

static void units_must_rise(void **state)
{
    (void)state;
    cop_schedule *s = make(1, 1, 1, 1);
    cop_error err = {0};
    const uint64_t wrong[] = {3, 3};
    const cop_schedule_phase phase = {
        .units = wrong, .unit_count = 2, .row_units = 1, .last_size = 1};
    assert_int_equal(cop_schedule_begin(s, &phase, &err), COP_ERR_INTERNAL);
    const cop_schedule_phase rowless = {.units = wrong, .unit_count = 1, .last_size = 1};
    assert_int_equal(cop_schedule_begin(s, &rowless, &err), COP_ERR_INTERNAL);
    cop_schedule_destroy(&s);
}

/* A lone fast worker's chunks shrink, end at rows' borders while there is plenty, and hold at
 * most five seconds of work. */
static void chunks_shrink_and_respect_rows(void **state)
{
    (void)state;
    enum { ROW = 4 };
    cop_schedule *s = make(2, 2000, ROW, 1);
    cop_schedule_join(s, 0, 1);
    cop_schedule_join(s, 1, 1);
    double now_s = 0;
    size_t largest = 0;
    size_t smallest_late = SIZE_MAX;
    while (cop_schedule_left(s) > 0) {
        for (size_t w = 0; w < 2; w++) {
            const size_t left = cop_schedule_waiting(s);
            const cop_schedule_chunk chunk = take(s, w, now_s);
            if (chunk.count == 0) continue;
            assert_true((double)chunk.count * 0.01 <= 5 + 1e-9 || chunk.count <= ROW);
            if (left > 100) assert_int_equal((chunk.first + chunk.count) % ROW, 0);
            assert_true(chunk.count <= left / 2 + ROW);
            if (chunk.count > largest) largest = chunk.count;
            if (left < 8 && chunk.count < smallest_late) smallest_late = chunk.count;
            for (size_t i = 0; i < chunk.count; i++) {
                now_s += 0.005;
                assert_int_equal(cop_schedule_done(s, w, chunk.first + i, 0.01, now_s + 0.01),
                                 COP_SCHEDULE_TAKEN);
            }
        }
    }
    assert_true(largest >= 300 && largest <= 500);
    assert_int_equal(smallest_late, 1);
    cop_schedule_destroy(&s);
}

/* Gaps in the list, as after a resume, end a chunk. */
static void chunks_are_consecutive_units(void **state)
{
    (void)state;
    const cop_schedule_options options = {
        .workers = 1, .chunk_s = 100, .deadline_factor = 10, .deadline_least_s = 2};
    cop_schedule *s = NULL;
    cop_error err = {0};
    assert_int_equal(cop_schedule_create(&options, &s, &err), COP_OK);
    const uint64_t holes[] = {2, 3, 4, 9, 10, 30, 31, 32, 33, 1000000000000};
    bool seen[10] = {false};
    const cop_schedule_phase phase = {
        .units = holes, .unit_count = 10, .row_units = 8, .last_size = 0.5};
    assert_int_equal(cop_schedule_begin(s, &phase, &err), COP_OK);
    cop_schedule_join(s, 0, 1);
    while (cop_schedule_left(s) > 0) {
        const cop_schedule_chunk chunk = take(s, 0, 0);
        assert_true(chunk.count > 0);
        for (size_t i = 0; i < chunk.count; i++) {
            size_t at = 0;
            while (at < 10 && holes[at] != chunk.first + i)
                at++;
            assert_true(at < 10 && !seen[at]);
            seen[at] = true;
            assert_int_equal(cop_schedule_done(s, 0, chunk.first + i, 0.1, 0),
                             COP_SCHEDULE_TAKEN);
        }
    }
    cop_schedule_destroy(&s);
}

static void the_next_chunk_comes_before_the_last_unit_is_done(void **state)
{
    (void)state;
    cop_schedule *s = make(2, 1000, 1, 1);
    cop_schedule_join(s, 0, 1);
    cop_schedule_join(s, 1, 1);
    cop_schedule_chunk chunk = take(s, 0, 0);
    assert_int_equal(cop_schedule_done(s, 0, chunk.first, 1, 1), COP_SCHEDULE_TAKEN);
    chunk = take(s, 0, 1);
    assert_int_equal(chunk.count, 5); /* seconds */
    assert_int_equal(take(s, 0, 1).count, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(take(s, 0, 1).count, 0);
        assert_int_equal(cop_schedule_done(s, 0, chunk.first + i, 1, 2 + (double)i),
                         COP_SCHEDULE_TAKEN);
    }
    assert_int_equal(take(s, 0, 5).count, 5);
    assert_int_equal(take(s, 0, 5).count, 0); /* no more than one ahead */
    cop_schedule_destroy(&s);
}

static void a_failed_unit_goes_to_another_worker(void **state)
{
    (void)state;
    cop_schedule *s = make(2, 2, 1, 1);
    cop_schedule_join(s, 0, 1);
    const uint64_t unit = take(s, 0, 0).first;
    assert_int_equal(report_failure(s, 0, unit, 1), 1);
    assert_int_equal(take(s, 0, 1).first, unit); /* it is alone */
    cop_schedule_join(s, 1, 1);
    assert_int_equal(report_failure(s, 0, unit, 2), 2);
    assert_int_not_equal(take(s, 0, 2).first, unit);
    assert_int_equal(take(s, 1, 2).first, unit);
    assert_int_equal(report_failure(s, 1, unit, 3), 3);
    assert_int_equal(cop_schedule_left(s), 2);
    cop_schedule_destroy(&s);
}

/* Deadline: factor times the slowest, at least the least; units go back; a late answer counts.
 */
static void an_overdue_worker_loses_its_units(void **state)
{
    (void)state;
    cop_schedule *s = make(3, 3, 1, 1);
    cop_error err = {0};
    for (size_t w = 0; w < 3; w++)
        cop_schedule_join(s, w, 1);
    assert_true(isinf(cop_schedule_deadline_s(s)));
    const uint64_t first = take(s, 0, 0).first;
    const uint64_t lost = take(s, 1, 0).first;
    assert_int_equal(cop_schedule_overdue(s, 0, 1e6), 3); /* nothing to judge by yet */
    assert_int_equal(cop_schedule_done(s, 0, first, 0.1, 0.1), COP_SCHEDULE_TAKEN);
    assert_true(cop_schedule_deadline_s(s) == 2);
    const uint64_t slow = take(s, 2, 0.1).first;
    assert_int_equal(cop_schedule_done(s, 2, slow, 0.5, 0.6), COP_SCHEDULE_TAKEN);
    assert_true(fabs(cop_schedule_deadline_s(s) - 5) < 1e-9);
    assert_int_equal(cop_schedule_overdue(s, 0, 4.9), 3);
    assert_int_equal(cop_schedule_overdue(s, 0, 5.1), 1);
    assert_int_equal(cop_schedule_overdue(s, 2, 5.1), 3);
    assert_int_equal(cop_schedule_leave(s, 1, &err), COP_OK);
    assert_int_equal(cop_schedule_returned(s), 1);
    assert_int_equal(cop_schedule_overdue(s, 0, 9), 3);
    assert_int_equal(take(s, 1, 9).count, 0);
    assert_int_equal(take(s, 0, 9).first, lost);
    assert_int_equal(cop_schedule_done(s, 1, lost, 9, 9.5), COP_SCHEDULE_TAKEN);
    assert_int_equal(cop_schedule_left(s), 0);
    /* What the hung one took teaches nothing. */
    assert_true(fabs(cop_schedule_deadline_s(s) - 5) < 1e-9);
    assert_int_equal(cop_schedule_done(s, 0, lost, 0.1, 9.6), COP_SCHEDULE_REPEATED);
    cop_schedule_destroy(&s);
}

static void idle_workers_get_copies_of_what_slow_ones_hold(void **state)
{
    (void)state;
    cop_schedule *s = make(2, 4, 1, 1);
    cop_error err = {0};
    size_t copies = 0;
    cop_schedule_join(s, 0, 1);
    cop_schedule_join(s, 1, 1);
    const uint64_t slow = take(s, 1, 0).first;
    for (double now_s = 1; cop_schedule_waiting(s) > 0 || cop_schedule_owes(s, 0); now_s += 1) {
        const cop_schedule_chunk chunk = take(s, 0, now_s - 1);
        for (size_t i = 0; i < chunk.count; i++)
            assert_int_equal(cop_schedule_done(s, 0, chunk.first + i, 1, now_s),
                             COP_SCHEDULE_TAKEN);
    }
    assert_int_equal(cop_schedule_copy(s, 1.5, &copies, &err), COP_OK);
    assert_int_equal(copies, 0); /* it may just be about to end */
    assert_int_equal(cop_schedule_copy(s, 4, &copies, &err), COP_OK);
    assert_int_equal(copies, 1);
    assert_int_equal(take(s, 0, 4).first, slow);
    assert_int_equal(cop_schedule_copy(s, 8, &copies, &err), COP_OK);
    assert_int_equal(copies, 0); /* no copy of a copy */
    assert_int_equal(cop_schedule_done(s, 0, slow, 1, 5), COP_SCHEDULE_TAKEN);
    assert_int_equal(cop_schedule_left(s), 0);
    assert_int_equal(cop_schedule_done(s, 1, slow, 6, 6), COP_SCHEDULE_REPEATED);
    cop_schedule_destroy(&s);
}

/* What one worker owes, as the test knows it. */
typedef struct owed {
    cop_schedule_chunk chunks[2];
    int count;
    bool here;
} owed;

static void add(owed *o, cop_schedule_chunk chunk)
{
    if (chunk.count == 0) return;
    assert_true(o->count < 2);
    o->chunks[o->count++] = chunk;
}

static uint64_t pop(owed *o)
{
    const uint64_t unit = o->chunks[0].first++;
    if (--o->chunks[0].count == 0) o->chunks[0] = o->chunks[--o->count];
    return unit;
}

/* Anything that can happen, in any order: every unit is answered once. */
static void any_history_ends_with_every_unit_once(void **state)
{
    (void)state;
    enum { UNITS = 500 };
    cop_error err = {0};
    for (unsigned seed = 1; seed <= 60; seed++) {
        unsigned short random[3] = {1, 2, (unsigned short)seed};
        cop_schedule *s = make(WORKERS, UNITS, 1 + seed % 5, 1);
        owed workers[WORKERS] = {0};
        int answers[UNITS] = {0};
        double now_s = 0;
        for (int step = 0; cop_schedule_left(s) > 0; step++) {
            assert_true(step < 200000);
            const size_t w = (size_t)(erand48(random) * WORKERS);
            owed *const o = &workers[w];
            const double luck = erand48(random);
            now_s += 0.01;
            if (!o->here || luck < 0.01) { /* comes, or comes back after it has lost all */
                if (o->here) assert_int_equal(cop_schedule_leave(s, w, &err), COP_OK);
                cop_schedule_join(s, w, 1);
                *o = (owed){.here = true};
            } else if (luck < 0.02) {
                size_t copies = 0;
                assert_int_equal(cop_schedule_copy(s, now_s, &copies, &err), COP_OK);
            } else if (o->count > 0 && luck < 0.1) {
                assert_true(report_failure(s, w, pop(o), now_s) >= -COP_SCHEDULE_REPEATED);
            } else if (o->count > 0) {
                const uint64_t unit = pop(o);
                const cop_schedule_verdict verdict = cop_schedule_done(s, w, unit, 0.01, now_s);
                assert_true(cop_schedule_is_valid(s));
                assert_int_not_equal(verdict, COP_SCHEDULE_UNKNOWN);
                if (verdict == COP_SCHEDULE_TAKEN) answers[unit]++;
            }
            add(o, take(s, w, now_s));
        }
        for (size_t i = 0; i < UNITS; i++)
            assert_int_equal(answers[i], 1);
        assert_int_equal(cop_schedule_waiting(s), 0);
        cop_schedule_destroy(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_gets_its_units_in_order),
        cmocka_unit_test(answers_that_nobody_owes_are_told),
        cmocka_unit_test(units_must_rise),
        cmocka_unit_test(chunks_shrink_and_respect_rows),
        cmocka_unit_test(chunks_are_consecutive_units),
        cmocka_unit_test(the_next_chunk_comes_before_the_last_unit_is_done),
        cmocka_unit_test(a_failed_unit_goes_to_another_worker),
        cmocka_unit_test(an_overdue_worker_loses_its_units),
        cmocka_unit_test(idle_workers_get_copies_of_what_slow_ones_hold),
        cmocka_unit_test(any_history_ends_with_every_unit_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
