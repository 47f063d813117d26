/* Weights on the backend: creation, and loading base + recipe. */
#include "model/weights.h"

#include "coppice/base/memory.h"
#include "model/centre.h"
#include "model/sums.h"

#include <assert.h>

static size_t count_of(const cop_weight *weight)
{
    return weight->rows * weight->columns;
}

static cop_status create_weight(cop_model *model, cop_weight *weight, cop_error *err)
{
    cop_backend *const backend = model->backend;
    const cop_backend_ops *const ops = backend->ops;
    const size_t lanes = model->lanes;
    weight->holds_base = cop_memory_alloc(lanes, sizeof *weight->holds_base, err);
    if (weight->holds_base == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < weight->part_count; i++) {
        const cop_tensor_info *const info = weight->tensors[i];
        COP_TRY(ops->buffer_wrap(backend, info->data, info->bytes, &weight->bases[i], err));
    }
    switch (weight->kind) {
    case COP_WEIGHT_MATRIX:
        return ops->matrix_create(backend, weight->rows, weight->columns, weight->dtype, lanes,
                                  &weight->matrix, err);
    case COP_WEIGHT_VECTOR:
        return ops->buffer_create(backend, lanes * weight->rows * sizeof(float),
                                  &weight->buffer, err);
    case COP_WEIGHT_TABLE:
    default:
        return ops->buffer_create(backend,
                                  lanes * count_of(weight) * cop_dtype_size(weight->dtype),
                                  &weight->buffer, err);
    }
}

cop_status cop_model_create_weights(cop_model *model, cop_error *err)
{
    const cop_backend_ops *const ops = model->backend->ops;
    size_t longest = 0;
    for (size_t i = 0; i < model->weight_count; i++) {
        cop_weight *const weight = &model->weights[i];
        COP_TRY(create_weight(model, weight, err));
        if (weight->kind == COP_WEIGHT_VECTOR && weight->rows > longest) longest = weight->rows;
    }
    if (model->config->tied_head) {
        COP_TRY(ops->matrix_create(model->backend, model->embedding->rows,
                                   model->embedding->columns, model->embedding->dtype,
                                   model->lanes, &model->tied_head, err));
    }
    return ops->buffer_create(model->backend, longest * sizeof(float), &model->vector_stage,
                              err);
}

void cop_model_destroy_weights(cop_model *model)
{
    cop_backend *const backend = model->backend;
    const cop_backend_ops *const ops = backend->ops;
    for (size_t i = 0; i < model->weight_count; i++) {
        cop_weight *const weight = &model->weights[i];
        ops->matrix_destroy(backend, &weight->matrix);
        ops->buffer_destroy(backend, &weight->buffer);
        cop_memory_free(weight->holds_base);
        for (size_t p = 0; p < weight->part_count; p++) {
            ops->buffer_destroy(backend, &weight->bases[p]);
        }
    }
    ops->matrix_destroy(backend, &model->tied_head);
    ops->buffer_destroy(backend, &model->vector_stage);
    cop_memory_free(model->weights);
    cop_memory_free(model->layers);
    model->weights = NULL;
    model->layers = NULL;
    model->weight_count = 0;
}

/* Parts [weight->part_count] of a weight, what is added to each, and for which lane. */
typedef struct part_list {
    size_t lane;
    cop_weight_part parts[COP_WEIGHT_MAX_PARTS];
    const cop_component *components; /* [component_count] */
    size_t component_count;
    bool moved; /* by anything that is added */
} part_list;

/* Rebuilds the parts, one after the other, into copy `lane` of `out`. */
static cop_status rebuild_parts(cop_model *model, const cop_weight *weight,
                                const part_list *list, cop_buffer *out, size_t lane,
                                cop_error *err)
{
    return model->backend->ops->rebuild(model->backend, out, lane * count_of(weight),
                                        list->parts, weight->part_count, list->components,
                                        list->component_count, err);
}

/* A table of the base is read where the base lies, and not copied, unless there are lanes,
 * which have their tables one after the other. */
static cop_status load_table(cop_model *model, cop_weight *weight, const part_list *list,
                             cop_error *err)
{
    cop_backend *const backend = model->backend;
    const bool in_place = !list->moved && model->lanes == 1 && !backend->fixed_table;
    weight->table = in_place ? weight->bases[0] : weight->buffer;
    if (!in_place) COP_TRY(rebuild_parts(model, weight, list, weight->buffer, list->lane, err));
    if (model->tied_head == NULL) return COP_OK;
    if (in_place)
        return backend->ops->matrix_rebuild(backend, model->tied_head, list->lane, list->parts,
                                            weight->part_count, NULL, 0, err);
    return backend->ops->matrix_commit(backend, model->tied_head, list->lane, weight->table,
                                       err);
}

