/* Noise and rebuild on the device, bit for bit as rebuild.h says. No function of the device's
 * mathematics library takes part: only additions, products, quotients, fused multiply-adds and
 * square roots that IEEE 754 rounds correctly. Compiled with -fmad=false.
 *
 * Full noise is drawn where it is added, four elements to a thread. Noise of low rank is added
 * tile by tile: a block draws the factors of its tile's rows and columns, a thirty-second of
 * the numbers that full noise draws, and every thread adds their products up for a square of 4
 * x 4.
 */
#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/storage.cuh"

#define GAUSSIAN_FUNCTION static __device__ __forceinline__
#define GAUSSIAN_FMA __fmaf_rn
#define GAUSSIAN_SQRT __fsqrt_rn
#include "coppice/noise/gaussian.h"
#define PHILOX_FUNCTION static __device__ __forceinline__
#include "coppice/noise/philox.h"

extern "C" {
#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"
}

#include <string.h>

static constexpr int BLOCK_ELEMENTS = 4;
static constexpr int THREADS = 256;

typedef struct rebuild_arguments {
    const void *base; /* NULL: zeros, to which each component is added by itself */
    void *out;        /* may be base */
    cop_dtype base_type, out_type;
    bool base_fours, out_fours; /* suit accesses of four elements */
    size_t count;
    const cop_component *components;
    size_t component_count;
    uint32_t tensor;
    float scale;
    const float *sum; /* NULL: none */
    float factor;     /* of `sum` */
} rebuild_arguments;

/* Four elements at `first`, or as many as there are. */
static __device__ __forceinline__ void load_four(const rebuild_arguments &a, size_t first,
                                                 size_t room, float values[4])
{
    if (!a.base_fours || room < BLOCK_ELEMENTS) {
        for (size_t i = 0; i < BLOCK_ELEMENTS && i < room; i++)
            values[i] = load_element(a.base, a.base_type, first + i);
    } else if (a.base_type == COP_F32) {
        const float4 found = *(const float4 *)((const float *)a.base + first);
        values[0] = found.x;
        values[1] = found.y;
        values[2] = found.z;
        values[3] = found.w;
    } else {
        const uint2 found = *(const uint2 *)((const uint16_t *)a.base + first);
        values[0] = widen_half((uint16_t)found.x, a.base_type);
        values[1] = widen_half((uint16_t)(found.x >> 16), a.base_type);
        values[2] = widen_half((uint16_t)found.y, a.base_type);
        values[3] = widen_half((uint16_t)(found.y >> 16), a.base_type);
    }
}

static __device__ __forceinline__ void store_four(const rebuild_arguments &a, size_t first,
                                                  size_t room, const float values[4])
{
    if (!a.out_fours || room < BLOCK_ELEMENTS) {
        for (size_t i = 0; i < BLOCK_ELEMENTS && i < room; i++)
            store_element(a.out, a.out_type, first + i, values[i]);
    } else if (a.out_type == COP_F32) {
        *(float4 *)((float *)a.out + first) =
            make_float4(values[0], values[1], values[2], values[3]);
    } else {
        uint32_t half[4];
        for (int i = 0; i < 4; i++)
            half[i] = narrow_half(values[i], a.out_type);
        *(uint2 *)((uint16_t *)a.out + first) =
            make_uint2(half[0] | half[1] << 16, half[2] | half[3] << 16);
    }
}

/* A sum that is no number, with the bits that x86 gives it: the base's NaN made quiet, or the
 * default. This processor would give another. */
static __device__ __forceinline__ float settle_nan(float base, float sum)
{
    if (sum == sum) return sum;
    return float_from_bits(base == base ? 0xffc00000U : float_bits(base) | 0x400000U);
}

/* Four numbers of a stream, from element 4 * block on. */
static __device__ __forceinline__ void draw_four(uint64_t seed, uint32_t stream,
                                                 uint32_t tensor, uint64_t block, float z[4])
{
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), tensor, stream};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t words[4];
    philox_words(counter, key, words);
    gaussian_pair(words[0], words[1], z);
    gaussian_pair(words[2], words[3], z + 2);
}

