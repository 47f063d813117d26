/* A toy phase for the queue's tests: units of one to five scores that follow from the unit. */
#ifndef TESTS_QUEUE_SUPPORT_H
#define TESTS_QUEUE_SUPPORT_H

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/queue/queue.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { UNITS = 60, SCORES = 5, ROW_UNITS = 4, LANES = 3 };

typedef struct toy toy;
struct toy {
    cop_world *world;
    /* rank 0 */
    int seen[UNITS]; /* results of each unit */
    int by[UNITS];   /* the rank that it came from */
    float got[UNITS][SCORES];
    int results, answers_right;
    int packed_again; /* chunks of units that had been handed out before */
    int stop_after;   /* results; 0: never */
    char notes[4096];
    double least_seconds; /* of a result */
    double deadline_s;    /* least */
    /* all */
    bool overlap;
    double unit_s;
    int failures_left[UNITS]; /* of each unit, on this rank */
    uint64_t not_finite;      /* this unit reports COP_ERR_NUMERIC */
    char order[16];
    uint64_t chunk_first, chunk_end;
    uint64_t begun[2 * LANES]; /* [begun_count] units begun and not finished */
    int begun_count, most_begun, evaluated;
    size_t lanes;
    double group_s;           /* what units take that are begun together, besides */
    int groups, wrong_groups; /* of units that were begun together */
    bool wrong_handle;        /* some unit came with a handle that was not its own */
    size_t largest_group;
    /* What this rank does to a unit besides. */
    cop_status (*spoil)(toy *t, uint64_t unit, cop_queue_result *result, cop_error *err);
    cop_status (*hinder)(toy *t, uint64_t unit, cop_error *err);
};

static cop_world *shared_world;

static inline float expected(uint64_t unit, size_t i)
{
    return (float)unit * 10.0F + (float)i;
}

/* More than 32 bits of them. */
static inline uint64_t token_count(uint64_t unit)
{
    return unit << 30 | unit;
}

static inline size_t score_count(uint64_t unit)
{
    return 1 + unit % SCORES;
}

static inline cop_status toy_order(void *context, const void *data, size_t bytes,
                                   cop_error *err)
{
    toy *const t = context;
    if (bytes >= sizeof t->order) return cop_error_set(err, COP_ERR_MPI, "a long order");
    memcpy(t->order, data, bytes);
    t->order[bytes] = '\0';
    return COP_OK;
}

static inline cop_status toy_chunk(void *context, uint64_t first, size_t count,
                                   const void *data, size_t bytes, cop_error *err)
{
    toy *const t = context;
    uint64_t told = 0;
    if (bytes != sizeof told) return cop_error_set(err, COP_ERR_MPI, "a strange chunk");
    memcpy(&told, data, sizeof told);
    if (told != first * first) return cop_error_set(err, COP_ERR_MPI, "another chunk's data");
    t->chunk_first = first;
    t->chunk_end = first + count;
    return COP_OK;
}

/* Looks at units that are begun together. */
static inline void toy_group(toy *t, const uint64_t *units, size_t count)
{
    t->groups++;
    if (count > t->largest_group) t->largest_group = count;
    for (size_t i = 0; i < count; i++) {
        const bool there = units[i] >= t->chunk_first && units[i] < t->chunk_end;
        if (!there || units[i] != units[0] + i * ROW_UNITS) t->wrong_groups++;
    }
    if (t->group_s > 0) cop_timer_sleep(t->group_s);
}

