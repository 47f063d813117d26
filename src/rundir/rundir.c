/* The run directory: whose it is, where it is, its run file, its log. */
#include "coppice/rundir/rundir.h"

#include "coppice/base/memory.h"
#include "coppice/base/signals.h"
#include "coppice/base/text.h"
#include "coppice/base/timer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static cop_status make_directory(const char *path, cop_error *err)
{
    cop_text part = {0};
    cop_status status = COP_OK;
    for (const char *end = path; status == COP_OK && end != NULL;) {
        end = strchr(end + 1, '/');
        cop_text_clear(&part);
        status = cop_text_append(&part, path, end == NULL ? strlen(path) : (size_t)(end - path),
                                 err);
        if (status == COP_OK && mkdir(part.data, 0777) != 0 && errno != EEXIST) {
            status = cop_error_set(err, COP_ERR_IO, "%s: cannot make the run directory: %s",
                                   part.data, strerror(errno));
        }
    }
    cop_text_free(&part);
    return status;
}

/* --- the claim --- */

static void tell_waiting(void *context, const char *text)
{
    const cop_rundir *const dir = context;
    cop_log_write(dir->log, COP_LOG_WARN, "%s", text);
}

static bool is_signalled(void *context)
{
    (void)context;
    return cop_signals_pending() != 0;
}

/* A living owner is waited for a while: one that was just told to leave, or killed, may take a
 * moment to be gone. */
cop_status cop_rundir_claim(cop_rundir *dir, const char *path, const cop_keeper_facts *facts,
                            cop_error *err)
{
    cop_claim_options options = {.directory = path,
                                 .heartbeat_s = dir->times.heartbeat_s,
                                 .patience_s = 10,
                                 .waiting = tell_waiting,
                                 .cancelled = is_signalled,
                                 .context = dir};
    COP_TRY(make_directory(path, err));
    dir->directory = cop_memory_copy_string(path, strlen(path), err);
    if (dir->directory == NULL) return COP_ERR_MEMORY;
    cop_claim_describe_self(&options.owner);
    COP_TRY(cop_claim_acquire(&options, &dir->claim, err));
    return cop_keeper_start(dir->claim, facts, &dir->keeper, err);
}

/* Looks where the directory is, and goes on there if it was moved. */
static cop_status follow(cop_rundir *dir, cop_error *err)
{
    char now[COP_CLAIM_PATH_BYTES];
    cop_claim_locate(dir->claim, now);
    if (strcmp(now, dir->directory) == 0) return COP_OK;
    char *const directory = cop_memory_copy_string(now, strlen(now), err);
    char *const path = cop_text_join_path(now, "run.h5", err);
    cop_status status = directory == NULL || path == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK) status = cop_saver_move(dir->saver, path, err);
    if (status != COP_OK) {
        cop_memory_free(directory);
        cop_memory_free(path);
        return status;
    }
    cop_log_write(
        dir->log, COP_LOG_WARN,
        "the run directory was moved while its job runs: it was %s, and goes on as %s",
        dir->directory, now);
    cop_memory_free(dir->directory);
    cop_memory_free(dir->run_path);
    dir->directory = directory;
    dir->run_path = path;
    return COP_OK;
}

static cop_status start_log(cop_rundir *dir, cop_error *err)
{
    char *const path = cop_text_join_path(dir->directory, "log", err);
    if (path == NULL) return COP_ERR_MEMORY;
    const cop_status status = cop_log_open_file(dir->log, path, err);
    cop_memory_free(path);
    return status;
}

cop_status cop_rundir_read(cop_rundir *dir, cop_error *err)
{
    bool previous = false;
    cop_error why = {0};
    dir->run_path = cop_text_join_path(dir->directory, "run.h5", err);
    if (dir->run_path == NULL) return COP_ERR_MEMORY;
    COP_TRY(cop_store_read_latest(dir->run_path, &dir->store, &previous, &why, err));
    if (previous) dir->damage = why;
    dir->resumed = dir->store != NULL;
    return dir->resumed ? COP_OK : cop_store_create(&dir->store, err);
}

static cop_status may_commit(void *context, cop_error *err)
{
    return cop_claim_check(context, err);
}

cop_status cop_rundir_open(cop_rundir *dir, cop_error *err)
{
    COP_TRY(start_log(dir, err));
    if (dir->damage.status != COP_OK) {
        cop_log_write(dir->log, COP_LOG_WARN, "%s; going on from the generation before it",
                      dir->damage.message);
    }
    return cop_saver_start(dir->run_path, may_commit, dir->claim, &dir->saver, err);
}

/* --- when it is written; intervals are told by the monotonic clock alone --- */

