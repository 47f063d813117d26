/* A run's questions, from its run file. */
#include "coppice/run/asked.h"

#include "coppice/base/memory.h"
#include "coppice/store/store.h"
#include "run/guards.h"
#include "run/inputs.h"
#include "run/recorded.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct cop_asked {
    char *path; /* of the run file */
    cop_store *store;
    cop_job *job;
    cop_rank rank; /* job, task, data and splits only */
};

/* --- the job --- */

/* Appends "key=value" as the run has it: one that its program did not know as that was then. */
static cop_status append_value(const cop_store *store, size_t key, cop_text *text,
                               cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "%s=", cop_job_key_name(key)));
    return cop_recorded_key(store, key, text, err);
}

static cop_status restore_job(cop_asked *asked, cop_error *err)
{
    const size_t count = cop_job_key_count();
    cop_status status = COP_OK;
    cop_text *const texts = cop_memory_alloc(count, sizeof *texts, err);
    const char **const values = cop_memory_alloc(count, sizeof *values, err);
    if (texts == NULL || values == NULL) status = COP_ERR_MEMORY;
    for (size_t i = 0; i < count && status == COP_OK; i++) {
        status = append_value(asked->store, i, &texts[i], err);
        values[i] = texts[i].data;
    }
    if (status == COP_OK)
        status = cop_job_restore(asked->path, values, count, &asked->job, err);
    for (size_t i = 0; texts != NULL && i < count; i++)
        cop_text_free(&texts[i]);
    cop_memory_free(texts);
    cop_memory_free(values);
    return status;
}

static cop_status open_file(cop_asked *asked, const char *path, cop_error *err)
{
    struct stat info;
    bool previous = false;
    asked->path = stat(path, &info) == 0 && S_ISDIR(info.st_mode)
                      ? cop_text_join_path(path, "run.h5", err)
                      : cop_memory_copy_string(path, strlen(path), err);
    if (asked->path == NULL) return COP_ERR_MEMORY;
    COP_TRY(cop_store_read_latest(asked->path, &asked->store, &previous, NULL, err));
    COP_CHECK(asked->store != NULL, err, COP_ERR_FORMAT, "%s: there is no run file",
              asked->path);
    return COP_OK;
}

cop_status cop_asked_open(const char *path, cop_asked **asked, cop_error *err)
{
    *asked = NULL;
    cop_asked *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    cop_status status = open_file(made, path, err);
    if (status == COP_OK) status = restore_job(made, err);
    if (status == COP_OK) {
        made->rank.job = made->job;
        status = cop_inputs_find_task(&made->rank, err);
    }
    if (status != COP_OK) {
        cop_asked_destroy(&made);
        return status;
    }
    *asked = made;
    return COP_OK;
}

const cop_job *cop_asked_job(const cop_asked *asked)
{
    return asked->job;
}

const cop_task *cop_asked_task(const cop_asked *asked)
{
    return asked->rank.task;
}

const cop_task_setup *cop_asked_setup(const cop_asked *asked)
{
    return &asked->rank.setup;
}

/* --- the data --- */

static cop_status check_digest(const cop_asked *asked, const char *place,
                               const cop_dataset *dataset, const char *file, cop_error *err)
{
    const char *const theirs = cop_store_get_text(asked->store, place);
    const char *const mine = cop_dataset_digest(dataset);
    COP_CHECK(theirs == NULL || strcmp(theirs, mine) == 0, err, COP_ERR_MISMATCH,
              "%s: it is not the file that %s was made with (SHA-256 %.12s..., now %.12s...); "
              "restore it",
              file, asked->path, theirs, mine);
    return COP_OK;
}

static const cop_store_array *examples_at(const cop_asked *asked, const char *path)
{
    const cop_store_array *const array = cop_store_get(asked->store, path);
    return array != NULL && array->type == COP_STORE_U64 && array->rank == 1 ? array : NULL;
}

/* The run was made of the examples of all splits in a row. */
static cop_status check_division(const cop_asked *asked, cop_error *err)
{
    const cop_store_array *const had = examples_at(asked, "/base/examples");
    if (had == NULL) return COP_OK;
    const cop_splits *const splits = &asked->rank.splits;
    size_t at = 0;
    bool same = true;
    for (size_t s = 0; s < COP_SPLIT_COUNT; s++) {
        for (size_t i = 0; i < splits->counts[s]; i++, at++)
            same = same && at < had->shape[0] &&
                   ((const uint64_t *)had->data)[at] == splits->examples[s][i];
    }
    COP_CHECK(same && at == had->shape[0], err, COP_ERR_MISMATCH,
              "%s was made of other examples than this version of the program takes from %s; "
              "compare it by the version that made it, or on other examples (--data FILE)",
              asked->path, asked->job->task.data);
    return COP_OK;
}

/* Puts the examples that came for those of support that told no candidates apart in their
 * places, and these where they came from. */
static void take_over_replacements(cop_asked *asked)
{
    const cop_store_array *const went = examples_at(asked, "/screen/replaced");
    const cop_store_array *const came = examples_at(asked, "/screen/replacement");
    cop_splits *const splits = &asked->rank.splits;
    if (went == NULL || came == NULL || went->shape[0] != came->shape[0]) return;
    for (size_t k = 0; k < went->shape[0]; k++) {
        const size_t old = ((const uint64_t *)went->data)[k];
        const size_t new = ((const uint64_t *)came->data)[k];
        for (size_t i = 0; i < splits->counts[COP_SPLIT_SUPPORT]; i++) {
            if (splits->examples[COP_SPLIT_SUPPORT][i] == old)
                splits->examples[COP_SPLIT_SUPPORT][i] = new;
        }
        for (size_t i = 0; i < splits->pool_count; i++) {
            if (splits->pool[i] == new) splits->pool[i] = old;
        }
    }
}

