/* Rotary embedding in the half-split form, and storing of keys. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

void COP_KERNEL(cop_kernel_rope)(float *heads, size_t count, size_t size, const float *table)
{
    const size_t half = size / 2;
    const float *const cosine = table;
    const float *const sine = table + half;
    for (size_t h = 0; h < count; h++) {
        float *const low = heads + h * size;
        float *const high = low + half;
#pragma omp simd
        for (size_t i = 0; i < half; i++) {
            const float a = low[i];
            const float b = high[i];
            low[i] = a * cosine[i] - b * sine[i];
            high[i] = b * cosine[i] + a * sine[i];
        }
    }
}

void COP_KERNEL(cop_kernel_store_key)(void *keys, cop_dtype dtype, size_t position,
                                      const float *key, size_t size)
{
    const size_t start =
        position / COP_KEY_BLOCK * (size * COP_KEY_BLOCK) + position % COP_KEY_BLOCK;
    if (dtype == COP_BF16) {
        uint16_t *const lane = (uint16_t *)keys + start;
        for (size_t i = 0; i < size; i++) {
            lane[i * COP_KEY_BLOCK] = narrow_bf16(key[i]);
        }
    } else {
        float *const lane = (float *)keys + start;
        for (size_t i = 0; i < size; i++) {
            lane[i * COP_KEY_BLOCK] = key[i];
        }
    }
}
