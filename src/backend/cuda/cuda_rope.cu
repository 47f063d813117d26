/* Norms of queries and keys, rotary embedding, and storing keys and values, in one pass over
 * the rows. */
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/storage.cuh"

static constexpr int MOST_THREADS = 256;

typedef struct rope_arguments {
    float *qkv; /* [T, (H + 2 G) E] */
    void *keys; /* of the layer: [slot, G, length, E] */
    void *values;
    cop_dtype dtype; /* of keys and values */
    const cop_cuda_row *rows;
    const float *table;           /* [positions, E] */
    const float *q_norm, *k_norm; /* [lanes, E] or the width, or NULL */
    uint32_t lane_rows;           /* that share a copy of the norms */
    uint32_t heads, kv_heads, size;
    size_t length;
    cop_qk_norm qk_norm;
    float eps;
} rope_arguments;

/* x [width] normed in place by all threads of the block. */
static __device__ void norm_width(float *x, const float *weight, size_t width, float eps,
                                  float *partial)
{
    float squares = 0.0F;
    for (size_t i = threadIdx.x; i < width; i += blockDim.x)
        squares = fmaf(x[i], x[i], squares);
    const float factor = 1.0F / sqrtf(block_sum(squares, partial) / (float)width + eps);
    for (size_t i = threadIdx.x; i < width; i += blockDim.x)
        x[i] = x[i] * factor * weight[i];
}

/* One head [size], by a warp. */
static __device__ void norm_head(float *x, const float *weight, uint32_t size, float eps)
{
    float squares = 0.0F;
    for (uint32_t i = threadIdx.x % WARP; i < size; i += WARP)
        squares = fmaf(x[i], x[i], squares);
    const float factor = 1.0F / sqrtf(warp_sum(squares) / (float)size + eps);
    for (uint32_t i = threadIdx.x % WARP; i < size; i += WARP)
        x[i] = x[i] * factor * weight[i];
}

static __device__ void norm_row(const rope_arguments &a, float *x, float *partial)
{
    float *const keys = x + (size_t)a.heads * a.size;
    const size_t lane = blockIdx.x / a.lane_rows;
    if (a.qk_norm == COP_QK_NORM_WIDTH) {
        const size_t queries = (size_t)a.heads * a.size;
        const size_t others = (size_t)a.kv_heads * a.size;
        norm_width(x, a.q_norm + lane * queries, queries, a.eps, partial);
        norm_width(keys, a.k_norm + lane * others, others, a.eps, partial);
    } else if (a.qk_norm == COP_QK_NORM_HEAD) {
        for (uint32_t h = threadIdx.x / WARP; h < a.heads + a.kv_heads; h += blockDim.x / WARP)
            norm_head(x + (size_t)h * a.size,
                      (h < a.heads ? a.q_norm : a.k_norm) + lane * a.size, a.size, a.eps);
    }
    __syncthreads();
}

/* Turns the pairs (i, i + E/2) of queries and keys; keys also go to the cache. */
static __device__ void turn_row(const rope_arguments &a, float *x, const cop_cuda_row &row)
{
    const uint32_t half = a.size / 2;
    const float *const table = a.table + (size_t)row.position * a.size;
    for (uint32_t i = threadIdx.x; i < (a.heads + a.kv_heads) * half; i += blockDim.x) {
        const uint32_t head = i / half;
        const uint32_t pair = i % half;
        float *const at = x + (size_t)head * a.size + pair;
        const float c = table[pair];
        const float s = table[half + pair];
        const float first = fmaf(at[0], c, -(at[half] * s));
        const float second = fmaf(at[half], c, at[0] * s);
        at[0] = first;
        at[half] = second;
        if (head < a.heads) continue;
        const size_t to = (((size_t)row.slot * a.kv_heads + head - a.heads) * a.length +
                           (size_t)row.position) *
                              a.size +
                          pair;
        store_element(a.keys, a.dtype, to, first);
        store_element(a.keys, a.dtype, to + half, second);
    }
}

static __device__ void store_values(const rope_arguments &a, const float *x,
                                    const cop_cuda_row &row)
{
    const float *const values = x + (size_t)(a.heads + a.kv_heads) * a.size;
    for (uint32_t i = threadIdx.x; i < a.kv_heads * a.size; i += blockDim.x) {
        const size_t to =
            (((size_t)row.slot * a.kv_heads + i / a.size) * a.length + (size_t)row.position) *
                a.size +
            i % a.size;
        store_element(a.values, a.dtype, to, values[i]);
    }
}

static __global__ void rope_kernel(const rope_arguments a)
{
    __shared__ float partial[MOST_WARPS];
    const cop_cuda_row row = a.rows[blockIdx.x];
    if (row.slot < 0) return;
    float *const x = a.qkv + (size_t)blockIdx.x * (a.heads + 2 * a.kv_heads) * a.size;
    norm_row(a, x, partial);
    turn_row(a, x, row);
    store_values(a, x, row);
}

void cop_cuda_rope_store(cop_backend *backend, cop_buffer *qkv, cop_kv *kv, size_t layer,
                         const cop_batch *batch, const cop_attention_shape *shape,
                         const cop_buffer *rope, const cop_buffer *q_norm,
                         const cop_buffer *k_norm)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    cop_cuda_places places;
    cop_cuda_find_places(cuda, batch, kv->group, &places);
    const size_t place = layer * kv->slots * kv->kv_heads * kv->length * kv->head_size *
                         cop_dtype_size(backend->input);
    const rope_arguments a = {.qkv = (float *)qkv->data,
                              .keys = kv->keys.data + place,
                              .values = kv->values.data + place,
                              .dtype = backend->input,
                              .rows = places.rows,
                              .table = (const float *)rope->data,
                              .q_norm = q_norm == NULL ? NULL : (const float *)q_norm->data,
                              .k_norm = k_norm == NULL ? NULL : (const float *)k_norm->data,
                              .lane_rows = cop_cuda_lane_rows(backend, batch->rows),
                              .heads = (uint32_t)(kv->group * kv->kv_heads),
                              .kv_heads = (uint32_t)kv->kv_heads,
                              .size = (uint32_t)kv->head_size,
                              .length = kv->length,
                              .qk_norm = shape->qk_norm,
                              .eps = shape->eps};
    const size_t width = (kv->group + 2) * kv->kv_heads * kv->head_size;
    const cop_cuda_grid grid = {.blocks = batch->rows,
                                .threads = cop_cuda_threads(width / 2, MOST_THREADS)};
    cop_cuda_launch(cuda, rope_kernel, grid, a, "rotating queries and keys");
}