/* Between two attempts while writing fails, and between two warnings at first and at last. */
static const double retry_after_s = 10;
static const double first_gap_s = 60;
static const double last_gap_s = 3600;
/* Between two looks at where the run directory is. */
static const double look_every_s = 1;

/* True if the warning may go out. */
static bool let_through(cop_limiter *limiter)
{
    const double now_s = cop_timer_now_s();
    if (limiter->gap_s > 0 && now_s < limiter->next_s) return false;
    limiter->gap_s = limiter->gap_s > 0 ? limiter->gap_s * 2 : first_gap_s;
    if (limiter->gap_s > last_gap_s) limiter->gap_s = last_gap_s;
    limiter->next_s = now_s + limiter->gap_s;
    return true;
}

/* Where checkpoints are asked for more often, so are attempts. */
static double retry_gap(const cop_rundir *dir)
{
    static const double shortest_s = 0.5;
    const double interval_s = dir->times.interval_s;
    if (interval_s >= retry_after_s) return retry_after_s;
    return interval_s > shortest_s ? interval_s : shortest_s;
}

static void note_success(cop_rundir *dir, const cop_saver_result *result)
{
    cop_save *const s = &dir->save;
    char spent[16];
    s->write_s = result->seconds;
    cop_log_write(dir->log, COP_LOG_DEBUG, "checkpoint written in %.3f s", result->seconds);
    if (s->failures > 0) {
        cop_timer_format(spent, sizeof spent, cop_timer_now_s() - s->failing_s);
        cop_log_write(dir->log, COP_LOG_WARN,
                      "%s is written again, after %s and %zu failed attempts", dir->run_path,
                      spent, s->failures);
    }
    s->failures = 0;
    s->warning = (cop_limiter){0};
    s->error = (cop_error){0};
    if (result->number != s->number) return; /* a newer one is under way */
    s->saved_s = s->snapshot_s;
    s->saved_units = s->units;
}

static void note_failure(cop_rundir *dir, const cop_saver_result *result)
{
    cop_save *const s = &dir->save;
    const double now_s = cop_timer_now_s();
    dir->unsaved = true;
    s->error = result->error;
    s->retry_s = now_s + retry_gap(dir);
    if (s->failures++ == 0) s->failing_s = now_s;
    if (s->error.status == COP_ERR_BUSY || !let_through(&s->warning)) return;
    char spent[16];
    cop_timer_format(spent, sizeof spent, now_s - s->failing_s);
    cop_log_write(dir->log, COP_LOG_WARN,
                  "no checkpoint (attempt %zu, for %s; the job goes on and tries again every "
                  "%.3g s): %s",
                  s->failures, spent, retry_gap(dir), s->error.message);
}

static void take_result(cop_rundir *dir)
{
    cop_saver_result result;
    if (!cop_saver_take_result(dir->saver, &result)) return;
    if (result.error.status == COP_OK) {
        note_success(dir, &result);
    } else {
        note_failure(dir, &result);
    }
}

/* What goes on beside the work: writes that ended, troubles to warn of. Called often. It fails
 * with COP_ERR_BUSY when another job took the directory. */
static cop_status tick(cop_rundir *dir, cop_error *err)
{
    cop_error why;
    cop_save *const s = &dir->save;
    take_result(dir);
    const cop_keeper_view view = {.progress = *dir->progress,
                                  .saved_s = s->saved_units > 0 ? s->saved_s : -1,
                                  .saved_units = s->saved_units,
                                  .failed_saves = s->failures};
    cop_keeper_post(dir->keeper, &view);
    if (cop_claim_is_lost(dir->claim)) return cop_claim_check(dir->claim, err);
    if (dir->saver != NULL && cop_timer_now_s() >= s->look_s) {
        s->look_s = cop_timer_now_s() + look_every_s;
        COP_TRY(follow(dir, err));
    }
    if (cop_keeper_take_trouble(dir->keeper, &why) && let_through(&s->trouble)) {
        cop_log_write(dir->log, COP_LOG_WARN,
                      "%s (others may take this job for dead if that lasts)", why.message);
    }
    return COP_OK;
}

cop_status cop_rundir_watch(cop_rundir *dir, cop_error *err)
{
    const int signal_number = cop_signals_pending();
    COP_CHECK(signal_number == 0, err, COP_INTERRUPTED,
              "signal %d: a checkpoint is written; run the same command again to continue",
              signal_number);
    return tick(dir, err);
}

