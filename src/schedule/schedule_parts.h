/* Inside of the schedule. Private to dist/. */
#ifndef COP_SCHEDULE_SCHEDULE_PARTS_H
#define COP_SCHEDULE_SCHEDULE_PARTS_H

#include "coppice/schedule/bands.h"
#include "coppice/schedule/schedule.h"

/* A chunk: positions at .. at + count - 1 in the list of units, which are consecutive. */
typedef struct held_range {
    size_t at, count;
    size_t left;     /* units without an answer of this worker */
    cop_bands bands; /* those that come after the band at hand */
    band band;       /* what of the band at hand has no answer yet */
} held_range;

enum { MOST_HELD = 2 }; /* the chunk at hand and the next one */

typedef struct worker_state {
    bool joined;
    int held_count;
    size_t lanes;               /* rows that it computes side by side */
    held_range held[MOST_HELD]; /* the band of held[0] is being computed */
    bool fresh;                 /* that band has no answer yet */
    bool late;                  /* its first one came after the deadline */
    double started_s;           /* of what is left of it */
    double spare_s;             /* time of it that its answers so far did not account for */
    double most_s;              /* of that, what its last answer can have taken */
    double rate; /* seconds for a unit of size 1, smoothed; its share where there were others
                  * beside it; 0: not known */
} worker_state;

/* A unit to hand out again. */
typedef struct returned_unit {
    size_t at;
    size_t avoid;    /* the worker that should not get it */
    double within_s; /* nor one that takes longer for it */
} returned_unit;

enum { UNIT_DONE = 1, UNIT_COPIED = 2, UNIT_ALONE = 4 };

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
    size_t joined_lanes; /* of all of them */
    double speed_sum;    /* of joined workers whose rate is known */
    size_t known_count;  /* of these */
    double slowest;      /* longest time of a unit of size 1 that was done in time */
};

/* Work of the unit at a position. */
double cop_schedule_size(const cop_schedule *schedule, size_t at);

/* Position of the unit that a worker, which holds some, is to answer next. */
size_t cop_schedule_present(const cop_schedule *schedule, const worker_state *worker);

/* Work of what is left of the band that it is at. */
double cop_schedule_present_size(const cop_schedule *schedule, const worker_state *worker);

/* Takes the next unit off what is left of a chunk; false if there is none. */
bool cop_schedule_next_held(const cop_schedule *schedule, held_range *held, size_t *at);

/* Puts a unit back. */
cop_status cop_schedule_put_back(cop_schedule *schedule, const returned_unit *unit,
                                 cop_error *err);

#endif
