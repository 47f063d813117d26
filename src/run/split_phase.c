/* The split-half analysis as a step of the job: rank 0 analyses while the others wait, asleep,
 * for the next phase. It decides nothing, so that nothing in it ends a job but a signal. */
#include "run/split_phase.h"

#include "coppice/timer.h"
#include "run/signals.h"
#include "run/split_analysis.h"

#include <stdio.h>

static bool tick(void *context, size_t done, size_t total)
{
    cop_run *const run = context;
    (void)total;
    run->progress.done = done;
    cop_progress_draw(&run->progress);
    return cop_signals_pending() != 0;
}

/* A coordinator is not bound; a rank that computes keeps to its own cores. */
static int threads_of(const cop_run *run)
{
    return run->plan.bound ? run->plan.threads : run->plan.cores_allowed;
}

static void print_result(cop_run *run, const char *spent)
{
    const cop_store *const store = run->store;
    char what[48];
    (void)snprintf(what, sizeof what, "%.0f halvings, %.0f permuted",
                   cop_split_number(store, "halvings", 0),
                   cop_split_number(store, "permutations", 0));
    cop_progress_print(&run->progress,
                       "%-22s %4.0f candidates %8s  %-29s reliability %.2f (p %.3f), "
                       "reproducible rank %.0f",
                       "split-half", cop_split_number(store, "candidates", 0), spent, what,
                       cop_split_number(store, "reward_spearman_brown/median", 0),
                       cop_split_number(store, "reward_spearman_brown/p", 0),
                       cop_split_number(store, "reproducible_rank", 0));
}

/* Why there is no analysis; the job goes on. */
static cop_status note_skipped(cop_run *run, const cop_error *why, cop_error *err)
{
    cop_log_write(run->log, COP_LOG_WARN, "no split-half analysis: %s", why->message);
    cop_store_remove(run->store, "/split_half");
    return cop_store_set_text(run->store, "/split_half/skipped", why->message,
                              "why there is no analysis", err);
}

cop_status cop_split_phase_run(cop_run *run, cop_error *err)
{
    if (!run->job->analysis.split_half) return COP_OK;
    const cop_split_request request = {.halvings = COP_SPLIT_HALVINGS,
                                       .permutations = COP_SPLIT_PERMUTATIONS,
                                       .seed = (uint64_t)run->job->population.seed,
                                       .threads = threads_of(run),
                                       .tick = tick,
                                       .context = run};
    if (cop_split_is_there(run->store, &request)) {
        print_result(run, "known");
        return COP_OK;
    }
    const double start_s = cop_timer_now_s();
    run->progress.best = -1;
    cop_progress_begin(&run->progress, "split-half", request.halvings + request.permutations, 0,
                       1);
    cop_error why = {0};
    const cop_status status = cop_split_analyse(run->store, &request, run->store, &why);
    cop_progress_clear(&run->progress);
    if (status == COP_INTERRUPTED) {
        COP_TRY(cop_rundir_save(run, err));
        return cop_error_set(
            err, COP_INTERRUPTED,
            "signal %d: a checkpoint is written; run the same command again to "
            "continue",
            cop_signals_pending());
    }
    run->unsaved = true;
    if (status != COP_OK) return note_skipped(run, &why, err);
    const double spent_s = cop_timer_now_s() - start_s;
    cop_log_write(run->log, COP_LOG_INFO, "split-half analysis on %d threads in %.1f s",
                  request.threads, spent_s);
    char spent[16];
    cop_timer_format(spent, sizeof spent, spent_s);
    print_result(run, spent);
    return COP_OK;
}
