#include "report/guards.h"

#include "report/run_file.h"

#include <stdio.h>

static json_t *decision_json(const cop_guard *guard, const cop_guard_decision *d)
{
    return json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:b}", "task",
                     guard->name, "on", guard->measure.on_reward ? "reward" : "correct",
                     "examples", (json_int_t)guard->count, "base", d->base, "mean", d->mean,
                     "change", d->paired.mean, "z", d->z, "lower_bound", d->bound, "loss",
                     d->loss, "worse", (json_int_t)d->paired.regressions, "accepted",
                     d->accepted);
}

json_t *cop_guards_decision_json(const cop_search *search, const cop_gate_record *record)
{
    if (record->guards == NULL) return NULL;
    json_t *const list = json_array();
    for (size_t g = 0; g < search->guard_count; g++)
        (void)json_array_append_new(list,
                                    decision_json(&search->guards[g], &record->guards[g]));
    return list;
}

/* The base, where nothing was accepted, against itself. */
static cop_guard_decision of_result(const cop_guard *guard)
{
    if (guard->has_moved) return guard->centre;
    const double base = cop_phase_merit(guard->phase, 0, &guard->measure);
    return (cop_guard_decision){
        .base = base, .mean = base, .loss = guard->loss, .accepted = true};
}

json_t *cop_guards_result_json(const cop_search *search)
{
    if (search->guard_count == 0) return NULL;
    json_t *const list = json_array();
    for (size_t g = 0; g < search->guard_count; g++) {
        const cop_guard_decision result = of_result(&search->guards[g]);
        (void)json_array_append_new(list, decision_json(&search->guards[g], &result));
    }
    return list;
}

cop_status cop_guards_print(const cop_search *search, cop_text *text, cop_error *err)
{
    for (size_t g = 0; g < search->guard_count; g++) {
        const cop_guard *const guard = &search->guards[g];
        const cop_guard_decision d = of_result(guard);
        COP_TRY(cop_text_format(text, err,
                                "%sGuard %zu, %s on %zu examples: base %.4f, result ",
                                g == 0 ? "" : "\n", g + 1, guard->name, guard->count, d.base));
        COP_TRY(guard->has_moved
                    ? cop_text_format(text, err,
                                      "%.4f; change %+.4f, lower bound %+.4f, allowed %+.4f.",
                                      d.mean, d.paired.mean, d.bound, -d.loss)
                    : cop_text_format(text, err, "the same model."));
    }
    return COP_OK;
}

cop_status cop_guards_print_decision(const cop_store *store, const char *group, cop_text *text,
                                     cop_error *err)
{
    for (size_t g = 1;; g++) {
        char own[128];
        char path[192];
        int64_t accepted = 0;
        (void)snprintf(own, sizeof own, "%s/guard_%zu", group, g);
        (void)snprintf(path, sizeof path, "%s/accepted", own);
        if (!cop_store_get_i64(store, path, &accepted)) return COP_OK;
        (void)snprintf(path, sizeof path, "/gate/guard_%zu/task", g);
        const char *const task = cop_store_get_text(store, path);
        COP_TRY(cop_text_format(
            text, err,
            "    guard %zu, %-9s base %.4f  now %.4f  change %+.4f  bound %+.4f  allowed "
            "%+.4f  %s\n",
            g, task == NULL ? "?" : task, cop_run_file_number(store, own, "base"),
            cop_run_file_number(store, own, "mean"), cop_run_file_number(store, own, "change"),
            cop_run_file_number(store, own, "bound"), -cop_run_file_number(store, own, "loss"),
            accepted ? "let pass" : "refused"));
    }
}
