/* The gated unit of one row. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

void COP_KERNEL(cop_kernel_swiglu)(void *out, cop_dtype dtype, const float *in, size_t width)
{
    const float *const gate = in;
    const float *const up = in + width;
    if (dtype == COP_BF16) {
        uint16_t *const narrow = out;
#pragma omp simd
        for (size_t i = 0; i < width; i++) {
            narrow[i] = narrow_bf16(gate[i] / (1.0F + exp_f32(-gate[i])) * up[i]);
        }
    } else {
        float *const wide = out;
#pragma omp simd
        for (size_t i = 0; i < width; i++) {
            wide[i] = gate[i] / (1.0F + exp_f32(-gate[i])) * up[i];
        }
    }
}