/* Whether component j belongs to a sum, by the factor of its sum; without a base none does. */
static __device__ __forceinline__ float factor_of(const rebuild_arguments &a, size_t j)
{
    return a.base == NULL ? 0.0F : a.components[j].factor;
}

/* What component j's numbers are multiplied by. */
static __device__ __forceinline__ float amplitude_of(const rebuild_arguments &a, size_t j)
{
    const float amplitude = a.components[j].amplitude;
    return factor_of(a, j) == 0.0F ? amplitude * a.scale : amplitude;
}

/* to += by * z, where `alone` says: both stay in registers then. */
static __device__ __forceinline__ void add_noise(float by, const float z[4], bool alone,
                                                 float own[4], float sums[4])
{
    if (alone) {
        for (int i = 0; i < 4; i++)
            sums[i] = __fmaf_rn(by, z[i], sums[i]);
    } else {
        for (int i = 0; i < 4; i++)
            own[i] = __fmaf_rn(by, z[i], own[i]);
    }
}

/* Adds own [4], the sum of which component j is, to the sums [4] if it is whole. */
static __device__ __forceinline__ void end_component(const rebuild_arguments &a, size_t j,
                                                     float own[4], float sums[4])
{
    const float factor = factor_of(a, j);
    if (factor == 0.0F || float_bits(factor) == 0x7f800000U) return; /* COP_IN_SUM */
    const float by = factor * a.scale;
    for (int i = 0; i < 4; i++) {
        sums[i] = __fmaf_rn(by, own[i], sums[i]);
        own[i] = 0;
    }
}

/* The last steps of four elements from `first` on: the sum that is known, and the rounding. */
static __device__ __forceinline__ void finish_four(const rebuild_arguments &a, size_t first,
                                                   size_t room, const float base[4],
                                                   float sums[4])
{
    const float by = a.factor * a.scale;
    for (size_t i = 0; a.sum != NULL && i < BLOCK_ELEMENTS && i < room; i++)
        sums[i] = __fmaf_rn(by, a.sum[first + i], sums[i]);
    for (int i = 0; i < 4; i++)
        sums[i] = settle_nan(base[i], sums[i]);
    store_four(a, first, room, sums);
}

/* One thread makes the four elements of a Philox block. */
static __global__ void rebuild_kernel(const rebuild_arguments a)
{
    const uint64_t block = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const size_t first = (size_t)block * BLOCK_ELEMENTS;
    if (first >= a.count) return;
    const size_t room = a.count - first;
    float base[4] = {0, 0, 0, 0};
    float own[4] = {0, 0, 0, 0};
    float sums[4];
    if (a.base != NULL) load_four(a, first, room, base);
    for (int i = 0; i < 4; i++)
        sums[i] = base[i];
    for (size_t j = 0; j < a.component_count; j++) {
        float z[4];
        draw_four(a.components[j].seed, COP_STREAM_WEIGHTS, a.tensor, block, z);
        add_noise(amplitude_of(a, j), z, factor_of(a, j) == 0.0F, own, sums);
        end_component(a, j, own, sums);
    }
    finish_four(a, first, room, base, sums);
}

/* --- noise of low rank --- */

static constexpr int TILE = 64;                                /* rows and columns of a block */
static constexpr int TILE_THREADS = TILE / BLOCK_ELEMENTS;     /* along either */
static constexpr int DEPTH = 32;                               /* products at a time */
static constexpr int PANEL_BLOCKS = TILE / BLOCK_ELEMENTS + 1; /* of Philox, at any place */

typedef struct low_rank_arguments {
    rebuild_arguments weights;
    cop_low_rank low;
    size_t across; /* tiles in a row of them */
} low_rank_arguments;

/* Factors of a tile's rows and columns, product by product; the rows' with all that the
 * products are multiplied by. */
typedef struct low_rank_panels {
    float left[DEPTH][TILE];
    float right[DEPTH][TILE];
} low_rank_panels;

