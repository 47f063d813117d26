/* What workers say, and what rank 0 makes of it. */
#include "queue/coordinator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

cop_status cop_queue_take_failure(cop_queue *q, const cop_queue_result *result, int attempts,
                                  cop_error *err)
{
    const char *const why =
        result->message[0] != '\0' ? result->message : cop_status_text(result->status);
    q->stats.failures++;
    COP_CHECK(attempts < MOST_ATTEMPTS, err, COP_ERR_UNIT,
              "unit %llu failed %d times, the last time on rank %d: %s",
              (unsigned long long)result->unit, attempts, result->rank, why);
    cop_queue_note(q, "unit %llu failed on rank %d, will be tried again: %s",
                   (unsigned long long)result->unit, result->rank, why);
    return COP_OK;
}

const char *cop_queue_judge(const cop_queue *q, const cop_queue_result *result, cop_error *why)
{
    if (result->status != COP_OK && result->status != COP_ERR_NUMERIC) return NULL;
    for (size_t i = 0; i < result->score_count; i++) {
        if (!isfinite(result->scores[i])) return "a score that is not finite";
    }
    return q->phase->check(q->phase->context, result, why) == COP_OK ? NULL : why->message;
}

cop_status cop_queue_take_away(cop_queue *q, int rank, peer_state state, cop_error *err)
{
    peer *const p = &q->peers[rank];
    COP_TRY(cop_schedule_leave(q->schedule, (size_t)rank, err));
    p->state = state;
    p->pinged = false; /* what it is asked next is asked anew */
    p->excuses = 0;
    p->cancelled_at_s = cop_queue_clock(q);
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
    cop_queue_note(q, "rank %d sent nonsense (%s), refused; its units go to other ranks%s",
                   rank, what, out ? "; it gets no more work" : "");
    if (out) return cop_queue_take_away(q, rank, PEER_OUT, err);
    if (p->state != PEER_READY || !cop_schedule_owes(q->schedule, (size_t)rank)) return COP_OK;
    return cop_queue_take_away(q, rank, PEER_CANCELLED, err);
}

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
        cop_queue_note(q, "rank %d cannot work: %.*s", rank, length, why);
        if (q->decline.status == COP_OK)
            (void)cop_error_set(&q->decline, status, "%.*s (rank %d)", length, why, rank);
        return cop_queue_take_away(q, rank, PEER_OUT, err);
    }
    const bool expected =
        p->state == PEER_ABSENT ? ready.serial == 0 : ready.serial == p->cancelled;
    if (p->state == PEER_OUT) return COP_OK;
    if (!expected || p->state == PEER_READY)
        return refuse(q, rank, "ready without having been asked", err);
    if (ready.lanes < 1 || ready.lanes > COP_QUEUE_MOST_LANES)
        return refuse(q, rank, "ready for a number of rows that cannot be", err);
    if (p->state == PEER_SILENT) cop_queue_note(q, "rank %d is back", rank);
    p->state = PEER_READY;
    cop_schedule_join(q->schedule, (size_t)rank, ready.lanes);
    return cop_queue_offer(q, rank, err);
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

/* A rank whose device has failed hands its units back and leaves; that is nobody's attempt. */
static cop_status take_out(cop_queue *q, const cop_queue_result *result, cop_error *err)
{
    const char *const why =
        result->message[0] != '\0' ? result->message : cop_status_text(result->status);
    if (q->peers[result->rank].state == PEER_OUT) return COP_OK;
    q->stats.failures++;
    cop_queue_note(q, "rank %d cannot go on: %s; its units go to other ranks", result->rank,
                   why);
    if (q->decline.status == COP_OK)
        (void)cop_error_set(&q->decline, result->status, "%s (rank %d)", why, result->rank);
    return cop_queue_take_away(q, result->rank, PEER_OUT, err);
}

cop_status cop_queue_keep(cop_queue *q, const cop_queue_result *result, cop_error *err)
{
    q->stats.units++;
    q->stats.scores += result->score_count;
    if (result->has_answers) q->stats.answers += result->score_count;
    return q->phase->done(q->phase->context, result, err);
}

/* A result that could be true. */
static cop_status take_good(cop_queue *q, cop_error *err)
{
    const cop_queue_result *const r = &q->result;
    const size_t rank = (size_t)r->rank;
    const double now_s = cop_queue_clock(q);
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
    if (failed) return cop_queue_take_failure(q, r, attempts, err);
    return cop_queue_keep(q, r, err);
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
    if (wrong == NULL) wrong = cop_queue_judge(q, &q->result, &why);
    if (wrong != NULL) return refuse(q, rank, wrong, err);
    q->peers[rank].pinged = false;
    q->peers[rank].excuses = 0;
    COP_TRY(take_good(q, err));
    return q->peers[rank].state == PEER_READY ? cop_queue_offer(q, rank, err) : COP_OK;
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
        return cop_queue_take_alive(q, rank, err);
    default:
        return refuse(q, rank, "a message of no kind", err);
    }
}

cop_status cop_queue_receive(cop_queue *q, bool *any, cop_error *err)
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
