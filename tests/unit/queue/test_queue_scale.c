/* Many ranks that only sleep, of speeds from 0.4 to 1: what the coordinator costs them. Alone
 * it takes four ranks; tests/e2e/test_queue_scale.py starts it with as many as the machine
 * bears. */
#include "unit/queue/queue_support.h"

#include <math.h>

/* A phase of its own: units of `batch` scores, the toy's are too few. */
enum { BATCH = 100, ROUND = 20, ROW_BYTES = 16 };

typedef struct sleeper {
    double unit_s;
    double ended_s; /* the last unit, negative: none yet */
    double gap_sum_s, gap_worst_s;
    uint64_t gaps, short_gaps; /* short: under 1 ms */
    uint8_t *seen;             /* rank 0: [units] */
} sleeper;

static void begin(void *context, const uint64_t *units, size_t count, void **pending,
                  cop_error *failures)
{
    (void)units;
    (void)count;
    (void)pending;
    (void)failures;
    sleeper *const s = context;
    const double start_s = cop_timer_now_s();
    if (s->ended_s >= 0) {
        const double gap_s = start_s - s->ended_s;
        s->gap_sum_s += gap_s;
        s->gap_worst_s = fmax(s->gap_worst_s, gap_s);
        s->gaps++;
        s->short_gaps += gap_s < 1e-3;
    }
    while (cop_timer_now_s() - start_s < s->unit_s)
        cop_timer_sleep(s->unit_s - (cop_timer_now_s() - start_s));
    s->ended_s = cop_timer_now_s();
}

static cop_status finish(void *context, uint64_t unit, void *pending, cop_queue_result *result,
                         cop_error *err)
{
    (void)context;
    (void)unit;
    (void)pending;
    (void)err;
    if (result == NULL) return COP_OK;
    result->score_count = BATCH;
    for (size_t i = 0; i < BATCH; i++)
        result->scores[i] = (float)i;
    return COP_OK;
}

static cop_status order(void *context, const void *data, size_t bytes, cop_error *err)
{
    (void)data;
    (void)bytes;
    (void)err;
    ((sleeper *)context)->ended_s = -1; /* the wait for a phase is no gap */
    return COP_OK;
}

static cop_status chunk(void *context, uint64_t first, size_t count, const void *data,
                        size_t bytes, cop_error *err)
{
    (void)context;
    (void)first;
    (void)count;
    (void)data;
    (void)bytes;
    (void)err;
    return COP_OK;
}

/* As much as a candidate of one component takes. */
static cop_status pack(void *context, uint64_t first, size_t count, bool again, cop_text *data,
                       cop_error *err)
{
    static const char row[ROW_BYTES];
    (void)context;
    (void)again;
    for (uint64_t r = first / ROW_UNITS; r <= (first + count - 1) / ROW_UNITS; r++)
        COP_TRY(cop_text_append(data, row, sizeof row, err));
    return COP_OK;
}

static cop_status check(void *context, const cop_queue_result *result, cop_error *err)
{
    (void)context;
    return result->score_count == BATCH ? COP_OK : cop_error_set(err, COP_ERR_MPI, "scores");
}

static cop_status done(void *context, const cop_queue_result *result, cop_error *err)
{
    (void)err;
    ((sleeper *)context)->seen[result->unit]++;
    return COP_OK;
}

static cop_status tick(void *context, cop_error *err)
{
    (void)context;
    (void)err;
    return COP_OK;
}

static void run_phase(sleeper *s, const cop_queue_options *options, size_t count,
                      cop_queue_stats *stats, cop_traffic *traffic)
{
    cop_error err = {0};
    cop_queue *queue = NULL;
    int missing = 0;
    uint64_t *const units = cop_memory_alloc(count, sizeof *units, &err);
    assert_non_null(units);
    for (size_t i = 0; i < count; i++)
        units[i] = i;
    const cop_queue_phase phase = {.units = units,
                                   .unit_count = count,
                                   .row_units = ROW_UNITS,
                                   .last_size = 1,
                                   .context = s,
                                   .pack = pack,
                                   .check = check,
                                   .done = done,
                                   .tick = tick};
    assert_int_equal(cop_queue_open(shared_world, options, NULL, &queue, &err), COP_OK);
    assert_int_equal(cop_queue_run(queue, &phase, &err), COP_OK);
    *stats = cop_queue_get_stats(queue);
    *traffic = cop_world_traffic(shared_world); /* before the stragglers' last results */
    assert_int_equal(cop_queue_close(shared_world, &queue, 120, &missing, &err), COP_OK);
    assert_int_equal(missing, 0);
    cop_memory_free(units);
}

/* What a rank found. */
typedef struct facts {
    double gap_sum_s, gap_worst_s, speed;
    uint64_t gaps, short_gaps;
} facts;

