/* The table of operators. */
#include "search/operators_private.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <math.h>

static const cop_operator *const operators[] = {
    &cop_operator_two_pass,
    &cop_operator_z_score,
    &cop_operator_precision,
    &cop_operator_rank,
};

enum { OPERATOR_COUNT = sizeof operators / sizeof operators[0] };

const cop_operator *cop_operator_at(size_t index)
{
    return index < OPERATOR_COUNT ? operators[index] : NULL;
}

cop_status cop_operator_find(const char *name, const cop_operator **found, cop_error *err)
{
    const char *names[OPERATOR_COUNT];
    for (size_t i = 0; i < OPERATOR_COUNT; i++)
        names[i] = operators[i]->name;
    *found = cop_operator_at(cop_text_find_name(name, names, OPERATOR_COUNT));
    return *found != NULL ? COP_OK
                          : cop_text_refuse_name("operator", "operators", name, names,
                                                 OPERATOR_COUNT, err);
}

cop_status cop_operator_run(const cop_operator *chosen, const cop_operator_input *input,
                            cop_directions *directions, cop_error *err)
{
    *directions = (cop_directions){0};
    size_t taking_part = 0;
    for (size_t i = 0; i < input->count; i++) {
        if (input->valid != NULL && !input->valid[i]) continue;
        COP_CHECK(isfinite(input->sigma[i]) && isfinite(input->reward[i]), err, COP_ERR_NUMERIC,
                  "candidate %zu: sigma %g or reward %g is not finite", i, input->sigma[i],
                  input->reward[i]);
        taking_part++;
    }
    COP_CHECK(taking_part > 0, err, COP_ERR_NUMERIC,
              "operator %s: none of %zu candidates has a valid score", chosen->name,
              input->count);
    const cop_status status = chosen->run(input, directions, err);
    if (status != COP_OK) cop_directions_free(directions);
    return status;
}

void cop_direction_free(cop_direction *direction)
{
    cop_memory_free(direction->amplitude);
    cop_memory_free(direction->eigenvalue);
    cop_memory_free(direction->principal);
    *direction = (cop_direction){0};
}

void cop_directions_free(cop_directions *directions)
{
    for (size_t i = 0; i < directions->count; i++)
        cop_direction_free(&directions->items[i]);
    cop_memory_free(directions->items);
    *directions = (cop_directions){0};
}
