/* Causal attention over the cache, for prompts and for decoding. A block takes up to
 * COP_CUDA_PAIRS queries of one span that share a KV head, and goes over the keys in steps of
 * 32: a lane scores one key, the weights of a running softmax are shared, and the lanes add up
 * the values, each its own columns. Steps start at multiples of 32 positions and what a query
 * may not see changes nothing of it, so that its result does not depend on the queries beside
 * it. */
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/reduce.cuh"
#include "backend/cuda/storage.cuh"

static constexpr int WARPS = 4;
static constexpr int THREADS = WARPS * WARP;
static constexpr int PAIRS_OF_WARP = COP_CUDA_PAIRS / WARPS;
static constexpr int STEP = WARP; /* keys */
/* The most elements of a row of values that a lane adds up. */
static constexpr int MOST_WORDS = COP_CUDA_MOST_HEAD_SIZE / WARP;

/* Dynamic shared memory; tests emulate it elsewhere. */
#ifndef CUDA_DYNAMIC_SHARED
#define CUDA_DYNAMIC_SHARED(name) extern __shared__ __align__(16) float name[]
#endif

typedef struct attention_arguments {
    void *out; /* [T, H E] of out_type */
    cop_dtype out_type;
    const float *qkv;           /* [T, (H + 2 G) E] */
    const uint32_t *keys;       /* of the layer: [slot, G, length, E], in words of 4 bytes */
    const uint32_t *values;     /* likewise */
    const cop_cuda_tile *tiles; /* NULL: those of rows */
    const cop_cuda_row *rows;
    uint32_t group, kv_heads, size;
    uint32_t words; /* of a row of keys or values */
    size_t length;
    int32_t window;
    float scale;
} attention_arguments;

/* What a block keeps in shared memory. */
typedef struct block_memory {
    float *queries;  /* [pairs, E], scaled */
    float *weights;  /* [pairs, STEP] */
    uint32_t *keys;  /* [STEP, stride] */
    uint32_t stride; /* odd: the lanes read from different banks */
} block_memory;

/* The state of one query's softmax; the same in all lanes but for `sum` and `out`. */
typedef struct running {
    float most;
    float sum; /* of this lane's keys */
    float out[MOST_WORDS];
} running;

/* Row of keys or values of a position. */
static __device__ __forceinline__ const uint32_t *row_at(const attention_arguments &a,
                                                         const uint32_t *rows,
                                                         const cop_cuda_tile &tile,
                                                         int32_t position)
{
    const int32_t owner = position < tile.prefix ? tile.prefix_slot : tile.slot;
    return rows +
           (((size_t)owner * a.kv_heads + blockIdx.y) * a.length + (size_t)position) * a.words;
}

static __device__ void load_queries(const attention_arguments &a, const cop_cuda_tile &tile,
                                    const block_memory &m)
{
    const size_t width = (size_t)(a.group + 2) * a.kv_heads * a.size;
    for (uint32_t i = threadIdx.x; i < (uint32_t)tile.pairs * a.size; i += THREADS) {
        const uint32_t pair = (uint32_t)tile.first_pair + i / a.size;
        const size_t row = (size_t)tile.first_row + pair / a.group;
        const size_t head = (size_t)blockIdx.y * a.group + pair % a.group;
        m.queries[i] = a.qkv[row * width + head * a.size + i % a.size] * a.scale;
    }
}

/* Keys of positions start .. start + STEP - 1; none beyond `last`. */
static __device__ void load_keys(const attention_arguments &a, const cop_cuda_tile &tile,
                                 const block_memory &m, int32_t start, int32_t last)
{
    for (int32_t k = (int32_t)threadIdx.x / WARP; k < STEP; k += WARPS) {
        uint32_t *const to = m.keys + (uint32_t)k * m.stride;
        if (start + k > last) continue;
        const uint32_t *const from = row_at(a, a.keys, tile, start + k);
        for (uint32_t w = threadIdx.x % WARP; w < a.words; w += WARP)
            to[w] = from[w];
    }
}

/* Two elements of a word in bf16, one in binary32. */
template <bool NARROW>
static __device__ __forceinline__ float add_product(const float *query, uint32_t word,
                                                    uint32_t w, float sum)
{
    if (!NARROW) return fmaf(query[w], float_from_bits(word), sum);
    sum = fmaf(query[2 * w], float_from_bits(word << 16), sum);
    return fmaf(query[2 * w + 1], float_from_bits(word & 0xffff0000U), sum);
}

