/* The reference backend's own types: everything is binary32 in host memory. */
#ifndef COP_BACKEND_REF_H
#define COP_BACKEND_REF_H

#include "coppice/backend/backend.h"

#include <string.h>

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
static inline float ref_element(const cop_buffer *buffer, cop_dtype dtype, size_t index)
{
    /* Tensors in a file need not be aligned, so elements are copied out. */
    const char *const at = (const char *)buffer->data + index * cop_dtype_size(dtype);
    float value = 0.0F;
    uint16_t half = 0;
    if (dtype == COP_F32) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    memcpy(&half, at, sizeof half);
    return dtype == COP_BF16 ? cop_bf16_to_f32(half) : cop_f16_to_f32(half);
}

/* The operations of the forward pass (ref_forward.c and ref_attention.c); see backend.h. */
cop_embed_fn cop_ref_embed;
cop_rmsnorm_fn cop_ref_rmsnorm;
cop_rmsnorm_add_fn cop_ref_rmsnorm_add;
cop_convert_fn cop_ref_convert;
cop_gemm_fn cop_ref_gemm;
cop_gemm_add_fn cop_ref_gemm_add;
cop_glu_fn cop_ref_glu;
cop_rope_store_fn cop_ref_rope_store;
cop_attention_fn cop_ref_attention;
cop_gather_fn cop_ref_gather;
cop_argmax_fn cop_ref_argmax;
cop_sample_fn cop_ref_sample;
cop_log_probability_fn cop_ref_log_probability;

#endif
