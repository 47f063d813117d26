/* Root mean square norms of one row. Squares are added in LANES sums, of every LANES-th element
 * each, and these in order: whole vectors of any width do that, with the same bits. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

#include <math.h>

enum { LANES = 16 };

static float inverse_rms(const float *in, size_t width, float eps)
{
    float sums[LANES] = {0.0F};
    float sum = 0.0F;
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) {
#pragma omp simd
        for (size_t l = 0; l < LANES; l++)
            sums[l] += in[i + l] * in[i + l];
    }
    for (size_t l = 0; i + l < width; l++)
        sums[l] += in[i + l] * in[i + l];
    for (size_t l = 0; l < LANES; l++)
        sum += sums[l];
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
