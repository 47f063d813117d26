/* A tiny random model in memory, for tests that need no golden numbers. */
#ifndef COPPICE_TESTS_MODEL_TINY_H
#define COPPICE_TESTS_MODEL_TINY_H

#include "unit/model/model_support.h"

#include "coppice/noise/noise.h"

#include <string.h>

enum { TINY_MOST_TENSORS = 40, TINY_NAME_BYTES = 80 };

/* Configuration, tensors [count] and their data. */
typedef struct tiny_model {
    cop_model_config config;
    cop_tensor_info infos[TINY_MOST_TENSORS];
    char names[TINY_MOST_TENSORS][TINY_NAME_BYTES];
    size_t count;
    uint64_t state; /* of the generator */
} tiny_model;

static inline double tiny_random(tiny_model *tiny)
{
    tiny->state = tiny->state * 6364136223846793005U + 1442695040888963407U;
    return (double)(tiny->state >> 40) / 8388608.0 - 1.0;
}

static inline void tiny_fill(tiny_model *tiny, cop_tensor_info *info, void *data)
{
    const bool norm = strstr(info->name, "norm") != NULL;
    for (size_t i = 0; i < info->count; i++) {
        const float value = (float)((norm ? 1.0 : 0.0) + 0.3 * tiny_random(tiny));
        const uint16_t half =
            info->dtype == COP_BF16 ? cop_f32_to_bf16(value) : cop_f32_to_f16(value);
        if (info->dtype == COP_F32) {
            ((float *)data)[i] = value;
        } else {
            ((uint16_t *)data)[i] = half;
        }
    }
}

/* Adds a tensor of random numbers; columns 0 makes it a vector. */
static inline void tiny_add(tiny_model *tiny, const char *name, cop_dtype dtype, int32_t rows,
                            int32_t columns)
{
    assert_in_range(tiny->count, 0, TINY_MOST_TENSORS - 1);
    cop_tensor_info *const info = &tiny->infos[tiny->count];
    char *const text = tiny->names[tiny->count++];
    (void)snprintf(text, TINY_NAME_BYTES, "%s", name);
    const size_t count = (size_t)rows * (size_t)(columns == 0 ? 1 : columns);
    void *const data = cop_memory_alloc(count, cop_dtype_size(dtype), NULL);
    assert_non_null(data);
    *info = (cop_tensor_info){.name = text,
                              .dtype = dtype,
                              .dtype_text = dtype == COP_F32    ? "F32"
                                            : dtype == COP_BF16 ? "BF16"
                                                                : "F16",
                              .rank = columns == 0 ? 1 : 2,
                              .shape = {rows, columns},
                              .count = count,
                              .bytes = count * cop_dtype_size(dtype),
                              .data = data,
                              .noise_id = cop_noise_tensor_id(name)};
    tiny_fill(tiny, info, data);
}

/* The tensor's own data, to be changed. */
static inline void *tiny_data(tiny_model *tiny, const char *name)
{
    for (size_t i = 0; i < tiny->count; i++) {
        if (strcmp(tiny->names[i], name) == 0) return (void *)(uintptr_t)tiny->infos[i].data;
    }
    fail_msg("no tensor %s", name);
    return NULL;
}

static inline cop_tensor_info *tiny_find(tiny_model *tiny, const char *name)
{
    (void)tiny_data(tiny, name);
    size_t i = 0;
    while (strcmp(tiny->names[i], name) != 0)
        i++;
    return &tiny->infos[i];
}

