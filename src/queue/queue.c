/* The queue on rank 0.
 *
 * A phase is a list of units. The schedule says which chunk of them a worker gets next and when
 * a unit is overdue; here are the messages that go with it. A worker says that it is ready,
 * and is kept in work: with every result it is offered what the schedule has for it, a chunk
 * ahead of the one that it is at. Rank 0 never waits for anyone in particular: it takes what
 * has arrived, hands out what there is, now and then looks after those that are late, and
 * sleeps.
 *
 * Nothing that a worker does ends a phase but for units that fail again and again. Its units
 * can be taken away at any time; it is told to drop them all and gets others once it has said
 * that it did, so that what was sent before and after can be told apart. Results still on their
 * way are used if their unit is not done yet. A unit's scores do not depend on who computed
 * them, so none of this can be seen in the results. A lone rank goes through the same schedule
 * without messages. */
#include "queue/messages.h"
#include "queue/pipeline.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/schedule/schedule.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    MOST_ATTEMPTS = 3, /* of a unit */
    MOST_NONSENSE = 3, /* of a rank */
    MOST_EXCUSES = 3   /* deadlines that a rank may pass with one unit, alive */
};

/* What rank 0 knows of a worker. It gets work in PEER_READY only. */
typedef enum peer_state {
    PEER_ABSENT, /* has not spoken yet */
    PEER_READY,
    PEER_CANCELLED, /* was told to drop its units and has not said ready since */
    PEER_SILENT,    /* ... nor anything else within the deadline */
    PEER_OUT        /* gets no more work */
} peer_state;

typedef struct peer {
    peer_state state;
    uint32_t serial;       /* of the last work sent */
    uint32_t cancelled;    /* serial of the last cancel */
    uint32_t order;        /* number of the phase whose order it has */
    int nonsense;          /* messages that could not be true */
    double cancelled_at_s; /* by the queue's clock */
    bool pinged;           /* it was asked whether it lives */
    double pinged_at_s;
    int excuses; /* for the unit that it is at */
} peer;

struct cop_queue {
    cop_world *world;
    cop_queue_options options;
    cop_schedule *schedule;
    cop_queue_stats stats;
    uint32_t number; /* of the phase, from 1 */
    const cop_queue_phase *phase;
    pipeline pipeline; /* of a lone rank */
    peer *peers;       /* [size], peers[0] unused */
    cop_error decline; /* why a rank cannot work, the first that said so */
    message inbox;
    cop_queue_result result; /* its arrays [score_capacity] are owned */
    cop_text packed;
    double clock_s, clock_read_s;
    double reviewed_s;
};

/* Seconds of the queue's own clock, which does not run while rank 0 is stopped or busy for
 * long: what others did meanwhile cannot be judged. */
static double queue_clock(cop_queue *q)
{
    static const double longest_step_s = 1;
    const double now_s = cop_timer_now_s();
    q->clock_s += fmin(now_s - q->clock_read_s, longest_step_s);
    q->clock_read_s = now_s;
    return q->clock_s;
}

/* A line for the log. */
static void __attribute__((format(printf, 2, 3)))
note(const cop_queue *q, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (q->phase == NULL || q->phase->note == NULL) return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    q->phase->note(q->phase->context, text);
}

/* --- results --- */

/* What is wrong with a result that says it is one, NULL for nothing. May be why->message. */
static const char *judge(const cop_queue *q, const cop_queue_result *result, cop_error *why)
{
    assert(q->phase != NULL && result->score_count <= q->options.score_capacity);
    if (result->status != COP_OK && result->status != COP_ERR_NUMERIC) return NULL;
    for (size_t i = 0; i < result->score_count; i++) {
        if (!isfinite(result->scores[i])) return "a score that is not finite";
    }
    return q->phase->check(q->phase->context, result, why) == COP_OK ? NULL : why->message;
}

/* Counts a unit's result and hands it to the phase. */
static cop_status keep(cop_queue *q, const cop_queue_result *result, cop_error *err)
{
    assert(result->status == COP_OK || result->status == COP_ERR_NUMERIC);
    q->stats.units++;
    q->stats.scores += result->score_count;
    if (result->has_answers) q->stats.answers += result->score_count;
    return q->phase->done(q->phase->context, result, err);
}

