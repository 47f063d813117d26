/* Hugging Face tensor names -> weights of the described block. */
#include "model/weights.h"

#include "coppice/base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 128 };

/* A fused weight to be: the names of its parts below a prefix, and their rows. */
typedef struct weight_spec {
    weight_kind kind;
    const char *suffix; /* "weight" or "bias" */
    size_t columns;     /* 0 for a vector */
    float plus;         /* of a vector, as cop_weight has it */
    size_t part_count;
    const char *names[COP_WEIGHT_MAX_PARTS];
    size_t rows[COP_WEIGHT_MAX_PARTS];
} weight_spec;

static void print_shape(const cop_tensor_info *info, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < info->rank && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i == 0 ? "" : ", ",
                                 (long long)info->shape[i]);
    }
    if (used < size) (void)snprintf(text + used, size - used, "]");
}

static cop_status check_tensor(const cop_tensor_info *info, size_t rows, size_t columns,
                               cop_error *err)
{
    COP_CHECK(info->dtype != COP_DTYPE_OTHER, err, COP_ERR_UNSUPPORTED,
              "tensor %s is stored as %s; f32, bf16 and f16 weights are implemented",
              info->name, info->dtype_text);
    const bool vector = columns == 0;
    const bool fits = vector ? info->rank == 1 && info->shape[0] == (int64_t)rows
                             : info->rank == 2 && info->shape[0] == (int64_t)rows &&
                                   info->shape[1] == (int64_t)columns;
    if (fits) return COP_OK;
    char found[128];
    print_shape(info, found, sizeof found);
    return vector ? cop_error_set(err, COP_ERR_FORMAT,
                                  "tensor %s has shape %s, but config.json asks for [%zu]",
                                  info->name, found, rows)
                  : cop_error_set(err, COP_ERR_FORMAT,
                                  "tensor %s has shape %s, but config.json asks for [%zu, %zu]",
                                  info->name, found, rows, columns);
}

static cop_status bind_part(const cop_model *model, const char *prefix, const weight_spec *spec,
                            size_t part, cop_weight *weight, cop_error *err)
{
    char name[NAME_BYTES];
    (void)snprintf(name, sizeof name, "%s%s.%s", prefix, spec->names[part], spec->suffix);
    const cop_tensor_info *const info = cop_checkpoint_find(model->checkpoint, name);
    COP_CHECK(info != NULL, err, COP_ERR_FORMAT,
              "tensor %s is missing from the checkpoint (config.json asks for it)", name);
    COP_TRY(check_tensor(info, spec->rows[part], spec->columns, err));
    COP_CHECK(
        part == 0 || info->dtype == weight->dtype, err, COP_ERR_UNSUPPORTED,
        "tensors %s (%s) and %s (%s) are multiplied as one matrix and must have one dtype; "
        "store them alike",
        weight->tensors[0]->name, cop_dtype_name(weight->dtype), name,
        cop_dtype_name(info->dtype));
    weight->dtype = info->dtype;
    weight->tensors[part] = info;
    weight->rows += spec->rows[part];
    weight->part_count++;
    return COP_OK;
}

static cop_status bind_weight(cop_model *model, const char *prefix, const weight_spec *spec,
                              const cop_weight **bound, cop_error *err)
{
    assert(model->weight_count < model->weight_capacity);
    cop_weight *const weight = &model->weights[model->weight_count];
    *weight = (cop_weight){.kind = spec->kind,
                           .columns = spec->columns == 0 ? 1 : spec->columns,
                           .plus = spec->plus};
    for (size_t i = 0; i < spec->part_count; i++) {
        COP_TRY(bind_part(model, prefix, spec, i, weight, err));
    }
    model->weight_count++;
    *bound = weight;
    return COP_OK;
}

static cop_status bind_matrix(cop_model *model, const char *prefix, const char *name,
                              size_t rows, size_t columns, const cop_weight **bound,
                              cop_error *err)
{
    const weight_spec spec = {.kind = COP_WEIGHT_MATRIX,
                              .suffix = "weight",
                              .columns = columns,
                              .part_count = 1,
                              .names = {name},
                              .rows = {rows}};
    return bind_weight(model, prefix, &spec, bound, err);
}

