/* Elements of every storage type on the device; the same bits as dtype.h gives. */
#ifndef COP_BACKEND_CUDA_STORAGE_CUH
#define COP_BACKEND_CUDA_STORAGE_CUH

#include "coppice/base/dtype.h"

#include <cuda_runtime.h>

#define SCALAR_FUNCTION static __device__ __forceinline__
#include "backend/cpu/kernels/scalar_math.h"

static __device__ __forceinline__ uint16_t narrow_f16(float value)
{
    const uint32_t bits = float_bits(value);
    const uint32_t sign = bits >> 16 & 0x8000U;
    const uint32_t magnitude = bits & 0x7fffffffU;
    if (magnitude > 0x7f800000U) return (uint16_t)(sign | 0x7e00U | (magnitude >> 13 & 0x3ffU));
    if (magnitude >= 0x47800000U) return (uint16_t)(sign | 0x7c00U);
    if (magnitude >= 0x38800000U) {
        const uint32_t rounded = magnitude + 0xfffU + (magnitude >> 13 & 1U);
        return (uint16_t)(sign | (rounded - 0x38000000U) >> 13);
    }
    const uint32_t low = float_bits(float_from_bits(magnitude) + 0.5F);
    return (uint16_t)(sign | (low - 0x3f000000U));
}

static __device__ __forceinline__ float widen_half(uint16_t half, cop_dtype dtype)
{
    return dtype == COP_BF16 ? widen_bf16(half) : widen_f16(half);
}

static __device__ __forceinline__ uint16_t narrow_half(float value, cop_dtype dtype)
{
    return dtype == COP_BF16 ? narrow_bf16(value) : narrow_f16(value);
}

static __device__ __forceinline__ float load_element(const void *from, cop_dtype dtype,
                                                     size_t index)
{
    if (dtype == COP_F32) return ((const float *)from)[index];
    return widen_half(((const uint16_t *)from)[index], dtype);
}

static __device__ __forceinline__ void store_element(void *to, cop_dtype dtype, size_t index,
                                                     float value)
{
    if (dtype == COP_F32) {
        ((float *)to)[index] = value;
    } else {
        ((uint16_t *)to)[index] = narrow_half(value, dtype);
    }
}

#endif
