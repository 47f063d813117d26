/* Workers that compute several rows side by side: the order of their units, their chunks, their
 * times. */
#include "coppice/schedule/bands.h"
#include "unit/schedule/schedule_support.h"

#include <math.h>
#include <stdlib.h>

/* The order by its definition: the unit after `count` others of a chunk. */
static void list_order(uint64_t first, uint64_t count, uint64_t row_units, uint64_t lanes,
                       uint64_t *order)
{
    size_t filled = 0;
    const uint64_t last_row = (first + count - 1) / row_units;
    for (uint64_t row = first / row_units; row <= last_row; row += lanes) {
        for (uint64_t column = 0; column < row_units; column++) {
            for (uint64_t r = row; r < row + lanes; r++) {
                const uint64_t unit = r * row_units + column;
                if (unit >= first && unit < first + count) order[filled++] = unit;
            }
        }
    }
    assert_int_equal(filled, count);
}

static void bands_are_the_columns_of_rows(void **state)
{
    (void)state;
    unsigned short random[3] = {4, 5, 6};
    uint64_t order[300];
    for (int round = 0; round < 20000; round++) {
        const uint64_t first = (uint64_t)(erand48(random) * 100);
        const uint64_t count = 1 + (uint64_t)(erand48(random) * 299);
        const uint64_t row_units = 1 + (uint64_t)(erand48(random) * (round % 2 == 0 ? 3 : 40));
        const size_t lanes = 1 + (size_t)(erand48(random) * (round % 3 == 0 ? 1 : 20));
        list_order(first, count, row_units, lanes, order);
        cop_bands bands = cop_bands_of(first, count, row_units, lanes);
        cop_band next;
        size_t at = 0;
        while (cop_bands_next(&bands, &next)) {
            assert_true(next.count >= 1 && next.count <= lanes);
            assert_int_equal(next.step, row_units);
            for (size_t i = 0; i < next.count; i++)
                assert_int_equal(order[at++], next.first + i * next.step);
            assert_int_equal(bands.left, count - at);
        }
        assert_int_equal(at, count);
    }
    /* Rows that have no end. */
    cop_bands bands = cop_bands_of(7, 3, UINT32_MAX, 256);
    cop_band next;
    for (uint64_t i = 0; i < 3; i++) {
        assert_true(cop_bands_next(&bands, &next));
        assert_int_equal(next.first, 7 + i);
        assert_int_equal(next.count, 1);
    }
    assert_false(cop_bands_next(&bands, &next));
}

/* Whole rows for all lanes while there is plenty, from the first chunk on; one of a single lane
 * beside it gets what it always got. */
static void chunks_fill_the_lanes(void **state)
{
    (void)state;
    enum { ROW = 4, WIDE = 8 };
    cop_schedule *s = make(2, 2000, ROW, 1);
    cop_schedule_join(s, 0, WIDE);
    cop_schedule_join(s, 1, 1);
    assert_int_equal(take(s, 0, 0).count, WIDE * ROW);
    assert_int_equal(take(s, 1, 0).count, ROW);
    /* A row takes the wide one longer than a chunk should, and yet they come by eight. */
    uint64_t order[WIDE * ROW];
    list_order(0, WIDE * ROW, ROW, WIDE, order);
    double now_s = 0;
    for (size_t i = 0; i < WIDE * ROW; i++) {
        if (i % WIDE == 0) now_s += 24;
        assert_int_equal(cop_schedule_done(s, 0, order[i], 3, now_s), COP_SCHEDULE_TAKEN);
    }
    assert_true(fabs(cop_schedule_unit_s(s) - 3) < 1e-9);
    const cop_schedule_chunk next = take(s, 0, now_s);
    assert_int_equal(next.first % ROW, 0);
    assert_int_equal(next.count, WIDE * ROW);
    cop_schedule_destroy(&s);
}

