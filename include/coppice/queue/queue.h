/** \file queue.h
 * The queue of units over the ranks. Knows messages, never a model: it works on callbacks.
 *
 * Rank 0 hands out units, the other ranks evaluate them; messages go between rank 0 and one
 * worker only, never to all at once, so that a rank which is late, slow or gone holds up
 * nobody. With one rank, rank 0 evaluates. Who gets what and when: schedule.h.
 */
#ifndef COPPICE_QUEUE_QUEUE_H
#define COPPICE_QUEUE_QUEUE_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "coppice/queue/world.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What evaluating a unit gave. */
typedef struct cop_queue_result {
    uint64_t unit;
    cop_status status; /**< COP_OK; COP_ERR_NUMERIC is a result, others are retried */
    float *scores;     /**< [score_count]; owned by whoever made the struct */
    size_t score_count;
    uint64_t *answers; /**< [score_count] digests beside the scores; owned as they are */
    bool has_answers;  /**< set by finish: they are filled in and travel too */
    uint64_t tokens;   /**< generated */
    double seconds;    /**< of the rank's time, of what units took together its share; filled
                        *   in by the queue */
    char message[256]; /**< for a failure */
    int rank;          /**< who computed it; filled in by the queue */
} cop_queue_result;

/** What is the same on all ranks. */
typedef struct cop_queue_options {
    size_t score_capacity; /**< most scores of one unit */
    double chunk_s;        /**< see cop_schedule_options; these three matter on rank 0 only */
    double deadline_factor, deadline_least_s;
} cop_queue_options;

/** Most rows that a rank may compute side by side. */
enum { COP_QUEUE_MOST_LANES = 256 };

/** How a rank evaluates. A unit takes two steps, so that slow scoring of one can run beside the
 * generation of the next: after begin of a unit comes finish of the one before it, or at once
 * its own, if no other unit is at hand or `overlap` is not set.
 *
 * With several lanes, units of that many rows on the same examples, unit % row_units, take the
 * first step together; finish of each comes in the order of the beginning. At most 2 * lanes
 * units are begun at a time.
 */
typedef struct cop_queue_work {
    void *context;
    bool overlap;
    size_t lanes; /**< at most COP_QUEUE_MOST_LANES; 0 as 1. The same on every rank or not */
    /** A phase begins; data [bytes] is what its order held. A failure becomes that of its
     * units. */
    cop_status (*order)(void *context, const void *data, size_t bytes, cop_error *err);
    /** The units first .. first + count - 1 are next; data [bytes] is what rank 0 packed for
     *  them. A failure becomes that of these units. */
    cop_status (*chunk)(void *context, uint64_t first, size_t count, const void *data,
                        size_t bytes, cop_error *err);
    /** Begins units [count, 1 .. lanes] of the last chunk. pending [count] (NULL before) are
     *  handed to finish as they are left. A unit that could not be begun has its failure in
     *  failures [count] (COP_OK before), and there is no finish of it. Their time is counted in
     *  equal parts. */
    void (*begin)(void *context, const uint64_t *units, size_t count, void **pending,
                  cop_error *failures);
    /** Fills in scores [score_capacity], score_count and tokens of a unit, of those begun the
     *  first, and answers [score_capacity] with has_answers where the phase wants them; what
     *  `pending` points to is freed. NULL `result`: it is not wanted any more, and the status
     * is ignored. */
    cop_status (*finish)(void *context, uint64_t unit, void *pending, cop_queue_result *result,
                         cop_error *err);
} cop_queue_work;