/* Counts a failed attempt of a unit; COP_ERR_UNIT after the last one. */
static cop_status take_failure(cop_queue *q, const cop_queue_result *result, int attempts,
                               cop_error *err)
{
    assert(attempts >= 1);
    const char *const why =
        result->message[0] != '\0' ? result->message : cop_status_text(result->status);
    q->stats.failures++;
    COP_CHECK(attempts < MOST_ATTEMPTS, err, COP_ERR_UNIT,
              "unit %llu failed %d times, the last time on rank %d: %s",
              (unsigned long long)result->unit, attempts, result->rank, why);
    note(q, "unit %llu failed on rank %d, will be tried again: %s",
         (unsigned long long)result->unit, result->rank, why);
    return COP_OK;
}

/* --- a lone rank --- */

static cop_status take_failure_alone(cop_queue *q, const cop_queue_result *result,
                                     cop_error *err)
{
    cop_schedule_verdict verdict = COP_SCHEDULE_UNKNOWN;
    int attempts = 0;
    COP_TRY(cop_schedule_failed(q->schedule, 0, result->unit, queue_clock(q), &verdict,
                                &attempts, err));
    return take_failure(q, result, attempts, err);
}

static cop_status take_alone(void *context, const cop_queue_result *result, cop_error *err)
{
    cop_queue *const q = context;
    /* A signal drops the unit at hand: no failure of it. */
    if (result->status == COP_INTERRUPTED) COP_TRY(q->phase->tick(q->phase->context, err));
    cop_error why = {0};
    const char *const wrong = judge(q, result, &why);
    if (wrong != NULL) {
        cop_queue_result failed = *result;
        failed.status = COP_ERR_UNIT;
        (void)snprintf(failed.message, sizeof failed.message, "%s", wrong);
        return take_failure_alone(q, &failed, err);
    }
    if (result->status == COP_OK || result->status == COP_ERR_NUMERIC) {
        const cop_schedule_verdict verdict =
            cop_schedule_done(q->schedule, 0, result->unit, result->seconds, queue_clock(q));
        COP_CHECK(verdict == COP_SCHEDULE_TAKEN, err, COP_ERR_INTERNAL,
                  "unit %llu came out of turn", (unsigned long long)result->unit);
        return keep(q, result, err);
    }
    /* A device that has failed would fail at every other attempt, too. */
    COP_CHECK(result->status != COP_ERR_BACKEND, err, result->status, "%s", result->message);
    return take_failure_alone(q, result, err);
}

static cop_status pack(cop_queue *q, const cop_schedule_chunk *chunk, cop_error *err)
{
    cop_text_clear(&q->packed);
    return q->phase->pack(q->phase->context, chunk->first, chunk->count, chunk->again,
                          &q->packed, err);
}

static cop_status run_chunk_alone(cop_queue *q, const cop_schedule_chunk *chunk, cop_error *err)
{
    COP_TRY(pack(q, chunk, err));
    cop_pipeline_chunk(&q->pipeline, chunk->first, chunk->count, q->packed.data,
                       q->packed.length);
    q->stats.chunks++;
    while (cop_pipeline_has_units(&q->pipeline)) {
        COP_TRY(q->phase->tick(q->phase->context, err));
        COP_TRY(cop_pipeline_begin(&q->pipeline, err));
    }
    return COP_OK;
}

/* All units of the phase on a lone rank. */
static cop_status run_alone(cop_queue *q, cop_error *err)
{
    cop_status status = COP_OK;
    q->pipeline.emit = take_alone;
    q->pipeline.emit_context = q;
    cop_pipeline_order(&q->pipeline, q->phase->row_units, q->phase->order,
                       q->phase->order_bytes);
    cop_schedule_join(q->schedule, 0, q->pipeline.lanes);
    while (cop_schedule_left(q->schedule) > 0 && status == COP_OK) {
        cop_schedule_chunk chunk;
        status = cop_schedule_take(q->schedule, 0, queue_clock(q), &chunk, err);
        if (status != COP_OK) break;
        status = chunk.count > 0 ? run_chunk_alone(q, &chunk, err)
                                 : cop_pipeline_flush(&q->pipeline, err);
    }
    cop_pipeline_drop(&q->pipeline);
    return status;
}

