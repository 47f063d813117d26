/* Stored weights to binary32 and back on any processor. Stored elements may lie at odd
 * addresses, as a mapped file has them. */
#include "rebuild/storage.h"

#include <assert.h>
#include <math.h>
#include <string.h>

void cop_storage_widen_scalar(float *out, const void *stored, cop_dtype dtype, size_t count)
{
    assert(dtype != COP_DTYPE_OTHER);
    if (dtype == COP_F32) {
        memcpy(out, stored, count * sizeof *out);
        return;
    }
    const char *const bytes = stored;
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + i * sizeof half, sizeof half);
        out[i] = dtype == COP_BF16 ? cop_bf16_to_f32(half) : cop_f16_to_f32(half);
    }
}

void cop_storage_narrow_scalar(void *stored, const float *values, cop_dtype dtype, size_t count)
{
    assert(dtype != COP_DTYPE_OTHER);
    if (dtype == COP_F32) {
        memcpy(stored, values, count * sizeof *values);
        return;
    }
    char *const bytes = stored;
    for (size_t i = 0; i < count; i++) {
        const uint16_t half =
            dtype == COP_BF16 ? cop_f32_to_bf16(values[i]) : cop_f32_to_f16(values[i]);
        memcpy(bytes + i * sizeof half, &half, sizeof half);
    }
}

void cop_storage_add_scalar(float *sums, const float *values, float factor, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sums[i] = fmaf(factor, values[i], sums[i]);
}
