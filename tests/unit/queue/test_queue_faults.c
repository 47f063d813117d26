/* Workers that send nonsense, hang, come late or cannot work: one coordinator and three
 * workers, which the program starts by itself. */
#include "unit/queue/queue_support.h"

#include "queue/messages.h"

#include <math.h>

static int rank_of(void)
{
    return cop_world_rank(shared_world);
}

static bool is_bad(void)
{
    return rank_of() == 1;
}

static int done_by(const toy *t, int rank)
{
    int count = 0;
    for (size_t u = 0; u < UNITS; u++)
        count += t->by[u] == rank;
    return count;
}

/* --- nonsense --- */

static cop_status once_nan(toy *t, uint64_t unit, cop_queue_result *result, cop_error *err)
{
    (void)unit;
    (void)err;
    if (t->evaluated == 2) result->scores[0] = NAN;
    return COP_OK;
}

static cop_status always_infinite(toy *t, uint64_t unit, cop_queue_result *result,
                                  cop_error *err)
{
    (void)t;
    (void)unit;
    (void)err;
    result->scores[result->score_count - 1] = -INFINITY;
    return COP_OK;
}

static cop_status always_too_many(toy *t, uint64_t unit, cop_queue_result *result,
                                  cop_error *err)
{
    (void)t;
    (void)err;
    result->score_count = unit % SCORES == 0 ? 2 : 1;
    return COP_OK;
}

static cop_status strange_status(toy *t, uint64_t unit, cop_queue_result *result,
                                 cop_error *err)
{
    (void)t;
    (void)unit;
    (void)result;
    return cop_error_set(err, (cop_status)(COP_STATUS_COUNT + 5), "no such status");
}

static void send_raw(int tag, const void *data, size_t bytes)
{
    cop_error err = {0};
    assert_int_equal(cop_message_send(shared_world, 0, tag, data, bytes, NULL, 0, &err),
                     COP_OK);
}

/* An answer that this rank does not owe, right after one that it did. */
static cop_status duplicate(toy *t, uint64_t unit, cop_error *err)
{
    (void)err;
    (void)t;
    struct {
        result_header header;
        float score;
    } again = {.header = {.unit = (uint32_t)unit / SCORES * SCORES, .phase = 1}};
    if (unit % SCORES != 1 || again.header.unit < t->chunk_first) return COP_OK;
    send_raw(TAG_RESULT, &again, sizeof again.header + sizeof again.score);
    return COP_OK;
}

static cop_status invented_unit(toy *t, uint64_t unit, cop_error *err)
{
    (void)t;
    (void)err;
    (void)unit;
    struct {
        result_header header;
        float scores[SCORES];
    } invented = {.header = {.unit = UNITS - 1, .phase = 1}};
    send_raw(TAG_RESULT, &invented, sizeof invented.header + 5 * sizeof(float));
    return COP_OK;
}

static cop_status absurd_unit(toy *t, uint64_t unit, cop_error *err)
{
    (void)t;
    (void)err;
    (void)unit;
    result_header header = {.unit = UINT32_MAX - 5, .phase = 1};
    send_raw(TAG_RESULT, &header, sizeof header);
    return COP_OK;
}

static cop_status half_a_message(toy *t, uint64_t unit, cop_error *err)
{
    (void)t;
    (void)err;
    (void)unit;
    send_raw(TAG_RESULT, "half", 4);
    return COP_OK;
}

static cop_status unknown_kind(toy *t, uint64_t unit, cop_error *err)
{
    (void)t;
    (void)err;
    (void)unit;
    send_raw(4711, "?", 1);
    return COP_OK;
}

static cop_status a_megabyte(toy *t, uint64_t unit, cop_error *err)
{
    static char junk[1 << 20];
    (void)t;
    (void)err;
    (void)unit;
    send_raw(TAG_RESULT, junk, sizeof junk);
    return COP_OK;
}

static cop_status strange_time(toy *t, uint64_t unit, cop_error *err)
{
    (void)t;
    (void)err;
    result_header header = {.unit = (uint32_t)unit, .phase = 1, .seconds = NAN};
    send_raw(TAG_RESULT, &header, sizeof header);
    return COP_OK;
}

static cop_status ready_unasked(toy *t, uint64_t unit, cop_error *err)
{
    (void)t;
    (void)err;
    (void)unit;
    const ready_message ready = {.serial = 999, .lanes = 1};
    send_raw(TAG_READY, &ready, sizeof ready);
    return COP_OK;
}