/* --- handing out --- */

/* The order goes to a worker with its first chunk. */
static cop_status send_order(cop_queue *q, int rank, cop_error *err)
{
    peer *const p = &q->peers[rank];
    if (p->order == q->number) return COP_OK;
    p->order = q->number;
    const size_t row_units = q->phase->row_units;
    const phase_header header = {.row_units =
                                     row_units < UINT32_MAX ? (uint32_t)row_units : UINT32_MAX,
                                 .phase = (uint16_t)q->number};
    return cop_message_send(q->world, rank, TAG_ORDER, &header, sizeof header, q->phase->order,
                            q->phase->order_bytes, err);
}

static cop_status send_chunk(cop_queue *q, int rank, const cop_schedule_chunk *chunk,
                             cop_error *err)
{
    assert(chunk->count > 0 && chunk->first + chunk->count - 1 <= UINT32_MAX);
    COP_TRY(send_order(q, rank, err));
    COP_TRY(pack(q, chunk, err));
    const work_header header = {.first = (uint32_t)chunk->first,
                                .count = (uint32_t)chunk->count,
                                .serial = ++q->peers[rank].serial};
    q->stats.chunks++;
    if (chunk->again) q->stats.again_bytes += sizeof header + q->packed.length;
    return cop_message_send(q->world, rank, TAG_WORK, &header, sizeof header, q->packed.data,
                            q->packed.length, err);
}

/* Hands the worker what the schedule has for it. */
static cop_status offer(cop_queue *q, int rank, cop_error *err)
{
    assert(q->peers[rank].state == PEER_READY);
    for (;;) {
        cop_schedule_chunk chunk;
        COP_TRY(cop_schedule_take(q->schedule, (size_t)rank, queue_clock(q), &chunk, err));
        if (chunk.count == 0) return COP_OK;
        COP_TRY(send_chunk(q, rank, &chunk, err));
    }
}

static cop_status offer_idle(cop_queue *q, cop_error *err)
{
    for (int rank = 1; rank < q->world->size && cop_schedule_waiting(q->schedule) > 0; rank++) {
        if (cop_schedule_is_idle(q->schedule, (size_t)rank)) COP_TRY(offer(q, rank, err));
    }
    return COP_OK;
}

/* --- taking away --- */

/* Takes a worker's units away, and tells it to drop them. */
static cop_status take_away(cop_queue *q, int rank, peer_state state, cop_error *err)
{
    assert(rank >= 1 && rank < q->world->size);
    assert(state != PEER_ABSENT && state != PEER_READY);
    peer *const p = &q->peers[rank];
    COP_TRY(cop_schedule_leave(q->schedule, (size_t)rank, err));
    p->state = state;
    p->pinged = false; /* what it is asked next is asked anew */
    p->excuses = 0;
    p->cancelled_at_s = queue_clock(q);
    assert(p->cancelled <= p->serial);
    if (p->serial == p->cancelled) return COP_OK;
    p->cancelled = p->serial;
    const cancel_message cancel = {.serial = p->serial};
    return cop_message_send(q->world, rank, TAG_CANCEL, &cancel, sizeof cancel, NULL, 0, err);
}

/* A message that cannot be true. */
static cop_status refuse(cop_queue *q, int rank, const char *what, cop_error *err)
{
    peer *const p = &q->peers[rank];
    if (p->state == PEER_OUT) return COP_OK;
    q->stats.nonsense++;
    const bool out = ++p->nonsense >= MOST_NONSENSE;
    note(q, "rank %d sent nonsense (%s), refused; its units go to other ranks%s", rank, what,
         out ? "; it gets no more work" : "");
    if (out) return take_away(q, rank, PEER_OUT, err);
    if (p->state != PEER_READY || !cop_schedule_owes(q->schedule, (size_t)rank)) return COP_OK;
    return take_away(q, rank, PEER_CANCELLED, err);
}

