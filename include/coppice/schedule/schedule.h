/** \file schedule.h
 * Who computes which unit: the coordinator's logic without messages and without a clock of its
 * own, so that it runs under simulated time too.
 *
 * Guided self-scheduling with measured speeds. A worker that asks gets a chunk of consecutive
 * units: half of its share (by its speed) of what is left, at most `chunk_s` of its time, ended
 * at a row's border where that fits, for the units of a row share one rebuild of the weights.
 * A worker that computes several rows side by side gets at least so many, near the end as many
 * as its share of what is left. Chunks so shrink towards the end. While there is more than one
 * unit for every worker, the next chunk is handed out before the last units of the present one
 * are done. Once all is handed out, idle workers get copies of units that lie with workers much
 * slower than they are; the first answer counts.
 *
 * Workers are numbered from 0, times are seconds of any clock that does not go back. Not for
 * use by several threads at a time.
 */
#ifndef COPPICE_SCHEDULE_SCHEDULE_H
#define COPPICE_SCHEDULE_SCHEDULE_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How to hand out. */
typedef struct cop_schedule_options {
    size_t workers; /**< numbered 0 .. workers - 1 */
    double chunk_s; /**< most work handed out at a time, but at least one unit */
    double deadline_factor, deadline_least_s; /**< see cop_schedule_deadline_s() */
} cop_schedule_options;

/** The units of a phase. */
typedef struct cop_schedule_phase {
    const uint64_t *units; /**< [unit_count] rising, borrowed until the next phase */
    size_t unit_count;
    size_t row_units; /**< units of a row: unit / row_units is its row */
    double last_size; /**< work of a row's last unit, in (0, 1]; that of the others is 1 */
} cop_schedule_phase;

/** Units first .. first + count - 1. */
typedef struct cop_schedule_chunk {
    uint64_t first;
    size_t count;
    bool again; /**< these were handed out before: a failure, a leave, a copy */
} cop_schedule_chunk;

/** What an answer turned out to be. */
typedef enum cop_schedule_verdict {
    COP_SCHEDULE_TAKEN,    /**< the first answer for this unit, or its failure */
    COP_SCHEDULE_REPEATED, /**< another worker has answered already: to be ignored */
    COP_SCHEDULE_UNKNOWN   /**< this worker does not owe an answer for this unit now */
} cop_schedule_verdict;

typedef struct cop_schedule cop_schedule;

/** A schedule without a phase and without workers. */
cop_status cop_schedule_create(const cop_schedule_options *options, cop_schedule **schedule,
                               cop_error *err);

/** Begins a phase. What was handed out before is forgotten, measured speeds are kept.
 *  COP_ERR_INTERNAL: the units do not rise, or row_units is 0. */
cop_status cop_schedule_begin(cop_schedule *schedule, const cop_schedule_phase *phase,
                              cop_error *err);

/** A worker may get units from now on; it owes none. It computes units of `lanes` (>= 1) rows
 *  on the same examples side by side. */
void cop_schedule_join(cop_schedule *schedule, size_t worker, size_t lanes);

/** A worker gets no more units until it joins again; those that it owes go to others. Answers
 *  that it sends all the same are good. */
cop_status cop_schedule_leave(cop_schedule *schedule, size_t worker, cop_error *err);

/** The next chunk for a worker, count 0 if there is none for it now. To be asked until then
 *  when a worker joins, after every answer, and for idle workers after everything that puts
 *  units back (a failure, a leave, a copy). */
cop_status cop_schedule_take(cop_schedule *schedule, size_t worker, double now_s,
                             cop_schedule_chunk *chunk, cop_error *err);

/** A worker has evaluated a unit. Answers come in the order in which units were handed out; of
 * a chunk, `lanes` rows at a time, and of these, unit 0 of each row, then unit 1 of each, and
 * so on. `seconds`: what the worker says it took, its share of the time of those that were side
 * by side; finite and not negative. */
cop_schedule_verdict cop_schedule_done(cop_schedule *schedule, size_t worker, uint64_t unit,
                                       double seconds, double now_s);

/** A worker has failed at a unit, which goes to another one where there is one. *attempts
 * counts the failures of this unit (0 unless the verdict is TAKEN). */
