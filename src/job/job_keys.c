/* The keys of a job file, from their tables. To add one: a field in cop_job and an entry in the
 * table that it belongs to, job_keys_{task,search,run}.c. */
#include "job/job_keys_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const cop_job_section sections[] = {
    {.name = "task", .meaning = "what is learnt"},
    {.name = "task.prompt", .stand_in = "task.prompt.user"},
    {.name = "splits", .meaning = "how the data set is divided into disjoint sets"},
    {.name = "budget", .meaning = "how much the search may take"},
    {.name = "population", .meaning = "random perturbations of the base model"},
    {.name = "generation", .meaning = "how answers are generated (greedily)"},
    {.name = "consolidate", .meaning = "stage 1: the population is merged into one model"},
    {.name = "recenter",
     .meaning = "stage 2: the merged model is improved by local candidates"},
    {.name = "rounds", .meaning = "method rounds: populations in a row"},
    {.name = "es", .meaning = "method es: the evolution strategy"},
    {.name = "gate", .meaning = "what an update must show before it is accepted"},
    {.name = "baselines", .meaning = "what the result is compared with on the test set"},
    {.name = "analysis", .meaning = "what is said about the scores; it decides nothing"},
    {.name = "backend", .meaning = "what computes"},
    {.name = "schedule", .meaning = "how units are given to ranks"},
    {.name = "checkpoint", .meaning = "how often the run is saved"},
};

enum { SECTION_COUNT = sizeof sections / sizeof sections[0] };
_Static_assert((int)SECTION_COUNT <= (int)COP_JOB_SECTIONS_MAX, "raise COP_JOB_SECTIONS_MAX");

static const cop_job_key_table *const tables[] = {&cop_job_keys_task, &cop_job_keys_search,
                                                  &cop_job_keys_run};

enum { TABLE_COUNT = sizeof tables / sizeof tables[0] };

const cop_job_key *cop_job_key_at(size_t index)
{
    for (size_t t = 0; t < TABLE_COUNT; t++) {
        if (index < tables[t]->count) return &tables[t]->keys[index];
        index -= tables[t]->count;
    }
    return NULL;
}

const cop_job_section *cop_job_section_at(size_t index)
{
    return index < SECTION_COUNT ? &sections[index] : NULL;
}

size_t cop_job_key_count(void)
{
    size_t count = 0;
    for (size_t t = 0; t < TABLE_COUNT; t++)
        count += tables[t]->count;
    assert(count <= COP_JOB_KEYS_MAX);
    return count;
}

const char *cop_job_key_name(size_t index)
{
    const cop_job_key *const key = cop_job_key_at(index);
    return key == NULL ? NULL : key->name;
}

bool cop_job_key_is_identity(size_t index)
{
    const cop_job_key *const key = cop_job_key_at(index);
    return key != NULL && !key->describes_run;
}

int cop_job_key_find(const char *name)
{
    const cop_job_key *key;
    for (size_t i = 0; (key = cop_job_key_at(i)) != NULL; i++) {
        if (strcmp(key->name, name) == 0) return (int)i;
    }
    return -1;
}

cop_job_range cop_job_key_range(const char *name)
{
    const int index = cop_job_key_find(name);
    assert(index >= 0);
    const cop_job_key *const key = cop_job_key_at((size_t)index);
    assert(key->type == COP_JOB_INTEGER && key->initial != NULL);
    return (cop_job_range){key->least, key->most, strtoll(key->initial, NULL, 10)};
}

int cop_job_mapping_find(const char *name)
{
    const cop_job_key *key;
    for (size_t i = 0; (key = cop_job_key_at(i)) != NULL; i++) {
        const size_t length = strlen(key->name);
        if (key->type == COP_JOB_FIELDS && strncmp(key->name, name, length) == 0 &&
            name[length] == '.')
            return (int)i;
    }
    return -1;
}

int cop_job_section_find(const char *name)
{
    for (int i = 0; i < (int)SECTION_COUNT; i++) {
        if (strcmp(sections[i].name, name) == 0) return i;
    }
    return -1;
}