/* The time that a write takes comes off, so that no more than the interval is ever lost. */
bool cop_rundir_is_due(const cop_rundir *dir)
{
    const cop_save *const s = &dir->save;
    const double interval_s = dir->times.interval_s;
    const double ahead_s = s->write_s < interval_s / 2 ? s->write_s : interval_s / 2;
    const double now_s = cop_timer_now_s();
    return dir->unsaved && now_s >= s->retry_s &&
           (s->number == 0 || now_s - s->snapshot_s >= interval_s - ahead_s) &&
           !cop_saver_is_busy(dir->saver);
}

cop_status cop_rundir_save(cop_rundir *dir, cop_error *err)
{
    cop_store *copy = NULL;
    COP_TRY(follow(dir, err));
    COP_TRY(cop_store_clone(dir->store, &copy, err));
    dir->unsaved = false;
    dir->save.snapshot_s = cop_timer_now_s();
    dir->save.units = dir->progress->all_units;
    dir->save.number = cop_saver_submit(dir->saver, &copy);
    if (dir->times.interval_s > 0) return COP_OK;
    cop_saver_wait(dir->saver); /* nothing may ever be lost */
    take_result(dir);
    return COP_OK;
}

cop_status cop_rundir_flush(cop_rundir *dir, double patience_s, cop_error *err)
{
    static const double pause_s = 0.2;
    const double start_s = cop_timer_now_s();
    for (;;) {
        cop_saver_wait(dir->saver);
        take_result(dir);
        if (!dir->unsaved) return COP_OK;
        COP_TRY(cop_rundir_save(dir, err));
        cop_saver_wait(dir->saver);
        take_result(dir);
        if (!dir->unsaved) return COP_OK;
        const cop_error *const why = &dir->save.error;
        if (why->status != COP_ERR_IO || cop_timer_now_s() - start_s >= patience_s)
            return cop_error_set(err, why->status, "%s", why->message);
        cop_timer_sleep(pause_s);
    }
}

cop_status cop_rundir_save_and_leave(cop_rundir *dir, cop_error *err)
{
    static const double patience_s = 2;
    return cop_rundir_flush(dir, patience_s, err);
}

/* Sleeps, but not through a signal, nor through the loss of the claim. */
static cop_status pause_awhile(cop_rundir *dir, double seconds, cop_error *err)
{
    static const double step_s = 0.1;
    const double end_s = cop_timer_now_s() + seconds;
    while (cop_timer_now_s() < end_s && cop_signals_pending() == 0) {
        cop_timer_sleep(step_s);
        COP_TRY(tick(dir, err));
    }
    return COP_OK;
}

cop_status cop_rundir_persist(cop_rundir *dir,
                              cop_status (*attempt)(void *context, cop_error *err),
                              void *context, cop_error *err)
{
    static const double first_pause_s = 0.5;
    const double start_s = cop_timer_now_s();
    cop_limiter warning = {0};
    double pause_s = first_pause_s;
    for (;;) {
        cop_error why = {0};
        COP_TRY(follow(dir, err));
        const cop_status status = attempt(context, &why);
        if (status == COP_OK) return COP_OK;
        const double waited_s = cop_timer_now_s() - start_s;
        const int signal_number = cop_signals_pending();
        const double patience_s = dir->times.patience_s;
        if (status != COP_ERR_IO) return cop_error_set(err, status, "%s", why.message);
        if (signal_number != 0 || waited_s >= patience_s) {
            return cop_error_set(err, COP_ERR_IO,
                                 "%s; gave up after %.0f s (%s). What was computed up to the "
                                 "last checkpoint is in %s: once it can be written, run the "
                                 "same command again",
                                 why.message, waited_s,
                                 signal_number != 0 ? "a signal came" : "checkpoint.patience",
                                 dir->run_path);
        }
        if (let_through(&warning)) {
            cop_log_write(dir->log, COP_LOG_WARN,
                          "the job is done, but its result cannot be written; trying again for "
                          "%.0f s: %s",
                          patience_s - waited_s, why.message);
        }
        COP_TRY(pause_awhile(dir, pause_s, err));
        pause_s = pause_s * 2 < retry_after_s ? pause_s * 2 : retry_after_s;
    }
}

/* --- the end --- */

void cop_rundir_close(cop_rundir *dir, cop_status status, const char *message)
{
    if (dir->saver != NULL) {
        cop_saver_wait(dir->saver);
        (void)tick(dir, NULL); /* the last status tells of the last write */
    }
    cop_saver_stop(&dir->saver);
    cop_keeper_stop(&dir->keeper, status, message);
    cop_claim_release(&dir->claim);
    cop_store_destroy(&dir->store);
    cop_memory_free(dir->run_path);
    cop_memory_free(dir->directory);
    dir->run_path = NULL;
    dir->directory = NULL;
}
