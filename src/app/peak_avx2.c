/* AVX2: eight numbers at a time, fused. */
#include "app/peaks.h"

#include "coppice/base/cpu.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

enum { SUMS = 12, LANES = 8 };

static float run(size_t rounds)
{
    const __m256 x = _mm256_set1_ps(0.5F);
    __m256 sum[SUMS];
    float out[LANES];
    for (int j = 0; j < SUMS; j++) /* of different sums, since one of equal ones would do */
        sum[j] = _mm256_set1_ps((float)j);
    for (size_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < SUMS; j++)
            sum[j] = _mm256_fmadd_ps(sum[j], x, x);
    }
    for (int j = 1; j < SUMS; j++)
        sum[0] = _mm256_add_ps(sum[0], sum[j]);
    _mm256_storeu_ps(out, sum[0]);
    return out[0] + out[LANES - 1];
}

static bool is_there(void)
{
    return cop_cpu_isa() >= COP_ISA_AVX2;
}

const cop_peak cop_peak_avx2 = {"AVX2, f32", false, 2.0 * SUMS *LANES, run, is_there};
#else
COP_PEAK_ABSENT(cop_peak_avx2);
#endif
