/* AVX-512: sixteen numbers at a time, fused. */
#include "app/peaks.h"

#include "coppice/base/cpu.h"

#if defined(__AVX512F__)
#include <immintrin.h>

enum { SUMS = 16, LANES = 16 };

static float run(size_t rounds)
{
    const __m512 x = _mm512_set1_ps(0.5F);
    __m512 sum[SUMS];
    float out[LANES];
    for (int j = 0; j < SUMS; j++) /* of different sums, since one of equal ones would do */
        sum[j] = _mm512_set1_ps((float)j);
    for (size_t i = 0; i < rounds; i++) {
#pragma GCC unroll 16
        for (int j = 0; j < SUMS; j++)
            sum[j] = _mm512_fmadd_ps(sum[j], x, x);
    }
    for (int j = 1; j < SUMS; j++)
        sum[0] = _mm512_add_ps(sum[0], sum[j]);
    _mm512_storeu_ps(out, sum[0]);
    return out[0] + out[LANES - 1];
}

static bool is_there(void)
{
    return cop_cpu_isa() >= COP_ISA_AVX512;
}

const cop_peak cop_peak_avx512 = {"AVX-512, f32", false, 2.0 * SUMS *LANES, run, is_there};
#else
COP_PEAK_ABSENT(cop_peak_avx512);
#endif