static void one_nan_is_refused_and_forgiven(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    cop_queue_stats stats = {0};
    t.unit_s = 0.002;
    if (is_bad()) t.spoil = once_nan;
    assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
    if (!is_first()) return;
    check_all(&t);
    assert_int_equal(stats.nonsense, 1);
    assert_non_null(strstr(t.notes, "rank 1 sent nonsense (a score that is not finite)"));
    assert_null(strstr(t.notes, "no more work"));
}

/* Whatever a rank sends: it is refused three times, then the rank is out; the others do all. */
static void a_rank_of_nonsense_gets_no_more_work(void **state)
{
    (void)state;
    static const struct {
        cop_status (*spoil)(toy *t, uint64_t unit, cop_queue_result *result, cop_error *err);
        cop_status (*hinder)(toy *t, uint64_t unit, cop_error *err);
        const char *said;
    } kinds[] = {{always_infinite, NULL, "a score that is not finite"},
                 {always_too_many, NULL, " scores"},
                 {strange_status, NULL, "a status that there is not"},
                 {NULL, invented_unit, "a unit that it was not given"},
                 {NULL, absurd_unit, "no such unit"},
                 {NULL, half_a_message, "half a result"},
                 {NULL, unknown_kind, "a message of no kind"},
                 {NULL, a_megabyte, "a message longer than any"},
                 {NULL, strange_time, "a time that is none"},
                 {NULL, ready_unasked, "ready without having been asked"}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        toy t = make_toy();
        cop_error err = {0};
        cop_queue_stats stats = {0};
        t.unit_s = 0.01;
        if (is_bad()) t.spoil = kinds[k].spoil;
        if (is_bad()) t.hinder = kinds[k].hinder;
        assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
        if (!is_first()) continue;
        check_all(&t);
        if (strstr(t.notes, kinds[k].said) == NULL)
            fail_msg("%s: not in\n%s", kinds[k].said, t.notes);
        assert_int_equal(stats.nonsense, 3);
        assert_non_null(strstr(t.notes, "it gets no more work"));
        assert_true(done_by(&t, 1) <= 3);
    }
}

static void a_duplicate_is_refused(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    cop_queue_stats stats = {0};
    t.unit_s = 0.005;
    if (is_bad()) t.hinder = duplicate;
    assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
    if (!is_first()) return;
    check_all(&t);
    assert_true(stats.nonsense >= 1 && stats.nonsense <= 3);
    assert_non_null(strstr(t.notes, "that it has answered"));
}

static void nothing_but_nonsense_ends_the_phase(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    t.spoil = always_infinite;
    const cop_status status = toy_run(&t, NULL, &err);
    if (!is_first()) return;
    assert_int_equal(status, COP_ERR_UNIT);
    assert_non_null(strstr(err.message, "no rank is left that can be trusted"));
    assert_int_equal(t.results, 0);
}

/* --- silence --- */

/* Rank 1 sleeps through its second unit, deaf to everything. */
static cop_status sleep_deaf(toy *t, uint64_t unit, cop_error *err)
{
    (void)unit;
    (void)err;
    if (t->evaluated == 1) {
        t->evaluated++;
        cop_timer_sleep(3);
    }
    return COP_OK;
}

static void a_hung_rank_loses_its_units_and_may_come_back(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    const cop_queue_options options = {
        .score_capacity = SCORES, .chunk_s = 5, .deadline_factor = 3, .deadline_least_s = 0.3};
    const cop_queue_work work = toy_work(&t);
    t.unit_s = 0.03;
    if (is_bad()) t.hinder = sleep_deaf;
    if (is_first()) {
        uint64_t units[UNITS];
        cop_queue *queue = NULL;
        int missing = 0;
        list_units(units);
        assert_int_equal(cop_queue_open(shared_world, &options, &work, &queue, &err), COP_OK);
        assert_int_equal(toy_phase(&t, queue, units, UNITS, &err), COP_OK);
        check_all(&t);
        assert_int_equal(cop_queue_get_stats(queue).silences, 1);
        assert_non_null(strstr(t.notes, "rank 1 has been silent for more than"));
        assert_null(strstr(t.notes, "is back")); /* nobody waited for it */
        /* By the next phase but one it is awake and takes part again. */
        for (int phase = 0; phase < 4; phase++) {
            memset(t.seen, 0, sizeof t.seen);
            assert_int_equal(toy_phase(&t, queue, units, UNITS, &err), COP_OK);
            check_all(&t);
        }
        assert_non_null(strstr(t.notes, "rank 1 is back"));
        assert_true(done_by(&t, 1) > 0);
        assert_int_equal(cop_queue_get_stats(queue).nonsense, 0);
        assert_int_equal(cop_queue_close(shared_world, &queue, 60, &missing, &err), COP_OK);
        assert_int_equal(missing, 0);
    } else {
        assert_int_equal(cop_queue_serve(shared_world, &options, &work, &err), COP_OK);
    }
    meet();
}