/* A fast one gets several times as many, and its share at the end. */
static void chunks_shrink_to_a_share(void **state)
{
    (void)state;
    enum { WIDE = 8 };
    cop_schedule *s = make(2, 1000, 1, 1);
    double now_s = 0;
    size_t largest = 0;
    size_t smallest = SIZE_MAX;
    for (size_t w = 0; w < 2; w++)
        cop_schedule_join(s, w, WIDE);
    while (cop_schedule_left(s) > 0) {
        for (size_t w = 0; w < 2; w++) {
            const size_t left = cop_schedule_waiting(s);
            const cop_schedule_chunk chunk = take(s, w, now_s);
            if (left > 4 * WIDE && chunk.count > 0) assert_int_equal(chunk.count % WIDE, 0);
            if (left == WIDE && chunk.count > 0)
                assert_in_range(chunk.count, WIDE / 2, WIDE / 2 + 1);
            if (chunk.count > largest) largest = chunk.count;
            if (chunk.count > 0 && chunk.count < smallest) smallest = chunk.count;
            for (size_t i = 0; i < chunk.count; i++) {
                now_s += 0.01;
                assert_int_equal(cop_schedule_done(s, w, chunk.first + i, 0.01, now_s),
                                 COP_SCHEDULE_TAKEN);
            }
        }
    }
    assert_true(largest >= 100);
    assert_true(smallest <= 2);
    cop_schedule_destroy(&s);
}

/* The time of a group is that of all its units, at the deadline as in what is learnt. */
static void times_are_shared(void **state)
{
    (void)state;
    enum { ROW = 2, WIDE = 4 };
    cop_schedule *s = make(2, 16 * ROW, ROW, 0.5);
    cop_schedule_join(s, 0, WIDE);
    cop_schedule_chunk chunk = take(s, 0, 0);
    assert_int_equal(chunk.count, WIDE * ROW);
    for (size_t i = 0; i < WIDE; i++)
        assert_int_equal(cop_schedule_done(s, 0, i * ROW, 1, 4), COP_SCHEDULE_TAKEN);
    assert_true(fabs(cop_schedule_unit_s(s) - 1) < 1e-9);
    assert_true(fabs(cop_schedule_deadline_s(s) - 10) < 1e-9); /* ten times a fourth of four */
    /* Four units of half the size: twenty seconds. */
    assert_int_equal(cop_schedule_overdue(s, 0, 4 + 19.9), 2);
    assert_int_equal(cop_schedule_overdue(s, 0, 4 + 20.1), 0);
    /* The order of answers is that of computing. */
    assert_int_equal(cop_schedule_done(s, 0, 3, 0.5, 6), COP_SCHEDULE_UNKNOWN);
    assert_int_equal(cop_schedule_done(s, 0, 1, 0.5, 6), COP_SCHEDULE_TAKEN);
    /* After the first of a group, what is left of it counts: three units of half the size. */
    assert_int_equal(cop_schedule_overdue(s, 0, 6 + 14.9), 2);
    assert_int_equal(cop_schedule_overdue(s, 0, 6 + 15.1), 0);
    /* It cannot have taken longer than rank 0 has waited for all of them. */
    for (uint64_t unit = 3; unit < (size_t)WIDE * ROW; unit += ROW)
        assert_int_equal(cop_schedule_done(s, 0, unit, 100, 6), COP_SCHEDULE_TAKEN);
    assert_true(fabs(cop_schedule_unit_s(s) - 1) < 1e-9);
    cop_schedule_destroy(&s);
}

/* Of a group that comes after the deadline no unit teaches anything. */
static void a_late_group_teaches_nothing(void **state)
{
    (void)state;
    enum { WIDE = 4 };
    cop_schedule *s = make(2, 100, 1, 1);
    cop_schedule_join(s, 0, WIDE);
    uint64_t unit = take(s, 0, 0).first;
    for (size_t i = 0; i < WIDE; i++)
        assert_int_equal(cop_schedule_done(s, 0, unit++, 1, 4), COP_SCHEDULE_TAKEN);
    assert_int_equal(take(s, 0, 4).first, unit);
    for (size_t i = 0; i < WIDE; i++)
        assert_int_equal(cop_schedule_done(s, 0, unit++, 100, 1000), COP_SCHEDULE_TAKEN);
    assert_true(fabs(cop_schedule_deadline_s(s) - 10) < 1e-9);
    assert_true(fabs(cop_schedule_unit_s(s) - 1) < 1e-9);
    cop_schedule_destroy(&s);
}

/* Who leaves in the middle: what it answered stays, the rest goes to others, as many at a time
 * as they have lanes; one that has failed goes alone. */
