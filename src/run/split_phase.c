/* The split-half analysis as a step of the job: rank 0 analyses while the others wait, asleep,
 * for the next phase. It decides nothing, so that no failure of it ends a job: only a signal
 * does, or the loss of the run directory. */
#include "run/split_phase.h"

#include "coppice/base/affinity.h"
#include "coppice/base/timer.h"
#include "coppice/report/split_analysis.h"

#include <math.h>
#include <stdio.h>

/* What the analysis is interrupted for. */
typedef struct watch {
    cop_lead *lead;
    cop_error why;
} watch;

static bool tick(void *context, size_t done, size_t total)
{
    watch *const w = context;
    cop_lead *const lead = w->lead;
    (void)total;
    lead->progress.done = done;
    cop_progress_draw(&lead->progress);
    return cop_rundir_watch(&lead->dir, &w->why) != COP_OK;
}

/* A coordinator is not bound; a rank that computes keeps to its own cores. */
static int threads_of(const cop_lead *lead)
{
    return lead->rank->plan.bound ? (int)lead->rank->job->backend.threads
                                  : cop_affinity_core_count();
}

static void print_result(cop_lead *lead, const char *spent)
{
    const cop_store *const store = lead->dir.store;
    char what[48];
    (void)snprintf(what, sizeof what, "%.0f halvings, %.0f permuted",
                   cop_split_number(store, "halvings", 0),
                   cop_split_number(store, "permutations", 0));
    cop_progress_print(&lead->progress,
                       "%-22s %4.0f candidates %8s  %-29s reliability %.2f (p %.3f), "
                       "reproducible rank %.0f",
                       "split-half", cop_split_number(store, "candidates", 0), spent, what,
                       cop_split_number(store, "reward_spearman_brown/median", 0),
                       cop_split_number(store, "reward_spearman_brown/p", 0),
                       cop_split_number(store, "reproducible_rank", 0));
}

/* Why there is no analysis; the job goes on. */
static cop_status note_skipped(cop_lead *lead, const cop_error *why, cop_error *err)
{
    cop_log_write(lead->rank->log, COP_LOG_WARN, "no split-half analysis: %s", why->message);
    cop_store_remove(lead->dir.store, "/split_half");
    return cop_store_set_text(lead->dir.store, "/split_half/skipped", why->message,
                              "why there is no analysis", err);
}

cop_status cop_split_phase_run(cop_lead *lead, cop_error *err)
{
    if (!lead->rank->job->analysis.split_half) return COP_OK;
    watch w = {.lead = lead};
    const cop_split_request request = {.halvings = COP_SPLIT_HALVINGS,
                                       .permutations = COP_SPLIT_PERMUTATIONS,
                                       .seed = (uint64_t)lead->rank->job->population.seed,
                                       .threads = threads_of(lead),
                                       .tick = tick,
                                       .context = &w};
    if (cop_split_is_there(lead->dir.store, &request)) {
        print_result(lead, "known");
        return COP_OK;
    }
    cop_error failure = {0};
    /* A large population's analysis takes longer than checkpoints may be apart. */
    if (lead->dir.unsaved && cop_rundir_save(&lead->dir, &failure) != COP_OK)
        cop_log_write(lead->rank->log, COP_LOG_WARN, "no checkpoint: %s", failure.message);
    const double start_s = cop_timer_now_s();
    lead->progress.best = -INFINITY;
    const size_t rounds = request.halvings + request.permutations;
    cop_progress_begin(&lead->progress, "split-half", rounds, 0, rounds, 1);
    const cop_status status =
        cop_split_analyse(lead->dir.store, &request, lead->dir.store, &failure);
    cop_progress_clear(&lead->progress);
    if (status == COP_INTERRUPTED) {
        if (w.why.status == COP_INTERRUPTED)
            COP_TRY(cop_rundir_save_and_leave(&lead->dir, err));
        return cop_error_set(err, w.why.status, "%s", w.why.message);
    }
    lead->dir.unsaved = true;
    if (status != COP_OK) return note_skipped(lead, &failure, err);
    const double spent_s = cop_timer_now_s() - start_s;
    char spent[16];
    cop_timer_format(spent, sizeof spent, spent_s);
    cop_log_write(lead->rank->log, COP_LOG_INFO, "split-half analysis in %.1f s", spent_s);
    print_result(lead, spent);
    return COP_OK;
}
