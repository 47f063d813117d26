/* Rank 0's view of the queue. Private to dist/. */
#ifndef COP_QUEUE_COORDINATOR_H
#define COP_QUEUE_COORDINATOR_H

#include "coppice/schedule/schedule.h"
#include "queue/messages.h"
#include "queue/pipeline.h"

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
double cop_queue_clock(cop_queue *queue);

/* A line for the log. */
void cop_queue_note(const cop_queue *queue, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is wrong with a result that says it is one, NULL for nothing. May be why->message. */
const char *cop_queue_judge(const cop_queue *queue, const cop_queue_result *result,
                            cop_error *why);

/* Counts a unit's result and hands it to the phase. */
cop_status cop_queue_keep(cop_queue *queue, const cop_queue_result *result, cop_error *err);

/* Counts a failed attempt of a unit; COP_ERR_UNIT after the last one. */
cop_status cop_queue_take_failure(cop_queue *queue, const cop_queue_result *result,
                                  int attempts, cop_error *err);

/* Hands the worker what the schedule has for it. */
cop_status cop_queue_offer(cop_queue *queue, int rank, cop_error *err);

/* Takes everything that has arrived; *any tells whether there was something. */
cop_status cop_queue_receive(cop_queue *queue, bool *any, cop_error *err);

/* Takes a worker's units away, and tells it to drop them. */
cop_status cop_queue_take_away(cop_queue *queue, int rank, peer_state state, cop_error *err);

/* A worker has answered whether it lives. */
cop_status cop_queue_take_alive(cop_queue *queue, int rank, cop_error *err);

/* Looks after silent and slow workers, every now and then. */
cop_status cop_queue_review(cop_queue *queue, cop_error *err);

/* Fails if no rank is left that could work. */
cop_status cop_queue_check_workers(const cop_queue *queue, cop_error *err);

/* All units of the phase on a lone rank. */
cop_status cop_queue_run_alone(cop_queue *queue, cop_error *err);

#endif
