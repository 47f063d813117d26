/* Conversions between storage types and binary32. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

#include <assert.h>
#include <string.h>

void COP_KERNEL(cop_kernel_widen)(float *out, const void *in, cop_dtype dtype, size_t count)
{
    assert(dtype != COP_DTYPE_OTHER);
    if (dtype == COP_F32) {
        memcpy(out, in, count * sizeof *out);
        return;
    }
    const uint16_t *const narrow = in;
    if (dtype == COP_BF16) {
#pragma omp simd
        for (size_t i = 0; i < count; i++) {
            out[i] = widen_bf16(narrow[i]);
        }
        return;
    }
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        out[i] = widen_f16(narrow[i]);
    }
}

void COP_KERNEL(cop_kernel_narrow)(void *out, cop_dtype dtype, const float *in, size_t count)
{
    assert(dtype == COP_F32 || dtype == COP_BF16);
    if (dtype == COP_F32) {
        memcpy(out, in, count * sizeof *in);
        return;
    }
    uint16_t *const narrow = out;
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        narrow[i] = narrow_bf16(in[i]);
    }
}
