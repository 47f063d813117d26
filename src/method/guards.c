/* Each guard has one phase for the whole search: the base, then every proposal that it was
 * asked about, in the order of the gate's decisions. What is allowed to be lost counts from the
 * base, so that no sequence of accepted steps loses more. */
#include "method/guards.h"
#include "method/spend.h"

#include "coppice/base/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

cop_status cop_search_set_guards(cop_search *search, const cop_guard *guards, size_t count,
                                 cop_error *err)
{
    search->guards = cop_memory_alloc(count, sizeof *search->guards, err);
    if (search->guards == NULL) return COP_ERR_MEMORY;
    for (size_t g = 0; g < count; g++) {
        search->guards[g] = guards[g];
        search->guards[g].phase = NULL;
        search->guards[g].has_moved = false;
        /* Scores are binary32, so what they are held against is. */
        search->guards[g].measure.correct_at = (double)(float)guards[g].measure.correct_at;
    }
    search->guard_count = count;
    return COP_OK;
}

static cop_status describe(const cop_search *search, const cop_guard *guard, cop_error *err)
{
    cop_store *const store = search->phases->store;
    char path[96];
    (void)snprintf(path, sizeof path, "%s/task", guard->phase->path);
    COP_TRY(cop_store_set_text(store, path, guard->name,
                               "of the guard; text: log-likelihood per token of plain text",
                               err));
    (void)snprintf(path, sizeof path, "%s/on", guard->phase->path);
    COP_TRY(cop_store_set_text(store, path, guard->measure.on_reward ? "reward" : "correct",
                               "what the guard compares", err));
    (void)snprintf(path, sizeof path, "%s/loss", guard->phase->path);
    return cop_store_set_f64(store, path, guard->loss, NULL,
                             "of that mean, from the base's, that is allowed", err);
}

static cop_status score_base(cop_search *search, size_t g, cop_error *err)
{
    cop_guard *const guard = &search->guards[g];
    char path[32];
    char title[32];
    char text[64];
    (void)snprintf(path, sizeof path, "/gate/guard_%zu", g + 1);
    (void)snprintf(title, sizeof title, "guard %zu", g + 1);
    COP_TRY(cop_phase_create(search->phases, path, title, guard->examples, guard->count,
                             &guard->phase, err));
    COP_TRY(cop_phase_add(guard->phase, NULL, 0, err));
    COP_TRY(cop_search_run_phase(search, guard->phase, err));
    COP_CHECK(cop_phase_row_valid(guard->phase, 0), err, COP_ERR_NUMERIC,
              "guard %zu (%s): the base model itself gives logits that are not finite", g + 1,
              guard->name);
    (void)snprintf(text, sizeof text, "%s: base %.4f", guard->name,
                   cop_phase_merit(guard->phase, 0, &guard->measure));
    cop_progress_end(search->phases->progress, text);
    return describe(search, guard, err);
}

cop_status cop_guards_score_base(cop_search *search, cop_error *err)
{
    const cop_store *const store = search->phases->store;
    const bool decided = cop_store_get(store, "/gate/decisions/01/accepted") != NULL;
    search->in_turn = search->guard_count > 0 &&
                      (!decided || cop_store_get(store, "/gate/decisions/01/share") != NULL);
    for (size_t g = 0; g < search->guard_count; g++)
        COP_TRY(score_base(search, g, err));
    return COP_OK;
}

cop_status cop_guards_ask(cop_search *search, const double *vector, double step, double z,
                          cop_guard_decision *decisions, bool *accepted, cop_error *err)
{
    *accepted = true;
    for (size_t g = 0; g < search->guard_count; g++) {
        cop_guard *const guard = &search->guards[g];
        const size_t row = guard->phase->row_count;
        COP_TRY(cop_search_add_step(search, guard->phase, vector, step, err));
        COP_TRY(cop_search_run_phase(search, guard->phase, err));
        cop_progress_end(search->phases->progress, NULL);
        decisions[g] = cop_guard_decide(cop_phase_scores(guard->phase, row),
                                        cop_phase_scores(guard->phase, 0), guard->count,
                                        &guard->measure, guard->loss, z);
        if (!cop_phase_row_valid(guard->phase, row)) decisions[g].accepted = false;
        *accepted = *accepted && decisions[g].accepted;
    }
    for (size_t g = 0; g < search->guard_count && *accepted; g++)
        search->guards[g].passed = decisions[g];
    return COP_OK;
}

double cop_guards_shorten(const cop_search *search, const cop_guard_decision *decisions,
                          int power)
{
    double share = 1;
    for (size_t g = 0; g < search->guard_count; g++) {
        const cop_guard *const guard = &search->guards[g];
        const cop_guard_decision *const centre = guard->has_moved ? &guard->centre : NULL;
        if (!decisions[g].accepted)
            share = fmin(share, cop_guard_shorten(&decisions[g], centre, power));
    }
    return share;
}

void cop_guards_commit(cop_search *search)
{
    for (size_t g = 0; g < search->guard_count; g++) {
        search->guards[g].centre = search->guards[g].passed;
        search->guards[g].has_moved = true;
    }
}

static cop_status keep(const cop_search *search, const char *group, const cop_guard_decision *d,
                       cop_error *err)
{
    const struct {
        const char *name, *unit, *meaning;
        double value;
    } numbers[] = {{"base", NULL, "mean of the base, in what the guard compares", d->base},
                   {"mean", NULL, "mean of the proposal", d->mean},
                   {"change", NULL, "mean of the paired differences", d->paired.mean},
                   {"sd", NULL, "their standard deviation", d->paired.sd},
                   {"worse", "examples", "worse with the proposal than with the base",
                    (double)d->paired.regressions},
                   {"z", "std errors", "that the bound lies below the change", d->z},
                   {"bound", NULL, "lower bound of the change that decided", d->bound},
                   {"loss", NULL, "that is allowed", d->loss}};
    char path[128];
    for (size_t c = 0; c < sizeof numbers / sizeof numbers[0]; c++) {
        (void)snprintf(path, sizeof path, "%s/%s", group, numbers[c].name);
        COP_TRY(cop_store_set_f64(search->phases->store, path, numbers[c].value,
                                  numbers[c].unit, numbers[c].meaning, err));
    }
    (void)snprintf(path, sizeof path, "%s/accepted", group);
    return cop_store_set_i64(search->phases->store, path, d->accepted ? 1 : 0, NULL,
                             "1: the guard lets it pass", err);
}

cop_status cop_guards_note(const cop_search *search, const char *group,
                           const cop_guard_decision *decisions, cop_error *err)
{
    for (size_t g = 0; g < search->guard_count; g++) {
        const cop_guard *const guard = &search->guards[g];
        const cop_guard_decision *const d = &decisions[g];
        char path[96];
        (void)snprintf(path, sizeof path, "%s/guard_%zu", group, g + 1);
        COP_TRY(keep(search, path, d, err));
        cop_progress_print(search->phases->progress,
                           "    guard %zu, %s: base %.4f, now %.4f; change %+.4f, lower bound "
                           "%+.4f, allowed %+.4f: %s",
                           g + 1, guard->name, d->base, d->mean, d->paired.mean, d->bound,
                           -d->loss, d->accepted ? "let pass" : "refused");
        cop_log_write(search->phases->log, COP_LOG_INFO,
                      "guard %zu, %s: base %.6f, now %.6f, change %+.6f, lower bound %+.6f, "
                      "allowed %+.6f: %s",
                      g + 1, guard->name, d->base, d->mean, d->paired.mean, d->bound, -d->loss,
                      d->accepted ? "let pass" : "refused");
    }
    return COP_OK;
}
