/* Guards of a job: a list of mappings, each with the same keys, all of them given. */
#include "job/job_guard.h"

#include "coppice/base/memory.h"
#include "job/job_value.h"

#include <stdio.h>
#include <string.h>

#define GUARD(member) offsetof(cop_job_guard, member)

static const cop_job_key keys[] = {
    {.name = "task", .type = COP_JOB_STRING, .offset = GUARD(task)},
    {.name = "data", .type = COP_JOB_PATH, .offset = GUARD(data)},
    {.name = "examples",
     .type = COP_JOB_INTEGER,
     .offset = GUARD(examples),
     .least = 1,
     .most = 100000000},
    {.name = "loss", .type = COP_JOB_NUMBER, .offset = GUARD(loss), .low = 0, .high = 1000},
};

enum { KEYS = sizeof keys / sizeof keys[0] };

const cop_job_key *cop_job_guard_keys(size_t *count)
{
    *count = KEYS;
    return keys;
}

/* The key of an item; KEYS if there is none of that name. */
static size_t find_key(const char *name)
{
    size_t k = 0;
    while (k < KEYS && strcmp(keys[k].name, name) != 0)
        k++;
    return k;
}

static cop_status fail_unknown(const char *name, cop_error *err)
{
    const char *names[KEYS];
    for (size_t k = 0; k < KEYS; k++)
        names[k] = keys[k].name;
    const char *const nearest = cop_text_nearest(name, names, KEYS);
    return cop_error_set(
        err, COP_ERR_CONFIG, "unknown key \"%s\"%s%s%s", cop_job_show(name, strlen(name)).text,
        nearest == NULL ? "; a guard has task, data, examples and loss" : "; did you mean \"",
        nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
}

static cop_status set_item(cop_job_guard *guard, const cop_job_item *item,
                           const char *directory, bool given[KEYS], cop_error *err)
{
    const size_t k = find_key(item->name);
    if (k == KEYS) return fail_unknown(item->name, err);
    COP_CHECK(!given[k], err, COP_ERR_CONFIG, "%s is given twice", keys[k].name);
    given[k] = true;
    return cop_job_value_set_item((char *)guard + keys[k].offset, &keys[k], item, directory,
                                  err);
}

/* Guard `index` from those items that are its own, from *at on. */
static cop_status set_guard(cop_job_guard *guard, const cop_job_entry *entry, size_t index,
                            size_t *at, const char *directory, cop_error *err)
{
    bool given[KEYS] = {false};
    for (; *at < entry->count && entry->items[*at].of == index; ++*at)
        COP_TRY(set_item(guard, &entry->items[*at], directory, given, err));
    for (size_t k = 0; k < KEYS; k++)
        COP_CHECK(given[k], err, COP_ERR_CONFIG, "it has no %s", keys[k].name);
    return COP_OK;
}

cop_status cop_job_guards_set(cop_job_guards *field, const cop_job_key *key,
                              const cop_job_entry *entry, const char *directory, cop_error *err)
{
    const bool empty = entry->shape == COP_JOB_LIST && entry->count == 0;
    COP_CHECK(entry->shape == COP_JOB_RECORDS || empty, err, COP_ERR_CONFIG,
              "%s takes a list of mappings, such as [{task: text, data: text.jsonl, examples: "
              "200, loss: 0.02}]",
              key->name);
    cop_job_guards made = {.count = entry->records};
    made.data = cop_memory_alloc(made.count, sizeof *made.data, err);
    cop_status status = made.data == NULL ? COP_ERR_MEMORY : COP_OK;
    size_t at = 0;
    for (size_t i = 0; i < made.count && status == COP_OK; i++) {
        status = set_guard(&made.data[i], entry, i, &at, directory, err);
        if (status != COP_OK) (void)cop_error_prefix(err, "%s %zu", key->name, i + 1);
    }
    if (status != COP_OK) {
        cop_job_guards_free(&made);
        return status;
    }
    cop_job_guards_free(field);
    *field = made;
    return COP_OK;
}

void cop_job_guards_free(cop_job_guards *guards)
{
    for (size_t i = 0; guards->data != NULL && i < guards->count; i++) {
        cop_memory_free(guards->data[i].task);
        cop_memory_free(guards->data[i].data);
    }
    cop_memory_free(guards->data);
    *guards = (cop_job_guards){0};
}
