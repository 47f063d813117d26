#include "app/bench.h"

#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"

#include <stdio.h>
#include <string.h>

const cop_bench_shape cop_bench_shape_half_billion = {
    "Qwen2.5-0.5B's shape", 896, 24, 14, 2, 64, 4864, 151936, false};
const cop_bench_shape cop_bench_shape_small = {
    "8M parameters", 384, 5, 6, 2, 64, 1024, 512, false};

enum { TENSORS_PER_LAYER = 12, MOST_NAME = 96 };

/* Adds one tensor [rows, columns] (columns 0: a vector) to the list. */
static void add(cop_bench_model *m, char (*names)[MOST_NAME], int64_t rows, int64_t columns,
                int layer, const char *what)
{
    char *const name = names[m->count];
    if (layer >= 0) {
        (void)snprintf(name, MOST_NAME, "model.layers.%d.%s", layer, what);
    } else {
        (void)snprintf(name, MOST_NAME, "%s", what);
    }
    m->infos[m->count++] = (cop_tensor_info){.name = name,
                                             .dtype = COP_BF16,
                                             .dtype_text = "BF16",
                                             .rank = columns > 0 ? 2 : 1,
                                             .shape = {rows, columns}};
}

static void list_tensors(cop_bench_model *m, char (*names)[MOST_NAME])
{
    const cop_model_config *const c = &m->config;
    const int64_t d = c->width;
    const int64_t q = (int64_t)c->heads * c->head_size;
    const int64_t kv = (int64_t)c->kv_heads * c->head_size;
    add(m, names, c->vocabulary, d, -1, "model.embed_tokens.weight");
    add(m, names, d, 0, -1, "model.norm.weight");
    if (!c->tied_head) add(m, names, c->vocabulary, d, -1, "lm_head.weight");
    for (int l = 0; l < c->layers; l++) {
        add(m, names, d, 0, l, "input_layernorm.weight");
        add(m, names, d, 0, l, "post_attention_layernorm.weight");
        add(m, names, q, d, l, "self_attn.q_proj.weight");
        add(m, names, q, 0, l, "self_attn.q_proj.bias");
        add(m, names, kv, d, l, "self_attn.k_proj.weight");
        add(m, names, kv, 0, l, "self_attn.k_proj.bias");
        add(m, names, kv, d, l, "self_attn.v_proj.weight");
        add(m, names, kv, 0, l, "self_attn.v_proj.bias");
        add(m, names, d, q, l, "self_attn.o_proj.weight");
        add(m, names, c->feed_forward, d, l, "mlp.gate_proj.weight");
        add(m, names, c->feed_forward, d, l, "mlp.up_proj.weight");
        add(m, names, d, c->feed_forward, l, "mlp.down_proj.weight");
    }
}

/* Standard deviation 0.02 for matrices, 1 + 0.1 noise for norms, as trained models look. */
static cop_status fill(cop_bench_model *m, cop_error *err)
{
    enum { BLOCK = 65536 };
    size_t total = 0;
    for (size_t i = 0; i < m->count; i++) {
        cop_tensor_info *const t = &m->infos[i];
        t->count = (size_t)t->shape[0] * (t->rank == 2 ? (size_t)t->shape[1] : 1);
        t->bytes = t->count * sizeof(uint16_t);
        t->noise_id = cop_noise_tensor_id(t->name);
        total += t->count;
    }
    uint16_t *const weights = cop_memory_alloc_raw(total, sizeof *weights, err);
    float *const block = cop_memory_alloc(BLOCK, sizeof *block, err);
    m->weights = weights;
    cop_status status = weights == NULL || block == NULL ? COP_ERR_MEMORY : COP_OK;
    size_t at = 0;
    for (size_t i = 0; i < m->count && status == COP_OK; i++) {
        cop_tensor_info *const t = &m->infos[i];
        const bool norm = strstr(t->name, "norm") != NULL;
        t->data = weights + at;
        for (size_t first = 0; first < t->count; first += BLOCK) {
            const size_t n = t->count - first < BLOCK ? t->count - first : BLOCK;
            cop_noise_fill(block, 7, t->noise_id, first, n, cop_cpu_isa());
            for (size_t j = 0; j < n; j++) {
                weights[at + first + j] =
                    cop_f32_to_bf16(norm ? 1 + 0.1F * block[j] : 0.02F * block[j]);
            }
        }
        at += t->count;
    }
    cop_memory_free(block);
    return status;
}

cop_model_config cop_bench_config(const cop_bench_shape *shape)
{
    return (cop_model_config){.model_type = "qwen2",
                              .layers = shape->layers,
                              .width = shape->width,
                              .heads = shape->heads,
                              .kv_heads = shape->kv_heads,
                              .head_size = shape->head_size,
                              .feed_forward = shape->feed_forward,
                              .vocabulary = shape->vocabulary,
                              .max_positions = 4096,
                              .norm_eps = 1e-6F,
                              .tied_head = !shape->own_head,
                              .qkv_bias = true,
                              .rope = {{.kind = COP_ROPE_DEFAULT, .theta = 1e6, .factor = 1},
                                       {.kind = COP_ROPE_DEFAULT, .theta = 1e6, .factor = 1}}};
}

void cop_bench_list_products(const cop_model_config *config,
                             cop_bench_product products[COP_BENCH_PRODUCTS])
{
    const size_t d = (size_t)config->width;
    const size_t q = (size_t)config->heads * (size_t)config->head_size;
    const size_t kv = (size_t)config->kv_heads * (size_t)config->head_size;
    const size_t f = (size_t)config->feed_forward;
    const size_t layers = (size_t)config->layers;
    const cop_bench_product list[COP_BENCH_PRODUCTS] = {{q + 2 * kv, d, layers},
                                                        {d, q, layers},
                                                        {2 * f, d, layers},
                                                        {d, f, layers},
                                                        {(size_t)config->vocabulary, d, 1}};
    memcpy(products, list, sizeof list);
}

cop_status cop_bench_model_create(const cop_bench_shape *shape, cop_bench_model *m,
                                  cop_error *err)
{
    *m = (cop_bench_model){.config = cop_bench_config(shape)};
    const size_t most = (size_t)shape->layers * TENSORS_PER_LAYER + 3;
    m->infos = cop_memory_alloc(most, sizeof *m->infos, err);
    char(*const names)[MOST_NAME] = cop_memory_alloc(most, sizeof *names, err);
    cop_status status = m->infos == NULL || names == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK) {
        list_tensors(m, names);
        status = fill(m, err);
    }
    if (status == COP_OK)
        status = cop_checkpoint_from_memory(m->infos, m->count, &m->checkpoint, err);
    cop_memory_free(names);
    if (status != COP_OK) cop_bench_model_free(m);
    return status;
}

void cop_bench_model_free(cop_bench_model *m)
{
    cop_checkpoint_close(&m->checkpoint);
    cop_memory_free(m->infos);
    cop_memory_free(m->weights);
    *m = (cop_bench_model){0};
}