/* A rank whose device has failed hands its units back and leaves; that is nobody's attempt. */
static cop_status take_out(cop_queue *q, const cop_queue_result *result, cop_error *err)
{
    const char *const why =
        result->message[0] != '\0' ? result->message : cop_status_text(result->status);
    if (q->peers[result->rank].state == PEER_OUT) return COP_OK;
    q->stats.failures++;
    note(q, "rank %d cannot go on: %s; its units go to other ranks", result->rank, why);
    if (q->decline.status == COP_OK)
        (void)cop_error_set(&q->decline, result->status, "%s (rank %d)", why, result->rank);
    return take_away(q, result->rank, PEER_OUT, err);
}

/* The unit that a worker did not end has failed once more; its units go to others. */
static cop_status give_up(cop_queue *q, int rank, peer_state state, cop_error *err)
{
    uint64_t unit = 0;
    const int attempts = cop_schedule_blame(q->schedule, (size_t)rank, &unit);
    COP_TRY(take_away(q, rank, state, err));
    COP_CHECK(attempts < MOST_ATTEMPTS, err, COP_ERR_UNIT,
              "unit %llu failed %d times, the last time rank %d did not end it in time",
              (unsigned long long)unit, attempts, rank);
    return COP_OK;
}

static cop_status give_up_silent(cop_queue *q, int rank, cop_error *err)
{
    q->stats.silences++;
    note(q, "rank %d has been silent for more than %.3g s, its units go to other ranks", rank,
         cop_schedule_deadline_s(q->schedule));
    return give_up(q, rank, PEER_SILENT, err);
}

/* --- what workers say --- */

static cop_status take_ready(cop_queue *q, cop_error *err)
{
    const int rank = q->inbox.rank;
    peer *const p = &q->peers[rank];
    ready_message ready = {0};
    if (q->inbox.bytes < sizeof ready) return refuse(q, rank, "half a message", err);
    memcpy(&ready, q->inbox.data, sizeof ready);
    if (ready.status != COP_OK) {
        const int length = (int)(q->inbox.bytes - sizeof ready);
        const char *const why = q->inbox.data + sizeof ready;
        const cop_status status = ready.status > 0 && ready.status < COP_STATUS_COUNT
                                      ? (cop_status)ready.status
                                      : COP_ERR_UNIT;
        note(q, "rank %d cannot work: %.*s", rank, length, why);
        if (q->decline.status == COP_OK)
            (void)cop_error_set(&q->decline, status, "%.*s (rank %d)", length, why, rank);
        return take_away(q, rank, PEER_OUT, err);
    }
    const bool expected =
        p->state == PEER_ABSENT ? ready.serial == 0 : ready.serial == p->cancelled;
    if (p->state == PEER_OUT) return COP_OK;
    if (!expected || p->state == PEER_READY)
        return refuse(q, rank, "ready without having been asked", err);
    if (ready.lanes < 1 || ready.lanes > COP_QUEUE_MOST_LANES)
        return refuse(q, rank, "ready for a number of rows that cannot be", err);
    if (p->state == PEER_SILENT) note(q, "rank %d is back", rank);
    p->state = PEER_READY;
    cop_schedule_join(q->schedule, (size_t)rank, ready.lanes);
    return offer(q, rank, err);
}

