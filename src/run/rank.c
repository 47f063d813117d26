/* What every rank works out for itself. */
#include "run/context.h"

#include "coppice/noise/noise.h"

/* Who of the node computes: all but rank 0, if there are others. */
void cop_rank_count_computing(cop_rank *rank)
{
    const bool idle = cop_world_rank(rank->world) == 0 && cop_world_size(rank->world) > 1;
    const bool has_idle =
        cop_world_size(rank->world) > 1 && cop_world_node_first(rank->world) == 0;
    rank->computing_ranks = cop_world_local_size(rank->world) - (has_idle ? 1 : 0);
    rank->computing_rank = cop_world_local_rank(rank->world) - (has_idle && !idle ? 1 : 0);
}

cop_status cop_rank_create_recipe(const cop_job *job, const cop_checkpoint *base,
                                  cop_recipe **recipe, cop_error *err)
{
    COP_TRY(cop_recipe_create(recipe, err));
    if (!cop_scaling_find(job->population.scaling, &(*recipe)->scaling))
        (*recipe)->scaling = COP_SCALING_ABSOLUTE;
    (void)cop_noise_kind_parse(job->population.noise,
                               &(*recipe)->noise_rank); /* a checked key */
    cop_status status =
        cop_recipe_set_scope(*recipe, (const char *const *)job->population.scope.data,
                             job->population.scope.count, err);
    if (status == COP_OK) status = cop_recipe_set_scales(*recipe, base, err);
    if (status != COP_OK) cop_recipe_destroy(recipe);
    return status;
}