static inline void tiny_add_layer(tiny_model *tiny, int32_t index, cop_dtype matrices,
                                  cop_dtype vectors)
{
    static const char *const format = "model.layers.%d.%s";
    const cop_model_config *const c = &tiny->config;
    const struct {
        const char *name;
        int32_t rows, columns;
    } tensors[] = {
        {"self_attn.q_proj.weight", c->heads * c->head_size, c->width},
        {"self_attn.k_proj.weight", c->kv_heads * c->head_size, c->width},
        {"self_attn.v_proj.weight", c->kv_heads * c->head_size, c->width},
        {"self_attn.o_proj.weight", c->width, c->heads * c->head_size},
        {"mlp.gate_proj.weight", c->feed_forward, c->width},
        {"mlp.up_proj.weight", c->feed_forward, c->width},
        {"mlp.down_proj.weight", c->width, c->feed_forward},
        {"input_layernorm.weight", c->width, 0},
        {"post_attention_layernorm.weight", c->width, 0},
        {"self_attn.q_proj.bias", c->heads * c->head_size, 0},
        {"self_attn.k_proj.bias", c->kv_heads * c->head_size, 0},
        {"self_attn.v_proj.bias", c->kv_heads * c->head_size, 0},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        char name[TINY_NAME_BYTES];
        (void)snprintf(name, sizeof name, format, (int)index, tensors[i].name);
        tiny_add(tiny, name, tensors[i].columns == 0 ? vectors : matrices, tensors[i].rows,
                 tensors[i].columns);
    }
}

/* A Qwen2-like model of two layers with matrices and vectors of the given types. */
static inline void tiny_create(tiny_model *tiny, cop_dtype matrices, cop_dtype vectors,
                               bool tied)
{
    *tiny = (tiny_model){.state = 7};
    tiny->config = (cop_model_config){
        .model_type = "qwen2",
        .layers = 2,
        .width = 16,
        .heads = 4,
        .kv_heads = 2,
        .head_size = 8,
        .feed_forward = 24,
        .vocabulary = 40,
        .max_positions = 2000,
        .norm_eps = 1e-6F,
        .tied_head = tied,
        .qkv_bias = true,
        .rope = {{.theta = 1e4, .factor = 1.0}, {.theta = 1e4, .factor = 1.0}}};
    const cop_model_config *const c = &tiny->config;
    tiny_add(tiny, "model.embed_tokens.weight", matrices, c->vocabulary, c->width);
    for (int32_t i = 0; i < c->layers; i++)
        tiny_add_layer(tiny, i, matrices, vectors);
    tiny_add(tiny, "model.norm.weight", vectors, c->width, 0);
    if (!tied) tiny_add(tiny, "lm_head.weight", matrices, c->vocabulary, c->width);
}

/* Makes it Gemma-like: norms around the blocks and of heads, with weights less 1, scaled
 * embeddings, GELU. */
static inline void tiny_make_gemma(tiny_model *tiny, cop_dtype vectors)
{
    static const char *const names[] = {"pre_feedforward_layernorm",
                                        "post_feedforward_layernorm", "self_attn.q_norm",
                                        "self_attn.k_norm"};
    cop_model_config *const c = &tiny->config;
    c->norm_placement = COP_NORM_AROUND;
    c->norm_offset = 1.0F;
    c->qk_norm = COP_QK_NORM_HEAD;
    c->activation = COP_GELU_TANH;
    c->embedding_scale = 25.2982213F;
    c->query_scalar = 24.0F;
    for (int32_t i = 0; i < c->layers; i++) {
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            char name[TINY_NAME_BYTES];
            (void)snprintf(name, sizeof name, "model.layers.%d.%s.weight", (int)i, names[k]);
            tiny_add(tiny, name, vectors, k < 2 ? c->width : c->head_size, 0);
        }
    }
}

static inline void tiny_destroy(tiny_model *tiny)
{
    for (size_t i = 0; i < tiny->count; i++) {
        void *const data = (void *)(uintptr_t)tiny->infos[i].data;
        cop_memory_free(data);
    }
    *tiny = (tiny_model){0};
}

/* Opens it as a test_model; test->config is a copy. */
static inline void tiny_open(test_model *test, const tiny_model *tiny,
                             const test_backend *backend, cop_model_limits limits)
{
    cop_error err = {0};
    *test = (test_model){.config = tiny->config};
    assert_ok(cop_checkpoint_from_memory(tiny->infos, tiny->count, &test->checkpoint, &err),
              &err);
    assert_ok(backend->create(&test->backend, &err), &err);
    assert_ok(cop_model_create(&test->config, test->checkpoint, test->backend, &limits, NULL,
                               &test->model, &err),
              &err);
}

#endif