/* Reads a result; what is wrong with it, NULL for nothing. *stale: of an earlier phase. */
static const char *read_result(cop_queue *q, bool *stale)
{
    cop_queue_result *const r = &q->result;
    result_header header;
    *stale = false;
    if (q->inbox.bytes < sizeof header) return "half a result";
    memcpy(&header, q->inbox.data, sizeof header);
    const char *const body = q->inbox.data + sizeof header;
    const size_t body_bytes = q->inbox.bytes - sizeof header;
    *stale = header.phase != (uint16_t)q->number;
    const bool has_answers = (header.status & RESULT_HAS_ANSWERS) != 0;
    const unsigned status = header.status & ~(unsigned)RESULT_HAS_ANSWERS;
    if (status >= COP_STATUS_COUNT || (has_answers && status != COP_OK))
        return "a status that there is not";
    if (!(header.seconds >= 0 && header.seconds < INFINITY)) return "a time that is none";
    *r = (cop_queue_result){.unit = header.unit,
                            .status = (cop_status)status,
                            .scores = r->scores,
                            .answers = r->answers,
                            .has_answers = has_answers,
                            .tokens = header.tokens[0] | (uint64_t)header.tokens[1] << 32,
                            .seconds = (double)header.seconds,
                            .rank = q->inbox.rank};
    if (r->status != COP_OK) {
        (void)snprintf(r->message, sizeof r->message, "%.*s", (int)body_bytes, body);
        return NULL;
    }
    const size_t each = sizeof(float) + (has_answers ? sizeof(uint64_t) : 0);
    r->score_count = body_bytes / each;
    if (body_bytes % each != 0 || r->score_count > q->options.score_capacity)
        return "scores of a wrong length";
    const size_t score_bytes = r->score_count * sizeof(float);
    if (body_bytes > 0) memcpy(r->scores, body, score_bytes);
    if (has_answers && body_bytes > 0)
        memcpy(r->answers, body + score_bytes, body_bytes - score_bytes);
    return NULL;
}

/* A result that could be true. */
static cop_status take_good(cop_queue *q, cop_error *err)
{
    const cop_queue_result *const r = &q->result;
    const size_t rank = (size_t)r->rank;
    const double now_s = queue_clock(q);
    cop_schedule_verdict verdict = COP_SCHEDULE_UNKNOWN;
    int attempts = 0;
    const bool failed = r->status != COP_OK && r->status != COP_ERR_NUMERIC;
    if (r->status == COP_ERR_BACKEND) return take_out(q, r, err);
    if (failed) {
        COP_TRY(
            cop_schedule_failed(q->schedule, rank, r->unit, now_s, &verdict, &attempts, err));
    } else {
        verdict = cop_schedule_done(q->schedule, rank, r->unit, r->seconds, now_s);
    }
    if (verdict == COP_SCHEDULE_UNKNOWN) {
        /* Answers on their way when the units were taken away are no nonsense. */
        if (q->peers[rank].state != PEER_READY) return COP_OK;
        return refuse(q, r->rank, "a unit that it was not given or that it has answered", err);
    }
    if (verdict == COP_SCHEDULE_REPEATED) {
        q->stats.late++;
        return COP_OK;
    }
    if (failed) return take_failure(q, r, attempts, err);
    return keep(q, r, err);
}

static cop_status take_result(cop_queue *q, cop_error *err)
{
    const int rank = q->inbox.rank;
    if (q->peers[rank].state == PEER_OUT) return COP_OK;
    if (q->peers[rank].state == PEER_ABSENT)
        return refuse(q, rank, "a result before it was ready", err);
    bool stale = false;
    const char *wrong = read_result(q, &stale);
    if (wrong == NULL && stale) {
        /* Of a phase that is over: its rank was told to drop it. */
        return q->peers[rank].state == PEER_READY ? refuse(q, rank, "a result of no phase", err)
                                                  : COP_OK;
    }
    cop_error why = {0};
    if (wrong == NULL) wrong = judge(q, &q->result, &why);
    if (wrong != NULL) return refuse(q, rank, wrong, err);
    q->peers[rank].pinged = false;
    q->peers[rank].excuses = 0;
    COP_TRY(take_good(q, err));
    return q->peers[rank].state == PEER_READY ? offer(q, rank, err) : COP_OK;
}

/* Whoever is slow but lives gets time, though not for ever: candidates that babble take long.
 */
static cop_status take_alive(cop_queue *q, int rank, cop_error *err)
{
    peer *const p = &q->peers[rank];
    if (!p->pinged || p->state != PEER_READY) return COP_OK;
    p->pinged = false;
    if (++p->excuses <= MOST_EXCUSES) {
        if (p->excuses == 1) note(q, "rank %d is slow, but alive", rank);
        cop_schedule_excuse(q->schedule, (size_t)rank, queue_clock(q));
        return COP_OK;
    }
    note(q, "rank %d does not come to an end with its unit, which goes to another rank", rank);
    return give_up(q, rank, PEER_CANCELLED, err);
}

