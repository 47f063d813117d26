/** \file dtype.h
 * Element types of weights and activations, and their exact conversions.
 */
#ifndef COPPICE_BASE_DTYPE_H
#define COPPICE_BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum cop_dtype {
    COP_F32,
    COP_BF16,
    COP_F16,
    COP_DTYPE_OTHER /**< integers and the like: copied, never computed with */
} cop_dtype;

/** Bytes of one element; 0 for COP_DTYPE_OTHER. */
static inline size_t cop_dtype_size(cop_dtype dtype)
{
    return dtype == COP_F32 ? 4 : dtype == COP_BF16 || dtype == COP_F16 ? 2 : 0;
}

/** "f32", "bf16", "f16" or "other". */
static inline const char *cop_dtype_name(cop_dtype dtype)
{
    static const char *const names[] = {"f32", "bf16", "f16", "other"};
    return names[dtype];
}

/** Widening, exact. */
static inline float cop_bf16_to_f32(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/** Rounds to nearest, ties to even; NaN stays NaN (quiet), overflow gives infinity. */
static inline uint16_t cop_f32_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffU) > 0x7f800000U) return (uint16_t)(bits >> 16 | 0x40U);
    return (uint16_t)((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

/** Widening, exact (subnormals included). */
float cop_f16_to_f32(uint16_t bits);

/** Rounds to nearest, ties to even; NaN stays NaN (quiet), overflow gives infinity. */
uint16_t cop_f32_to_f16(float value);

#endif
