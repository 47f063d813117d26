#include "model/centre.h"

#include "coppice/base/memory.h"
#include "model/kept.h"

#include <assert.h>
#include <string.h>

/* Fewer components in common than this are cheaper to add again than to keep. */
enum { WORTH_KEEPING = 16 };

static size_t common_prefix(const cop_component *a, size_t a_count, const cop_component *b,
                            size_t b_count)
{
    const size_t least = a_count < b_count ? a_count : b_count;
    size_t count = 0;
    while (count < least && a[count].seed == b[count].seed &&
           a[count].amplitude == b[count].amplitude && a[count].factor == b[count].factor)
        count++;
    while (count > 0 && a[count - 1].factor == COP_IN_SUM)
        count--; /* a sum is in common as a whole, or not */
    return count;
}

static void free_sums(cop_model *model)
{
    model_centre *const centre = &model->centre;
    cop_model_drop_kept(model, &centre->sums);
    cop_memory_free(centre->scale);
    centre->scale = NULL;
    centre->count = 0;
}

/* Room for the sums of every tensor in scope, and their scales. */
static cop_status reserve(cop_model *model, const cop_recipe *recipe, cop_error *err)
{
    model_centre *const centre = &model->centre;
    const size_t slots = model->weight_count * COP_WEIGHT_MAX_PARTS;
    COP_TRY(cop_model_keep(model, recipe, &centre->sums, err));
    centre->scale = cop_memory_alloc(slots, sizeof *centre->scale, err);
    if (centre->scale == NULL) return COP_ERR_MEMORY;
    for (size_t w = 0; w < model->weight_count; w++) {
        for (size_t p = 0; p < model->weights[w].part_count; p++)
            centre->scale[w * COP_WEIGHT_MAX_PARTS + p] =
                cop_recipe_scale(recipe, model->checkpoint, model->weights[w].tensors[p]);
    }
    return COP_OK;
}

/* Brings the sums from `from` components (0: the base) to the first `count`. */
static cop_status accumulate(cop_model *model, const cop_recipe *recipe,
                             const cop_component *components, size_t from, size_t count,
                             cop_error *err)
{
    model_centre *const centre = &model->centre;
    assert(centre->scale != NULL); /* reserve() */
    for (size_t w = 0; w < model->weight_count; w++) {
        const cop_weight *const weight = &model->weights[w];
        for (size_t p = 0; p < weight->part_count; p++) {
            cop_buffer *const sums = cop_model_kept_part(&centre->sums, w, p);
            if (sums == NULL) continue;
            const cop_weight_part part = {.base = from > 0 ? sums : weight->bases[p],
                                          .dtype = weight->dtype,
                                          .count = weight->tensors[p]->count,
                                          .tensor = weight->tensors[p]->noise_id,
                                          .scale = centre->scale[w * COP_WEIGHT_MAX_PARTS + p],
                                          .low =
                                              cop_recipe_low_rank(recipe, weight->tensors[p]),
                                          .base_is_sums = from > 0,
                                          .keep_sums = true};
            COP_TRY(model->backend->ops->rebuild(model->backend, sums, 0, &part, 1,
                                                 components + from, count - from, err));
        }
    }
    return COP_OK;
}

/* True if the sums are of this recipe's noise, scope and scaling. */
static bool fits(const cop_model *model, const cop_recipe *recipe)
{
    if (model->centre.sums.noise_rank != recipe->noise_rank) return false;
    for (size_t w = 0; w < model->weight_count; w++) {
        for (size_t p = 0; p < model->weights[w].part_count; p++) {
            const float scale =
                cop_recipe_scale(recipe, model->checkpoint, model->weights[w].tensors[p]);
            if (model->centre.scale[w * COP_WEIGHT_MAX_PARTS + p] != scale) return false;
        }
    }
    return true;
}

/* Keeps the sums of the first `count` components; without memory there are none. */
static cop_status keep(cop_model *model, const cop_recipe *recipe, size_t count, cop_error *err)
{
    model_centre *const centre = &model->centre;
    if (centre->sums.parts != NULL && !fits(model, recipe)) free_sums(model);
    const size_t from = common_prefix(centre->components, centre->count, recipe->components,
                                      recipe->component_count) == centre->count
                            ? centre->count
                            : 0;
    if (centre->sums.parts == NULL && reserve(model, recipe, NULL) != COP_OK) {
        free_sums(model);
        centre->refused = true;
        return COP_OK;
    }
    cop_component *const copy = cop_memory_alloc(count, sizeof *copy, err);
    if (copy == NULL) return COP_ERR_MEMORY;
    memcpy(copy, recipe->components, count * sizeof *copy);
    centre->count = 0; /* until the sums are whole */
    const cop_status status = accumulate(model, recipe, copy, from, count, err);
    cop_memory_free(centre->components);
    centre->components = copy;
    if (status == COP_OK) centre->count = count;
    return status;
}

static cop_status remember(model_centre *centre, const cop_recipe *recipe, cop_error *err)
{
    cop_component *const copy = cop_memory_alloc(recipe->component_count, sizeof *copy, err);
    if (copy == NULL) return COP_ERR_MEMORY;
    if (recipe->component_count > 0)
        memcpy(copy, recipe->components, recipe->component_count * sizeof *copy);
    cop_memory_free(centre->latest);
    centre->latest = copy;
    centre->latest_count = recipe->component_count;
    return COP_OK;
}

cop_status cop_model_follow_centre(cop_model *model, const cop_recipe *recipe, size_t *held,
                                   cop_error *err)
{
    model_centre *const centre = &model->centre;
    *held = 0;
    if (recipe == NULL || centre->refused) return COP_OK;
    const cop_component *const components = recipe->components;
    const size_t count = recipe->component_count;
    const size_t shared =
        common_prefix(centre->latest, centre->latest_count, components, count);
    bool usable =
        centre->count > 0 &&
        common_prefix(centre->components, centre->count, components, count) == centre->count &&
        fits(model, recipe);
    if (shared >= (usable ? centre->count : 0) + WORTH_KEEPING) {
        COP_TRY(keep(model, recipe, shared, err));
        usable = centre->count > 0;
    }
    COP_TRY(remember(centre, recipe, err));
    if (usable) *held = centre->count;
    return COP_OK;
}

const cop_buffer *cop_model_centre_sums(const cop_model *model, size_t weight, size_t part)
{
    return cop_model_kept_part(&model->centre.sums, weight, part);
}

void cop_model_destroy_centre(cop_model *model)
{
    free_sums(model);
    cop_memory_free(model->centre.components);
    cop_memory_free(model->centre.latest);
    model->centre = (model_centre){0};
}