/* Scores this lane's key; -infinity where the query may not see it. */
template <bool NARROW>
static __device__ float score_key(const attention_arguments &a, const block_memory &m,
                                  int32_t pair, int32_t start, int32_t position)
{
    const int32_t lane = (int32_t)threadIdx.x % WARP;
    const int32_t at = start + lane;
    if (at > position || (a.window > 0 && at <= position - a.window)) return -INFINITY;
    const float *const query = m.queries + (uint32_t)pair * a.size;
    const uint32_t *const key = m.keys + (uint32_t)lane * m.stride;
    float sum = 0.0F;
    for (uint32_t w = 0; w < a.words; w++)
        sum = add_product<NARROW>(query, key[w], w, sum);
    return sum;
}

/* Adds the values of one step, weighted, to this lane's columns. */
template <bool NARROW>
static __device__ void add_values(const attention_arguments &a, const cop_cuda_tile &tile,
                                  const float *weights, int32_t start, int32_t last,
                                  running *state)
{
    const uint32_t lane = threadIdx.x % WARP;
    const int32_t count = last - start < STEP ? last - start + 1 : STEP;
    for (int32_t k = 0; k < count; k++) {
        const uint32_t *const row = row_at(a, a.values, tile, start + k);
        const float weight = weights[k];
#pragma unroll
        for (uint32_t i = 0; i < (NARROW ? MOST_WORDS / 2 : MOST_WORDS); i++) {
            if (lane + i * WARP >= a.words) break;
            const uint32_t word = row[lane + i * WARP];
            if (NARROW) {
                float *const out = state->out + 2 * i;
                out[0] = fmaf(weight, float_from_bits(word << 16), out[0]);
                out[1] = fmaf(weight, float_from_bits(word & 0xffff0000U), out[1]);
            } else {
                state->out[i] = fmaf(weight, float_from_bits(word), state->out[i]);
            }
        }
    }
}

/* One query over one step of keys, by a warp. */
template <bool NARROW>
static __device__ void take_step(const attention_arguments &a, const cop_cuda_tile &tile,
                                 const block_memory &m, int32_t pair, int32_t start,
                                 running *state)
{
    const int32_t row = (tile.first_pair + pair) / (int32_t)a.group;
    const int32_t position = tile.past + row;
    const float score = score_key<NARROW>(a, m, pair, start, position);
    const float most = fmaxf(state->most, warp_max(score));
    if (most == -INFINITY) return; /* it sees none of them; the same in all lanes */
    const float shrink = expf(state->most - most);
    const float weight = expf(score - most);
    float *const weights = m.weights + pair * STEP;
    __syncwarp();
    weights[threadIdx.x % WARP] = weight;
    __syncwarp();
    state->most = most;
    state->sum = fmaf(state->sum, shrink, weight);
    for (int i = 0; i < MOST_WORDS; i++)
        state->out[i] *= shrink;
    add_values<NARROW>(a, tile, weights, start, position, state);
}

template <bool NARROW>
static __device__ void write_result(const attention_arguments &a, const cop_cuda_tile &tile,
                                    int32_t pair, const running *state)
{
    const float total = warp_sum(state->sum);
    const uint32_t number = (uint32_t)(tile.first_pair + pair);
    const size_t row = (size_t)tile.first_row + number / a.group;
    const size_t head = (size_t)blockIdx.y * a.group + number % a.group;
    const size_t to = (row * a.group * a.kv_heads + head) * a.size;
    for (uint32_t i = 0; i < MOST_WORDS; i++) {
        const uint32_t word = threadIdx.x % WARP + (NARROW ? i / 2 : i) * WARP;
        if (word >= a.words) break;
        const uint32_t element = NARROW ? 2 * word + i % 2 : word;
        store_element(a.out, a.out_type, to + element, state->out[i] / total);
    }
}

/* This block's part of the one query row of a sequence that decodes; empty if that has ended.
 */
