/* AVX512_BF16: sixteen sums of two products of bf16 at a time. */
#include "app/peaks.h"

#include "coppice/base/cpu.h"

#if defined(__AVX512F__) && defined(__AVX512BF16__)
#include <cpuid.h>
#include <immintrin.h>

enum { SUMS = 24, LANES = 16 };

static float run(size_t rounds)
{
    const __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f003f00); /* 0.5, twice */
    __m512 sum[SUMS];
    float out[LANES];
    for (int j = 0; j < SUMS; j++) /* of different sums, since one of equal ones would do */
        sum[j] = _mm512_set1_ps((float)j);
    for (size_t i = 0; i < rounds; i++) {
#pragma GCC unroll 24
        for (int j = 0; j < SUMS; j++)
            sum[j] = _mm512_dpbf16_ps(sum[j], x, x);
    }
    for (int j = 1; j < SUMS; j++)
        sum[0] = _mm512_add_ps(sum[0], sum[j]);
    _mm512_storeu_ps(out, sum[0]);
    return out[0] + out[LANES - 1];
}

static bool is_there(void)
{
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return cop_cpu_isa() >= COP_ISA_AVX512 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 &&
           (a & 1U << 5) != 0;
}

const cop_peak cop_peak_avx512bf16 = {"AVX-512, bf16", true, 4.0 * SUMS *LANES, run, is_there};
#else
COP_PEAK_ABSENT(cop_peak_avx512bf16);
#endif
