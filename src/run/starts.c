/* The starts of a run, as the run file lists them. */
#include "run/context.h"

#include "coppice/base/build_info.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <stdio.h>
#include <string.h>

/* One column of the list; texts or whole numbers. */
typedef struct column {
    const char *name, *unit, *meaning;
    const char *text; /* of this start; NULL: a number */
    int64_t number;
} column;

/* Earlier starts that the column holds, if it is one. */
static size_t earlier(const cop_store_array *array, bool text)
{
    const bool fits = array != NULL && array->rank == 1 &&
                      array->type == (text ? COP_STORE_TEXT : COP_STORE_I64);
    return fits ? (size_t)array->shape[0] : 0;
}

/* Appends this start, `before` being known already. A column that is missing or shorter is
 * filled up. */
static cop_status append(cop_lead *lead, const column *c, size_t before, cop_error *err)
{
    char path[64];
    const bool text = c->text != NULL;
    const size_t size = text ? sizeof(const char *) : sizeof(int64_t);
    (void)snprintf(path, sizeof path, "/job/starts/%s", c->name);
    const cop_store_array *const old = cop_store_get(lead->dir.store, path);
    const size_t known = earlier(old, text);
    char *const values = cop_memory_alloc(before + 1, size, err);
    if (values == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < before; i++) {
        if (i < known) {
            memcpy(values + i * size, (const char *)old->data + i * size, size);
        } else if (text) {
            const char *const nothing = "";
            memcpy(values + i * size, &nothing, size);
        }
    }
    memcpy(values + before * size, text ? (const void *)&c->text : (const void *)&c->number,
           size);
    const cop_store_array array = {.type = text ? COP_STORE_TEXT : COP_STORE_I64,
                                   .rank = 1,
                                   .shape = {before + 1},
                                   .data = values};
    const cop_status status =
        cop_store_set(lead->dir.store, path, &array, c->unit, c->meaning, err);
    cop_memory_free(values);
    return status;
}

/* Sums are only the same bit for bit where the same code computes them. */
static void warn_of_change(const cop_lead *lead, const char *backends)
{
    const cop_store_array *const list = cop_store_get(lead->dir.store, "/job/starts/backends");
    const size_t count = earlier(list, true);
    if (count == 0) return;
    const char *const before = ((const char *const *)list->data)[count - 1];
    if (before[0] == '\0' || strcmp(before, backends) == 0) return;
    cop_log_write(
        lead->rank->log, COP_LOG_WARN,
        "the start before computed with '%s', this one with '%s': from here on scores "
        "may differ in the last bits of their logits from those of an undisturbed run",
        before, backends);
}

cop_status cop_starts_note(cop_lead *lead, const char *backends, cop_error *err)
{
    char now[24];
    char version[128];
    cop_timer_utc(now, sizeof now);
    (void)snprintf(version, sizeof version, "%s (%s)", cop_build_version(), cop_build_git());
    const column columns[] = {
        {"time", NULL, "of each start, UTC", now, 0},
        {"host", NULL, "of rank 0", cop_world_host(lead->rank->world), 0},
        {"version", NULL, "of coppice", version, 0},
        {"slurm_job", NULL, "\"\": none", cop_claim_get(lead->dir.claim)->owner.slurm_job, 0},
        {"backends", NULL, "that ranks computed with", backends, 0},
        {"ranks", "ranks", "MPI ranks", NULL, cop_world_size(lead->rank->world)},
        {"nodes", "nodes", "that the ranks ran on", NULL,
         cop_world_node_count(lead->rank->world)},
        {"threads", "threads", "per rank", NULL, lead->rank->job->backend.threads}};
    warn_of_change(lead, backends);
    const size_t before = earlier(cop_store_get(lead->dir.store, "/job/starts/time"), true);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        COP_TRY(append(lead, &columns[i], before, err));
    return COP_OK;
}