static void what_is_left_goes_to_others(void **state)
{
    (void)state;
    enum { ROW = 2, WIDE = 4 };
    cop_error err = {0};
    cop_schedule *s = make(3, 24 * ROW, ROW, 1);
    cop_schedule_verdict verdict;
    int attempts = 0;
    cop_schedule_join(s, 0, WIDE);
    const cop_schedule_chunk chunk = take(s, 0, 0);
    assert_int_equal(chunk.count, WIDE * ROW);
    assert_int_equal(cop_schedule_done(s, 0, 0, 1, 1), COP_SCHEDULE_TAKEN);
    assert_int_equal(cop_schedule_failed(s, 0, 2, 1, &verdict, &attempts, &err), COP_OK);
    assert_int_equal(attempts, 1);
    assert_int_equal(cop_schedule_leave(s, 0, &err), COP_OK);
    assert_int_equal(cop_schedule_returned(s), WIDE * ROW - 1);
    cop_schedule_join(s, 1, WIDE);
    cop_schedule_join(s, 2, 1);
    bool seen[WIDE * ROW] = {true};
    for (int i = 0; cop_schedule_returned(s) > 0; i++) {
        const size_t worker = i % 2 == 0 ? 1 : 2;
        const cop_schedule_chunk again = take(s, worker, 2);
        if (again.first == 2 || worker == 2) assert_int_equal(again.count, 1);
        for (uint64_t u = again.first; u < again.first + again.count; u++) {
            assert_true(u < WIDE * ROW && !seen[u]);
            seen[u] = true;
        }
        uint64_t order[WIDE * ROW];
        list_order(again.first, again.count, ROW, worker == 1 ? WIDE : 1, order);
        for (size_t u = 0; u < again.count; u++)
            assert_int_equal(cop_schedule_done(s, worker, order[u], 1, 3), COP_SCHEDULE_TAKEN);
    }
    assert_int_equal(cop_schedule_left(s), (24 - WIDE) * ROW);
    cop_schedule_destroy(&s);
}

/* Of several units that a worker hangs at, others get each by itself, so that the one that is
 * to blame is found at its next try; what was not begun stays together. */
static void what_hangs_goes_alone(void **state)
{
    (void)state;
    enum { WIDE = 4 };
    cop_error err = {0};
    cop_schedule *s = make(2, 100, 1, 1);
    uint64_t blamed = 99;
    cop_schedule_join(s, 0, WIDE);
    uint64_t unit = 0;
    assert_int_equal(take(s, 0, 0).count, WIDE);
    for (; unit < WIDE; unit++)
        assert_int_equal(cop_schedule_done(s, 0, unit, 0.1, 0.4), COP_SCHEDULE_TAKEN);
    const size_t count = take(s, 0, 1).count;
    assert_in_range(count, WIDE + 1, 96);
    assert_int_equal(cop_schedule_overdue(s, 0, 1000), 0);
    assert_int_equal(cop_schedule_blame(s, 0, &blamed), 1);
    assert_int_equal(blamed, unit);
    assert_int_equal(cop_schedule_leave(s, 0, &err), COP_OK);
    assert_int_equal(cop_schedule_returned(s), count);
    cop_schedule_join(s, 1, WIDE);
    for (; unit < (uint64_t)2 * WIDE; unit++) {
        const cop_schedule_chunk chunk = take(s, 1, 1000);
        assert_int_equal(chunk.first, unit);
        assert_int_equal(chunk.count, 1);
        assert_int_equal(cop_schedule_done(s, 1, unit, 1, 1001), COP_SCHEDULE_TAKEN);
    }
    assert_int_equal(take(s, 1, 1001).count, count - WIDE < WIDE ? count - WIDE : WIDE);
    cop_schedule_destroy(&s);
}

/* What a slow worker has answered is no more its own, even if it has failed at it: whoever
 * computes it now is not slow. */
static void no_copies_of_what_was_answered(void **state)
{
    (void)state;
    cop_error err = {0};
    cop_schedule *s = make(3, 12, 1, 1);
    cop_schedule_verdict verdict;
    int attempts = 0;
    size_t copies = 0;
    cop_schedule_join(s, 0, 2);
    assert_int_equal(take(s, 0, 0).count, 2);
    cop_schedule_join(s, 1, 1);
    cop_schedule_join(s, 2, 1);
    double now_s = 0;
    while (cop_schedule_waiting(s) > 0) {
        const cop_schedule_chunk chunk = take(s, 1, now_s);
        for (size_t i = 0; i < chunk.count; i++) {
            now_s += 1;
            assert_int_equal(cop_schedule_done(s, 1, chunk.first + i, 1, now_s),
                             COP_SCHEDULE_TAKEN);
        }
    }
    assert_int_equal(cop_schedule_failed(s, 0, 0, now_s, &verdict, &attempts, &err), COP_OK);
    assert_int_equal(take(s, 2, now_s).first, 0);
    assert_int_equal(cop_schedule_copy(s, now_s + 3, &copies, &err), COP_OK);
    assert_int_equal(copies, 1);
    assert_int_equal(take(s, 1, now_s + 3).first, 1);
    assert_int_equal(cop_schedule_done(s, 1, 1, 1, now_s + 4), COP_SCHEDULE_TAKEN);
    cop_schedule_excuse(s, 2, now_s + 4);
    assert_int_equal(cop_schedule_copy(s, now_s + 5, &copies, &err), COP_OK);
    assert_int_equal(copies, 0);
    assert_int_equal(cop_schedule_done(s, 2, 0, 2, now_s + 6), COP_SCHEDULE_TAKEN);
    assert_int_equal(cop_schedule_left(s), 0);
    cop_schedule_destroy(&s);
}

