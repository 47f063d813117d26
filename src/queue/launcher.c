/* What the program that started the ranks was told. Names differ between launchers and their
 * versions; those that the ranks can see stand here, those to start them with in
 * slurm/mpirun.sh. */
#include "queue/launcher.h"

#include "coppice/queue/world.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* As PMIx's standard lays them out. */
typedef struct pmix_process {
    char name_space[256];
    uint32_t rank;
} pmix_process;

typedef struct pmix_value {
    uint16_t type;
    union {
        const char *string;
        uint64_t widest[4];
    } data;
} pmix_value;

typedef int pmix_get(const pmix_process *process, const char *key, const void *directives,
                     size_t directive_count, pmix_value **value);

/* An attribute of this job, NULL where there is none. It is kept: how it is freed differs
 * between the versions of PMIx. */
static const char *read_attribute(const char *name_space, const char *key)
{
    static const uint32_t whole_job = UINT32_MAX - 1;
    static const uint16_t string_type = 3;
    pmix_process job = {.rank = whole_job};
    pmix_value *value = NULL;
    pmix_get *get = NULL;
    /* The library is MPI's own, if it has one; this program needs no other part of it. */
    void *const symbol = dlsym(RTLD_DEFAULT, "PMIx_Get");
    if (symbol == NULL || strlen(name_space) >= sizeof job.name_space) return NULL;
    memcpy(&get, &symbol, sizeof get);
    memcpy(job.name_space, name_space, strlen(name_space) + 1);
    if (get(&job, key, NULL, 0, &value) != 0 || value == NULL) return NULL;
    return value->type == string_type ? value->data.string : NULL;
}

static bool is_set(const char *value)
{
    return value != NULL && (strcmp(value, "1") == 0 || strcmp(value, "true") == 0);
}

bool cop_launcher_maps_more(const char *policy)
{
    static const char word[] = "OVERSUBSCRIBE";
    static const char separators[] = ":,";
    for (const char *part = policy; part != NULL && *part != '\0';) {
        const size_t length = strcspn(part, separators);
        if (length == strlen(word) && strncmp(part, word, length) == 0) return true;
        part += length;
        part += strspn(part, separators);
    }
    return false;
}

bool cop_launcher_oversubscribes(char *(*get)(const char *name),
                                 const char *(*attribute)(const char *job, const char *key))
{
    const char *const job = get("PMIX_NAMESPACE");
    if (is_set(get("OMPI_MCA_rmaps_base_oversubscribe"))) return true; /* Open MPI to 4 */
    if (is_set(get("SLURM_OVERCOMMIT"))) return true;                  /* srun */
    /* Open MPI from 5: its ranks are told by an attribute. Other servers might be asked in
     * vain, and for long. */
    return get("PRTE_LAUNCHED") != NULL && job != NULL &&
           cop_launcher_maps_more(attribute(job, "pmix.mapby"));
}

bool cop_world_oversubscribed(void)
{
    return cop_launcher_oversubscribes(getenv, read_attribute);
}