cop_status cop_asked_divide(cop_asked *asked, cop_error *err)
{
    COP_TRY(cop_inputs_divide(&asked->rank, err));
    COP_TRY(check_digest(asked, "/base/data_sha256", asked->rank.dataset, asked->job->task.data,
                         err));
    COP_TRY(check_division(asked, err));
    take_over_replacements(asked);
    return COP_OK;
}

const cop_splits *cop_asked_splits(const cop_asked *asked)
{
    return &asked->rank.splits;
}

cop_status cop_asked_load_shots(cop_asked *asked, cop_error *err)
{
    if (asked->job->task.examples == NULL || asked->rank.examples != NULL) return COP_OK;
    COP_TRY(cop_inputs_load_shots(&asked->rank, err));
    return check_digest(asked, "/base/examples_sha256", asked->rank.examples,
                        asked->job->task.examples, err);
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Keys of the examples that the run has chosen by, sorted: *chosen [*count]. */
static cop_status list_chosen(const cop_asked *asked, uint64_t **chosen, size_t *count,
                              cop_error *err)
{
    const cop_job *const job = asked->job;
    const cop_splits *const splits = &asked->rank.splits;
    uint64_t *keys = NULL;
    size_t total = 0;
    COP_TRY(cop_task_scan(asked->rank.task, job->task.data, &job->task.fields, job->task.user,
                          &keys, &total, err));
    *chosen = cop_memory_alloc(total, sizeof **chosen, err);
    *count = 0;
    for (size_t s = 0; *chosen != NULL && s <= COP_SPLIT_COUNT; s++) {
        if (s == COP_SPLIT_TEST) continue;
        const bool pool = s == COP_SPLIT_COUNT;
        const size_t *const examples = pool ? splits->pool : splits->examples[s];
        for (size_t i = 0; i < (pool ? splits->pool_count : splits->counts[s]); i++)
            (*chosen)[(*count)++] = keys[examples[i]];
    }
    cop_memory_free(keys);
    if (*chosen == NULL) return COP_ERR_MEMORY;
    if (*count > 0) qsort(*chosen, *count, sizeof **chosen, compare_keys);
    return COP_OK;
}

cop_status cop_asked_find_seen(const cop_asked *asked, const char *path,
                               const cop_fields *fields, bool **seen, size_t *count,
                               cop_error *err)
{
    uint64_t *chosen = NULL;
    uint64_t *keys = NULL;
    size_t chosen_count = 0;
    *seen = NULL;
    cop_status status = list_chosen(asked, &chosen, &chosen_count, err);
    if (status == COP_OK)
        status = cop_task_scan(asked->rank.task, path, fields, asked->job->task.user, &keys,
                               count, err);
    if (status == COP_OK) {
        *seen = cop_memory_alloc(*count, sizeof **seen, err);
        if (*seen == NULL) status = COP_ERR_MEMORY;
    }
    for (size_t i = 0; *seen != NULL && i < *count; i++)
        (*seen)[i] = chosen_count > 0 && bsearch(&keys[i], chosen, chosen_count, sizeof *chosen,
                                                 compare_keys) != NULL;
    cop_memory_free(keys);
    cop_memory_free(chosen);
    return status;
}

/* Marks `wanted` of the examples, drawn as a guard's are. */
static cop_status mark_drawn(const cop_asked *asked, const char *digest, size_t wanted,
                             bool *seen, size_t count, cop_error *err)
{
    size_t *drawn = NULL;
    COP_TRY(cop_run_guards_draw(&asked->rank, digest, wanted, count, &drawn, err));
    for (size_t i = 0; i < wanted; i++)
        seen[drawn[i]] = true;
    cop_memory_free(drawn);
    return COP_OK;
}

cop_status cop_asked_mark_guarded(const cop_asked *asked, const cop_dataset *dataset,
                                  bool *seen, size_t count, cop_error *err)
{
    const char *const guards = cop_store_get_text(asked->store, "/base/guards");
    const char *const task = asked->rank.task->name;
    const size_t length = strlen(task);
    /* As cop_run_guards_print() has written them. */
    for (const char *at = guards; at != NULL && *at != '\0';) {
        const char *const end = strstr(at, "; ");
        const char *const data = strstr(at, ", data ");
        const bool mine = strncmp(at, task, length) == 0 && strncmp(at + length, ", ", 2) == 0;
        if (mine && data != NULL &&
            strncmp(data + strlen(", data "), cop_dataset_digest(dataset),
                    COP_DIGEST_HEX_BYTES - 1) == 0)
            COP_TRY(mark_drawn(asked, cop_dataset_digest(dataset),
                               strtoull(at + length + 2, NULL, 10), seen, count, err));
        at = end == NULL ? NULL : end + 2;
    }
    return COP_OK;
}

cop_evaluator_options cop_asked_options(const cop_asked *asked)
{
    return cop_inputs_prompt_options(&asked->rank);
}

void cop_asked_destroy(cop_asked **asked)
{
    if (asked == NULL || *asked == NULL) return;
    cop_inputs_free(&(*asked)->rank);
    cop_job_destroy(&(*asked)->job);
    cop_store_destroy(&(*asked)->store);
    cop_memory_free((*asked)->path);
    cop_memory_free(*asked);
    *asked = NULL;
}