/** A phase on rank 0. All pointers are borrowed. */
typedef struct cop_queue_phase {
    const uint64_t *units; /**< [unit_count] rising, below 2^32: what is to be done */
    size_t unit_count;
    size_t row_units; /**< units of a row, which share a rebuild; unit / row_units is the row */
    double last_size; /**< work of a row's last unit in (0, 1], the others are 1 */
    const void *order; /**< [order_bytes] for every rank that gets units of this phase */
    size_t order_bytes;
    void *context;
    /** Appends what a rank must know to evaluate these units. `again`: the bytes count as
     *  again_bytes below. */
    cop_status (*pack)(void *context, uint64_t first, size_t count, bool again, cop_text *data,
                       cop_error *err);
    /** Tells whether a result (COP_OK or COP_ERR_NUMERIC) can be true: number of scores,
     * tokens. That scores and times are finite has been seen to. */
    cop_status (*check)(void *context, const cop_queue_result *result, cop_error *err);
    /** A unit is done; called once for each. */
    cop_status (*done)(void *context, const cop_queue_result *result, cop_error *err);
    /** Something for the log: a failed attempt, a rank that hangs, sends nonsense, is back. */
    void (*note)(void *context, const char *text);
    /** Called often; progress, checkpoints. Not COP_OK (COP_INTERRUPTED) ends the phase with
     * that status. */
    cop_status (*tick)(void *context, cop_error *err);
} cop_queue_phase;

/** What the queue has done since it was opened. */
typedef struct cop_queue_stats {
    uint64_t units, scores, answers; /**< results taken */
    uint64_t chunks;                 /**< handed out */
    uint64_t copies, late; /**< units copied for idle ranks; answers not needed any more */
    uint64_t failures, nonsense, silences; /**< of units; of ranks */
    /** Of the messages' bytes: units handed out a second time, results not taken. */
    uint64_t again_bytes;
    double wall_s, cpu_s; /**< within cop_queue_run(); cpu_s: processor time of rank 0, all
                           *   its threads */
} cop_queue_stats;

typedef struct cop_queue cop_queue;

/** Rank 0. `work` (borrowed) is used with one rank only, else it may be NULL. */
cop_status cop_queue_open(cop_world *world, const cop_queue_options *options,
                          const cop_queue_work *work, cop_queue **queue, cop_error *err);

/** Rank 0. Has all units of a phase evaluated.
 *
 * A unit that fails is tried again, on another rank where there is one; three failures end the
 * phase with COP_ERR_UNIT. A rank whose unit is overdue
 * (cop_schedule_deadline_s()) is asked whether it lives. One that says so, from within
 * cop_queue_cancelled(), gets the same time again, three times at most. One that is silent for
 * deadline_least_s more, or uses that up, has failed at its unit and loses all its units to
 * others; an answer that still comes is used or ignored, and the rank gets work again once it
 * says that it is ready. A result that cannot be true is refused and its unit done elsewhere;
 * a rank that does this three times gets no more work. A rank whose device fails
 * (COP_ERR_BACKEND) hands its units back, uncounted, and gets no more. Without a rank that
 * could work the phase ends: COP_INTERRUPTED if one of them is merely silent, else
 * COP_ERR_UNIT, or the reason if none of them can work any more (cop_queue_decline(), a
 * device).
 *
 * On failure the units under way are dropped; the queue can be used on. */
cop_status cop_queue_run(cop_queue *queue, const cop_queue_phase *phase, cop_error *err);

/** Rank 0. */
cop_queue_stats cop_queue_get_stats(const cop_queue *queue);

/** Rank 0. Lets the other ranks leave cop_queue_serve() and frees *queue (NULL is allowed: no
 *  queue was opened, the others are let go all the same). Waits for them for `patience_s`,
 *  a fifth of it for ranks that were silent before;
 *  *missing ranks did not answer: MPI cannot be ended with them, what is left is
 *  cop_world_abort(). */
cop_status cop_queue_close(cop_world *world, cop_queue **queue, double patience_s, int *missing,
                           cop_error *err);

/** The other ranks: evaluates units until rank 0 closes the queue. A rank may come late. One
 *  that cannot go on, for want of memory, leaves its units to others as with
 *  cop_queue_decline(). */
cop_status cop_queue_serve(cop_world *world, const cop_queue_options *options,
                           const cop_queue_work *work, cop_error *err);

/** The other ranks: instead of cop_queue_serve(), for one that cannot work; rank 0 learns why.
 *  Returns when rank 0 closes the queue. */
cop_status cop_queue_decline(cop_world *world, const cop_error *why, cop_error *err);

/** True if rank 0 has told this worker to drop what it does; polled from within begin and
 *  finish. Always false on rank 0. */
bool cop_queue_cancelled(cop_world *world);

#endif
