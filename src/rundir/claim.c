#include "coppice/rundir/claim.h"

#include "coppice/base/file.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/base/timer.h"
#include "rundir/claim_files.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cop_claim {
    char *directory;
    uint64_t number;
    int fd;         /* of the claim's own file, wherever it has gone */
    int folder;     /* the directory itself, wherever it is moved */
    char place[32]; /* its path by that; as `directory` is where the system has no such paths */
    cop_claim_record record;
    atomic_bool lost;
};

static void forget(cop_claim **claim)
{
    if (*claim == NULL) return;
    if ((*claim)->fd >= 0) (void)close((*claim)->fd);
    if ((*claim)->folder >= 0) (void)close((*claim)->folder);
    cop_memory_free((*claim)->directory);
    cop_memory_free(*claim);
    *claim = NULL;
}

static cop_status write_record(cop_claim *claim, cop_error *err)
{
    char bytes[COP_CLAIM_BYTES];
    COP_TRY(cop_claim_print(&claim->record, bytes, err));
    ssize_t wrote = 0;
    do {
        wrote = pwrite(claim->fd, bytes, sizeof bytes, 0);
    } while (wrote < 0 && errno == EINTR);
    /* Synced, for a network file system keeps it to itself otherwise. */
    COP_CHECK(wrote == (ssize_t)sizeof bytes && fdatasync(claim->fd) == 0, err, COP_ERR_IO,
              "%s: the sign of life cannot be written: %s", claim->directory,
              wrote >= 0 && wrote < (ssize_t)sizeof bytes ? "disk full" : strerror(errno));
    return COP_OK;
}

/* --- where it is --- */

/* What files of the directory are reached by. */
static const char *place_of(const cop_claim *claim)
{
    return claim->place[0] != '\0' ? claim->place : claim->directory;
}

