/* Scalar functions without branches, so that loops over them vectorise. A compiler for another
 * processor defines how a function is written there, before it includes this. */
#ifndef COP_BACKEND_CPU_KERNELS_SCALAR_MATH_H
#define COP_BACKEND_CPU_KERNELS_SCALAR_MATH_H

#include <stdint.h>
#include <string.h>

#ifndef SCALAR_FUNCTION
#define SCALAR_FUNCTION static inline
#endif

SCALAR_FUNCTION uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

SCALAR_FUNCTION float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* As cop_f32_to_bf16(). */
SCALAR_FUNCTION uint16_t narrow_bf16(float value)
{
    const uint32_t bits = float_bits(value);
    const uint32_t rounded = (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
    const uint32_t quiet = bits >> 16 | 0x40U;
    return (uint16_t)((bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

SCALAR_FUNCTION float widen_bf16(uint16_t bits)
{
    return float_from_bits((uint32_t)bits << 16);
}

/* As cop_f16_to_f32(): moves exponent and mantissa into place and corrects the bias by an exact
 * product, which normalises subnormals too; infinity and NaN get their exponent back. */
SCALAR_FUNCTION float widen_f16(uint16_t half)
{
    const uint32_t magnitude = (half & 0x7fffU) << 13;
    const uint32_t scaled = float_bits(float_from_bits(magnitude) * 0x1p112F);
    const uint32_t special = magnitude >= 0x7c00U << 13 ? 0x7f800000U : 0U;
    const uint32_t quiet = magnitude > 0x7c00U << 13 ? 0x400000U : 0U;
    return float_from_bits((half & 0x8000U) << 16 | scaled | special | quiet);
}

/* e^x within 1 ulp; 0 below -87.3 (where the result would be subnormal), about 2^127.5 above
 * 88.37, NaN for NaN. e^x = 2^n e^r with |r| <= ln 2 / 2 and a minimax polynomial for e^r. */
SCALAR_FUNCTION float exp_f32(float x)
{
    const float limited = x > 88.37F ? 88.37F : x;
    const float shift = 0x1.8p23F; /* adding it leaves the nearest integer in the low bits */
    const float shifted = limited * 0x1.715476p0F + shift;
    const float n = shifted - shift;
    const float r = (limited - n * 0.693359375F) + n * 2.12194440e-4F;
    float p = 0.00138145394F;
    p = p * r + 0.00836874545F;
    p = p * r + 0.041668389F;
    p = p * r + 0.166665211F;
    p = p * r + 0.49999994F;
    p = p * (r * r) + r + 1.0F;
    const float power = float_from_bits((float_bits(shifted) + 127U) << 23);
    return x < -87.3F ? 0.0F : p * power;
}

#endif