static cop_status take_message(cop_queue *q, cop_error *err)
{
    const int rank = q->inbox.rank;
    if (rank == 0) return COP_OK;
    if (q->inbox.fault != NULL) return refuse(q, rank, q->inbox.fault, err);
    switch (q->inbox.tag) {
    case TAG_READY:
        return take_ready(q, err);
    case TAG_RESULT:
        return take_result(q, err);
    case TAG_ALIVE:
        return take_alive(q, rank, err);
    default:
        return refuse(q, rank, "a message of no kind", err);
    }
}

/* Takes everything that has arrived; *any tells whether there was something. */
static cop_status receive_all(cop_queue *q, bool *any, cop_error *err)
{
    enum { MOST_AT_ONCE = 256 }; /* the caller has other things to look after */
    const size_t limit = sizeof(result_header) +
                         q->options.score_capacity * (sizeof(float) + sizeof(uint64_t)) +
                         sizeof q->result.message;
    *any = false;
    for (int i = 0; i < MOST_AT_ONCE && cop_schedule_left(q->schedule) > 0; i++) {
        bool there = false;
        COP_TRY(cop_message_poll(q->world, MPI_ANY_SOURCE, MPI_ANY_TAG, limit, &q->inbox,
                                 &there, err));
        if (!there) return COP_OK;
        *any = true;
        const uint64_t taken = q->stats.units;
        const cop_status status = take_message(q, err);
        if (q->inbox.tag == TAG_RESULT && q->stats.units == taken)
            q->stats.again_bytes += q->inbox.length;
        COP_TRY(status);
    }
    return COP_OK;
}

/* --- late workers --- */

/* A worker whose unit is overdue is asked whether it lives, and given up if it does not say. */
static cop_status ask(cop_queue *q, int rank, double now_s, cop_error *err)
{
    peer *const p = &q->peers[rank];
    if (!p->pinged) {
        p->pinged = true;
        p->pinged_at_s = now_s;
        return cop_message_send(q->world, rank, TAG_PING, NULL, 0, NULL, 0, err);
    }
    if (now_s - p->pinged_at_s <= q->options.deadline_least_s) return COP_OK;
    return give_up_silent(q, rank, err);
}

static cop_status review_overdue(cop_queue *q, double now_s, cop_error *err)
{
    const size_t ranks = (size_t)q->world->size;
    const double deadline_s = cop_schedule_deadline_s(q->schedule);
    for (size_t rank = cop_schedule_overdue(q->schedule, 1, now_s); rank < ranks;
         rank = cop_schedule_overdue(q->schedule, rank + 1, now_s)) {
        COP_TRY(ask(q, (int)rank, now_s, err));
    }
    /* Nor do those answer for ever who were told to drop something. */
    for (size_t rank = 1; rank < ranks; rank++) {
        peer *const p = &q->peers[rank];
        if (p->state == PEER_CANCELLED && now_s - p->cancelled_at_s > deadline_s)
            COP_TRY(give_up_silent(q, (int)rank, err));
    }
    return COP_OK;
}

/* Looks after silent and slow workers, every now and then. */
static cop_status review(cop_queue *q, cop_error *err)
{
    static const double interval_s = 0.1;
    const double now_s = queue_clock(q);
    if (now_s - q->reviewed_s < interval_s) return COP_OK;
    q->reviewed_s = now_s;
    size_t copies = 0;
    COP_TRY(review_overdue(q, now_s, err));
    COP_TRY(cop_schedule_copy(q->schedule, now_s, &copies, err));
    q->stats.copies += copies;
    return COP_OK;
}

