/* When the run file is written, and what happens while it cannot be. Intervals are told by the
 * monotonic clock alone. */
#include "run/context.h"

#include "coppice/base/timer.h"
#include "run/signals.h"

#include <stdio.h>
#include <string.h>

/* Between two attempts while writing fails, and between two warnings at first and at last. */
static const double retry_after_s = 10;
static const double first_gap_s = 60;
/* Between two looks at where the run directory is. */
static const double look_every_s = 1;
static const double last_gap_s = 3600;

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
static double retry_gap(const cop_run *run)
{
    static const double shortest_s = 0.5;
    const double interval_s = run->job->checkpoint.interval;
    if (interval_s >= retry_after_s) return retry_after_s;
    return interval_s > shortest_s ? interval_s : shortest_s;
}

static void note_success(cop_run *run, const cop_saver_result *result)
{
    cop_save *const s = &run->save;
    char spent[16];
    s->write_s = result->seconds;
    cop_log_write(run->log, COP_LOG_DEBUG, "checkpoint written in %.3f s", result->seconds);
    if (s->failures > 0) {
        cop_timer_format(spent, sizeof spent, cop_timer_now_s() - s->failing_s);
        cop_log_write(run->log, COP_LOG_WARN,
                      "%s is written again, after %s and %zu failed attempts", run->run_path,
                      spent, s->failures);
    }
    s->failures = 0;
    s->warning = (cop_limiter){0};
    s->error = (cop_error){0};
    if (result->number != s->number) return; /* a newer one is under way */
    s->saved_s = s->snapshot_s;
    s->saved_units = s->units;
}

static void note_failure(cop_run *run, const cop_saver_result *result)
{
    cop_save *const s = &run->save;
    const double now_s = cop_timer_now_s();
    run->unsaved = true;
    s->error = result->error;
    s->retry_s = now_s + retry_gap(run);
    if (s->failures++ == 0) s->failing_s = now_s;
    if (s->error.status == COP_ERR_BUSY || !let_through(&s->warning)) return;
    char spent[16];
    cop_timer_format(spent, sizeof spent, now_s - s->failing_s);
    cop_log_write(run->log, COP_LOG_WARN,
                  "no checkpoint (attempt %zu, for %s; the job goes on and tries again every "
                  "%.3g s): %s",
                  s->failures, spent, retry_gap(run), s->error.message);
}

static void take_result(cop_run *run)
{
    cop_saver_result result;
    if (!cop_saver_take_result(run->saver, &result)) return;
    if (result.error.status == COP_OK) {
        note_success(run, &result);
    } else {
        note_failure(run, &result);
    }
}

cop_status cop_rundir_tick(cop_run *run, cop_error *err)
{
    cop_error why;
    cop_save *const s = &run->save;
    take_result(run);
    const cop_keeper_view view = {.progress = run->progress,
                                  .saved_s = s->saved_units > 0 ? s->saved_s : -1,
                                  .saved_units = s->saved_units,
                                  .failed_saves = s->failures};
    cop_keeper_post(run->keeper, &view);
    if (cop_claim_is_lost(run->claim)) return cop_claim_check(run->claim, err);
    if (run->saver != NULL && cop_timer_now_s() >= s->look_s) {
        s->look_s = cop_timer_now_s() + look_every_s;
        COP_TRY(cop_rundir_follow(run, err));
    }
    if (cop_keeper_take_trouble(run->keeper, &why) && let_through(&s->trouble)) {
        cop_log_write(run->log, COP_LOG_WARN,
                      "%s (others may take this job for dead if that lasts)", why.message);
    }
    return COP_OK;
}

cop_status cop_rundir_watch(cop_run *run, cop_error *err)
{
    const int signal_number = cop_signals_pending();
    COP_CHECK(signal_number == 0, err, COP_INTERRUPTED,
              "signal %d: a checkpoint is written; run the same command again to continue",
              signal_number);
    return cop_rundir_tick(run, err);
}

