/* Root mean square norms of one row. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

#include <math.h>

static float inverse_rms(const float *in, size_t width, float eps)
{
    float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < width; i++) {
        sum += in[i] * in[i];
    }
    return 1.0F / sqrtf(sum / (float)width + eps);
}

void COP_KERNEL(cop_kernel_rmsnorm)(void *out, cop_dtype dtype, const float *in,
                                    const float *weight, size_t width, float eps)
{
    const float factor = inverse_rms(in, width, eps);
    if (dtype == COP_BF16) {
        uint16_t *const narrow = out;
#pragma omp simd
        for (size_t i = 0; i < width; i++) {
            narrow[i] = narrow_bf16(in[i] * factor * weight[i]);
        }
    } else {
        float *const wide = out;
#pragma omp simd
        for (size_t i = 0; i < width; i++) {
            wide[i] = in[i] * factor * weight[i];
        }
    }
}

void COP_KERNEL(cop_kernel_rmsnorm_add)(float *residual, const float *in, const float *weight,
                                        size_t width, float eps)
{
    const float factor = inverse_rms(in, width, eps);
#pragma omp simd
    for (size_t i = 0; i < width; i++) {
        residual[i] += in[i] * factor * weight[i];
    }
}