/* Fails if no rank is left that could work. */
static cop_status check_workers(const cop_queue *q, cop_error *err)
{
    int silent = 0;
    for (int rank = 1; rank < q->world->size; rank++) {
        if (q->peers[rank].state == PEER_SILENT) {
            silent++;
        } else if (q->peers[rank].state != PEER_OUT) {
            return COP_OK;
        }
    }
    COP_CHECK(silent == 0, err, COP_INTERRUPTED,
              "no rank answers any more (%d silent for more than %.3g s); run the same command "
              "again to continue",
              silent, cop_schedule_deadline_s(q->schedule));
    COP_CHECK(q->decline.status == COP_OK, err, q->decline.status, "%s", q->decline.message);
    return cop_error_set(
        err, COP_ERR_UNIT,
        "no rank is left that can be trusted: each has sent nonsense %d times; "
        "the log names them",
        MOST_NONSENSE);
}

/* --- phases --- */

/* While workers have their next units already, and when nothing is left to hand out, nobody
 * waits for rank 0. Every pause costs it some 50 us, so it makes few of them then. *be_quick:
 * somebody may wait. */
static double longest_pause(const cop_queue *q, bool *be_quick)
{
    const size_t waiting = cop_schedule_waiting(q->schedule);
    const double unit_s = cop_schedule_unit_s(q->schedule);
    *be_quick = waiting > 0 && waiting < (size_t)q->world->size;
    if (*be_quick) return 5e-4;
    if (waiting > 0) return fmin(fmax(0.2 * unit_s, 5e-3), 2e-2);
    return fmin(fmax(0.03 * unit_s, 5e-4), 5e-3); /* the phase ends so much later */
}

static cop_status coordinate(cop_queue *q, cop_error *err)
{
    double pause_s = 0;
    COP_TRY(offer_idle(q, err));
    while (cop_schedule_left(q->schedule) > 0) {
        bool any = false;
        size_t sending = 0;
        COP_TRY(receive_all(q, &any, err));
        COP_TRY(q->phase->tick(q->phase->context, err));
        COP_TRY(review(q, err));
        if (cop_schedule_returned(q->schedule) > 0) COP_TRY(offer_idle(q, err));
        COP_TRY(check_workers(q, err));
        COP_TRY(cop_message_reap(q->world, &sending, err));
        if (any) {
            pause_s = 0;
            continue;
        }
        bool be_quick = false;
        double longest_s = longest_pause(q, &be_quick);
        if (sending > 0) longest_s = 1e-4;
        if (!be_quick) pause_s = longest_s;
        cop_mpi_pause(&pause_s, longest_s);
    }
    return COP_OK;
}

/* Whoever still works on this phase is told to stop. */
static cop_status end_phase(cop_queue *q, cop_error *err)
{
    for (int rank = 1; rank < q->world->size; rank++) {
        if (q->peers[rank].state == PEER_READY && cop_schedule_owes(q->schedule, (size_t)rank))
            COP_TRY(take_away(q, rank, PEER_CANCELLED, err));
    }
    return COP_OK;
}

static double own_cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

cop_status cop_queue_run(cop_queue *q, const cop_queue_phase *phase, cop_error *err)
{
    assert(q->phase == NULL && (phase->row_units > 0 || phase->unit_count == 0));
    const double start_s = cop_timer_now_s();
    const double cpu_s = own_cpu_s();
    const cop_schedule_phase schedule = {.units = phase->units,
                                         .unit_count = phase->unit_count,
                                         .row_units = phase->row_units,
                                         .last_size = phase->last_size};
    COP_CHECK(phase->unit_count == 0 || phase->units[phase->unit_count - 1] <= UINT32_MAX, err,
              COP_ERR_CONFIG, "a phase of more than 2^32 units: raise backend.batch");
    COP_TRY(cop_schedule_begin(q->schedule, &schedule, err));
    q->phase = phase;
    q->number++;
    (void)queue_clock(q);
    cop_status status = q->world->size == 1 ? run_alone(q, err) : coordinate(q, err);
    cop_error ending = {0};
    if (status != COP_ERR_MPI && end_phase(q, &ending) != COP_OK && status == COP_OK)
        status = cop_error_set(err, ending.status, "%s", ending.message);
    q->phase = NULL;
    q->stats.wall_s += cop_timer_now_s() - start_s;
    q->stats.cpu_s += own_cpu_s() - cpu_s;
    return status;
}

