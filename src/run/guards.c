#include "run/guards.h"

#include "coppice/base/memory.h"
#include "coppice/data/passages.h"

#include <inttypes.h>
#include <stdio.h>
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

/* Marks the examples of the job's own data that splits and their pool have. */
static cop_status mark_used(const cop_rank *rank, bool *used, cop_error *err)
{
    size_t count = 0;
    size_t *const list = cop_splits_list(&rank->splits, &count, err);
    const size_t total = cop_dataset_count(rank->dataset);
    if (list == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (list[i] < total) used[list[i]] = true; /* others are guards' */
    }
    cop_memory_free(list);
    return COP_OK;
}

cop_status cop_run_guards_draw(const cop_rank *rank, const char *digest, size_t wanted,
                               size_t total, size_t **drawn, cop_error *err)
{
    const size_t counts[COP_SPLIT_COUNT] = {total};
    const bool own = strcmp(digest, cop_dataset_digest(rank->dataset)) == 0;
    cop_splits order = {0};
    size_t count = 0;
    *drawn = NULL;
    COP_TRY(cop_splits_create(total, counts, 0, rank->job->splits.seed, NULL, &order, err));
    cop_status status = COP_ERR_MEMORY;
    bool *const used = cop_memory_alloc(total, sizeof *used, err);
    size_t *const list = cop_memory_alloc(wanted, sizeof *list, err);
    if (used == NULL || list == NULL) goto out;
    status = own ? mark_used(rank, used, err) : COP_OK;
    for (size_t i = 0; i < total && count < wanted && status == COP_OK; i++) {
        if (!used[order.examples[0][i]]) list[count++] = order.examples[0][i];
    }
    if (status == COP_OK && count < wanted)
        status =
            cop_error_set(err, COP_ERR_CONFIG,
                          "%zu examples are wanted of the job's own data, of which %zu are "
                          "in no split; make splits smaller, or give other data",
                          wanted, count);
out:
    cop_memory_free(used);
    cop_splits_free(&order);
    if (status == COP_OK)
        *drawn = list;
    else
        cop_memory_free(list);
    return status;
}

/* The digest of a guard's data, where it could be the job's own. */
static cop_status find_digest(const cop_rank *rank, const char *data, size_t total,
                              char digest[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    cop_dataset *dataset = NULL;
    digest[0] = '\0';
    if (total != cop_dataset_count(rank->dataset)) return COP_OK;
    bool *const none = cop_memory_alloc(total, sizeof *none, err);
    if (none == NULL) return COP_ERR_MEMORY;
    const cop_dataset_options options = {.wanted = none, .wanted_count = total};
    const cop_status status = cop_dataset_load(data, &options, &dataset, err);
    if (status == COP_OK)
        (void)snprintf(digest, COP_DIGEST_HEX_BYTES, "%s", cop_dataset_digest(dataset));
    cop_dataset_destroy(&dataset);
    cop_memory_free(none);
    return status;
}

static cop_status load_guard(cop_rank *rank, size_t index, size_t first, size_t *total,
                             cop_error *err)
{
    const cop_job_guard *const wanted = &rank->job->guard.data[index];
    cop_rank_guard *const guard = &rank->guards[index];
    const size_t count = (size_t)wanted->examples;
    char digest[COP_DIGEST_HEX_BYTES];
    size_t *drawn = NULL;
    COP_TRY(find_task(wanted, guard, err));
    COP_TRY(scan(wanted, guard, total, err));
    COP_CHECK(count <= *total, err, COP_ERR_CONFIG,
              "%" PRId64 " examples are wanted, but %s has %zu", wanted->examples, wanted->data,
              *total);
    COP_TRY(find_digest(rank, wanted->data, *total, digest, err));
    COP_TRY(cop_run_guards_draw(rank, digest, count, *total, &drawn, err));
    cop_status status = load(wanted, guard, drawn, count, *total, err);
    if (status == COP_OK)
        status = cop_splits_add_guard(&rank->splits, drawn, count, first, err);
    cop_memory_free(drawn);
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