static cop_status bind_bias(cop_model *model, const char *prefix, const char *name, size_t rows,
                            const cop_weight **bound, cop_error *err)
{
    const weight_spec spec = {.kind = COP_WEIGHT_VECTOR,
                              .suffix = "bias",
                              .part_count = 1,
                              .names = {name},
                              .rows = {rows}};
    return bind_weight(model, prefix, &spec, bound, err);
}

static cop_status bind_norm(cop_model *model, const char *prefix, const char *name, size_t rows,
                            const cop_weight **bound, cop_error *err)
{
    const weight_spec spec = {.kind = COP_WEIGHT_VECTOR,
                              .suffix = "weight",
                              .plus = model->config->norm_offset,
                              .part_count = 1,
                              .names = {name},
                              .rows = {rows}};
    return bind_weight(model, prefix, &spec, bound, err);
}

/* A fused matrix and, if there is one, its bias, of the same parts. */
static cop_status bind_fused(cop_model *model, const char *prefix, weight_spec spec,
                             const cop_weight **matrix, const cop_weight **bias, cop_error *err)
{
    COP_TRY(bind_weight(model, prefix, &spec, matrix, err));
    if (bias == NULL) return COP_OK;
    spec.kind = COP_WEIGHT_VECTOR;
    spec.suffix = "bias";
    spec.columns = 0;
    return bind_weight(model, prefix, &spec, bias, err);
}

static cop_status bind_attention(cop_model *model, const char *prefix, model_layer *layer,
                                 cop_error *err)
{
    const cop_model_config *const c = model->config;
    const size_t width = (size_t)c->width;
    const size_t size = (size_t)c->head_size;
    const size_t q_rows = (size_t)c->heads * size;
    const size_t kv_rows = (size_t)c->kv_heads * size;
    const weight_spec qkv = {
        .kind = COP_WEIGHT_MATRIX,
        .suffix = "weight",
        .columns = width,
        .part_count = 3,
        .names = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
        .rows = {q_rows, kv_rows, kv_rows}};
    COP_TRY(bind_fused(model, prefix, qkv, &layer->qkv, c->qkv_bias ? &layer->qkv_bias : NULL,
                       err));
    COP_TRY(bind_matrix(model, prefix, "self_attn.o_proj", width, q_rows, &layer->o, err));
    if (c->o_bias) {
        COP_TRY(bind_bias(model, prefix, "self_attn.o_proj", width, &layer->o_bias, err));
    }
    if (c->qk_norm == COP_QK_NORM_NONE) return COP_OK;
    const bool by_head = c->qk_norm == COP_QK_NORM_HEAD;
    COP_TRY(bind_norm(model, prefix, "self_attn.q_norm", by_head ? size : q_rows,
                      &layer->q_norm, err));
    return bind_norm(model, prefix, "self_attn.k_norm", by_head ? size : kv_rows,
                     &layer->k_norm, err);
}

static cop_status bind_feed_forward(cop_model *model, const char *prefix, model_layer *layer,
                                    cop_error *err)
{
    const cop_model_config *const c = model->config;
    const size_t width = (size_t)c->width;
    const size_t inner = (size_t)c->feed_forward;
    const weight_spec gate_up = {.kind = COP_WEIGHT_MATRIX,
                                 .suffix = "weight",
                                 .columns = width,
                                 .part_count = 2,
                                 .names = {"mlp.gate_proj", "mlp.up_proj"},
                                 .rows = {inner, inner}};
    COP_TRY(bind_fused(model, prefix, gate_up, &layer->gate_up,
                       c->mlp_bias ? &layer->gate_up_bias : NULL, err));
    COP_TRY(bind_matrix(model, prefix, "mlp.down_proj", width, inner, &layer->down, err));
    if (!c->mlp_bias) return COP_OK;
    return bind_bias(model, prefix, "mlp.down_proj", width, &layer->down_bias, err);
}

/* What the names of all weights but the head begin with. */
static const char *trunk(const cop_model *model)
{
    return model->config->bare_names ? "" : "model.";
}

/* The norms of a block. By their placement post_attention_layernorm is that after attention, or
 * that before the feed-forward part. */