static void report(const facts *all, int workers, size_t units, double unit_s,
                   const cop_queue_stats *stats, const cop_traffic *traffic)
{
    facts sum = {0};
    for (int r = 1; r <= workers; r++) {
        sum.gap_sum_s += all[r].gap_sum_s;
        sum.gap_worst_s = fmax(sum.gap_worst_s, all[r].gap_worst_s);
        sum.gaps += all[r].gaps;
        sum.short_gaps += all[r].short_gaps;
        sum.speed += all[r].speed;
    }
    const double ideal_s = (double)units * unit_s / sum.speed;
    const double per_unit =
        (double)(traffic->sent_bytes + traffic->received_bytes - 4 * stats->scores -
                 traffic->rank_bytes - stats->again_bytes) /
        (double)units;
    const double per_rank = (double)traffic->rank_bytes / workers;
    (void)printf("* %d workers, %zu units of %.0f ms and more: %.2f s, %.2f of the ideal\n",
                 workers, units, 1000 * unit_s, stats->wall_s, stats->wall_s / ideal_s);
    (void)printf("* rank 0: %.2f%% of a processor, %.1f us per unit\n",
                 100 * stats->cpu_s / stats->wall_s, 1e6 * stats->cpu_s / (double)units);
    (void)printf(
        "* from a unit's end to the next one's begin: mean %.0f us, %.1f%% under 1 ms, worst "
        "%.1f ms\n",
        1e6 * sum.gap_sum_s / (double)sum.gaps, 100 * (double)sum.short_gaps / (double)sum.gaps,
        1e3 * sum.gap_worst_s);
    (void)printf("* %.1f bytes per unit and 4 per score; %.1f per rank, %llu for what was done "
                 "twice\n",
                 per_unit, per_rank, (unsigned long long)stats->again_bytes);
    /* However many ranks there are: a result, at most a chunk of its own, at most a row. And a
     * rank: ready, the order, at most a cancel and the answer to it. */
    assert_true(per_unit >= 20 && per_unit <= 20 + 12 + ROW_BYTES);
    assert_true(per_rank >= 12 && per_rank <= 12 + 8 + 4 + 12);
    /* Sanity, not speed: rank 0 sleeps, and nobody waits for it in earnest. */
    assert_true(stats->cpu_s < 0.25 * stats->wall_s);
    assert_true(sum.gap_sum_s < 0.5 * (double)units * unit_s);
}

/* So many units of at least `unit_s` a worker. */
static void run_ranks(size_t each, double unit_s)
{
    cop_error err = {0};
    const int workers = cop_world_size(shared_world) - 1;
    const int rank = cop_world_rank(shared_world);
    const double speed = rank == 0 ? 0 : 0.4 + 0.6 * (double)(rank % 7) / 6;
    const size_t units = (size_t)workers * each;
    const cop_queue_options options = {
        .score_capacity = BATCH, .chunk_s = 5, .deadline_factor = 20, .deadline_least_s = 60};
    sleeper s = {.unit_s = rank == 0 ? 0 : unit_s / speed, .ended_s = -1};
    cop_queue_stats stats = {0};
    const cop_traffic before = cop_world_traffic(shared_world);
    cop_traffic traffic = before;
    if (rank == 0) {
        s.seen = cop_memory_alloc(units, 1, &err);
        assert_non_null(s.seen);
        run_phase(&s, &options, units, &stats, &traffic);
        for (size_t i = 0; i < units; i++)
            assert_int_equal(s.seen[i], 1);
        cop_memory_free(s.seen);
    } else {
        const cop_queue_work work = {
            .context = &s, .order = order, .chunk = chunk, .begin = begin, .finish = finish};
        assert_int_equal(cop_queue_serve(shared_world, &options, &work, &err), COP_OK);
    }
    traffic.sent_bytes -= before.sent_bytes;
    traffic.received_bytes -= before.received_bytes;
    traffic.rank_bytes -= before.rank_bytes;
    const facts mine = {s.gap_sum_s, s.gap_worst_s, speed, s.gaps, s.short_gaps};
    facts *const all =
        rank == 0 ? cop_memory_alloc((size_t)workers + 1, sizeof *all, &err) : NULL;
    assert_int_equal(cop_world_gather(shared_world, &mine, sizeof mine, all, &err), COP_OK);
    meet(); /* what is said to the next queue is not dropped by rank 0 as it closes this one */
    if (all != NULL) report(all, workers, units, unit_s, &stats, &traffic);
    cop_memory_free(all);
}

static double usual_unit_s(void)
{
    return cop_world_size(shared_world) <= 16 ? 0.02 : 0.5;
}

static void many_ranks(void **state)
{
    (void)state;
    run_ranks(ROUND, usual_unit_s());
}

/* Where ranks have few units each, what is said to them weighs most: that is counted apart. */
static void few_units_for_each_rank(void **state)
{
    (void)state;
    run_ranks(2, usual_unit_s());
}

int main(int argc, char **argv)
{
    cop_error err = {0};
    start_ranks("4", argv);
    if (cop_world_open(&argc, &argv, &shared_world, &err) != COP_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(many_ranks),
                                       cmocka_unit_test(few_units_for_each_rank)};
    const int result = cmocka_run_group_tests(tests, NULL, NULL);
    if (cop_world_close(&shared_world, &err) != COP_OK) return 1;
    return result;
}
