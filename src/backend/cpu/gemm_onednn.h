/* Parts of the oneDNN provider: weights and products (gemm_onednn.c), and the primitives that
 * it keeps (gemm_onednn_primitive.c). */
#ifndef COP_BACKEND_CPU_GEMM_ONEDNN_H
#define COP_BACKEND_CPU_GEMM_ONEDNN_H

#include "backend/cpu/gemm.h"
#include "backend/cpu/onednn_api.h"

enum {
    /* Rows for which the layout of packed weights is chosen, and of a block where other numbers
     * of rows do not take that layout. */
    ONEDNN_BLOCK_ROWS = 32,
    /* Primitives kept; a decode loop needs one per shape and number of live sequences. */
    ONEDNN_MAX_PRIMITIVES = 2048,
    ONEDNN_TABLE = 2 * ONEDNN_MAX_PRIMITIVES
};

/* A weight's shape: all weights of a shape share layout, primitives and reorders. */
typedef struct onednn_shape {
    size_t n, k; /* as multiplied: k with what it is filled up by */
    cop_onednn_layout *packed;
    struct onednn_shape *next;
} onednn_shape;

/* A primitive and its arguments. */
typedef struct onednn_primitive {
    const onednn_shape *shape; /* NULL: slot free */
    size_t rows;
    bool bias, accumulate;
    dnnl_primitive_t primitive; /* NULL: this number of rows runs in blocks */
    dnnl_memory_t in, weight, out, bias_memory, scratch;
} onednn_primitive;

struct cop_gemm_weight {
    onednn_shape *shape;
    size_t k; /* of the caller's rows */
    void *packed;
};

typedef struct onednn_gemm {
    cop_gemm base;
    cop_gemm_options options;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    onednn_shape *shapes;
    onednn_primitive *table; /* [ONEDNN_TABLE], open addressing */
    size_t count;
    void *scratch; /* of the primitives */
    size_t scratch_bytes;
    void *wide; /* widened f16 weights */
    size_t wide_bytes;
    void *deep; /* rows or weights of a filled-up k */
    size_t deep_bytes;
    void *block; /* padded rows: in, then out */
    size_t block_bytes;
} onednn_gemm;

/* Turns a failure of oneDNN into a status with a message. */
cop_status cop_onednn_check(dnnl_status_t got, const char *what, cop_error *err);

dnnl_data_type_t cop_onednn_type(cop_dtype dtype);

/* A primitive descriptor of `rows` rows with weights laid out as `weights`. */
dnnl_status_t cop_onednn_describe(const onednn_gemm *gemm, const onednn_primitive *key,
                                  const cop_onednn_layout *weights,
                                  dnnl_primitive_desc_t *made);

/* Finds or makes the primitive of (shape, rows, bias, accumulate). */
cop_status cop_onednn_primitive_get(onednn_gemm *gemm, const onednn_primitive *key,
                                    onednn_primitive **found, cop_error *err);

/* Frees all primitives. */
void cop_onednn_primitives_clear(onednn_gemm *gemm);

/* Grows *memory [*bytes] to at least `need`, contents lost. */
cop_status cop_onednn_reserve(void **memory, size_t *bytes, size_t need, cop_error *err);

#endif
