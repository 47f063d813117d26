/* The table of methods. */
#include "coppice/method/method.h"

#include "coppice/base/text.h"
#include "method/methods.h"

#include <string.h>

static size_t one(const cop_job *job)
{
    (void)job;
    return 1;
}

static size_t count_rounds(const cop_job *job)
{
    return (size_t)job->rounds.count;
}

static size_t count_iterations(const cop_job *job)
{
    return (size_t)job->es.iterations;
}

static const cop_method methods[] = {
    {.name = "corp",
     .title = "CoRP",
     .is_gated = true,
     .proposes = true,
     .recentres = true,
     .memory_keys = "recenter.size",
     .population_count = one,
     .run = cop_corp_run},
    {.name = "rounds",
     .title = "rounds",
     .is_gated = true,
     .proposes = true,
     .memory_keys = "rounds.count",
     .population_count = count_rounds,
     .run = cop_rounds_run},
    {.name = "es",
     .title = "es",
     .is_gated = true,
     .memory_keys = "es.iterations",
     .population_count = count_iterations,
     .run = cop_es_run},
    {.name = "randopt",
     .title = "randopt",
     .memory_keys = "baselines.randopt",
     .population_count = one,
     .run = cop_randopt_run},
};

enum { METHODS = sizeof methods / sizeof methods[0] };

const cop_method *cop_method_at(size_t index)
{
    return index < METHODS ? &methods[index] : NULL;
}

cop_status cop_method_find(const char *name, const cop_method **method, cop_error *err)
{
    const char *names[METHODS];
    for (size_t i = 0; i < METHODS; i++) {
        names[i] = methods[i].name;
        if (strcmp(name, names[i]) != 0) continue;
        *method = &methods[i];
        return COP_OK;
    }
    *method = NULL;
    return cop_text_refuse_name("method", "methods", name, names, METHODS, err);
}
