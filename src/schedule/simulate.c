/* The schedule under a simulated clock: workers of many speeds, late ones, hanging ones,
 * failing units. Messages take time; the coordinator itself is as fast as its code. */
#include "coppice/schedule/schedule.h"

#include "coppice/base/memory.h"
#include "coppice/schedule/bands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef enum event_kind {
    EVENT_JOIN,
    EVENT_CHUNK,
    EVENT_FINISH,
    EVENT_ANSWER,
    EVENT_REVIEW
} event_kind;

typedef struct event {
    double at_s;
    uint64_t order; /* among events of one moment, so that runs repeat */
    event_kind kind;
    bool failed;
    size_t worker;
    double seconds;           /* ANSWER */
    uint64_t unit;            /* ANSWER */
    cop_band band;            /* FINISH */
    cop_schedule_chunk chunk; /* CHUNK */
} event;

typedef struct sim_worker {
    double speed;
    size_t lanes;
    double hangs_s;     /* from then on it is silent; INFINITY: never */
    cop_bands queue[3]; /* chunks that have arrived */
    int queued;
    bool busy;
    double idle_since_s; /* negative: it has computed nothing yet */
} sim_worker;

typedef struct simulator {
    const cop_simulation *sim;
    cop_simulation_result *result;
    cop_schedule *schedule;
    event *heap; /* [count] */
    size_t count, capacity;
    uint64_t order;
    sim_worker *workers;
    uint64_t *units;
    uint8_t *answers; /* [units] taken */
    unsigned short random[3];
    double now_s, cpu_s, gap_sum_s;
    size_t gaps;
} simulator;

static double draw(simulator *s)
{
    return erand48(s->random);
}

static double cpu_now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- events: a binary heap by time --- */

static bool before(const event *a, const event *b)
{
    return a->at_s < b->at_s || (a->at_s <= b->at_s && a->order < b->order);
}