static inline cop_status toy_begin_one(toy *t, uint64_t unit, cop_error *err)
{
    if (strcmp(t->order, "order") != 0 || unit < t->chunk_first || unit >= t->chunk_end)
        return cop_error_set(err, COP_ERR_MPI, "unit %d is not in this chunk", (int)unit);
    if (t->hinder != NULL) {
        const cop_status status = t->hinder(t, unit, err);
        if (status != COP_OK) return status;
    }
    for (double spent_s = 0; spent_s < t->unit_s; spent_s += 0.01) {
        cop_timer_sleep(t->unit_s < 0.01 ? t->unit_s : 0.01);
        if (cop_queue_cancelled(t->world))
            return cop_error_set(err, COP_INTERRUPTED, "dropped");
    }
    if (t->failures_left[unit] > 0) {
        t->failures_left[unit]--;
        return cop_error_set(err, COP_ERR_IO, "unit %d is unlucky", (int)unit);
    }
    if (t->begun_count == 2 * LANES) return cop_error_set(err, COP_ERR_INTERNAL, "too many");
    t->begun[t->begun_count++] = unit;
    if (t->begun_count > t->most_begun) t->most_begun = t->begun_count;
    return COP_OK;
}

static inline void toy_begin(void *context, const uint64_t *units, size_t count, void **pending,
                             cop_error *failures)
{
    toy *const t = context;
    if (count > 1) toy_group(t, units, count);
    for (size_t i = 0; i < count; i++) {
        failures[i].status = toy_begin_one(t, units[i], &failures[i]);
        if (failures[i].status == COP_OK) pending[i] = &t->seen[units[i]];
    }
}

static inline cop_status toy_finish(void *context, uint64_t unit, void *pending,
                                    cop_queue_result *result, cop_error *err)
{
    toy *const t = context;
    const bool in_turn = t->begun_count > 0 && t->begun[0] == unit;
    if (pending != &t->seen[unit]) t->wrong_handle = true;
    for (int i = 1; i < t->begun_count; i++)
        t->begun[i - 1] = t->begun[i];
    t->begun_count--;
    if (!in_turn) return cop_error_set(err, COP_ERR_INTERNAL, "finished out of turn");
    if (result == NULL) return COP_OK;
    if (unit == t->not_finite) return cop_error_set(err, COP_ERR_NUMERIC, "not finite");
    result->score_count = score_count(unit);
    for (size_t i = 0; i < result->score_count; i++)
        result->scores[i] = expected(unit, i);
    result->has_answers = unit % 2 == 1;
    for (size_t i = 0; result->has_answers && i < result->score_count; i++)
        result->answers[i] = UINT64_MAX - unit * SCORES - i;
    result->tokens = token_count(unit);
    t->evaluated++;
    return t->spoil != NULL ? t->spoil(t, unit, result, err) : COP_OK;
}

static inline cop_status toy_pack(void *context, uint64_t first, size_t count, bool again,
                                  cop_text *data, cop_error *err)
{
    ((toy *)context)->packed_again += again;
    (void)count;
    const uint64_t square = first * first;
    return cop_text_append(data, (const char *)&square, sizeof square, err);
}

static inline cop_status toy_check(void *context, const cop_queue_result *result,
                                   cop_error *err)
{
    (void)context;
    if (result->unit >= UNITS) return cop_error_set(err, COP_ERR_MPI, "no such unit");
    if (result->status == COP_OK && result->score_count != score_count(result->unit))
        return cop_error_set(err, COP_ERR_MPI, "%zu scores", result->score_count);
    return COP_OK;
}

static inline cop_status toy_done(void *context, const cop_queue_result *result, cop_error *err)
{
    (void)err;
    toy *const t = context;
    t->seen[result->unit]++;
    t->by[result->unit] = result->rank;
    if (result->seconds < t->least_seconds) t->least_seconds = result->seconds;
    t->results++;
    for (size_t i = 0; i < result->score_count; i++)
        t->got[result->unit][i] =
            result->tokens == token_count(result->unit) ? result->scores[i] : -1.0F;
    t->answers_right += result->has_answers == (result->unit % 2 == 1);
    for (size_t i = 0; result->has_answers && i < result->score_count; i++)
        t->answers_right -= result->answers[i] != UINT64_MAX - result->unit * SCORES - i;
    return COP_OK;
}

static inline void toy_note(void *context, const char *text)
{
    toy *const t = context;
    const size_t used = strlen(t->notes);
    (void)snprintf(t->notes + used, sizeof t->notes - used, "%s\n", text);
}