static void silence_of_all_stops_the_job(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    t.deadline_s = 0.3;
    t.unit_s = 0.01;
    t.hinder = sleep_deaf;
    const double start_s = cop_timer_now_s();
    const cop_status status = toy_run(&t, NULL, &err);
    if (!is_first()) return;
    assert_int_equal(status, COP_INTERRUPTED);
    assert_non_null(strstr(err.message, "no rank answers any more"));
    assert_non_null(strstr(err.message, "same command again"));
    assert_true(t.results > 0 && t.results < UNITS);
    assert_true(cop_timer_now_s() - start_s < 20);
}

/* Every rank takes long for its fifth unit, but lives. */
static cop_status take_long(toy *t, uint64_t unit, cop_error *err)
{
    (void)unit;
    (void)err;
    if (t->evaluated != 4) return COP_OK;
    t->evaluated++;
    for (int i = 0; i < 120 && !cop_queue_cancelled(t->world); i++)
        cop_timer_sleep(0.01);
    return COP_OK;
}

static void a_slow_rank_that_lives_is_given_time(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    cop_queue_stats stats = {0};
    t.deadline_s = 0.5;
    t.unit_s = 0.01;
    t.hinder = take_long;
    assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
    if (!is_first()) return;
    check_all(&t);
    assert_int_equal(stats.silences, 0);
    assert_non_null(strstr(t.notes, "is slow, but alive"));
}

/* A unit that never ends, wherever it is tried. */
static cop_status never_end(toy *t, uint64_t unit, cop_error *err)
{
    if (unit != 33) return COP_OK;
    while (!cop_queue_cancelled(t->world))
        cop_timer_sleep(0.01);
    return cop_error_set(err, COP_INTERRUPTED, "dropped");
}

static void a_unit_without_end_fails(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    t.deadline_s = 0.2;
    t.unit_s = 0.01;
    t.hinder = never_end;
    const cop_status status = toy_run(&t, NULL, &err);
    if (!is_first()) return;
    assert_int_equal(status, COP_ERR_UNIT);
    assert_non_null(strstr(err.message, "unit 33 failed 3 times"));
    assert_true(t.results < UNITS);
}

/* --- late and unable ranks --- */

static void a_late_rank_asks_when_it_comes(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    t.unit_s = 0.05;
    if (is_bad()) cop_timer_sleep(0.4);
    assert_int_equal(toy_run(&t, NULL, &err), COP_OK);
    if (!is_first()) return;
    check_all(&t);
    assert_true(done_by(&t, 1) > 0);
    assert_true(done_by(&t, 1) < done_by(&t, 2) + done_by(&t, 3));
}

static void a_rank_that_comes_after_the_end_is_let_go(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    if (is_bad()) cop_timer_sleep(1);
    assert_int_equal(toy_run(&t, NULL, &err), COP_OK);
    if (is_first()) check_all(&t);
}

static cop_status run_declining(toy *t, bool declines, cop_error *err)
{
    if (!declines) return toy_run(t, NULL, err);
    const cop_error why = {.status = COP_ERR_FORMAT, .message = "model.safetensors is damaged"};
    assert_int_equal(cop_queue_decline(shared_world, &why, err), COP_OK);
    meet();
    return COP_OK;
}

static void a_rank_that_cannot_work_is_left_out(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    assert_int_equal(run_declining(&t, is_bad(), &err), COP_OK);
    if (!is_first()) return;
    check_all(&t);
    assert_int_equal(done_by(&t, 1), 0);
    assert_non_null(strstr(t.notes, "rank 1 cannot work: model.safetensors is damaged"));
}