/* Draws what lies in one Philox block of product p's factors, of TILE of them from `first` on.
 * Those past the matrix's edge are of no element, whatever they are. */
static __device__ void draw_factors(const low_rank_arguments &a, size_t p, bool left,
                                    uint64_t first, int block, float panel[TILE])
{
    const rebuild_arguments &w = a.weights;
    const size_t j = p / a.low.rank;
    const uint64_t start = p % a.low.rank * (left ? a.low.rows : a.low.columns) + first;
    float z[4];
    draw_four(w.components[j].seed, left ? COP_STREAM_LEFT : COP_STREAM_RIGHT, w.tensor,
              start / 4 + (uint64_t)block, z);
    const float by = left ? amplitude_of(w, j) / __fsqrt_rn((float)a.low.rank) : 1.0F;
    for (int i = 0; i < 4; i++) {
        const int place = 4 * block + i - (int)(start % 4);
        if (place >= 0 && place < TILE) panel[place] = z[i] * by;
    }
}

/* All threads of a block: the factors of products p to p + depth - 1. */
static __device__ void draw_panels(const low_rank_arguments &a, size_t p, int depth,
                                   uint64_t row, uint64_t column, low_rank_panels &panels)
{
    for (int i = (int)threadIdx.x; i < 2 * depth * PANEL_BLOCKS; i += THREADS) {
        const int d = i / PANEL_BLOCKS % depth;
        const bool left = i < depth * PANEL_BLOCKS;
        draw_factors(a, p + (size_t)d, left, left ? row : column, i % PANEL_BLOCKS,
                     left ? panels.left[d] : panels.right[d]);
    }
}

/* Adds all components to a thread's elements, which are rows and columns `down` and `right` of
 * the tile and the three after these. */
static __device__ __forceinline__ void add_low_rank(const low_rank_arguments &a, uint64_t row,
                                                    uint64_t column, int down, int right,
                                                    float sums[4][4])
{
    __shared__ low_rank_panels panels;
    const rebuild_arguments &w = a.weights;
    const size_t products = w.component_count * a.low.rank;
    float own[4][4] = {};
    size_t j = 0; /* the component of a product, and which one of its products that is */
    size_t k = 0;
    for (size_t p = 0; p < products; p += DEPTH) {
        const int depth = products - p < DEPTH ? (int)(products - p) : DEPTH;
        draw_panels(a, p, depth, row, column, panels);
        __syncthreads();
        for (int d = 0; d < depth; d++) {
            const bool alone = factor_of(w, j) == 0.0F;
#pragma unroll
            for (int r = 0; r < 4; r++)
                add_noise(panels.left[d][down + r], &panels.right[d][right], alone, own[r],
                          sums[r]);
            if (++k < a.low.rank) continue;
#pragma unroll
            for (int r = 0; r < 4; r++)
                end_component(w, j, own[r], sums[r]);
            k = 0;
            j++;
        }
        __syncthreads(); /* before the next ones are drawn */
    }
}

/* One block makes a tile of the matrix. */
static __global__ void low_rank_kernel(const low_rank_arguments a)
{
    const rebuild_arguments &w = a.weights;
    const uint64_t row = blockIdx.x / a.across * TILE;
    const uint64_t column = blockIdx.x % a.across * TILE;
    const int down = (int)threadIdx.x / TILE_THREADS * 4;
    const int right = (int)threadIdx.x % TILE_THREADS * 4;
    float base[4][4] = {};
    float sums[4][4];
    size_t room[4];
#pragma unroll
    for (int r = 0; r < 4; r++) {
        const uint64_t at = row + (uint64_t)(down + r);
        const uint64_t from = column + (uint64_t)right;
        room[r] = at < a.low.rows && from < a.low.columns ? a.low.columns - from : 0;
        if (w.base != NULL) load_four(w, at * a.low.columns + from, room[r], base[r]);
        for (int c = 0; c < 4; c++)
            sums[r][c] = base[r][c];
    }
    add_low_rank(a, row, column, down, right, sums);
#pragma unroll
    for (int r = 0; r < 4; r++) {
        const size_t first = (row + (uint64_t)(down + r)) * a.low.columns + column + right;
        finish_four(w, first, room[r], base[r], sums[r]);
    }
}

