/* Noise and rebuild on the device, bit for bit as rebuild.h says. No function of the device's
 * mathematics library takes part: only additions, products, fused multiply-adds and square
 * roots that IEEE 754 rounds correctly. Compiled with -fmad=false. */
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
}

#include <string.h>

static constexpr int BLOCK_ELEMENTS = 4;
static constexpr int THREADS = 256;

typedef struct rebuild_arguments {
    const void *base; /* NULL: zeros, to which each component is added by itself */
    void *out;        /* may be base */
    cop_dtype base_type, out_type;
    bool whole; /* out suits stores of four elements */
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
                                                 float values[4])
{
    if (a.count - first < BLOCK_ELEMENTS) {
        for (size_t i = 0; first + i < a.count; i++)
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
                                                  const float values[4])
{
    if (!a.whole || a.count - first < BLOCK_ELEMENTS) {
        for (size_t i = 0; i < BLOCK_ELEMENTS && first + i < a.count; i++)
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

/* z [4] of component j to the sums [4], or to `own` [4], the sum that it belongs to, which goes
 * to the sums when it is whole. */
static __device__ __forceinline__ void add_component(const rebuild_arguments &a, size_t j,
                                                     const float z[4], float own[4],
                                                     float sums[4])
{
    const float amplitude = a.components[j].amplitude;
    const float factor = a.base == NULL ? 0.0F : a.components[j].factor;
    if (factor == 0.0F) {
        const float by = amplitude * a.scale;
        for (int i = 0; i < 4; i++)
            sums[i] = __fmaf_rn(by, z[i], sums[i]);
        return;
    }
    for (int i = 0; i < 4; i++)
        own[i] = __fmaf_rn(amplitude, z[i], own[i]);
    if (float_bits(factor) == 0x7f800000U) return; /* COP_IN_SUM */
    const float by = factor * a.scale;
    for (int i = 0; i < 4; i++) {
        sums[i] = __fmaf_rn(by, own[i], sums[i]);
        own[i] = 0;
    }
}

/* One thread makes the four elements of a Philox block. */
static __global__ void rebuild_kernel(const rebuild_arguments a)
{
    const uint64_t block = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const size_t first = (size_t)block * BLOCK_ELEMENTS;
    if (first >= a.count) return;
    float base[4] = {0, 0, 0, 0};
    float own[4] = {0, 0, 0, 0};
    float sums[4];
    if (a.base != NULL) load_four(a, first, base);
    for (int i = 0; i < 4; i++)
        sums[i] = base[i];
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), a.tensor, 0};
    for (size_t j = 0; j < a.component_count; j++) {
        const uint64_t seed = a.components[j].seed;
        const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
        uint32_t words[4];
        float z[4];
        philox_words(counter, key, words);
        gaussian_pair(words[0], words[1], z);
        gaussian_pair(words[2], words[3], z + 2);
        add_component(a, j, z, own, sums);
    }
    const float by = a.factor * a.scale;
    for (size_t i = 0; a.sum != NULL && i < 4 && first + i < a.count; i++)
        sums[i] = __fmaf_rn(by, a.sum[first + i], sums[i]);
    for (int i = 0; i < 4; i++)
        sums[i] = settle_nan(base[i], sums[i]);
    store_four(a, first, sums);
}

static void launch_rebuild(cop_cuda *cuda, rebuild_arguments a)
{
    const size_t size = cop_dtype_size(a.out_type);
    a.whole = (uintptr_t)a.out % (BLOCK_ELEMENTS * size) == 0;
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

/* Noise of low rank is not drawn here yet. */
static cop_status check_full(cop_low_rank low, cop_error *err)
{
    COP_CHECK(low.rank == 0, err, COP_ERR_UNSUPPORTED,
              "noise of low rank, of which this recipe is, is drawn on processor cores alone; "
              "take the backend cpu");
    return COP_OK;
}

static cop_status rebuild_part(cop_cuda *cuda, cop_buffer *out, size_t offset,
                               const cop_weight_part *part, size_t component_count,
                               cop_error *err)
{
    COP_TRY(check_full(part->low, err));
    const cop_dtype from = part->base_is_sums ? COP_F32 : part->dtype;
    const cop_dtype to = part->keep_sums ? COP_F32 : part->dtype;
    const size_t size = cop_dtype_size(to);
    COP_CHECK(
        cop_cuda_holds(part->base, part->count, cop_dtype_size(from)) && size != 0 &&
            (part->sum == NULL || cop_cuda_holds(part->sum, part->count, sizeof(float))) &&
            !out->is_base && offset <= out->bytes / size &&
            part->count <= out->bytes / size - offset,
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
    launch_rebuild(cuda, a);
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
    COP_TRY(check_full(low, err));
    cop_cuda *const cuda = cop_cuda_of(backend);
    for (size_t k = 0; k < count; k++) {
        COP_CHECK(cop_cuda_holds(outs[k], elements, sizeof(float)) && !outs[k]->is_base, err,
                  COP_ERR_INTERNAL, "a sum of %zu elements is out of bounds", elements);
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
        launch_rebuild(cuda, a);
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