/* Holds on to the directory that the claim was made in. */
static void hold(cop_claim *claim)
{
    claim->folder = open(claim->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (claim->folder < 0) return;
    (void)snprintf(claim->place, sizeof claim->place, "/proc/self/fd/%d", claim->folder);
    if (!cop_claim_files_exists(claim->place, claim->number)) claim->place[0] = '\0';
}

static bool is_same(const char *path, const struct stat *folder)
{
    struct stat info;
    return stat(path, &info) == 0 && info.st_dev == folder->st_dev &&
           info.st_ino == folder->st_ino;
}

void cop_claim_locate(const cop_claim *claim, char path[COP_CLAIM_PATH_BYTES])
{
    struct stat folder;
    (void)snprintf(path, COP_CLAIM_PATH_BYTES, "%s", claim->directory);
    if (claim->place[0] == '\0' || fstat(claim->folder, &folder) != 0 || folder.st_nlink == 0 ||
        is_same(path, &folder))
        return;
    const ssize_t length = readlink(claim->place, path, COP_CLAIM_PATH_BYTES - 1);
    if (length > 0) path[length] = '\0';
    /* Moved by another machine, its name is not known here. */
    if (length <= 0 || !is_same(path, &folder))
        (void)snprintf(path, COP_CLAIM_PATH_BYTES, "%s", claim->place);
}

/* False where it was removed. */
static bool is_there(const cop_claim *claim)
{
    struct stat folder;
    if (access(claim->directory, F_OK) == 0) return true;
    return claim->place[0] != '\0' && fstat(claim->folder, &folder) == 0 && folder.st_nlink > 0;
}

/* --- keeping it --- */

/* Says by whom. */
static cop_status lose(cop_claim *claim, cop_error *err)
{
    uint64_t number = 0;
    bool readable = false;
    cop_claim_record now = {0};
    atomic_store(&claim->lost, true);
    (void)cop_claim_read(place_of(claim), &number, &now, &readable, NULL);
    if (readable && number > claim->number) {
        return cop_error_set(
            err, COP_ERR_BUSY,
            "%s: another coppice (host %s, pid %lld) took over this directory, "
            "for this one gave no sign of life; it stops and writes nothing",
            claim->directory, now.owner.host, (long long)now.owner.pid);
    }
    return cop_error_set(err, COP_ERR_BUSY,
                         "%s: the claim on this directory was removed; another job may be "
                         "working here, so this one stops and writes nothing",
                         claim->directory);
}

bool cop_claim_is_lost(const cop_claim *claim)
{
    return atomic_load(&claim->lost);
}

cop_status cop_claim_check(cop_claim *claim, cop_error *err)
{
    char bytes[COP_CLAIM_BYTES];
    size_t length = 0;
    cop_claim_record record;
    if (atomic_load(&claim->lost)) return lose(claim, err);
    /* Its own file first: opening it asks the file server, names may come from a cache. */
    const int failed =
        cop_claim_files_read(place_of(claim), claim->number, bytes, sizeof bytes, &length);
    if (failed == ENOENT || failed == ESTALE) {
        COP_CHECK(is_there(claim), err, COP_ERR_IO, "%s: the run directory is not there: %s",
                  claim->directory, strerror(errno));
        return lose(claim, err);
    }
    COP_CHECK(failed == 0, err, COP_ERR_IO, "%s: the claim on it cannot be read: %s",
              claim->directory, strerror(failed));
    if (cop_claim_files_exists(place_of(claim), claim->number + 1)) return lose(claim, err);
    /* A record that is being refreshed at this moment may be half of each. */
    if (cop_claim_parse(bytes, length, &record) &&
        strcmp(record.token, claim->record.token) != 0) {
        return lose(claim, err);
    }
    return COP_OK;
}

cop_status cop_claim_beat(cop_claim *claim, cop_error *err)
{
    COP_TRY(cop_claim_check(claim, err));
    claim->record.beat++;
    return write_record(claim, err);
}

uint64_t cop_claim_number(const cop_claim *claim)
{
    return claim->number;
}

const cop_claim_record *cop_claim_get(const cop_claim *claim)
{
    return &claim->record;
}

void cop_claim_release(cop_claim **claim)
{
    if (claim == NULL || *claim == NULL) return;
    /* Where it cannot be written the next taker finds the process gone, or waits. */
    if (cop_claim_check(*claim, NULL) == COP_OK) {
        (*claim)->record.released = true;
        (void)write_record(*claim, NULL);
    }
    forget(claim);
}

cop_status cop_claim_read(const char *directory, uint64_t *number, cop_claim_record *record,
                          bool *readable, cop_error *err)
{
    enum { TRIES = 3 };
    *readable = false;
    *record = (cop_claim_record){0};
    COP_TRY(cop_claim_files_latest(directory, number, err));
    for (int i = 0; i<TRIES && * number> 0 && !*readable; i++) {
        char bytes[COP_CLAIM_BYTES];
        size_t length = 0;
        if (cop_claim_files_read(directory, *number, bytes, sizeof bytes, &length) != 0)
            continue;
        *readable = cop_claim_parse(bytes, length, record);
    }
    return COP_OK;
}

/* --- taking it --- */

/* Watches one claim until it may be taken over. */
typedef struct watch {
    const cop_claim_options *options;
    uint64_t number;
    char seen[COP_CLAIM_BYTES]; /* the record as it was last */
    size_t seen_length;
    cop_claim_record record;
    double start_s, counted_s, changed_s;
    int quiet; /* heartbeats without a change */
    bool told, alive;
} watch;

static double now_s(const cop_claim_options *options)
{
    return options->now_s != NULL ? options->now_s(options->context) : cop_timer_now_s();
}

static void sleep_s(const cop_claim_options *options, double seconds)
{
    if (options->sleep != NULL) {
        options->sleep(options->context, seconds);
    } else {
        cop_timer_sleep(seconds);
    }
}

static cop_status refuse(const watch *w, cop_error *err)
{
    const cop_claim_owner *const o = &w->record.owner;
    char slurm[128] = "";
    if (o->slurm_job[0] != '\0') {
        (void)snprintf(slurm, sizeof slurm, ", Slurm job %s", o->slurm_job);
    }
    return cop_error_set(err, COP_ERR_BUSY,
                         "%s: another coppice is running in this directory (host %s, pid "
                         "%lld%s, since %s); wait for it or choose another --out",
                         w->options->directory, o->host, (long long)o->pid, slurm,
                         w->record.since);
}

/* One heartbeat of the owner; of one whose record says nothing, that of this run. */
static double heartbeat_of(const watch *w)
{
    static const double most_s = 60;
    const double theirs = w->record.heartbeat_s;
    if (!(theirs > 0)) return w->options->heartbeat_s;
    return theirs < most_s ? theirs : most_s;
}

static void tell_waiting(watch *w)
{
    char text[512];
    if (w->told || w->options->waiting == NULL) return;
    w->told = true;
    (void)snprintf(
        text, sizeof text,
        "%s is claimed by host %s, pid %lld, since %s, which cannot be looked up from "
        "here; it is taken over unless it shows a sign of life within %.0f s",
        w->options->directory, w->record.owner.host, (long long)w->record.owner.pid,
        w->record.since, heartbeat_of(w) * COP_CLAIM_STALE_BEATS);
    w->options->waiting(w->options->context, text);
}

/* Compares the record with what was seen before. What counts is how often it was found the same
 * at a distance of a heartbeat: an observer that was itself stopped meanwhile counts one. */
static void compare(watch *w, const char *bytes, size_t length)
{
    const double now = now_s(w->options);
    const bool first = w->seen_length == 0 && w->changed_s < 0;
    if (first || length != w->seen_length || memcmp(bytes, w->seen, length) != 0) {
        w->alive = !first;
        w->changed_s = w->counted_s = now;
        w->quiet = 0;
        memcpy(w->seen, bytes, length);
        w->seen_length = length;
    } else if (now - w->counted_s >= heartbeat_of(w)) {
        w->counted_s = now;
        w->quiet++;
        if (w->quiet > 3) w->alive = false;
    }
}

/* Looks once. *verdict RELEASED or DEAD: may be taken; ALIVE; UNKNOWN: look again. */
static cop_status look(watch *w, bool *gone, cop_claim_state *verdict, cop_error *err)
{
    char bytes[COP_CLAIM_BYTES];
    size_t length = 0;
    *verdict = COP_CLAIM_UNKNOWN;
    const int failed =
        cop_claim_files_read(w->options->directory, w->number, bytes, sizeof bytes, &length);
    *gone = failed == ENOENT || failed == ESTALE ||
            cop_claim_files_exists(w->options->directory, w->number + 1);
    if (*gone) return COP_OK;
    COP_CHECK(failed == 0, err, COP_ERR_IO, "%s: the claim on it cannot be read: %s",
              w->options->directory, strerror(failed));
    cop_claim_record record;
    const bool readable = cop_claim_parse(bytes, length, &record);
    if (readable) {
        w->record = record;
        *verdict = cop_claim_judge(&record, &w->options->owner);
    }
    compare(w, bytes, length);
    if (*verdict != COP_CLAIM_UNKNOWN) return COP_OK;
    if (w->quiet >= COP_CLAIM_STALE_BEATS) {
        *verdict = COP_CLAIM_DEAD;
    } else if (w->alive) {
        *verdict = COP_CLAIM_ALIVE;
    } else {
        tell_waiting(w);
    }
    return COP_OK;
}

/* Waits until claim `number` may be taken over, or has been by another (then *gone). */
static cop_status await(const cop_claim_options *options, uint64_t number, bool *gone,
                        cop_error *err)
{
    static const double most_s = 0.5;
    watch w = {.options = options, .number = number, .changed_s = -1};
    w.start_s = now_s(options);
    double pause_s = 0.05;
    for (;;) {
        cop_claim_state verdict = COP_CLAIM_UNKNOWN;
        COP_TRY(look(&w, gone, &verdict, err));
        if (*gone || verdict == COP_CLAIM_RELEASED || verdict == COP_CLAIM_DEAD) return COP_OK;
        if (verdict == COP_CLAIM_ALIVE && now_s(options) - w.start_s >= options->patience_s) {
            return refuse(&w, err);
        }
        COP_CHECK(options->cancelled == NULL || !options->cancelled(options->context), err,
                  COP_INTERRUPTED, "a signal came while %s was waited for", options->directory);
        sleep_s(options, pause_s);
        /* Often enough to count heartbeats when they are due. */
        const double longest_s = fmin(most_s, heartbeat_of(&w) / 8);
        pause_s = fmin(pause_s * 1.5, longest_s);
    }
}

/* Makes claim `number`; *claim stays NULL where another was faster. */
static cop_status make(const cop_claim_options *options, uint64_t number, cop_claim **claim,
                       cop_error *err)
{
    cop_claim *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->fd = made->folder = -1;
    made->number = number;
    made->record.owner = options->owner;
    made->record.heartbeat_s = options->heartbeat_s;
    cop_timer_utc(made->record.since, sizeof made->record.since);
    made->directory =
        cop_memory_copy_string(options->directory, strlen(options->directory), err);
    cop_status status = made->directory == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK) status = cop_claim_files_token(made->record.token, err);
    char bytes[COP_CLAIM_BYTES];
    if (status == COP_OK) status = cop_claim_print(&made->record, bytes, err);
    if (status == COP_OK) {
        status = cop_claim_files_make(options->directory, number, made->record.token, bytes,
                                      options->without_links, &made->fd, err);
    }
    /* A taker that was late may have made a number that others have left behind them. */
    uint64_t latest = 0;
    if (status == COP_OK && made->fd >= 0) {
        status = cop_claim_files_latest(options->directory, &latest, err);
    }
    if (status == COP_OK && latest == number) {
        hold(made);
        *claim = made;
        return COP_OK;
    }
    if (made->fd >= 0) cop_claim_files_remove(options->directory, number);
    forget(&made);
    return status;
}

cop_status cop_claim_acquire(const cop_claim_options *options, cop_claim **claim,
                             cop_error *err)
{
    *claim = NULL;
    while (*claim == NULL) {
        uint64_t number = 0;
        bool gone = false;
        COP_TRY(cop_claim_files_latest(options->directory, &number, err));
        if (number > 0) COP_TRY(await(options, number, &gone, err));
        if (!gone) COP_TRY(make(options, number + 1, claim, err));
    }
    cop_claim_files_tidy(options->directory, (*claim)->number, &options->owner);
    return COP_OK;
}