/* What one worker owes, as the test knows it. */
typedef struct owed {
    uint64_t units[2][MOST]; /* in order of answers */
    size_t count[2], at;
    size_t lanes;
    bool here;
} owed;

static void add(owed *o, const cop_schedule_chunk *chunk, size_t row_units)
{
    if (chunk->count == 0) return;
    const int place = o->count[0] == 0 ? 0 : 1;
    assert_int_equal(o->count[place], 0);
    list_order(chunk->first, chunk->count, row_units, o->lanes, o->units[place]);
    o->count[place] = chunk->count;
}

static uint64_t pop(owed *o)
{
    const uint64_t unit = o->units[0][o->at++];
    if (o->at < o->count[0]) return unit;
    for (size_t i = 0; i < o->count[1]; i++)
        o->units[0][i] = o->units[1][i];
    o->count[0] = o->count[1];
    o->count[1] = 0;
    o->at = 0;
    return unit;
}

/* Anything that can happen, in any order, with workers of any width: every unit once. */
static void any_history_ends_with_every_unit_once(void **state)
{
    (void)state;
    enum { UNITS = 500, WORKERS = 6 };
    static owed workers[WORKERS];
    cop_error err = {0};
    for (unsigned seed = 1; seed <= 60; seed++) {
        unsigned short random[3] = {1, 2, (unsigned short)seed};
        const size_t row_units = 1 + seed % 5;
        cop_schedule *s = make(WORKERS, UNITS, row_units, 0.5);
        int answers[UNITS] = {0};
        double now_s = 0;
        for (size_t w = 0; w < WORKERS; w++)
            workers[w].here = false;
        for (int step = 0; cop_schedule_left(s) > 0; step++) {
            assert_true(step < 200000);
            const size_t w = (size_t)(erand48(random) * WORKERS);
            owed *const o = &workers[w];
            const double luck = erand48(random);
            size_t copies = 0;
            now_s += 0.01;
            if (!o->here || luck < 0.01) {
                if (o->here) assert_int_equal(cop_schedule_leave(s, w, &err), COP_OK);
                *o = (owed){.here = true, .lanes = 1 + (size_t)(erand48(random) * 12)};
                cop_schedule_join(s, w, o->lanes);
            } else if (luck < 0.02) {
                assert_int_equal(cop_schedule_copy(s, now_s, &copies, &err), COP_OK);
            } else if (o->count[0] > 0 && luck < 0.1) {
                cop_schedule_verdict verdict;
                int attempts = 0;
                assert_int_equal(
                    cop_schedule_failed(s, w, pop(o), now_s, &verdict, &attempts, &err),
                    COP_OK);
                assert_int_not_equal(verdict, COP_SCHEDULE_UNKNOWN);
            } else if (o->count[0] > 0) {
                const uint64_t unit = pop(o);
                const cop_schedule_verdict verdict = cop_schedule_done(s, w, unit, 0.01, now_s);
                assert_int_not_equal(verdict, COP_SCHEDULE_UNKNOWN);
                if (verdict == COP_SCHEDULE_TAKEN) answers[unit]++;
            }
            const cop_schedule_chunk chunk = take(s, w, now_s);
            add(o, &chunk, row_units);
        }
        for (size_t i = 0; i < UNITS; i++)
            assert_int_equal(answers[i], 1);
        cop_schedule_destroy(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bands_are_the_columns_of_rows),
        cmocka_unit_test(chunks_fill_the_lanes),
        cmocka_unit_test(chunks_shrink_to_a_share),
        cmocka_unit_test(times_are_shared),
        cmocka_unit_test(a_late_group_teaches_nothing),
        cmocka_unit_test(what_is_left_goes_to_others),
        cmocka_unit_test(what_hangs_goes_alone),
        cmocka_unit_test(no_copies_of_what_was_answered),
        cmocka_unit_test(any_history_ends_with_every_unit_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
