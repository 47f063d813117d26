#include "model/kept.h"

#include "coppice/base/memory.h"
#include "model/memory_plan.h"

static size_t part_bytes(const cop_model *model, const cop_recipe *recipe, size_t weight,
                         size_t part)
{
    const cop_tensor_info *const info = model->weights[weight].tensors[part];
    return cop_recipe_scale(recipe, model->checkpoint, info) == 0.0F
               ? 0
               : info->count * sizeof(float);
}

static cop_status create_parts(cop_model *model, const cop_recipe *recipe, model_kept *kept,
                               cop_error *err)
{
    const size_t slots = model->weight_count * COP_WEIGHT_MAX_PARTS;
    kept->parts = cop_memory_alloc(slots, sizeof *kept->parts, err);
    if (kept->parts == NULL) return COP_ERR_MEMORY;
    for (size_t w = 0; w < model->weight_count; w++) {
        for (size_t p = 0; p < model->weights[w].part_count; p++) {
            const size_t bytes = part_bytes(model, recipe, w, p);
            if (bytes == 0) continue;
            COP_TRY(model->backend->ops->buffer_create(
                model->backend, bytes, &kept->parts[w * COP_WEIGHT_MAX_PARTS + p], err));
        }
    }
    return COP_OK;
}

cop_status cop_model_keep(cop_model *model, const cop_recipe *recipe, model_kept *kept,
                          cop_error *err)
{
    uint64_t need = 0;
    for (size_t w = 0; w < model->weight_count; w++) {
        for (size_t p = 0; p < model->weights[w].part_count; p++)
            need += part_bytes(model, recipe, w, p);
    }
    *kept = (model_kept){0};
    COP_CHECK(cop_model_has_spare(model, need), err, COP_ERR_MEMORY,
              "there are no %llu bytes to spare", (unsigned long long)need);
    kept->bytes = need;
    kept->noise_rank = recipe->noise_rank;
    model->kept_bytes += need;
    const cop_status status = create_parts(model, recipe, kept, err);
    if (status != COP_OK) cop_model_drop_kept(model, kept);
    return status;
}

void cop_model_drop_kept(cop_model *model, model_kept *kept)
{
    const size_t slots = model->weight_count * COP_WEIGHT_MAX_PARTS;
    for (size_t i = 0; kept->parts != NULL && i < slots; i++)
        model->backend->ops->buffer_destroy(model->backend, &kept->parts[i]);
    cop_memory_free(kept->parts);
    model->kept_bytes -= kept->bytes;
    *kept = (model_kept){0};
}
