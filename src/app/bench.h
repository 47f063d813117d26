/* The parts of `coppice bench`. Private to app/. Each prints its table, or adds to the JSON. */
#ifndef APP_BENCH_H
#define APP_BENCH_H

#include "app/app.h"

#include "coppice/checkpoint.h"
#include "coppice/model.h"

typedef struct cop_bench {
    json_t *json; /* NULL: print tables */
    int threads;
    double budget_s; /* time for one figure */
} cop_bench;

/* A model of a given shape with random weights. */
typedef struct cop_bench_model {
    cop_model_config config;
    cop_checkpoint *checkpoint;
    cop_tensor_info *infos; /* [count] */
    size_t count;
    void *weights; /* bf16 of all tensors */
} cop_bench_model;

/* Qwen2's architecture with tied embeddings: width, layers, heads, KV heads, feed-forward,
 * vocabulary. */
typedef struct cop_bench_shape {
    const char *name;
    int32_t width, layers, heads, kv_heads, head_size, feed_forward, vocabulary;
} cop_bench_shape;

cop_status cop_bench_model_create(const cop_bench_shape *shape, cop_bench_model *model,
                                  cop_error *err);
void cop_bench_model_free(cop_bench_model *model);

cop_status cop_bench_noise(cop_bench *bench, cop_error *err);
cop_status cop_bench_rebuild(cop_bench *bench, cop_error *err);
cop_status cop_bench_gemm(cop_bench *bench, cop_error *err);
cop_status cop_bench_generate(cop_bench *bench, const char *model_dir, cop_error *err);
cop_status cop_bench_decode(cop_bench *bench, cop_error *err);
cop_status cop_bench_queue(cop_bench *bench, cop_error *err);

/* Qwen2.5-0.5B's shape, and that of a model of 8 million parameters. */
extern const cop_bench_shape cop_bench_shape_half_billion;
extern const cop_bench_shape cop_bench_shape_small;

#endif