static cop_status load_parts(cop_model *model, cop_weight *weight, const part_list *list,
                             cop_error *err)
{
    cop_backend *const backend = model->backend;
    const cop_backend_ops *const ops = backend->ops;
    switch (weight->kind) {
    case COP_WEIGHT_MATRIX:
        return ops->matrix_rebuild(backend, weight->matrix, list->lane, list->parts,
                                   weight->part_count, list->components, list->component_count,
                                   err);
    case COP_WEIGHT_VECTOR:
        /* Rounded to the storage type first: what runs is what an export would hold. */
        COP_TRY(rebuild_parts(model, weight, list, model->vector_stage, 0, err));
        return ops->widen(backend, weight->buffer, list->lane * weight->rows,
                          model->vector_stage, weight->dtype, weight->rows, weight->plus, err);
    case COP_WEIGHT_TABLE:
    default:
        return load_table(model, weight, list, err);
    }
}

/* What a recipe adds: `held` components are in the centre's sums already, and so may be the sum
 * that it ends in. */
typedef struct addition {
    const cop_recipe *recipe; /* NULL: the base */
    size_t held;
    size_t sum;   /* of the model, SIZE_MAX: none */
    float factor; /* of it */
    size_t end;   /* components that are added one by one end here */
} addition;

/* What becomes of each part. A part out of scope has no sums, and is copied. */
static void list_parts(const cop_model *model, size_t index, const addition *added,
                       part_list *list)
{
    const cop_weight *const weight = &model->weights[index];
    const cop_recipe *const recipe = added->recipe;
    list->moved = false;
    for (size_t i = 0; i < weight->part_count; i++) {
        const cop_tensor_info *const info = weight->tensors[i];
        float scale = 0.0F;
        cop_low_rank low = {0};
        if (recipe != NULL) {
            scale = cop_recipe_scale(recipe, model->checkpoint, info);
            low = cop_recipe_low_rank(recipe, info);
        }
        const cop_buffer *const sums =
            added->held > 0 ? cop_model_centre_sums(model, index, i) : NULL;
        list->parts[i] = (cop_weight_part){.base = sums != NULL ? sums : weight->bases[i],
                                           .dtype = weight->dtype,
                                           .count = info->count,
                                           .tensor = info->noise_id,
                                           .scale = scale,
                                           .low = low,
                                           .base_is_sums = sums != NULL};
        if (added->sum != SIZE_MAX) {
            list->parts[i].sum = cop_model_sum_part(model, added->sum, index, i);
            list->parts[i].factor = added->factor;
        }
        if (recipe != NULL && recipe->component_count > 0 && scale != 0.0F) list->moved = true;
    }
    list->components = recipe == NULL ? NULL : recipe->components + added->held;
    list->component_count = recipe == NULL ? 0 : added->end - added->held;
}

static cop_status load_weight(cop_model *model, size_t index, size_t lane,
                              const addition *added, cop_error *err)
{
    cop_weight *const weight = &model->weights[index];
    part_list list = {.lane = lane};
    list_parts(model, index, added, &list);
    /* With a narrow scope most weights stay the base's from one candidate to the next. */
    if (!list.moved && weight->holds_base[lane]) return COP_OK;
    weight->holds_base[lane] = false;
    COP_TRY(load_parts(model, weight, &list, err));
    weight->holds_base[lane] = !list.moved;
    return COP_OK;
}

cop_status cop_model_apply(cop_model *model, size_t lane, const cop_recipe *recipe,
                           cop_error *err)
{
    addition added = {.recipe = recipe, .sum = SIZE_MAX};
    size_t first = 0;
    assert(lane < model->lanes);
    COP_TRY(cop_model_follow_centre(model, recipe, &added.held, err));
    if (recipe != NULL) added.end = recipe->component_count;
    if (added.held < added.end)
        COP_TRY(cop_model_follow_sum(model, recipe, &added.sum, &first, err));
    if (added.sum != SIZE_MAX) {
        assert(recipe != NULL);
        added.factor = recipe->components[added.end - 1].factor;
        added.end = first;
    }
    for (size_t i = 0; i < model->weight_count; i++) {
        COP_TRY(load_weight(model, i, lane, &added, err));
    }
    return COP_OK;
}
