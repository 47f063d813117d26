/* The CPU backend's own types and operations. */
#ifndef COP_BACKEND_CPU_CPU_BACKEND_H
#define COP_BACKEND_CPU_CPU_BACKEND_H

#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels/kernels.h"
#include "coppice/backend/backend.h"

#include <assert.h>

/* Host memory, owned or borrowed. */
struct cop_buffer {
    void *owned;      /* NULL if borrowed */
    const void *data; /* [bytes] */
    size_t bytes;
};

enum { COP_CPU_MOST_PARTS = 8 };

/* Rows of the base that a copy of a matrix is, until a product has it packed. */
typedef struct cop_cpu_source {
    cop_rebuild_piece pieces[COP_CPU_MOST_PARTS];
    size_t count; /* of pieces; 0: the copy's weight is packed */
    bool used;    /* by a product, packed into a lent weight */
    bool written; /* the copy's weight has been, its memory is there */
} cop_cpu_source;

/* Copies of matrices of one shape, and the weight that is lent to those not packed yet. */
typedef struct cop_cpu_shape {
    size_t n, k;
    size_t copies;
    cop_gemm_weight *lent; /* NULL: nobody needed it */
} cop_cpu_shape;

struct cop_matrix {
    size_t n, k;
    cop_dtype dtype; /* of the elements to pack */
    size_t lanes;
    cop_gemm_weight **weights; /* [lanes] */
    cop_cpu_source *sources;   /* [lanes] */
    cop_buffer own; /* a lone weight's memory as a stage, where it takes elements as they are */
};

/* KV cache: [layer][slot][KV head] of keys and values laid out as cop_attention_segment.
 * Positions of the shared prefix are at their own index in the prefix's slot; a sequence's own
 * slot begins where whole tiles of the prefix end, so that in bf16 tiles of a row are the same
 * whether a prefix is shared or not; what is left of the prefix is copied to it. */
struct cop_kv {
    size_t slots, length; /* length rounded up to whole tiles */
    size_t kv_heads, group, head_size;
    size_t key_size, value_size; /* bytes of a position */
    size_t tile;                 /* positions by which slots begin: COP_ATTENTION_TILE, or 1 */
    cop_dtype dtype;
    void *keys;
    void *values;
    float *scratch; /* [threads, scratch_stride] */
    size_t scratch_stride;
};

typedef struct cop_cpu {
    cop_backend base;
    const cop_kernels *kernels;
    cop_gemm *gemm;
    int threads;
    cop_isa isa;
    uint64_t memory_bytes; /* to plan with, 0: what the system leaves */
    cop_buffer stage;      /* scratch of the largest matrix in its storage type */
    cop_cpu_shape *shapes; /* [shape_count] */
    size_t shape_count, shape_capacity;
    float *draw_weights; /* [draw_capacity] scratch of sample, threads * V */
    int32_t *draw_ids;   /* [draw_capacity] */
    size_t draw_capacity;
} cop_cpu;

static inline cop_cpu *cop_cpu_of(cop_backend *backend)
{
    return (cop_cpu *)backend;
}

static inline const cop_cpu *cop_cpu_of_const(const cop_backend *backend)
{
    return (const cop_cpu *)backend;
}

/* Memory of a buffer that must hold `count` elements of `item` bytes. */
static inline void *cop_cpu_write(cop_buffer *buffer, size_t count, size_t item)
{
    assert(buffer->owned != NULL && count * item <= buffer->bytes);
    (void)count;
    (void)item;
    return buffer->owned;
}

static inline const void *cop_cpu_read(const cop_buffer *buffer, size_t count, size_t item)
{
    assert(count * item <= buffer->bytes);
    (void)count;
    (void)item;
    return buffer->data;
}

/* Rows of each lane of a call with `rows` rows. */
static inline size_t cop_cpu_lane_rows(const cop_backend *backend, size_t rows)
{
    assert(backend->lanes >= 1 && rows % backend->lanes == 0);
    return rows / backend->lanes;
}

