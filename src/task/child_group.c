#include "task/child_group.h"

#include "coppice/base/memory.h"

/* One response on its way. */
typedef struct entry {
    cop_score score; /* as far as it is known */
    uint64_t id;     /* of the request, if sent */
    bool sent;
} entry;

typedef struct child_group {
    const cop_child_rules *rules;
    void *context;
    entry *entries; /* [count] */
    size_t count;
} child_group;

/* Drops what was not received from entry `first` on, and the group. */
static void drop(cop_child *child, child_group *group, size_t first)
{
    for (size_t i = first; i < group->count; i++)
        if (group->entries[i].sent) cop_child_drop(child, group->entries[i].id);
    for (size_t i = 0; i < group->count; i++)
        cop_score_free(&group->entries[i].score);
    cop_memory_free(group->entries);
    cop_memory_free(group);
}

static cop_status send(cop_child *child, const child_group *group, const cop_response *response,
                       entry *one, cop_error *err)
{
    json_t *request = NULL;
    COP_TRY(group->rules->ask(group->context, response, &request, &one->score, err));
    if (request == NULL) return COP_OK;
    COP_TRY(cop_child_send(child, request, &one->id, err));
    one->sent = true;
    return COP_OK;
}

cop_status cop_child_group_submit(cop_child *child, const cop_child_rules *rules, void *context,
                                  const cop_response *responses, size_t count, void **group,
                                  cop_error *err)
{
    child_group *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    *made = (child_group){.rules = rules, .context = context};
    made->entries = cop_memory_alloc(count, sizeof *made->entries, err);
    cop_status status = made->entries == NULL ? COP_ERR_MEMORY : COP_OK;
    while (made->count < count && status == COP_OK) {
        const size_t i = made->count++;
        status = send(child, made, &responses[i], &made->entries[i], err);
    }
    if (status != COP_OK) {
        drop(child, made, 0);
        return status;
    }
    *group = made;
    return COP_OK;
}

static cop_status receive(cop_child *child, const child_group *group, entry *one,
                          cop_child_wait wait, cop_error *err)
{
    if (!one->sent) return COP_OK;
    json_t *answer = NULL;
    cop_status status =
        cop_child_receive(child, one->id, &answer, wait.cancelled, wait.context, err);
    if (status == COP_OK) status = group->rules->read(group->context, answer, &one->score, err);
    json_decref(answer);
    return status;
}

cop_status cop_child_group_collect(cop_child *child, void *group, cop_score *scores,
                                   cop_child_wait wait, cop_error *err)
{
    child_group *const taken = group;
    cop_status status = COP_OK;
    size_t done = 0;
    while (scores != NULL && done < taken->count && status == COP_OK)
        status = receive(child, taken, &taken->entries[done++], wait, err);
    for (size_t i = 0; scores != NULL && i < taken->count && status == COP_OK; i++) {
        scores[i] = taken->entries[i].score; /* ownership moves */
        taken->entries[i].score = (cop_score){0};
    }
    drop(child, taken, done);
    return status;
}