static cop_status push(simulator *s, event e, cop_error *err)
{
    COP_GROW(s->heap, s->capacity, s->count + 1, err);
    e.order = s->order++;
    size_t i = s->count++;
    for (; i > 0 && before(&e, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
    return COP_OK;
}

static event pop(simulator *s)
{
    const event first = s->heap[0];
    const event last = s->heap[--s->count];
    size_t i = 0;
    for (size_t child = 1; child < s->count; child = 2 * i + 1) {
        if (child + 1 < s->count && before(&s->heap[child + 1], &s->heap[child])) child++;
        if (!before(&s->heap[child], &last)) break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return first;
}

/* --- what happens --- */

/* The worker goes on with what it has next. Several units side by side take as long as one. */
static cop_status start_band(simulator *s, size_t worker, cop_error *err)
{
    sim_worker *const w = &s->workers[worker];
    w->busy = w->queued > 0;
    if (!w->busy) return COP_OK;
    if (w->idle_since_s >= 0 && cop_schedule_waiting(s->schedule) > 0) {
        s->gap_sum_s += s->now_s - w->idle_since_s;
        s->gaps++;
    }
    event finish = {.kind = EVENT_FINISH, .worker = worker};
    (void)cop_bands_next(&w->queue[0], &finish.band);
    if (w->queue[0].left == 0) {
        w->queued--;
        memmove(w->queue, w->queue + 1, (size_t)w->queued * sizeof *w->queue);
    }
    const double luck = 1 + s->sim->spread * (2 * draw(s) - 1);
    finish.at_s = s->now_s + s->sim->unit_s * luck / w->speed;
    s->result->evaluations += finish.band.count;
    return finish.at_s >= w->hangs_s ? COP_OK : push(s, finish, err);
}

/* It sends its answers. */
static cop_status finish_band(simulator *s, const event *e, cop_error *err)
{
    sim_worker *const w = &s->workers[e->worker];
    event answer = {.at_s = s->now_s + s->sim->message_s,
                    .kind = EVENT_ANSWER,
                    .worker = e->worker,
                    .seconds = s->sim->unit_s / w->speed / (double)e->band.count};
    w->idle_since_s = s->now_s;
    for (size_t i = 0; i < e->band.count; i++) {
        answer.unit = e->band.first + i * e->band.step;
        answer.failed = draw(s) < s->sim->fail_share;
        COP_TRY(push(s, answer, err));
    }
    return start_band(s, e->worker, err);
}

/* The coordinator gives the worker what the schedule has for it. */
static cop_status offer(simulator *s, size_t worker, cop_error *err)
{
    event e = {.at_s = s->now_s + s->sim->message_s, .kind = EVENT_CHUNK, .worker = worker};
    for (;;) {
        COP_TRY(cop_schedule_take(s->schedule, worker, s->now_s, &e.chunk, err));
        if (e.chunk.count == 0) return COP_OK;
        s->result->chunks++;
        COP_TRY(push(s, e, err));
    }
}

static cop_status offer_idle(simulator *s, cop_error *err)
{
    for (size_t i = 0; i < s->sim->schedule.workers && cop_schedule_returned(s->schedule) > 0;
         i++) {
        if (cop_schedule_is_idle(s->schedule, i)) COP_TRY(offer(s, i, err));
    }
    return COP_OK;
}

static cop_status take_answer(simulator *s, const event *e, cop_error *err)
{
    const double start_s = cpu_now_s();
    cop_schedule_verdict verdict = COP_SCHEDULE_UNKNOWN;
    if (e->failed) {
        int attempts = 0;
        COP_TRY(cop_schedule_failed(s->schedule, e->worker, e->unit, s->now_s, &verdict,
                                    &attempts, err));
        COP_CHECK(attempts < 100, err, COP_ERR_UNIT, "a unit failed %d times", attempts);
        COP_TRY(offer_idle(s, err));
    } else {
        verdict = cop_schedule_done(s->schedule, e->worker, e->unit, e->seconds, s->now_s);
        if (verdict == COP_SCHEDULE_TAKEN) {
            s->answers[e->unit]++;
            s->result->done++;
            s->result->makespan_s = s->now_s;
        }
    }
    COP_CHECK(verdict != COP_SCHEDULE_UNKNOWN, err, COP_ERR_INTERNAL,
              "the schedule does not know what it handed out");
    COP_TRY(offer(s, e->worker, err));
    s->cpu_s += cpu_now_s() - start_s;
    return COP_OK;
}

static cop_status review(simulator *s, cop_error *err)
{
    static const double interval_s = 0.1;
    const size_t count = s->sim->schedule.workers;
    const double start_s = cpu_now_s();
    size_t copies = 0;
    for (size_t i = cop_schedule_overdue(s->schedule, 0, s->now_s); i < count;
         i = cop_schedule_overdue(s->schedule, i + 1, s->now_s)) {
        COP_TRY(cop_schedule_leave(s->schedule, i, err));
    }
    COP_TRY(cop_schedule_copy(s->schedule, s->now_s, &copies, err));
    COP_TRY(offer_idle(s, err));
    s->cpu_s += cpu_now_s() - start_s;
    return push(s, (event){.at_s = s->now_s + interval_s, .kind = EVENT_REVIEW}, err);
}

static cop_status handle(simulator *s, const event *e, cop_error *err)
{
    sim_worker *const w = &s->workers[e->worker];
    switch (e->kind) {
    case EVENT_JOIN:
        cop_schedule_join(s->schedule, e->worker, w->lanes);
        return offer(s, e->worker, err);
    case EVENT_CHUNK:
        w->queue[w->queued++] =
            cop_bands_of(e->chunk.first, e->chunk.count, s->sim->row_units, w->lanes);
        return w->busy ? COP_OK : start_band(s, e->worker, err);
    case EVENT_FINISH:
        return finish_band(s, e, err);
    case EVENT_ANSWER:
        return take_answer(s, e, err);
    case EVENT_REVIEW:
        return review(s, err);
    }
    return COP_OK;
}

/* --- the run --- */

/* Workers with their speeds and fates; what the ideal would be. */
static cop_status set_up_workers(simulator *s, cop_error *err)
{
    const cop_simulation *const sim = s->sim;
    const size_t count = sim->schedule.workers;
    double speed = 0;
    double late_speed = 0;
    for (size_t i = 0; i < count; i++) {
        sim_worker *const w = &s->workers[i];
        w->speed = sim->slowest + (1 - sim->slowest) * draw(s);
        w->lanes = sim->lanes > 1 && draw(s) < sim->wide_share ? sim->lanes : 1;
        w->idle_since_s = -1;
        const bool late = draw(s) < sim->late_share;
        const double all_speed = w->speed * (double)w->lanes;
        speed += all_speed;
        if (late) late_speed += all_speed;
        const event join = {.at_s = late ? sim->late_s : 0, .kind = EVENT_JOIN, .worker = i};
        COP_TRY(push(s, join, err));
    }
    /* Late joiners have done nothing for late_s, or the others are through before. */
    const double work = (double)s->result->units * sim->unit_s;
    s->result->ideal_s = (work + late_speed * sim->late_s) / speed;
    if (s->result->ideal_s < sim->late_s && speed > late_speed)
        s->result->ideal_s = work / (speed - late_speed);
    for (size_t i = 0; i < count; i++) {
        s->workers[i].hangs_s =
            i > 0 && draw(s) < sim->hang_share ? draw(s) * s->result->ideal_s : INFINITY;
    }
    return COP_OK;
}

static cop_status play(simulator *s, cop_error *err)
{
    const cop_schedule_phase phase = {.units = s->units,
                                      .unit_count = s->result->units,
                                      .row_units = s->sim->row_units,
                                      .last_size = 1};
    for (size_t i = 0; i < s->result->units; i++)
        s->units[i] = i;
    COP_TRY(cop_schedule_create(&s->sim->schedule, &s->schedule, err));
    COP_TRY(cop_schedule_begin(s->schedule, &phase, err));
    COP_TRY(set_up_workers(s, err));
    COP_TRY(push(s, (event){.kind = EVENT_REVIEW}, err));
    while (cop_schedule_left(s->schedule) > 0) {
        const event e = pop(s);
        s->now_s = e.at_s;
        COP_CHECK(s->now_s < 1e9, err, COP_ERR_UNIT, "no worker is left");
        COP_TRY(handle(s, &e, err));
    }
    for (size_t i = 0; i < s->result->units; i++) {
        if (s->answers[i] > s->result->most_answers) s->result->most_answers = s->answers[i];
    }
    s->result->gap_s = s->gaps == 0 ? 0 : s->gap_sum_s / (double)s->gaps;
    s->result->schedule_s = s->cpu_s;
    return COP_OK;
}

cop_status cop_schedule_simulate(const cop_simulation *simulation,
                                 cop_simulation_result *result, cop_error *err)
{
    *result = (cop_simulation_result){.units = simulation->rows * simulation->row_units};
    simulator s = {.sim = simulation,
                   .result = result,
                   .random = {0x330e, (unsigned short)simulation->seed,
                              (unsigned short)(simulation->seed >> 16)}};
    s.workers = cop_memory_alloc(simulation->schedule.workers, sizeof *s.workers, err);
    s.units = cop_memory_alloc(result->units, sizeof *s.units, err);
    s.answers = cop_memory_alloc(result->units, 1, err);
    cop_status status = COP_ERR_MEMORY;
    if (s.workers != NULL && s.units != NULL && s.answers != NULL) status = play(&s, err);
    cop_schedule_destroy(&s.schedule);
    cop_memory_free(s.heap);
    cop_memory_free(s.workers);
    cop_memory_free(s.units);
    cop_memory_free(s.answers);
    return status;
}
