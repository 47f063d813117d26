/* What every rank works out for itself. */
#include "run/context.h"

#include "coppice/model/model.h"
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

/* Matrices that take noise and have fewer rows or columns than its rank. */
static cop_status check_ranks(const cop_recipe *recipe, const cop_checkpoint *base,
                              cop_error *err)
{
    for (size_t i = 0; i < cop_checkpoint_count(base); i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(base, i);
        const cop_low_rank low = cop_recipe_low_rank(recipe, info);
        const size_t most = low.rows < low.columns ? low.rows : low.columns;
        if (low.rank <= most || cop_recipe_scale(recipe, base, info) == 0.0F) continue;
        return cop_error_set(
            err, COP_ERR_CONFIG,
            "population.noise: rank-%zu is no low rank for %s [%zu, %zu]; take rank-%zu or "
            "less, or leave the tensor out of population.scope",
            low.rank, info->name, low.rows, low.columns, most);
    }
    return COP_OK;
}

/* Tensors that the patterns, which become the recipe's scope, match. */
static cop_status count_in_scope(const cop_checkpoint *base, const char *const *patterns,
                                 size_t count, cop_recipe *recipe, size_t *found,
                                 cop_error *err)
{
    COP_TRY(cop_recipe_set_scope(recipe, patterns, count, err));
    *found = 0;
    for (size_t i = 0; i < cop_checkpoint_count(base); i++)
        if (cop_recipe_scale(recipe, base, cop_checkpoint_at(base, i)) != 0.0F) (*found)++;
    return COP_OK;
}

/* Sets the recipe's scope to the job's. */
static cop_status check_scope(const cop_job *job, const cop_checkpoint *base,
                              cop_recipe *recipe, const char **idle_pattern, cop_error *err)
{
    const char *const *const patterns = (const char *const *)job->population.scope.data;
    const size_t count = job->population.scope.count;
    size_t found = 0;
    for (size_t i = count; i-- > 0;) {
        COP_TRY(count_in_scope(base, &patterns[i], 1, recipe, &found, err));
        if (found == 0) *idle_pattern = patterns[i];
    }
    COP_TRY(count_in_scope(base, patterns, count, recipe, &found, err));
    COP_CHECK(
        found > 0, err, COP_ERR_CONFIG,
        "population.scope: no tensor of %s matches '%s'%s; its tensors have names such as "
        "%s",
        job->model, patterns[0], count > 1 ? " or one of the others" : "",
        cop_checkpoint_at(base, 0)->name);
    return COP_OK;
}

cop_status cop_rank_check_noise(const cop_job *job, cop_checkpoint *base,
                                const char **idle_pattern, cop_error *err)
{
    cop_model_config config;
    cop_recipe *recipe = NULL;
    *idle_pattern = NULL;
    COP_TRY(cop_model_config_load(job->model, &config, err));
    COP_TRY(cop_model_settle(&config, base, err));
    COP_TRY(cop_recipe_create(&recipe, err));
    (void)cop_noise_kind_parse(job->population.noise, &recipe->noise_rank); /* a checked key */
    cop_status status = check_scope(job, base, recipe, idle_pattern, err);
    if (status == COP_OK) status = check_ranks(recipe, base, err);
    cop_recipe_destroy(&recipe);
    return status;
}

cop_status cop_rank_create_recipe(const cop_job *job, const cop_checkpoint *base,
                                  cop_recipe **recipe, cop_error *err)
{
    COP_TRY(cop_recipe_create(recipe, err));
    (void)cop_scaling_find(job->population.scaling, &(*recipe)->scaling); /* checked keys */
    (void)cop_noise_kind_parse(job->population.noise, &(*recipe)->noise_rank);
    cop_status status =
        cop_recipe_set_scope(*recipe, (const char *const *)job->population.scope.data,
                             job->population.scope.count, err);
    if (status == COP_OK) status = cop_recipe_set_scales(*recipe, base, err);
    if (status != COP_OK) cop_recipe_destroy(recipe);
    return status;
}