static __device__ cop_cuda_tile tile_of_row(const attention_arguments &a)
{
    const uint32_t parts = (a.group + COP_CUDA_PAIRS - 1) / COP_CUDA_PAIRS;
    const int32_t index = (int32_t)(blockIdx.x / parts);
    const int32_t first = (int32_t)(blockIdx.x % parts) * COP_CUDA_PAIRS;
    const int32_t left = (int32_t)a.group - first;
    const cop_cuda_row row = a.rows[index];
    return cop_cuda_tile{.slot = row.slot,
                         .past = row.position,
                         .first_row = index,
                         .first_pair = first,
                         .pairs = row.slot < 0            ? 0
                                  : left < COP_CUDA_PAIRS ? left
                                                          : COP_CUDA_PAIRS,
                         .prefix = row.prefix,
                         .prefix_slot = row.prefix_slot};
}

template <bool NARROW> static __global__ void attention_kernel(const attention_arguments a)
{
    CUDA_DYNAMIC_SHARED(memory);
    const cop_cuda_tile tile = a.tiles != NULL ? a.tiles[blockIdx.x] : tile_of_row(a);
    if (tile.pairs == 0) return;
    const block_memory m = {.queries = memory,
                            .weights = memory + COP_CUDA_PAIRS * a.size,
                            .keys = (uint32_t *)(memory + COP_CUDA_PAIRS * (a.size + STEP)),
                            .stride = a.words | 1U};
    const int32_t group = (int32_t)a.group;
    const int32_t last = tile.past + (tile.first_pair + tile.pairs - 1) / group;
    const int32_t oldest =
        a.window > 0 ? tile.past + tile.first_pair / group - a.window + 1 : 0;
    const int32_t begin = oldest > 0 ? oldest / STEP * STEP : 0;
    const int32_t mine = (int32_t)threadIdx.x / WARP * PAIRS_OF_WARP;
    running states[PAIRS_OF_WARP];
    for (int j = 0; j < PAIRS_OF_WARP; j++) {
        states[j].most = -INFINITY;
        states[j].sum = 0.0F;
        for (int i = 0; i < MOST_WORDS; i++)
            states[j].out[i] = 0.0F;
    }
    load_queries(a, tile, m);
    for (int32_t start = begin; start <= last; start += STEP) {
        load_keys(a, tile, m, start, last);
        __syncthreads();
#pragma unroll
        for (int j = 0; j < PAIRS_OF_WARP; j++) {
            if (mine + j < tile.pairs)
                take_step<NARROW>(a, tile, m, mine + j, start, &states[j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int j = 0; j < PAIRS_OF_WARP; j++) {
        if (mine + j < tile.pairs) write_result<NARROW>(a, tile, mine + j, &states[j]);
    }
}

void cop_cuda_attention(cop_backend *backend, cop_buffer *input, const cop_buffer *qkv,
                        const cop_kv *kv, size_t layer, const cop_batch *batch,
                        const cop_attention_shape *shape)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    cop_cuda_places places;
    cop_cuda_find_places(cuda, batch, kv->group, &places);
    const size_t item = cop_dtype_size(backend->input);
    const size_t place = layer * kv->slots * kv->kv_heads * kv->length * kv->head_size * item;
    const attention_arguments a = {.out = input->data,
                                   .out_type = backend->input,
                                   .qkv = (const float *)qkv->data,
                                   .keys = (const uint32_t *)(kv->keys.data + place),
                                   .values = (const uint32_t *)(kv->values.data + place),
                                   .tiles = places.tiles,
                                   .rows = places.rows,
                                   .group = (uint32_t)kv->group,
                                   .kv_heads = (uint32_t)kv->kv_heads,
                                   .size = (uint32_t)kv->head_size,
                                   .words = (uint32_t)(kv->head_size * item / sizeof(uint32_t)),
                                   .length = kv->length,
                                   .window = shape->window,
                                   .scale = shape->scale};
    const cop_cuda_grid grid = {.blocks = places.tiles_count,
                                .blocks_y = kv->kv_heads,
                                .threads = THREADS,
                                .shared_bytes = (COP_CUDA_PAIRS * (size_t)(a.size + STEP) +
                                                 STEP * (size_t)(a.words | 1U)) *
                                                sizeof(float)};
    if (backend->input == COP_BF16) {
        cop_cuda_launch(cuda, attention_kernel<true>, grid, a, "attention");
    } else {
        cop_cuda_launch(cuda, attention_kernel<false>, grid, a, "attention");
    }
}
