/* Inside of the schedule. Private to dist/. */
#ifndef DIST_SCHEDULE_PARTS_H
#define DIST_SCHEDULE_PARTS_H

#include "coppice/schedule.h"

/* Positions at .. end - 1 in the list of units. */
typedef struct held_range {
    size_t at, end;
} held_range;

enum { MOST_HELD = 2 }; /* the chunk at hand and the next one */

typedef struct worker_state {
    bool joined;
    int held_count;
    held_range held[MOST_HELD]; /* held[0].at is being computed */
    double started_s;           /* of that unit */
    double rate;                /* seconds for a unit of size 1, smoothed; 0: not known */
} worker_state;

/* A unit to hand out again. */
typedef struct returned_unit {
    size_t at;
    size_t avoid;    /* the worker that should not get it */
    double within_s; /* nor one that takes longer for it */
} returned_unit;

enum { UNIT_DONE = 1, UNIT_COPIED = 2 };

struct cop_schedule {
    cop_schedule_options options;
    cop_schedule_phase phase;
    uint8_t *flags;    /* [unit_count] UNIT_... */
    uint8_t *attempts; /* [unit_count] failures */
    size_t unit_capacity, attempt_capacity;
    size_t left;             /* units without an answer */
    size_t next;             /* first position that was never handed out */
    returned_unit *returned; /* [returned_count] */
    size_t returned_count, returned_capacity;
    worker_state *workers; /* [options.workers] */
    size_t joined_count;
    double speed_sum;   /* of joined workers whose rate is known */
    size_t known_count; /* of these */
    double slowest;     /* longest time of a unit of size 1 that was done in time */
};

/* Work of the unit at a position. */
double cop_schedule_size(const cop_schedule *schedule, size_t at);

/* Puts a unit back. */
cop_status cop_schedule_put_back(cop_schedule *schedule, const returned_unit *unit,
                                 cop_error *err);

#endif
