/* Life of a model: limits, memory, caches. */
#include "model/model_internal.h"

#include "coppice/base/memory.h"
#include "model/centre.h"
#include "model/memory_plan.h"
#include "model/rope.h"
#include "model/sums.h"
#include "model/weights.h"

#include <stdint.h>

static cop_status check_limits(const cop_model_limits *limits, cop_error *err)
{
    enum { MOST_BATCH = 1 << 20, MOST_TOKENS = 1 << 28, MOST_LANES = 1024 };
    COP_CHECK(limits->batch >= 1 && limits->batch <= MOST_BATCH, err, COP_ERR_CONFIG,
              "a batch of %zu sequences is not in 1 .. %d", limits->batch, (int)MOST_BATCH);
    COP_CHECK(limits->prompt_tokens >= 1 && limits->prompt_tokens <= MOST_TOKENS, err,
              COP_ERR_CONFIG, "%zu prompt tokens are not in 1 .. %d", limits->prompt_tokens,
              (int)MOST_TOKENS);
    COP_CHECK(limits->new_tokens <= MOST_TOKENS, err, COP_ERR_CONFIG,
              "%zu new tokens are above %d", limits->new_tokens, (int)MOST_TOKENS);
    COP_CHECK(limits->lanes <= MOST_LANES, err, COP_ERR_CONFIG,
              "%zu candidates side by side are above %d", limits->lanes, (int)MOST_LANES);
    return COP_OK;
}

static bool has_layer_type(const cop_model_config *config, bool sliding)
{
    for (int32_t i = 0; i < config->layers; i++) {
        if (config->sliding[i] == sliding) return true;
    }
    return false;
}

static cop_status create_rope(cop_model *model, size_t type, cop_error *err)
{
    const cop_model_config *const c = model->config;
    if (!has_layer_type(c, type == 1)) return COP_OK;
    cop_backend *const backend = model->backend;
    const size_t count = model->length * (size_t)c->head_size;
    float *const table = cop_memory_alloc_raw(count, sizeof *table, err);
    if (table == NULL) return COP_ERR_MEMORY;
    cop_status status = cop_rope_table(&c->rope[type], c->head_size, model->length, table, err);
    if (status == COP_OK) {
        status = backend->ops->buffer_create(backend, count * sizeof *table, &model->rope[type],
                                             err);
    }
    if (status == COP_OK) {
        status = backend->ops->upload(backend, model->rope[type], 0, table,
                                      count * sizeof *table, err);
    }
    cop_memory_free(table);
    return status;
}

static cop_status create_cache(cop_model *model, cop_error *err)
{
    const cop_model_config *const c = model->config;
    const cop_attention_shape shape = {
        .heads = c->heads, .kv_heads = c->kv_heads, .head_size = c->head_size};
    COP_TRY(create_rope(model, 0, err));
    COP_TRY(create_rope(model, 1, err));
    return model->backend->ops->kv_create(model->backend, (size_t)c->layers,
                                          model->lanes * model->slots, model->length, &shape,
                                          &model->kv, err);
}

static cop_status create_scratch(cop_model *model, cop_error *err)
{
    const cop_model_config *const c = model->config;
    cop_backend *const backend = model->backend;
    model_scratch *const s = &model->scratch;
    const model_widths widths = cop_model_widths(c);
    const size_t width = (size_t)c->width;
    s->rows = cop_model_batch_rows(&model->limits);
    s->head_rows = cop_model_head_rows(&model->limits);
    const struct {
        cop_buffer **buffer;
        size_t rows, width;
        cop_dtype dtype;
    } wanted[] = {
        {&s->residual, s->rows, width, backend->residual},
        {&s->input, s->rows, widths.input, backend->input},
        {&s->output, s->rows, widths.output, backend->output},
        {&s->head_residual, s->head_rows, width, backend->residual},
        {&s->head_input, s->head_rows, width, backend->input},
        {&s->logits, s->head_rows, (size_t)c->vocabulary, backend->output},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const size_t rows = model->lanes * wanted[i].rows;
        const size_t bytes = rows * wanted[i].width * cop_dtype_size(wanted[i].dtype);
        COP_TRY(backend->ops->buffer_create(backend, bytes, wanted[i].buffer, err));
    }
    return COP_OK;
}

static cop_status build(cop_model *model, cop_text *unused, cop_error *err)
{
    COP_TRY(cop_model_bind(model, unused, err));
    if (model->limits.fit_lanes) model->lanes = cop_model_fitting_lanes(model);
    if (model->limits.fit_batch && model->backend->rows_alone) cop_model_fit_batch(model);
    COP_TRY(cop_model_check_memory(model, err));
    /* One more slot than sequences holds the shared prefix. */
    model->slots = model->limits.batch == 1 ? 1 : model->limits.batch + 1;
    COP_TRY(cop_model_create_weights(model, err));
    COP_TRY(create_cache(model, err));
    COP_TRY(create_scratch(model, err));
    for (size_t l = 0; l < model->lanes; l++)
        COP_TRY(cop_model_apply(model, l, NULL, err));
    return COP_OK;
}

static size_t lanes_of(const cop_model_limits *limits, const cop_backend *backend)
{
    if (limits->lanes > 0) return limits->lanes;
    return limits->fit_lanes ? backend->auto_lanes : 1;
}

cop_status cop_model_create(const cop_model_config *config, const cop_checkpoint *checkpoint,
                            cop_backend *backend, const cop_model_limits *limits,
                            cop_text *unused, cop_model **model, cop_error *err)
{
    *model = NULL;
    COP_TRY(check_limits(limits, err));
    cop_model *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    *made = (cop_model){.config = config,
                        .checkpoint = checkpoint,
                        .backend = backend,
                        .limits = *limits,
                        .lanes = lanes_of(limits, backend),
                        .pass_rows = cop_model_batch_rows(limits),
                        .step_rows = limits->batch,
                        .length = cop_model_cache_length(config, limits)};
    const cop_status status = build(made, unused, err);
    if (status != COP_OK) {
        cop_model_destroy(&made);
        return status;
    }
    *model = made;
    return COP_OK;
}

size_t cop_model_lanes(const cop_model *model)
{
    return model->lanes;
}

size_t cop_model_batch(const cop_model *model)
{
    return model->limits.batch;
}

cop_model_counters cop_model_count(const cop_model *model)
{
    return model->counters;
}

void cop_model_destroy(cop_model **model)
{
    cop_model *const gone = *model;
    if (gone == NULL) return;
    cop_backend *const backend = gone->backend;
    const cop_backend_ops *const ops = backend->ops;
    cop_model_destroy_centre(gone);
    cop_model_destroy_sums(gone);
    cop_model_destroy_weights(gone);
    for (size_t i = 0; i < 2; i++)
        ops->buffer_destroy(backend, &gone->rope[i]);
    ops->kv_destroy(backend, &gone->kv);
    ops->buffer_destroy(backend, &gone->scratch.residual);
    ops->buffer_destroy(backend, &gone->scratch.input);
    ops->buffer_destroy(backend, &gone->scratch.output);
    ops->buffer_destroy(backend, &gone->scratch.head_residual);
    ops->buffer_destroy(backend, &gone->scratch.head_input);
    ops->buffer_destroy(backend, &gone->scratch.logits);
    cop_memory_free(gone);
    *model = NULL;
}
