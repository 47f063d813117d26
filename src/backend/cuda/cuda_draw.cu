/* Drawing tokens: what backend/draw.h defines, on the device. The exponentials are the same
 * operations, and sums are added in the same order, by one thread; finding the greatest and
 * ordering the nucleus, whose results do not depend on how they are found, are shared out.
 * Compiled with -fmad=false. */
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/decode.cuh"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/storage.cuh"

static constexpr int MOST_THREADS = 512;
static constexpr int MOST_BLOCKS = 64;
static constexpr int PIECE = 512;
/* Of all blocks: the memory plan has room for no more. */
static constexpr size_t MOST_BYTES = 192 << 20;

typedef struct draw_arguments {
    const float *logits; /* [rows, vocabulary] */
    uint32_t rows, vocabulary;
    uint32_t room;  /* least power of two from the vocabulary on */
    float *weights; /* [blocks, vocabulary] */
    uint64_t *keys; /* [blocks, room] */
    const double *uniform;
    int32_t *ids;
    float factor; /* 1 / temperature */
    double top_p;
    cop_cuda_sequences sequences;
} draw_arguments;

/* What the threads of a block share. */
typedef struct draw_memory {
    row_top tops[MOST_WARPS];
    float piece[PIECE]; /* weights on their way to the thread that adds them up */
    double sum;
    uint32_t last, found, gathered;
} draw_memory;

/* Adds weights [count] to m->sum in order of the ids, and stops where the sum passes `target`
 * (never for a negative one): m->last is the latest with a weight. */
static __device__ void walk(draw_memory *m, const float *weights, uint32_t count, double target)
{
    if (threadIdx.x == 0) {
        m->sum = 0.0;
        m->last = 0;
        m->found = 0;
    }
    for (uint32_t start = 0; start < count; start += PIECE) {
        const uint32_t length = count - start < PIECE ? count - start : PIECE;
        for (uint32_t i = threadIdx.x; i < length; i += blockDim.x)
            m->piece[i] = weights[start + i];
        __syncthreads();
        for (uint32_t i = 0; threadIdx.x == 0 && m->found == 0 && i < length; i++) {
            if (m->piece[i] == 0.0F) continue;
            m->last = start + i;
            m->sum += (double)m->piece[i];
            m->found = target >= 0.0 && m->sum > target ? 1 : 0;
        }
        __syncthreads();
        if (m->found != 0) return;
    }
}

/* Heavier first, the lower id first among equals: falling keys. */
static __device__ __forceinline__ uint64_t order_key(float weight, uint32_t id)
{
    return (uint64_t)float_bits(weight) << 32 | (UINT32_MAX - id);
}

static __device__ __forceinline__ float weight_of(uint64_t key)
{
    return float_from_bits((uint32_t)(key >> 32));
}

/* keys = those of the ids that can belong to the nucleus, in any order, filled up with 0 to a
 * power of two, which is returned. */
static __device__ uint32_t gather(draw_memory *m, const draw_arguments &a, const float *weights,
                                  uint64_t *keys)
{
    const double least = (1.0 - a.top_p) * m->sum / (double)a.vocabulary;
    if (threadIdx.x == 0) m->gathered = 0;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < a.vocabulary; i += blockDim.x) {
        if ((double)weights[i] >= least)
            keys[atomicAdd(&m->gathered, 1U)] = order_key(weights[i], i);
    }
    __syncthreads();
    uint32_t size = 1;
    while (size < m->gathered)
        size *= 2;
    for (uint32_t i = m->gathered + threadIdx.x; i < size; i += blockDim.x)
        keys[i] = 0;
    __syncthreads();
    return size;
}

/* Sorts keys [size], a power of two, into falling order (bitonic). */
static __device__ void sort_keys(uint64_t *keys, uint32_t size)
{
    for (uint32_t run = 2; run <= size; run *= 2) {
        for (uint32_t step = run / 2; step > 0; step /= 2) {
            for (uint32_t i = threadIdx.x; i < size / 2; i += blockDim.x) {
                const uint32_t low = i / step * 2 * step + i % step;
                const uint64_t first = keys[low];
                const uint64_t second = keys[low + step];
                const bool falls = (low & run) == 0;
                if (falls ? first < second : first > second) {
                    keys[low] = second;
                    keys[low + step] = first;
                }
            }
            __syncthreads();
        }
    }
}

/* Draws from the heaviest of keys [gathered], up to and with the one that reaches top_p of the
 * sum; by one thread. */
static __device__ int32_t draw_nucleus(const draw_memory *m, const uint64_t *keys, double top_p,
                                       double u)
{
    double nucleus = 0.0;
    uint32_t taken = 0;
    while (taken < m->gathered && (taken == 0 || nucleus < top_p * m->sum))
        nucleus += (double)weight_of(keys[taken++]);
    double walked = 0.0;
    uint32_t at = 0;
    for (; at + 1 < taken; at++) {
        walked += (double)weight_of(keys[at]);
        if (walked > u * nucleus) break;
    }
    return (int32_t)(UINT32_MAX - (uint32_t)keys[at]);
}

