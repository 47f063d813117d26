/* The reference backend's own types: everything is binary32 in host memory. */
#ifndef COP_BACKEND_REF_H
#define COP_BACKEND_REF_H

#include "coppice/backend/backend.h"

/* Host memory, owned or borrowed. */
struct cop_buffer {
    void *owned;      /* NULL if borrowed */
    const void *data; /* [bytes] */
    size_t bytes;
};

/* A weight [lanes, n, k], row-major; rebuilt in the storage type, widened by the commit. */
struct cop_matrix {
    size_t n, k, lanes;
    cop_dtype dtype;
    float *values;
};

/* Keys and values [layer, slot, position, G E]. */
struct cop_kv {
    size_t layers, slots, length;
    size_t width; /* G E */
    float *keys;
    float *values;
    double *scores; /* [length] scratch of attention */
};

typedef struct ref_backend {
    cop_backend base;
    cop_buffer stage; /* scratch of the largest matrix in its storage type */
} ref_backend;

static inline float *ref_f32(cop_buffer *buffer)
{
    return buffer->owned;
}

static inline const float *ref_f32_const(const cop_buffer *buffer)
{
    return buffer->data;
}

/* Lane of row `row` of a call with `rows` rows. */
static inline size_t ref_lane(const cop_backend *backend, size_t row, size_t rows)
{
    return row / (rows / backend->lanes);
}

/* Element `index` of a buffer of `dtype`, widened. */
float cop_ref_element(const cop_buffer *buffer, cop_dtype dtype, size_t index);

/* The operations of the forward pass (ref_forward.c and ref_attention.c); see backend.h. */
cop_status cop_ref_embed(cop_backend *backend, cop_buffer *residual, const cop_buffer *table,
                         cop_dtype dtype, const int32_t *ids, size_t rows, size_t width,
                         cop_error *err);
void cop_ref_rmsnorm(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                     const cop_buffer *weight, size_t rows, size_t width, float eps);
void cop_ref_rmsnorm_add(cop_backend *backend, cop_buffer *residual, const cop_buffer *output,
                         const cop_buffer *weight, size_t rows, size_t width, float eps);
void cop_ref_convert(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                     size_t rows, size_t width);
cop_status cop_ref_gemm(cop_backend *backend, cop_buffer *output, const cop_buffer *input,
                        const cop_matrix *matrix, const cop_buffer *bias, size_t rows,
                        cop_error *err);
cop_status cop_ref_gemm_add(cop_backend *backend, cop_buffer *residual, const cop_buffer *input,
                            const cop_matrix *matrix, const cop_buffer *bias, size_t rows,
                            cop_error *err);
void cop_ref_swiglu(cop_backend *backend, cop_buffer *input, const cop_buffer *output,
                    size_t rows, size_t width);
void cop_ref_rope_store(cop_backend *backend, cop_buffer *qkv, cop_kv *kv, size_t layer,
                        const cop_batch *batch, const cop_attention_shape *shape,
                        const cop_buffer *rope, const cop_buffer *q_norm,
                        const cop_buffer *k_norm);
void cop_ref_attention(cop_backend *backend, cop_buffer *input, const cop_buffer *qkv,
                       const cop_kv *kv, size_t layer, const cop_batch *batch,
                       const cop_attention_shape *shape);
cop_status cop_ref_gather(cop_backend *backend, cop_buffer *out, const cop_buffer *in,
                          const int32_t *rows, size_t count, size_t width, cop_error *err);
cop_status cop_ref_argmax(cop_backend *backend, const cop_buffer *logits, size_t rows,
                          size_t vocabulary, int32_t *ids, cop_error *err);
cop_status cop_ref_sample(cop_backend *backend, const cop_buffer *logits, size_t rows,
                          size_t vocabulary, const cop_draw *draw, int32_t *ids,
                          cop_error *err);
cop_status cop_ref_log_probability(cop_backend *backend, const cop_buffer *logits, size_t rows,
                                   size_t vocabulary, const int32_t *targets, double *out,
                                   cop_error *err);

#endif