/* The time that a write takes comes off, so that no more than the interval is ever lost. */
bool cop_rundir_is_due(const cop_run *run)
{
    const cop_save *const s = &run->save;
    const double interval_s = run->job->checkpoint.interval;
    const double ahead_s = s->write_s < interval_s / 2 ? s->write_s : interval_s / 2;
    const double now_s = cop_timer_now_s();
    return run->unsaved && now_s >= s->retry_s &&
           (s->number == 0 || now_s - s->snapshot_s >= interval_s - ahead_s) &&
           !cop_saver_is_busy(run->saver);
}

cop_status cop_rundir_save(cop_run *run, cop_error *err)
{
    cop_store *copy = NULL;
    COP_TRY(cop_rundir_follow(run, err));
    COP_TRY(cop_store_clone(run->store, &copy, err));
    run->unsaved = false;
    run->save.snapshot_s = cop_timer_now_s();
    run->save.units = run->progress.all_units;
    run->save.number = cop_saver_submit(run->saver, &copy);
    if (run->job->checkpoint.interval > 0) return COP_OK;
    cop_saver_wait(run->saver); /* nothing may ever be lost */
    take_result(run);
    return COP_OK;
}

cop_status cop_rundir_flush(cop_run *run, double patience_s, cop_error *err)
{
    static const double pause_s = 0.2;
    const double start_s = cop_timer_now_s();
    for (;;) {
        cop_saver_wait(run->saver);
        take_result(run);
        if (!run->unsaved) return COP_OK;
        COP_TRY(cop_rundir_save(run, err));
        cop_saver_wait(run->saver);
        take_result(run);
        if (!run->unsaved) return COP_OK;
        const cop_error *const why = &run->save.error;
        if (why->status != COP_ERR_IO || cop_timer_now_s() - start_s >= patience_s)
            return cop_error_set(err, why->status, "%s", why->message);
        cop_timer_sleep(pause_s);
    }
}

cop_status cop_rundir_save_and_leave(cop_run *run, cop_error *err)
{
    static const double patience_s = 2;
    return cop_rundir_flush(run, patience_s, err);
}

/* Sleeps, but not through a signal, nor through the loss of the claim. */
static cop_status pause_awhile(cop_run *run, double seconds, cop_error *err)
{
    static const double step_s = 0.1;
    const double end_s = cop_timer_now_s() + seconds;
    while (cop_timer_now_s() < end_s && cop_signals_pending() == 0) {
        cop_timer_sleep(step_s);
        COP_TRY(cop_rundir_tick(run, err));
    }
    return COP_OK;
}

cop_status cop_rundir_persist(cop_run *run,
                              cop_status (*attempt)(void *context, cop_error *err),
                              void *context, cop_error *err)
{
    static const double first_pause_s = 0.5;
    const double start_s = cop_timer_now_s();
    cop_limiter warning = {0};
    double pause_s = first_pause_s;
    for (;;) {
        cop_error why = {0};
        COP_TRY(cop_rundir_follow(run, err));
        const cop_status status = attempt(context, &why);
        if (status == COP_OK) return COP_OK;
        const double waited_s = cop_timer_now_s() - start_s;
        const int signal_number = cop_signals_pending();
        const double patience_s = run->job->checkpoint.patience;
        if (status != COP_ERR_IO) return cop_error_set(err, status, "%s", why.message);
        if (signal_number != 0 || waited_s >= patience_s) {
            return cop_error_set(err, COP_ERR_IO,
                                 "%s; gave up after %.0f s (%s). What was computed up to the "
                                 "last checkpoint is in %s: once it can be written, run the "
                                 "same command again",
                                 why.message, waited_s,
                                 signal_number != 0 ? "a signal came" : "checkpoint.patience",
                                 run->run_path);
        }
        if (let_through(&warning)) {
            cop_log_write(run->log, COP_LOG_WARN,
                          "the job is done, but its result cannot be written; trying again for "
                          "%.0f s: %s",
                          patience_s - waited_s, why.message);
        }
        COP_TRY(pause_awhile(run, pause_s, err));
        pause_s = pause_s * 2 < retry_after_s ? pause_s * 2 : retry_after_s;
    }
}