static inline float *cop_cpu_write_f32(cop_buffer *buffer, size_t count)
{
    return cop_cpu_write(buffer, count, sizeof(float));
}

static inline const float *cop_cpu_read_f32(const cop_buffer *buffer, size_t count)
{
    return cop_cpu_read(buffer, count, sizeof(float));
}

/* As cop_backend_has_bf16() and cop_backend_hold_isa(), on the processor. */
bool cop_cpu_has_bf16_products(const cop_backend_options *options);
cop_status cop_cpu_hold_isa(cop_isa_hold hold, const cop_backend_options *options,
                            cop_error *err);

/* Operations; see cop_backend_ops. cpu_memory.c: */
cop_buffer_create_fn cop_cpu_buffer_create;
cop_buffer_wrap_fn cop_cpu_buffer_wrap;
cop_buffer_destroy_fn cop_cpu_buffer_destroy;
cop_upload_fn cop_cpu_upload;
cop_download_fn cop_cpu_download;
cop_plan_fn cop_cpu_plan;
/* Makes the stage that large, contents lost. */
cop_status cop_cpu_reserve_stage(cop_cpu *cpu, size_t bytes, cop_error *err);

/* cpu_weights.c: */
cop_rebuild_fn cop_cpu_rebuild;
cop_sums_fn cop_cpu_sums;
cop_widen_fn cop_cpu_widen;
cop_matrix_create_fn cop_cpu_matrix_create;
cop_matrix_destroy_fn cop_cpu_matrix_destroy;
cop_matrix_stage_fn cop_cpu_matrix_stage;
cop_matrix_commit_fn cop_cpu_matrix_commit;
cop_matrix_rebuild_fn cop_cpu_matrix_rebuild;

/* cpu_deferred.c: */
/* Copies of a matrix of that shape come and go. */
cop_status cop_cpu_shape_join(cop_cpu *cpu, size_t n, size_t k, size_t copies, cop_error *err);
void cop_cpu_shape_leave(cop_cpu *cpu, size_t n, size_t k, size_t copies);
void cop_cpu_shapes_free(cop_cpu *cpu);
/* Whether the copy may wait for its first product, which it does then: pieces [count] are the
 * base as it is, and the copy's memory has not been written. */
bool cop_cpu_matrix_defer(cop_matrix *matrix, size_t lane, const cop_rebuild_piece *pieces,
                          size_t count, size_t component_count);
/* To be called before anything is packed into the copy's weight. */
void cop_cpu_matrix_write(cop_cpu *cpu, cop_matrix *matrix, size_t lane);
/* What to multiply by: the copy's weight or a lent one, packed, valid for this product. */
cop_status cop_cpu_matrix_weight(cop_cpu *cpu, const cop_matrix *matrix, size_t lane,
                                 cop_gemm_weight **weight, cop_error *err);

/* cpu_forward.c: */
cop_embed_fn cop_cpu_embed;
cop_rmsnorm_fn cop_cpu_rmsnorm;
cop_rmsnorm_add_fn cop_cpu_rmsnorm_add;
cop_convert_fn cop_cpu_convert;
cop_gemm_fn cop_cpu_gemm;
cop_gemm_add_fn cop_cpu_gemm_add;
cop_glu_fn cop_cpu_glu;

/* cpu_attention.c: */
cop_rope_store_fn cop_cpu_rope_store;
cop_attention_fn cop_cpu_attention;
cop_kv_create_fn cop_cpu_kv_create;
cop_kv_destroy_fn cop_cpu_kv_destroy;

/* cpu_logits.c: */
cop_gather_fn cop_cpu_gather;
cop_argmax_fn cop_cpu_argmax;
cop_sample_fn cop_cpu_sample;
cop_log_probability_fn cop_cpu_log_probability;

#endif
