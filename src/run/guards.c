#include "run/guards.h"

#include "coppice/base/memory.h"
#include "coppice/data/passages.h"

#include <inttypes.h>
#include <string.h>

static const char text_name[] = "text";

static cop_status check_text(void *context, size_t index, json_t *example, cop_error *err)
{
    const char *text = NULL;
    size_t length = 0;
    (void)context;
    (void)index;
    return cop_passage_of(example, &text, &length, err);
}

/* The task, NULL for text. One that needs a command could be given none. */
static cop_status find_task(const cop_job_guard *wanted, cop_rank_guard *guard, cop_error *err)
{
    const cop_task *known = NULL;
    if (strcmp(wanted->task, text_name) == 0) return COP_OK;
    if (cop_task_find(wanted->task, &known, err) != COP_OK)
        return cop_error_prefix(err, "besides text, guards are tasks");
    COP_CHECK(strcmp(known->name, "exec") != 0, err, COP_ERR_CONFIG,
              "task exec needs a command, which a guard has not");
    guard->task = known;
    return COP_OK;
}

static cop_status scan(const cop_job_guard *wanted, const cop_rank_guard *guard, size_t *total,
                       cop_error *err)
{
    uint64_t *keys = NULL;
    if (guard->task == NULL)
        return cop_dataset_scan(wanted->data, check_text, NULL, total, err);
    COP_TRY(cop_task_scan(guard->task, wanted->data, NULL, NULL, &keys, total, err));
    cop_memory_free(keys);
    return COP_OK;
}

/* Loads those examples [count] of the file's `total`. */
static cop_status load(const cop_job_guard *wanted, cop_rank_guard *guard, const size_t *list,
                       size_t count, size_t total, cop_error *err)
{
    bool *const kept = cop_memory_alloc(total, sizeof *kept, err);
    if (kept == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        kept[list[i]] = true;
    const cop_dataset_options options = {
        .wanted = kept, .wanted_count = total, .edit = guard->task == NULL ? check_text : NULL};
    const cop_status status =
        guard->task == NULL
            ? cop_dataset_load(wanted->data, &options, &guard->dataset, err)
            : cop_task_load(guard->task, wanted->data, NULL, &options, &guard->dataset, err);
    cop_memory_free(kept);
    return status;
}

static cop_status load_guard(cop_rank *rank, size_t index, size_t first, size_t *total,
                             cop_error *err)
{
    const cop_job_guard *const wanted = &rank->job->guard.data[index];
    cop_rank_guard *const guard = &rank->guards[index];
    const size_t counts[COP_SPLIT_COUNT] = {(size_t)wanted->examples};
    cop_splits drawn = {0};
    COP_TRY(find_task(wanted, guard, err));
    COP_TRY(scan(wanted, guard, total, err));
    COP_CHECK((size_t)wanted->examples <= *total, err, COP_ERR_CONFIG,
              "%" PRId64 " examples are wanted, but %s has %zu", wanted->examples, wanted->data,
              *total);
    COP_TRY(cop_splits_create(*total, counts, 0, rank->job->splits.seed, NULL, &drawn, err));
    cop_status status = load(wanted, guard, drawn.examples[0], drawn.counts[0], *total, err);
    if (status == COP_OK)
        status =
            cop_splits_add_guard(&rank->splits, drawn.examples[0], drawn.counts[0], first, err);
    cop_splits_free(&drawn);
    return status;
}

cop_status cop_run_guards_load(cop_rank *rank, cop_error *err)
{
    const size_t count = rank->job->guard.count;
    const cop_method *method = NULL;
    COP_TRY(cop_method_find(rank->job->method, &method, err));
    COP_CHECK(count == 0 || method->is_gated, err, COP_ERR_CONFIG,
              "guard: method %s has no gate that could ask it; leave it out, or choose another "
              "method",
              method->name);
    size_t first = cop_dataset_count(rank->dataset);
    rank->guards = cop_memory_alloc(count, sizeof *rank->guards, err);
    rank->guard_sets = cop_memory_alloc(count, sizeof *rank->guard_sets, err);
    if (rank->guards == NULL || rank->guard_sets == NULL) return COP_ERR_MEMORY;
    rank->guard_count = count;
    for (size_t g = 0; g < count; g++) {
        size_t total = 0;
        if (load_guard(rank, g, first, &total, err) != COP_OK)
            return cop_error_prefix(err, "guard %zu", g + 1);
        rank->guard_sets[g] = (cop_evaluator_guard){.task = rank->guards[g].task,
                                                    .dataset = rank->guards[g].dataset};
        first += total;
    }
    return COP_OK;
}

void cop_run_guards_free(cop_rank *rank)
{
    for (size_t g = 0; g < rank->guard_count; g++)
        cop_dataset_destroy(&rank->guards[g].dataset);
    cop_memory_free(rank->guards);
    cop_memory_free(rank->guard_sets);
    rank->guards = NULL;
    rank->guard_sets = NULL;
    rank->guard_count = 0;
}

cop_status cop_run_guards_give(const cop_rank *rank, cop_search *search, cop_error *err)
{
    const size_t count = rank->guard_count;
    if (count == 0) return COP_OK;
    cop_guard *const guards = cop_memory_alloc(count, sizeof *guards, err);
    if (guards == NULL) return COP_ERR_MEMORY;
    for (size_t g = 0; g < count; g++) {
        const cop_task *const task = rank->guards[g].task;
        const cop_measure measure = {.on_reward = task == NULL || task->graded,
                                     .correct_at = task == NULL ? 0 : task->correct_at};
        guards[g] =
            (cop_guard){.name = rank->job->guard.data[g].task,
                        .measure = measure,
                        .loss = rank->job->guard.data[g].loss,
                        .examples = rank->splits.guarded + rank->splits.guard_start[g],
                        .count = rank->splits.guard_start[g + 1] - rank->splits.guard_start[g]};
    }
    const cop_status status = cop_search_set_guards(search, guards, count, err);
    cop_memory_free(guards);
    return status;
}

cop_status cop_run_guards_print(const cop_rank *rank, cop_text *text, cop_error *err)
{
    for (size_t g = 0; g < rank->guard_count; g++) {
        const cop_job_guard *const guard = &rank->job->guard.data[g];
        COP_TRY(cop_text_format(text, err, "%s%s, %" PRId64 " examples, loss %.17g, data %s",
                                g == 0 ? "" : "; ", guard->task, guard->examples, guard->loss,
                                cop_dataset_digest(rank->guards[g].dataset)));
    }
    return cop_text_append(text, "", 0, err);
}
