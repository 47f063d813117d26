#include "coppice/base/dtype.h"

float cop_f16_to_f32(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000U) << 16;
    const uint32_t exponent = bits >> 10 & 0x1fU;
    uint32_t mantissa = bits & 0x3ffU;
    uint32_t wide;
    if (exponent == 0x1fU) {
        wide = sign | 0x7f800000U | mantissa << 13;
    } else if (exponent != 0) {
        wide = sign | (exponent + 112U) << 23 | mantissa << 13;
    } else {
        /* Subnormal: mantissa * 2^-24, exact in binary32. */
        const float magnitude = (float)mantissa * 0x1p-24F;
        memcpy(&wide, &magnitude, sizeof wide);
        wide |= sign;
    }
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

uint16_t cop_f32_to_f16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000U;
    const uint32_t magnitude = bits & 0x7fffffffU;
    if (magnitude > 0x7f800000U) return (uint16_t)(sign | 0x7e00U | (magnitude >> 13 & 0x3ffU));
    if (magnitude >= 0x47800000U) return (uint16_t)(sign | 0x7c00U); /* 2^16 and up */
    if (magnitude >= 0x38800000U) {                                  /* normal: 2^-14 and up */
        const uint32_t rounded = magnitude + 0xfffU + (magnitude >> 13 & 1U);
        return (uint16_t)(sign | (rounded - 0x38000000U) >> 13);
    }
    /* Subnormal: adding 0.5 leaves the result, rounded to a multiple of 2^-24, in the low bits.
     */
    float absolute;
    memcpy(&absolute, &magnitude, sizeof absolute);
    const float shifted = absolute + 0.5F;
    uint32_t low;
    memcpy(&low, &shifted, sizeof low);
    return (uint16_t)(sign | (low - 0x3f000000U));
}