static cop_status bind_norms(cop_model *model, const char *prefix, model_layer *layer,
                             cop_error *err)
{
    enum { NORMS = 4 };
    static const char *const names[][NORMS] = {
        [COP_NORM_BEFORE] = {"input_layernorm", NULL, "post_attention_layernorm", NULL},
        [COP_NORM_AFTER] = {NULL, "post_attention_layernorm", NULL,
                            "post_feedforward_layernorm"},
        [COP_NORM_AROUND] = {"input_layernorm", "post_attention_layernorm",
                             "pre_feedforward_layernorm", "post_feedforward_layernorm"}};
    const cop_weight **const bound[NORMS] = {
        &layer->norm_before_attention, &layer->norm_after_attention,
        &layer->norm_before_feed_forward, &layer->norm_after_feed_forward};
    const cop_model_config *const c = model->config;
    for (size_t i = 0; i < NORMS; i++) {
        const char *const name = names[c->norm_placement][i];
        *bound[i] = NULL;
        if (name != NULL)
            COP_TRY(bind_norm(model, prefix, name, (size_t)c->width, bound[i], err));
    }
    return COP_OK;
}

static cop_status bind_layer(cop_model *model, int32_t index, cop_error *err)
{
    char prefix[NAME_BYTES / 2];
    (void)snprintf(prefix, sizeof prefix, "%slayers.%d.", trunk(model), (int)index);
    model_layer *const layer = &model->layers[index];
    COP_TRY(bind_attention(model, prefix, layer, err));
    COP_TRY(bind_feed_forward(model, prefix, layer, err));
    return bind_norms(model, prefix, layer, err);
}

bool cop_model_uses(const cop_model *model, const cop_tensor_info *info)
{
    for (size_t w = 0; w < model->weight_count; w++) {
        for (size_t p = 0; p < model->weights[w].part_count; p++) {
            if (model->weights[w].tensors[p] == info) return true;
        }
    }
    return false;
}

/* Tensors that no weight is made of, nor is one of them under another name. */
static cop_status list_unused(const cop_model *model, cop_text *unused, cop_error *err)
{
    for (size_t i = 0; i < cop_checkpoint_count(model->checkpoint); i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(model->checkpoint, i);
        if (info->use == COP_TENSOR_ALIAS || cop_model_uses(model, info)) continue;
        COP_TRY(
            cop_text_format(unused, err, "%s%s", unused->length == 0 ? "" : ", ", info->name));
    }
    return COP_OK;
}

/* The embedding; of a tied model that has only the head, the head. */
static cop_status bind_table(cop_model *model, cop_error *err)
{
    const cop_model_config *const c = model->config;
    const weight_spec table = {.kind = COP_WEIGHT_TABLE,
                               .suffix = "weight",
                               .columns = (size_t)c->width,
                               .part_count = 1,
                               .names = {c->head_only ? "lm_head" : "embed_tokens"},
                               .rows = {(size_t)c->vocabulary}};
    return bind_weight(model, c->head_only ? "" : trunk(model), &table, &model->embedding, err);
}

cop_status cop_model_bind(cop_model *model, cop_text *unused, cop_error *err)
{
    enum { MOST_WEIGHTS_PER_LAYER = 14, OTHER_WEIGHTS = 3 };
    const cop_model_config *const c = model->config;
    const size_t width = (size_t)c->width;
    const size_t vocabulary = (size_t)c->vocabulary;
    model->weight_capacity = (size_t)c->layers * MOST_WEIGHTS_PER_LAYER + OTHER_WEIGHTS;
    model->weights = cop_memory_alloc(model->weight_capacity, sizeof *model->weights, err);
    model->layers = cop_memory_alloc((size_t)c->layers, sizeof *model->layers, err);
    if (model->weights == NULL || model->layers == NULL) return COP_ERR_MEMORY;
    COP_TRY(bind_table(model, err));
    for (int32_t i = 0; i < c->layers; i++)
        COP_TRY(bind_layer(model, i, err));
    COP_TRY(bind_norm(model, trunk(model), "norm", width, &model->final_norm, err));
    if (!c->tied_head) {
        COP_TRY(bind_matrix(model, "", "lm_head", vocabulary, width, &model->head, err));
    }
    return unused == NULL ? COP_OK : list_unused(model, unused, err);
}