cop_status cop_schedule_failed(cop_schedule *schedule, size_t worker, uint64_t unit,
                               double now_s, cop_schedule_verdict *verdict, int *attempts,
                               cop_error *err);

/** Units without an answer. */
size_t cop_schedule_left(const cop_schedule *schedule);

/** Units that are with nobody. */
size_t cop_schedule_waiting(const cop_schedule *schedule);

/** Of these, units that were put back: idle workers should be asked again. */
size_t cop_schedule_returned(const cop_schedule *schedule);

/** True if the worker owes answers. */
bool cop_schedule_owes(const cop_schedule *schedule, size_t worker);

/** True if the worker may get units and has none. */
bool cop_schedule_is_idle(const cop_schedule *schedule, size_t worker);

/** Time after which a unit of size 1 is overdue, several side by side after the sum of theirs:
 * deadline_factor times the slowest unit that was ever done in time (scaled by size), at least
 * deadline_least_s; INFINITY before any was.
 */
double cop_schedule_deadline_s(const cop_schedule *schedule);

/** Typical time of a unit of size 1, 0 before any was done. */
double cop_schedule_unit_s(const cop_schedule *schedule);

/** The first worker from `from` on whose present units are overdue, or the number of workers.
 */
size_t cop_schedule_overdue(const cop_schedule *schedule, size_t from, double now_s);

/** The worker is known to be at its present units: its time begins anew. */
void cop_schedule_excuse(cop_schedule *schedule, size_t worker, double now_s);

/** Counts a failure of the (first) unit that the worker is at. With cop_schedule_leave() it
 * then goes to others, and so does each of those beside it, by itself. *unit is its number.
 * \return its failures, 0 if the worker has left or owes none, or if the unit is answered
 * already. */
int cop_schedule_blame(cop_schedule *schedule, size_t worker, uint64_t *unit);

/** Puts copies of units that lie with slow workers at the disposal of idle ones, if nothing
 * else waits; *copies of them. Costs a pass over the workers. */
cop_status cop_schedule_copy(cop_schedule *schedule, double now_s, size_t *copies,
                             cop_error *err);

/** Frees *schedule and sets it to NULL; NULL is allowed. */
void cop_schedule_destroy(cop_schedule **schedule);

/* --- under a simulated clock --- */

/** A simulated job of one phase. */
typedef struct cop_simulation {
    cop_schedule_options schedule; /**< workers >= 1 */
    size_t rows, row_units;        /**< units: rows * row_units */
    double unit_s;                 /**< of a worker of speed 1 */
    double spread;     /**< a unit takes up to so much longer or shorter, share in [0, 1) */
    double slowest;    /**< speeds lie evenly in [slowest, 1] */
    size_t lanes;      /**< rows that the wide workers compute side by side, 0 as 1 */
    double wide_share; /**< so many of the workers are; theirs take as long as one alone */
    double message_s;  /**< one way */
    double late_share, late_s; /**< so many of the workers join so late */
    double hang_share;         /**< so many stop answering at a random moment, for ever */
    double fail_share;         /**< so many of the evaluations fail */
    unsigned seed;
} cop_simulation;

/** What came of it. */
typedef struct cop_simulation_result {
    double makespan_s;   /**< until the last unit's answer */
    double ideal_s;      /**< total work over the sum of speeds, late joiners counted as such */
    size_t units, done;  /**< done: answers taken, must be units */
    size_t most_answers; /**< answers taken for one unit, must be 1 */
    size_t evaluations;  /**< copies and failures included */
    size_t chunks;
    double gap_s;      /**< mean wait of a worker between two units while more waited */
    double schedule_s; /**< processor time of the schedule's calls, on this machine */
} cop_simulation_result;

/** Runs the schedule under a simulated clock. COP_ERR_UNIT: no worker is left, or a unit failed
 *  100 times. Deterministic but for schedule_s. */
cop_status cop_schedule_simulate(const cop_simulation *simulation,
                                 cop_simulation_result *result, cop_error *err);

/** True if its books agree: what is left, who holds what, whose speed is known. Looks at every
 * unit; for tests and assertions. */
bool cop_schedule_is_valid(const cop_schedule *schedule);

#endif