static __device__ void draw_row(draw_memory *m, const draw_arguments &a, uint32_t row)
{
    const float *const logits = a.logits + (size_t)row * a.vocabulary;
    float *const weights = a.weights + (size_t)blockIdx.x * a.vocabulary;
    uint64_t *const keys = a.keys + (size_t)blockIdx.x * a.room;
    if (has_ended(a.sequences, row)) return;
    const double u = a.uniform[uniform_index(a.sequences, row)];
    const row_top top = find_row_top(logits, (int32_t)a.vocabulary, m->tops);
    if (top.special != 0) {
        if (threadIdx.x == 0) give_id(a.sequences, a.ids, row, -1);
        return;
    }
    for (uint32_t i = threadIdx.x; i < a.vocabulary; i += blockDim.x)
        weights[i] = exp_f32((logits[i] - top.value) * a.factor);
    __syncthreads();
    walk(m, weights, a.vocabulary, -1.0);
    if (a.top_p >= 1.0) {
        const double target = u * m->sum;
        __syncthreads();
        walk(m, weights, a.vocabulary, target);
        if (threadIdx.x == 0) give_id(a.sequences, a.ids, row, (int32_t)m->last);
    } else {
        const uint32_t size = gather(m, a, weights, keys);
        sort_keys(keys, size);
        if (threadIdx.x == 0)
            give_id(a.sequences, a.ids, row, draw_nucleus(m, keys, a.top_p, u));
    }
    __syncthreads();
}

static __global__ void draw_kernel(const draw_arguments a)
{
    __shared__ draw_memory memory;
    for (uint32_t row = blockIdx.x; row < a.rows; row += gridDim.x)
        draw_row(&memory, a, row);
}

/* As many blocks as have something to do, and room to do it. */
static cop_status reserve(cop_cuda *cuda, draw_arguments *a, size_t *blocks, cop_error *err)
{
    a->room = 1;
    while (a->room < a->vocabulary)
        a->room *= 2;
    const size_t keys_bytes = a->room * sizeof *a->keys;
    const size_t bytes = keys_bytes + a->vocabulary * sizeof *a->weights;
    *blocks = a->rows < MOST_BLOCKS ? a->rows : MOST_BLOCKS;
    while (*blocks > 1 && *blocks * bytes > MOST_BYTES)
        --*blocks;
    COP_TRY(cop_cuda_reserve(cuda, &cuda->draws, *blocks * bytes, err));
    a->keys = (uint64_t *)cuda->draws.data;
    a->weights = (float *)(cuda->draws.data + *blocks * keys_bytes);
    return COP_OK;
}

cop_status cop_cuda_launch_draws(cop_cuda *cuda, const cop_buffer *logits, size_t rows,
                                 size_t vocabulary, const cop_draw *draw,
                                 const cop_cuda_sequences *sequences, int32_t *ids,
                                 cop_error *err)
{
    COP_CHECK(vocabulary > 0 && vocabulary <= 1U << 30 && rows <= INT32_MAX &&
                  cop_cuda_holds(logits, rows * vocabulary, sizeof(float)),
              err, COP_ERR_INTERNAL, "%zu rows of %zu logits are out of bounds", rows,
              vocabulary);
    /* As backend/draw.c limits it. */
    const double factor = 1.0 / draw->temperature < 1e30 ? 1.0 / draw->temperature : 1e30;
    size_t blocks = 0;
    draw_arguments a = {.logits = (const float *)logits->data,
                        .rows = (uint32_t)rows,
                        .vocabulary = (uint32_t)vocabulary,
                        .uniform = draw->uniform,
                        .ids = ids,
                        .factor = (float)factor,
                        .top_p = draw->top_p,
                        .sequences = *sequences};
    COP_TRY(reserve(cuda, &a, &blocks, err));
    const cop_cuda_grid grid = {.blocks = blocks,
                                .threads = cop_cuda_threads(vocabulary, MOST_THREADS)};
    cop_cuda_launch(cuda, draw_kernel, grid, a, "drawing tokens");
    return cop_cuda_check(cuda, err);
}

cop_status cop_cuda_sample(cop_backend *backend, const cop_buffer *logits, size_t rows,
                           size_t vocabulary, const cop_draw *draw, int32_t *ids,
                           cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    const cop_cuda_sequences none = {};
    cop_draw there = *draw;
    COP_TRY(cop_cuda_reserve(cuda, &cuda->results, rows * sizeof *ids, err));
    COP_TRY(cop_cuda_send(cuda, &cuda->uniform, draw->uniform, rows * sizeof(double), err));
    there.uniform = (const double *)cuda->uniform.data;
    int32_t *const results = (int32_t *)cuda->results.data;
    COP_TRY(cop_cuda_launch_draws(cuda, logits, rows, vocabulary, &there, &none, results, err));
    return cop_cuda_fetch(cuda, ids, results, rows * sizeof *ids, err);
}
