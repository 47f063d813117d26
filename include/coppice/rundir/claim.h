/** \file claim.h
 * Whose run directory it is, without locks: many network file systems have none that work.
 *
 * A claim is a file ".claim.N" of one record, made whole by hard link (or, where there are no
 * links, with O_EXCL), that its owner refreshes in place. N only ever rises, so the owner is
 * whoever made the highest one: to take over from N is to make N + 1, which succeeds for one
 * taker alone. The taker then removes the lower ones, which is how the former owner notices,
 * even through a network file system's caches: opening its own file fails. A claim that is
 * given back stays, marked as released.
 *
 * Nothing here compares the clocks of two machines: an owner that cannot be looked up is dead
 * when its record has stayed the same for so many of its heartbeats by the observer's own
 * monotonic clock.
 */
#ifndef COPPICE_RUNDIR_CLAIM_H
#define COPPICE_RUNDIR_CLAIM_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COP_CLAIM_BYTES = 1024,     /**< of a claim file, always */
    COP_CLAIM_STALE_BEATS = 12, /**< heartbeats without a change: dead */
    COP_CLAIM_TOKEN_BYTES = 33,
    COP_CLAIM_PATH_BYTES = 4096
};

/** A process, for others to find out whether it still runs. */
typedef struct cop_claim_owner {
    char host[128];
    int64_t pid;
    char pid_start[24]; /**< start time of the process in ticks since boot: pids come again */
    char boot[48];      /**< id of the kernel's boot */
    char pid_namespace[48]; /**< where the pid means something */
    char slurm_job[96];     /**< cluster and job id; "": none */
    int64_t slurm_restart;  /**< how often Slurm has started that job again */
} cop_claim_owner;

/** What a claim file says. */
typedef struct cop_claim_record {
    cop_claim_owner owner;
    char token[COP_CLAIM_TOKEN_BYTES]; /**< of this claim alone */
    char since[24];                    /**< UTC, for people */
    double heartbeat_s;
    uint64_t beat;
    bool released;
} cop_claim_record;

/** Of an owner, as seen from here. */
typedef enum cop_claim_state {
    COP_CLAIM_RELEASED,
    COP_CLAIM_DEAD,
    COP_CLAIM_ALIVE,
    COP_CLAIM_UNKNOWN /* on another machine: only its heartbeat can tell */
} cop_claim_state;

/** How to take a claim. */
typedef struct cop_claim_options {
    const char *directory;
    cop_claim_owner owner; /**< who takes it */
    double heartbeat_s;
    double patience_s; /**< how long a living owner is waited for: it may be about to end */
    /** Told once when the wait for another machine's heartbeat begins, NULL: not. */
    void (*waiting)(void *context, const char *text);
    bool (*cancelled)(void *context); /**< NULL: never */
    void *context;
    /** For tests; NULL: the machine's. */
    double (*now_s)(void *context);
    void (*sleep)(void *context, double seconds);
    bool without_links; /**< as on a file system that has none */
} cop_claim_options;

typedef struct cop_claim cop_claim;

/** This process. */
void cop_claim_describe_self(cop_claim_owner *owner);

/** What `mine` can tell about the owner of a claim without waiting. */
cop_claim_state cop_claim_judge(const cop_claim_record *record, const cop_claim_owner *mine);

/** Takes the directory, from nobody or from a dead owner. COP_ERR_BUSY: its owner lives;
 * COP_INTERRUPTED: cancelled. */
cop_status cop_claim_acquire(const cop_claim_options *options, cop_claim **claim,
                             cop_error *err);

/** Where the claimed directory is now: as it was given, or where it was moved to. */
void cop_claim_locate(const cop_claim *claim, char path[COP_CLAIM_PATH_BYTES]);

/** Shows that the owner lives. One thread at a time. Errors as cop_claim_check(). */
cop_status cop_claim_beat(cop_claim *claim, cop_error *err);

/** COP_OK: the directory is still this claim's. COP_ERR_BUSY: somebody else took it; that never
 * passes. COP_ERR_IO: cannot be told for now. Any thread. */
cop_status cop_claim_check(cop_claim *claim, cop_error *err);

/** True once a check has given COP_ERR_BUSY. No input or output. Any thread. */
bool cop_claim_is_lost(const cop_claim *claim);

/** For reports. */
uint64_t cop_claim_number(const cop_claim *claim);
const cop_claim_record *cop_claim_get(const cop_claim *claim);

/** Gives the directory back, frees *claim and sets it to NULL; NULL is allowed. */
void cop_claim_release(cop_claim **claim);

/** The latest claim on a directory: *number 0 if there is none. *readable is false while its
 * record is not to be understood. */
cop_status cop_claim_read(const char *directory, uint64_t *number, cop_claim_record *record,
                          bool *readable, cop_error *err);

/** The record as a file's content, and back; false if `bytes` hold none. */
cop_status cop_claim_print(const cop_claim_record *record, char bytes[COP_CLAIM_BYTES],
                           cop_error *err);
bool cop_claim_parse(const char *bytes, size_t length, cop_claim_record *record);

#endif
