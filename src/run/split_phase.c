/* The split-half analysis as a step of the job: rank 0 analyses while the others wait, asleep,
 * for the next phase. It decides nothing, so that no failure of it ends a job: only a signal
 * does, or the loss of the run directory. */
#include "run/split_phase.h"

#include "coppice/base/affinity.h"
#include "coppice/base/timer.h"
#include "run/split_analysis.h"

#include <stdio.h>

/* What the analysis is interrupted for. */
typedef struct watch {
    cop_run *run;
    cop_error why;
} watch;

static bool tick(void *context, size_t done, size_t total)
{
    watch *const w = context;
    cop_run *const run = w->run;
    (void)total;
    run->progress.done = done;
    cop_progress_draw(&run->progress);
    return cop_rundir_watch(run, &w->why) != COP_OK;
}

/* A coordinator is not bound; a rank that computes keeps to its own cores. */
static int threads_of(const cop_run *run)
{
    return run->plan.bound ? (int)run->job->backend.threads : cop_affinity_core_count();
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
    watch w = {.run = run};
    const cop_split_request request = {.halvings = COP_SPLIT_HALVINGS,
                                       .permutations = COP_SPLIT_PERMUTATIONS,
                                       .seed = (uint64_t)run->job->population.seed,
                                       .threads = threads_of(run),
                                       .tick = tick,
                                       .context = &w};
    if (cop_split_is_there(run->store, &request)) {
        print_result(run, "known");
        return COP_OK;
    }
    cop_error failure = {0};
    /* A large population's analysis takes longer than checkpoints may be apart. */
    if (run->unsaved && cop_rundir_save(run, &failure) != COP_OK)
        cop_log_write(run->log, COP_LOG_WARN, "no checkpoint: %s", failure.message);
    const double start_s = cop_timer_now_s();
    run->progress.best = -1;
    cop_progress_begin(&run->progress, "split-half", request.halvings + request.permutations, 0,
                       1);
    const cop_status status = cop_split_analyse(run->store, &request, run->store, &failure);
    cop_progress_clear(&run->progress);
    if (status == COP_INTERRUPTED) {
        if (w.why.status == COP_INTERRUPTED) COP_TRY(cop_rundir_save_and_leave(run, err));
        return cop_error_set(err, w.why.status, "%s", w.why.message);
    }
    run->unsaved = true;
    if (status != COP_OK) return note_skipped(run, &failure, err);
    const double spent_s = cop_timer_now_s() - start_s;
    char spent[16];
    cop_timer_format(spent, sizeof spent, spent_s);
    cop_log_write(run->log, COP_LOG_INFO, "split-half analysis in %.1f s", spent_s);
    print_result(run, spent);
    return COP_OK;
}
