/* The parts of `coppice bench`. Private to app/. Each prints its table, or adds to the JSON. */
#ifndef COP_APP_BENCH_H
#define COP_APP_BENCH_H

#include "app/app.h"

#include "coppice/checkpoint/checkpoint.h"
#include "coppice/model/model.h"

/* What the processor can do at most with the bench's threads, in operations and bytes a second.
 */
typedef struct cop_bench_limits {
    bool measured;
    double f32, bf16; /* the best set for products of either type */
    double read;      /* from memory */
} cop_bench_limits;

typedef struct cop_bench {
    json_t *json; /* NULL: print tables */
    int threads;
    double budget_s; /* time for one figure */
    bool quick;
    cop_bench_limits limits; /* by cop_bench_limit() alone */
} cop_bench;

/* A model of a given shape with random weights. */
typedef struct cop_bench_model {
    cop_model_config config;
    cop_checkpoint *checkpoint;
    cop_tensor_info *infos; /* [count] */
    size_t count;
    void *weights; /* bf16 of all tensors */
} cop_bench_model;

/* Qwen2's architecture, its embeddings tied unless it has a head of its own: width, layers,
 * heads, KV heads, feed-forward, vocabulary. */
typedef struct cop_bench_shape {
    const char *name;
    int32_t width, layers, heads, kv_heads, head_size, feed_forward, vocabulary;
    bool own_head; /* not tied to the embeddings */
} cop_bench_shape;

/* The configuration of a model of that shape. */
cop_model_config cop_bench_config(const cop_bench_shape *shape);

cop_status cop_bench_model_create(const cop_bench_shape *shape, cop_bench_model *model,
                                  cop_error *err);
void cop_bench_model_free(cop_bench_model *model);

/* A weight [n, k] that every row of a forward pass is multiplied with, `times` alike. */
typedef struct cop_bench_product {
    size_t n, k, times;
} cop_bench_product;

/* The head is the last: rows of a prefill that nobody asks for do without it. */
enum { COP_BENCH_PRODUCTS = 5 };
void cop_bench_list_products(const cop_model_config *config,
                             cop_bench_product products[COP_BENCH_PRODUCTS]);

/* What to generate. The checkpoint holds the weights of `config`. */
typedef struct cop_bench_setting {
    const cop_model_config *config;
    const cop_checkpoint *checkpoint;
    size_t batch;          /* most prompts at a time */
    size_t prompt, tokens; /* of each prompt, and most of its answer */
    bool fit_lanes;        /* as many candidates side by side as is usual and fits, else one */
} cop_bench_setting;

/* A model ready to generate; the backend is borrowed. */
typedef struct cop_bench_generator {
    cop_backend *backend;
    cop_model *model;
    int32_t *ids;            /* [batch, prompt] random */
    cop_prompt *prompts;     /* [batch] */
    cop_generation *answers; /* [lanes, batch] */
    size_t lanes;
} cop_bench_generator;

typedef struct cop_bench_step {
    double seconds;
    double parts[COP_PART_COUNT]; /* of them, as far as the backend tells */
    double prefill_s;             /* of cop_bench_measure_step(): the prefill before it */
} cop_bench_step;

/* What config and checkpoint of the setting point to must outlive the generator. After a
 * failure there is nothing to close. */
cop_status cop_bench_generator_open(const cop_bench_setting *setting, cop_backend *backend,
                                    cop_bench_generator *generator, cop_error *err);
void cop_bench_generator_close(cop_bench_generator *generator);

/* Time of answers of `tokens` tokens to the first `count` prompts, by all lanes. */
cop_status cop_bench_answer(cop_bench_generator *generator, size_t count, size_t tokens,
                            cop_bench_step *taken, cop_error *err);

/* Time of one decode step of `count` rows: what tokens - 1 >= 1 more tokens cost beyond a
 * prefill, best of `repeats` of each. */
cop_status cop_bench_measure_step(cop_bench_generator *generator, size_t count, size_t tokens,
                                  int repeats, cop_bench_step *step, cop_error *err);

/* Operations of a prefill of the setting's batch, the head on last rows alone, and of the mean
 * of its decode steps; elements of weights and cache that such a step has to read. */
double cop_bench_prefill_flops(const cop_bench_setting *setting);
double cop_bench_step_flops(const cop_bench_setting *setting, size_t rows);
double cop_bench_step_elements(const cop_bench_setting *setting, size_t rows);

/* Measures each instruction set and the memory, by one and by all threads. */
cop_status cop_bench_sets(cop_bench *bench, cop_error *err);
/* The limits, measured if they were not yet. */
cop_status cop_bench_limit(cop_bench *bench, const cop_bench_limits **limits, cop_error *err);
/* Least time for so many operations on `input` while `bytes` are read; what fits the last-level
 * cache costs no reading. */
double cop_bench_least_s(const cop_bench_limits *limits, cop_dtype input, double flops,
                         double bytes);

cop_status cop_bench_noise(cop_bench *bench, cop_error *err);
cop_status cop_bench_rebuild(cop_bench *bench, cop_error *err);
cop_status cop_bench_grid(cop_bench *bench, cop_error *err);
cop_status cop_bench_gemm(cop_bench *bench, cop_error *err);
cop_status cop_bench_generate(cop_bench *bench, const char *model_dir, cop_error *err);
cop_status cop_bench_decode(cop_bench *bench, cop_error *err);
cop_status cop_bench_queue(cop_bench *bench, cop_error *err);

/* What a device can do at best. */
typedef struct cop_bench_peaks {
    double bytes_per_s; /* of a copy, read and written */
    double flops;       /* of a product in the type that models are multiplied in */
} cop_bench_peaks;

/* Measures a backend's copies and products, prints them, or adds them to the JSON. */
cop_status cop_bench_peaks_measure(cop_bench *bench, cop_backend *backend,
                                   cop_bench_peaks *peaks, cop_error *err);

/* Waits until the backend has done what it was asked for. `any`: a buffer of it. */
cop_status cop_bench_wait(cop_backend *backend, const cop_buffer *any, cop_error *err);

/* The GPU: its peaks, then for each shape (`only`: its name; NULL: all), or for the model in
 * model_dir if that is not NULL, rebuild, prefill, decode steps and units beside their bounds.
 */
cop_status cop_bench_gpu(cop_bench *bench, const char *only, const char *model_dir,
                         cop_error *err);

/* Qwen2.5-0.5B's shape, and that of a model of 8 million parameters. */
extern const cop_bench_shape cop_bench_shape_half_billion;
extern const cop_bench_shape cop_bench_shape_small;

#endif
