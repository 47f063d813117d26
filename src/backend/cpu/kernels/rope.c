/* Rotary embedding in the half-split form, and storing of keys and values. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

#include <string.h>

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
    const size_t block = position / COP_KEY_BLOCK;
    if (dtype == COP_BF16) {
        const size_t pairs = cop_attention_key_depth(size) / 2;
        uint32_t *const lane =
            (uint32_t *)keys + block * pairs * COP_PANEL + position % COP_PANEL;
        for (size_t i = 0; i < pairs; i++) {
            const uint32_t low = 2 * i < size ? narrow_bf16(key[2 * i]) : 0;
            const uint32_t high = 2 * i + 1 < size ? narrow_bf16(key[2 * i + 1]) : 0;
            lane[i * COP_PANEL] = low | high << 16;
        }
    } else {
        float *const lane =
            (float *)keys + block * (size * COP_KEY_BLOCK) + position % COP_KEY_BLOCK;
        for (size_t i = 0; i < size; i++) {
            lane[i * COP_KEY_BLOCK] = key[i];
        }
    }
}

void COP_KERNEL(cop_kernel_store_value)(void *values, cop_dtype dtype, size_t panel_words,
                                        size_t position, const float *value, size_t size)
{
    const size_t stride = cop_attention_value_stride(size);
    if (dtype == COP_F32) {
        memcpy((float *)values + position * stride, value, size * sizeof *value);
        return;
    }
    for (size_t first = 0; first < size; first += COP_PANEL) {
        uint16_t *const half =
            (uint16_t *)values +
            2 * (first / COP_PANEL * panel_words + position / 2 * COP_PANEL) + position % 2;
        const size_t count = size - first < COP_PANEL ? size - first : COP_PANEL;
        for (size_t i = 0; i < count; i++)
            half[2 * i] = narrow_bf16(value[first + i]);
        for (size_t i = count; i < COP_PANEL; i++)
            half[2 * i] = 0;
    }
}
