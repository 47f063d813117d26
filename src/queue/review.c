/* Rank 0 looks after its workers: silent ones lose their units, slow ones get help. */
#include "queue/coordinator.h"

#include <math.h>

/* The unit that a worker did not end has failed once more; its units go to others. */
static cop_status give_up(cop_queue *q, int rank, peer_state state, cop_error *err)
{
    uint64_t unit = 0;
    const int attempts = cop_schedule_blame(q->schedule, (size_t)rank, &unit);
    COP_TRY(cop_queue_take_away(q, rank, state, err));
    COP_CHECK(attempts < MOST_ATTEMPTS, err, COP_ERR_UNIT,
              "unit %llu failed %d times, the last time rank %d did not end it in time",
              (unsigned long long)unit, attempts, rank);
    return COP_OK;
}

static cop_status give_up_silent(cop_queue *q, int rank, cop_error *err)
{
    q->stats.silences++;
    cop_queue_note(q,
                   "rank %d has been silent for more than %.3g s, its units go to other ranks",
                   rank, cop_schedule_deadline_s(q->schedule));
    return give_up(q, rank, PEER_SILENT, err);
}

/* Whoever is slow but lives gets time, though not for ever: candidates that babble take long.
 */
cop_status cop_queue_take_alive(cop_queue *q, int rank, cop_error *err)
{
    peer *const p = &q->peers[rank];
    if (!p->pinged || p->state != PEER_READY) return COP_OK;
    p->pinged = false;
    if (++p->excuses <= MOST_EXCUSES) {
        if (p->excuses == 1) cop_queue_note(q, "rank %d is slow, but alive", rank);
        cop_schedule_excuse(q->schedule, (size_t)rank, cop_queue_clock(q));
        return COP_OK;
    }
    cop_queue_note(
        q, "rank %d does not come to an end with its unit, which goes to another rank", rank);
    return give_up(q, rank, PEER_CANCELLED, err);
}

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

cop_status cop_queue_review(cop_queue *q, cop_error *err)
{
    static const double interval_s = 0.1;
    const double now_s = cop_queue_clock(q);
    if (now_s - q->reviewed_s < interval_s) return COP_OK;
    q->reviewed_s = now_s;
    size_t copies = 0;
    COP_TRY(review_overdue(q, now_s, err));
    COP_TRY(cop_schedule_copy(q->schedule, now_s, &copies, err));
    q->stats.copies += copies;
    return COP_OK;
}

cop_status cop_queue_check_workers(const cop_queue *q, cop_error *err)
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