static void launch_low_rank(cop_cuda *cuda, const rebuild_arguments &weights, cop_low_rank low)
{
    const size_t across = (low.columns + TILE - 1) / TILE;
    low_rank_arguments a = {.weights = weights, .low = low, .across = across};
    const bool even = low.columns % BLOCK_ELEMENTS == 0;
    a.weights.base_fours = a.weights.base_fours && even;
    a.weights.out_fours = a.weights.out_fours && even;
    const cop_cuda_grid grid = {.blocks = across * ((low.rows + TILE - 1) / TILE),
                                .threads = THREADS};
    cop_cuda_launch(cuda, low_rank_kernel, grid, a, "rebuilding weights");
}

static void launch_rebuild(cop_cuda *cuda, rebuild_arguments a, cop_low_rank low)
{
    const size_t size = cop_dtype_size(a.out_type);
    a.base_fours = true;
    a.out_fours = (uintptr_t)a.out % (BLOCK_ELEMENTS * size) == 0;
    if (low.rank > 0) {
        launch_low_rank(cuda, a, low);
        return;
    }
    const size_t threads = (a.count + BLOCK_ELEMENTS - 1) / BLOCK_ELEMENTS;
    const cop_cuda_grid grid = {.blocks = (threads + THREADS - 1) / THREADS,
                                .threads = THREADS};
    cop_cuda_launch(cuda, rebuild_kernel, grid, a, "rebuilding weights");
}

/* The components reach the device once, not once a tensor. */
static cop_status send_components(cop_cuda *cuda, const cop_component *components, size_t count,
                                  cop_error *err)
{
    const size_t bytes = count * sizeof *components;
    bool known = count == cuda->sent_count;
    for (size_t i = 0; i < count && known; i++)
        known =
            cuda->sent[i].seed == components[i].seed &&
            memcmp(&cuda->sent[i].amplitude, &components[i].amplitude, sizeof(float)) == 0 &&
            cuda->sent[i].factor == components[i].factor;
    if (known) return COP_OK;
    cuda->sent_count = 0;
    COP_GROW(cuda->sent, cuda->sent_capacity, count, err);
    COP_TRY(cop_cuda_send(cuda, &cuda->components, components, bytes, err));
    if (count > 0) memcpy(cuda->sent, components, bytes);
    cuda->sent_count = count;
    return COP_OK;
}

/* What takes noise of low rank is the whole matrix. */
static bool suits(cop_low_rank low, size_t count)
{
    return low.rank == 0 ||
           (low.columns > 0 && low.rows == count / low.columns && count % low.columns == 0);
}

static cop_status rebuild_part(cop_cuda *cuda, cop_buffer *out, size_t offset,
                               const cop_weight_part *part, size_t component_count,
                               cop_error *err)
{
    const cop_dtype from = part->base_is_sums ? COP_F32 : part->dtype;
    const cop_dtype to = part->keep_sums ? COP_F32 : part->dtype;
    const size_t size = cop_dtype_size(to);
    COP_CHECK(
        cop_cuda_holds(part->base, part->count, cop_dtype_size(from)) && size != 0 &&
            (part->sum == NULL || cop_cuda_holds(part->sum, part->count, sizeof(float))) &&
            !out->is_base && offset <= out->bytes / size &&
            part->count <= out->bytes / size - offset && suits(part->low, part->count),
        err, COP_ERR_INTERNAL, "rebuild of %zu elements at %zu is out of bounds", part->count,
        offset);
    void *const to_memory = out->data + offset * size;
    const bool moved = component_count > 0 || part->sum != NULL;
    if ((!moved || part->scale == 0.0F) && from == to) {
        if (part->count > 0 && to_memory != part->base->data)
            cop_cuda_note(cuda,
                          cudaMemcpyAsync(to_memory, part->base->data, part->count * size,
                                          cudaMemcpyDeviceToDevice, cuda->stream),
                          "copying weights");
        return COP_OK;
    }
    const rebuild_arguments a = {
        .base = part->base->data,
        .out = to_memory,
        .base_type = from,
        .out_type = to,
        .count = part->count,
        .components = (const cop_component *)cuda->components.data,
        .component_count = part->scale == 0.0F ? 0 : component_count,
        .tensor = part->tensor,
        .scale = part->scale,
        .sum = part->sum == NULL || part->scale == 0.0F ? NULL : (const float *)part->sum->data,
        .factor = part->factor};
    launch_rebuild(cuda, a, part->low);
    return COP_OK;
}

