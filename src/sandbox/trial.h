/* One request at work: a guest with the program, a judge with the tests. */
#ifndef COP_SANDBOX_TRIAL_H
#define COP_SANDBOX_TRIAL_H

#include "sandbox/request.h"
#include "sandbox/zygote.h"

/** By the wall clock a trial gets its timeout this many times: where it can be told how long it
 * waited for a processor, and where not. */
enum { COP_TRIAL_PATIENCE = 10, COP_TRIAL_PATIENCE_BLIND = 3 };

typedef struct cop_trial {
    json_t *id; /**< owned; NULL: the place is free */
    double started, timeout_s;
    double deadline;              /**< when to look at the clocks next, by cop_timer_now_s() */
    pid_t guest, judge;           /**< 0 once they are reaped */
    pid_t seen_guest, seen_judge; /**< as /proc knows them; 0: unknown */
    int guest_how, judge_how;     /**< as waitpid() tells */
    int verdict;                  /**< the judge writes here */
    bool late, dismissed; /**< killed by the clock; guest killed since the judge is done */
} cop_trial;

/** Starts both processes. `proc` is of cop_waits_open(). Takes the request's id. On failure
 * nothing is left running. */
cop_status cop_trial_start(cop_trial *trial, const cop_zygote *zygote, int proc,
                           cop_request *request, cop_error *err);

/** Notes that a child ended. \return whether it was one of this trial's. */
bool cop_trial_reap(cop_trial *trial, pid_t pid, int how);

/** Once the deadline has passed: kills both processes if they took more than the request's
 *  timeout, else sets the deadline to when they can have. Time counts while they run and while
 *  they sleep, not while they wait for a processor, as `proc` (waits.h) tells: a busy machine
 * does not change a verdict, and none sleeps for long. COP_TRIAL_PATIENCE times as much by the
 * wall clock is the end in any case. */
void cop_trial_check_deadline(cop_trial *trial, int proc, double now);

/** Whether both processes are gone. */
bool cop_trial_is_over(const cop_trial *trial);

/** Appends the answer of a trial that is over, and frees its place. */
cop_status cop_trial_finish(cop_trial *trial, cop_text *out, cop_error *err);

/** Kills and reaps what runs, and frees the place. */
void cop_trial_abandon(cop_trial *trial);

#endif