static inline cop_status toy_tick(void *context, cop_error *err)
{
    const toy *const t = context;
    if (t->stop_after > 0 && t->results >= t->stop_after)
        return cop_error_set(err, COP_INTERRUPTED, "asked to stop");
    return COP_OK;
}

static inline toy make_toy(void)
{
    return (toy){.world = shared_world,
                 .not_finite = UINT64_MAX,
                 .deadline_s = 1000,
                 .least_seconds = 1e9};
}

static inline bool is_first(void)
{
    return cop_world_rank(shared_world) == 0;
}

static inline cop_queue_options toy_options(const toy *t)
{
    return (cop_queue_options){.score_capacity = SCORES,
                               .chunk_s = 5,
                               .deadline_factor = 3,
                               .deadline_least_s = t->deadline_s};
}

static inline cop_queue_work toy_work(toy *t)
{
    return (cop_queue_work){.context = t,
                            .overlap = t->overlap,
                            .lanes = t->lanes,
                            .order = toy_order,
                            .chunk = toy_chunk,
                            .begin = toy_begin,
                            .finish = toy_finish};
}

/* Rank 0: one phase of units [count]. */
static inline cop_status toy_phase(toy *t, cop_queue *queue, const uint64_t *units,
                                   size_t count, cop_error *err)
{
    const cop_queue_phase phase = {.units = units,
                                   .unit_count = count,
                                   .row_units = ROW_UNITS,
                                   .last_size = 0.5,
                                   .order = "order",
                                   .order_bytes = 5,
                                   .context = t,
                                   .pack = toy_pack,
                                   .check = toy_check,
                                   .done = toy_done,
                                   .note = toy_note,
                                   .tick = toy_tick};
    return cop_queue_run(queue, &phase, err);
}

/* Rank 0 lets the others go; all meet, so that the next test's messages are its own. */
static inline void meet(void)
{
    cop_error err = {0};
    assert_int_equal(cop_world_agree(shared_world, COP_OK, &err), COP_OK);
}

static inline void list_units(uint64_t *units)
{
    for (uint64_t u = 0; u < UNITS; u++)
        units[u] = u;
}

/* One phase of all units: what rank 0 got; the others' status is that of serving. */
static inline cop_status toy_run(toy *t, cop_queue_stats *stats, cop_error *err)
{
    const cop_queue_options options = toy_options(t);
    const cop_queue_work work = toy_work(t);
    cop_status status = COP_OK;
    if (is_first()) {
        cop_queue *queue = NULL;
        uint64_t units[UNITS];
        int missing = 0;
        cop_error closing = {0};
        list_units(units);
        assert_int_equal(cop_queue_open(shared_world, &options, &work, &queue, err), COP_OK);
        status = toy_phase(t, queue, units, UNITS, err);
        if (stats != NULL) *stats = cop_queue_get_stats(queue);
        assert_int_equal(cop_queue_close(shared_world, &queue, 60, &missing, &closing), COP_OK);
        assert_int_equal(missing, 0);
    } else {
        assert_int_equal(cop_queue_serve(shared_world, &options, &work, err), COP_OK);
    }
    assert_false(t->wrong_handle);
    meet();
    return status;
}

/* Every unit was done once, with the right scores (but for one that has none). */
static inline void check_all(const toy *t)
{
    for (uint64_t u = 0; u < UNITS; u++) {
        assert_int_equal(t->seen[u], 1);
        for (size_t i = 0; u != t->not_finite && i < score_count(u); i++)
            assert_true(t->got[u][i] == expected(u, i));
    }
}

/* A program that is started alone starts itself again with `ranks` ranks, of which only the
 * first is heard; returns in those. */
static inline void start_ranks(const char *ranks, char **argv)
{
    const char *const own = getenv("OMPI_COMM_WORLD_RANK");
    if (own == NULL) {
        (void)execl("slurm/mpirun.sh", "mpirun.sh", "--oversubscribe", "-np", ranks, argv[0],
                    (char *)NULL);
        perror("slurm/mpirun.sh");
        exit(1);
    }
    if (strcmp(own, "0") != 0 && freopen("/dev/null", "w", stdout) == NULL) exit(1);
}

#endif