cop_status cop_cuda_rebuild(cop_backend *backend, cop_buffer *out, size_t offset,
                            const cop_weight_part *parts, size_t count,
                            const cop_component *components, size_t component_count,
                            cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    COP_TRY(send_components(cuda, components, component_count, err));
    for (size_t i = 0; i < count; i++) {
        COP_TRY(rebuild_part(cuda, out, offset, &parts[i], component_count, err));
        offset += parts[i].count;
    }
    return cop_cuda_check(cuda, err);
}

/* One after the other: a GPU draws numbers faster than it reads sums. */
cop_status cop_cuda_sums(cop_backend *backend, cop_buffer *const *outs,
                         const cop_rebuild_sum *sums, size_t count, uint32_t tensor,
                         cop_low_rank low, size_t elements, cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    for (size_t k = 0; k < count; k++) {
        COP_CHECK(cop_cuda_holds(outs[k], elements, sizeof(float)) && !outs[k]->is_base &&
                      suits(low, elements),
                  err, COP_ERR_INTERNAL, "a sum of %zu elements is out of bounds", elements);
        COP_TRY(send_components(cuda, sums[k].components, sums[k].count, err));
        const rebuild_arguments a = {.base = NULL,
                                     .out = outs[k]->data,
                                     .base_type = COP_F32,
                                     .out_type = COP_F32,
                                     .count = elements,
                                     .components = (const cop_component *)cuda->components.data,
                                     .component_count = sums[k].count,
                                     .tensor = tensor,
                                     .scale = 1};
        launch_rebuild(cuda, a, low);
    }
    return cop_cuda_check(cuda, err);
}

/* --- conversions --- */

typedef struct convert_arguments {
    void *out;
    const void *in;
    cop_dtype to, from;
    size_t count;
    float plus;
} convert_arguments;

static __global__ void convert_kernel(const convert_arguments a)
{
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.count) return;
    const float value = load_element(a.in, a.from, i);
    store_element(a.out, a.to, i, a.plus == 0.0F ? value : value + a.plus);
}

static void convert(cop_cuda *cuda, const convert_arguments &a)
{
    const cop_cuda_grid grid = {.blocks = (a.count + THREADS - 1) / THREADS,
                                .threads = THREADS};
    cop_cuda_launch(cuda, convert_kernel, grid, a, "converting elements");
}

void cop_cuda_convert_elements(cop_cuda *cuda, void *out, cop_dtype to, const void *in,
                               cop_dtype from, size_t count)
{
    const convert_arguments a = {.out = out, .in = in, .to = to, .from = from, .count = count};
    convert(cuda, a);
}

cop_status cop_cuda_widen(cop_backend *backend, cop_buffer *out, size_t offset,
                          const cop_buffer *in, cop_dtype dtype, size_t count, float plus,
                          cop_error *err)
{
    cop_cuda *const cuda = cop_cuda_of(backend);
    COP_CHECK(cop_cuda_holds(in, count, cop_dtype_size(dtype)) &&
                  cop_cuda_holds(out, offset + count, sizeof(float)),
              err, COP_ERR_INTERNAL, "widening %zu elements is out of bounds", count);
    const convert_arguments a = {.out = (float *)out->data + offset,
                                 .in = in->data,
                                 .to = COP_F32,
                                 .from = dtype,
                                 .count = count,
                                 .plus = plus};
    convert(cuda, a);
    return cop_cuda_check(cuda, err);
}