/* --- opening and closing --- */

cop_status cop_queue_open(cop_world *world, const cop_queue_options *options,
                          const cop_queue_work *work, cop_queue **queue, cop_error *err)
{
    *queue = NULL;
    COP_CHECK(options->score_capacity <= COP_QUEUE_MOST_SCORES, err, COP_ERR_CONFIG,
              "a unit of %zu scores is too large: lower backend.batch",
              options->score_capacity);
    cop_queue *opened = cop_memory_alloc(1, sizeof *opened, err);
    if (opened == NULL) return COP_ERR_MEMORY;
    opened->world = world;
    opened->options = *options;
    opened->clock_read_s = cop_timer_now_s();
    opened->pipeline.work = work;
    opened->peers = cop_memory_alloc((size_t)world->size, sizeof *opened->peers, err);
    opened->result.scores = cop_memory_alloc(options->score_capacity, sizeof(float), err);
    opened->result.answers = cop_memory_alloc(options->score_capacity, sizeof(uint64_t), err);
    const cop_schedule_options schedule = {.workers = (size_t)world->size,
                                           .chunk_s = options->chunk_s,
                                           .deadline_factor = options->deadline_factor,
                                           .deadline_least_s = options->deadline_least_s};
    cop_status status = COP_ERR_MEMORY;
    if (opened->peers != NULL && opened->result.scores != NULL &&
        opened->result.answers != NULL)
        status = cop_schedule_create(&schedule, &opened->schedule, err);
    if (status == COP_OK && world->size == 1)
        status = cop_pipeline_create(&opened->pipeline, options->score_capacity, err);
    if (status != COP_OK) {
        int missing = 0;
        (void)cop_queue_close(world, &opened, 0, &missing, NULL);
        return status;
    }
    *queue = opened;
    return COP_OK;
}

cop_queue_stats cop_queue_get_stats(const cop_queue *q)
{
    return q->stats;
}

/* Waits until the others have left, or `patience_s` are over. */
static cop_status see_off(cop_world *world, double patience_s, int silent, int *missing,
                          cop_error *err)
{
    static const double short_part = 0.2; /* for ranks that were silent before */
    message inbox = {0};
    cop_status status = COP_OK;
    double pause_s = 0;
    const double start_s = cop_timer_now_s();
    *missing = world->size - 1;
    for (int rank = 1; rank < world->size && status == COP_OK; rank++)
        status = cop_message_send(world, rank, TAG_STOP, NULL, 0, NULL, 0, err);
    while (*missing > 0 && status == COP_OK) {
        bool there = false;
        /* A new message of a length that is of no interest any more: what counts is its tag. */
        status = cop_message_poll(world, MPI_ANY_SOURCE, MPI_ANY_TAG, 0, &inbox, &there, err);
        if (status == COP_OK && there && inbox.tag == TAG_LEAVE) --*missing;
        if (there) {
            pause_s = 0;
            continue;
        }
        const double waited_s = cop_timer_now_s() - start_s;
        if (waited_s > (*missing <= silent ? short_part * patience_s : patience_s)) break;
        cop_mpi_pause(&pause_s, 5e-3);
    }
    cop_message_free(&inbox);
    return status;
}

cop_status cop_queue_close(cop_world *world, cop_queue **queue, double patience_s, int *missing,
                           cop_error *err)
{
    cop_queue *const q = *queue;
    int silent = 0;
    *missing = 0;
    *queue = NULL;
    if (q != NULL) {
        for (int rank = 1; q->peers != NULL && rank < world->size; rank++)
            silent += q->peers[rank].state == PEER_SILENT;
        cop_pipeline_free(&q->pipeline);
        cop_schedule_destroy(&q->schedule);
        cop_memory_free(q->peers);
        cop_memory_free(q->result.scores);
        cop_memory_free(q->result.answers);
        cop_message_free(&q->inbox);
        cop_text_free(&q->packed);
        cop_memory_free(q);
    }
    return patience_s > 0 ? see_off(world, patience_s, silent, missing, err) : COP_OK;
}