/* More rows side by side than there may be: it fails before its first unit. */
static void a_rank_that_cannot_go_on_says_why(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    if (is_bad()) {
        const cop_queue_options options = {.score_capacity = 1};
        const cop_queue_work work = {.lanes = COP_QUEUE_MOST_LANES + 1};
        assert_int_equal(cop_queue_serve(shared_world, &options, &work, &err), COP_OK);
        meet();
        return;
    }
    assert_int_equal(toy_run(&t, NULL, &err), COP_OK);
    if (!is_first()) return;
    check_all(&t);
    assert_int_equal(done_by(&t, 1), 0);
    assert_non_null(strstr(t.notes, "rank 1 cannot work: "));
    assert_non_null(strstr(t.notes, "rows side by side"));
}

static cop_status device_lost(toy *t, uint64_t unit, cop_error *err)
{
    (void)unit;
    if (t->evaluated < 2) return COP_OK;
    return cop_error_set(err, COP_ERR_BACKEND, "the device has fallen off the bus");
}

static void a_rank_whose_device_fails_leaves(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    cop_queue_stats stats = {0};
    t.unit_s = 0.005;
    if (is_bad()) t.hinder = device_lost;
    assert_int_equal(toy_run(&t, &stats, &err), COP_OK);
    if (!is_first()) return;
    check_all(&t);
    assert_int_equal(done_by(&t, 1), 2);
    assert_int_equal(stats.failures, 1); /* and not one for each unit it might have failed */
    assert_non_null(strstr(t.notes, "rank 1 cannot go on: the device has fallen off the bus"));
}

static void where_all_devices_fail_the_reason_is_told(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    t.hinder = device_lost;
    const cop_status status = toy_run(&t, NULL, &err);
    if (!is_first()) return;
    assert_int_equal(status, COP_ERR_BACKEND);
    assert_non_null(strstr(err.message, "the device has fallen off the bus (rank "));
    assert_int_equal(t.results, 6); /* two of each rank are kept */
}

static void where_none_can_work_the_reason_is_told(void **state)
{
    (void)state;
    toy t = make_toy();
    cop_error err = {0};
    const cop_status status = run_declining(&t, !is_first(), &err);
    if (!is_first()) return;
    assert_int_equal(status, COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "model.safetensors is damaged (rank"));
}

/* A rank that never answers: told, not waited for. The last test, for it leaves a message
 * behind that nobody reads. */
static void a_missing_rank_is_counted(void **state)
{
    (void)state;
    cop_error err = {0};
    if (is_first()) {
        cop_queue *queue = NULL;
        int missing = 0;
        assert_int_equal(cop_queue_close(shared_world, &queue, 0.5, &missing, &err), COP_OK);
        assert_int_equal(missing, 1);
    } else if (!is_bad()) {
        const cop_error why = {.status = COP_ERR_FORMAT};
        assert_int_equal(cop_queue_decline(shared_world, &why, &err), COP_OK);
    }
    meet();
    message m = {0};
    bool there = false;
    if (is_bad()) {
        assert_int_equal(cop_message_poll(shared_world, 0, TAG_STOP, 0, &m, &there, &err),
                         COP_OK);
        assert_true(there);
    }
    cop_message_free(&m);
}

int main(int argc, char **argv)
{
    cop_error err = {0};
    start_ranks("4", argv);
    if (cop_world_open(&argc, &argv, &shared_world, &err) != COP_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_nan_is_refused_and_forgiven),
        cmocka_unit_test(a_rank_of_nonsense_gets_no_more_work),
        cmocka_unit_test(a_duplicate_is_refused),
        cmocka_unit_test(nothing_but_nonsense_ends_the_phase),
        cmocka_unit_test(a_hung_rank_loses_its_units_and_may_come_back),
        cmocka_unit_test(silence_of_all_stops_the_job),
        cmocka_unit_test(a_slow_rank_that_lives_is_given_time),
        cmocka_unit_test(a_unit_without_end_fails),
        cmocka_unit_test(a_late_rank_asks_when_it_comes),
        cmocka_unit_test(a_rank_that_comes_after_the_end_is_let_go),
        cmocka_unit_test(a_rank_that_cannot_work_is_left_out),
        cmocka_unit_test(a_rank_that_cannot_go_on_says_why),
        cmocka_unit_test(a_rank_whose_device_fails_leaves),
        cmocka_unit_test(where_all_devices_fail_the_reason_is_told),
        cmocka_unit_test(where_none_can_work_the_reason_is_told),
        cmocka_unit_test(a_missing_rank_is_counted),
    };
    const int result = cmocka_run_group_tests(tests, NULL, NULL);
    if (cop_world_close(&shared_world, &err) != COP_OK) return 1;
    return result;
}
