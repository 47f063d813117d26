#include "model/forward.h"

#include <assert.h>
#include <math.h>

static const cop_buffer *buffer_of(const cop_weight *weight)
{
    return weight == NULL ? NULL : weight->buffer;
}

/* scratch.input = what a sub-block reads: the normed stream, or the stream as it is where no
 * norm comes before. */
static void read_stream(cop_model *model, const cop_weight *norm, size_t rows)
{
    const cop_model_config *const c = model->config;
    const cop_backend_ops *const ops = model->backend->ops;
    const model_scratch *const s = &model->scratch;
    if (norm != NULL) {
        ops->rmsnorm(model->backend, s->input, s->residual, norm->buffer, rows,
                     (size_t)c->width, c->norm_eps);
    } else {
        ops->convert(model->backend, s->input, s->residual, rows, (size_t)c->width);
    }
}

/* Adds a sub-block's result, scratch.input * matrix' + bias, normed if a norm comes after, to
 * the stream. */
static cop_status write_stream(cop_model *model, const cop_weight *matrix,
                               const cop_weight *bias, const cop_weight *norm, size_t rows,
                               cop_error *err)
{
    const cop_model_config *const c = model->config;
    const cop_backend_ops *const ops = model->backend->ops;
    const model_scratch *const s = &model->scratch;
    if (norm == NULL) {
        return ops->gemm_add(model->backend, s->residual, s->input, matrix->matrix,
                             buffer_of(bias), rows, err);
    }
    COP_TRY(ops->gemm(model->backend, s->output, s->input, matrix->matrix, buffer_of(bias),
                      rows, err));
    ops->rmsnorm_add(model->backend, s->residual, s->output, norm->buffer, rows,
                     (size_t)c->width, c->norm_eps);
    return COP_OK;
}

static float score_scale(const cop_model_config *config)
{
    return 1.0F /
           sqrtf(config->query_scalar > 0.0F ? config->query_scalar : (float)config->head_size);
}

static cop_status attention_block(cop_model *model, size_t index, const cop_batch *batch,
                                  cop_error *err)
{
    const cop_model_config *const c = model->config;
    cop_backend *const backend = model->backend;
    const model_layer *const layer = &model->layers[index];
    const model_scratch *const s = &model->scratch;
    const bool sliding = c->sliding[index];
    const cop_attention_shape shape = {.heads = c->heads,
                                       .kv_heads = c->kv_heads,
                                       .head_size = c->head_size,
                                       .window = sliding ? c->window : 0,
                                       .scale = score_scale(c),
                                       .qk_norm = c->qk_norm,
                                       .eps = c->norm_eps};
    read_stream(model, layer->norm_before_attention, batch->rows);
    COP_TRY(backend->ops->gemm(backend, s->output, s->input, layer->qkv->matrix,
                               buffer_of(layer->qkv_bias), batch->rows, err));
    backend->ops->rope_store(backend, s->output, model->kv, index, batch, &shape,
                             model->rope[sliding ? 1 : 0], buffer_of(layer->q_norm),
                             buffer_of(layer->k_norm));
    backend->ops->attention(backend, s->input, s->output, model->kv, index, batch, &shape);
    return write_stream(model, layer->o, layer->o_bias, layer->norm_after_attention,
                        batch->rows, err);
}

static cop_status feed_forward_block(cop_model *model, size_t index, size_t rows,
                                     cop_error *err)
{
    const model_layer *const layer = &model->layers[index];
    cop_backend *const backend = model->backend;
    const model_scratch *const s = &model->scratch;
    read_stream(model, layer->norm_before_feed_forward, rows);
    COP_TRY(backend->ops->gemm(backend, s->output, s->input, layer->gate_up->matrix,
                               buffer_of(layer->gate_up_bias), rows, err));
    backend->ops->glu(backend, s->input, s->output, rows, (size_t)model->config->feed_forward,
                      model->config->activation);
    return write_stream(model, layer->down, layer->down_bias, layer->norm_after_feed_forward,
                        rows, err);
}

/* In the type of products, as transformers rounds it to that of its weights: the model was
 * trained with 25.25, not 25.298, for the root of 640. */
static float embedding_scale(const cop_model *model)
{
    const float scale = model->config->embedding_scale;
    if (scale == 0.0F) return 1.0F;
    switch (model->backend->input) {
    case COP_BF16:
        return cop_bf16_to_f32(cop_f32_to_bf16(scale));
    case COP_F16:
        return cop_f16_to_f32(cop_f32_to_f16(scale));
    default:
        return scale;
    }
}

cop_status cop_model_forward(cop_model *model, const int32_t *ids, const cop_batch *batch,
                             cop_error *err)
{
    assert(batch->rows >= 1 && batch->rows <= model->lanes * model->scratch.rows);
    const cop_model_config *const c = model->config;
    const cop_weight *const table = model->embedding;
    COP_TRY(model->backend->ops->embed(model->backend, model->scratch.residual, table->table,
                                       table->dtype, ids, batch->rows, (size_t)c->width,
                                       embedding_scale(model), err));
    for (size_t i = 0; i < (size_t)c->layers; i++) {
        COP_TRY(attention_block(model, i, batch, err));
        COP_TRY(feed_forward_block(model, i, batch->rows, err));
    }
    return COP_OK;
}

cop_status cop_model_logits(cop_model *model, const int32_t *rows, size_t count, cop_error *err)
{
    assert(count <= model->lanes * model->scratch.head_rows);
    const cop_model_config *const c = model->config;
    cop_backend *const backend = model->backend;
    const model_scratch *const s = &model->scratch;
    const cop_matrix *const head = c->tied_head ? model->tied_head : model->head->matrix;
    if (rows != NULL) {
        COP_TRY(backend->ops->gather(backend, s->head_residual, s->residual, rows, count,
                                     (size_t)c->width, err));
    }
    backend->ops->rmsnorm(backend, s->head_input, rows != NULL ? s->head_residual : s->residual,
                          model->final_norm->buffer, count, (size_t)c->width, c->norm_eps);
    return backend->ops->gemm(backend, s->logits, s->head_input, head, NULL, count, err);
}
