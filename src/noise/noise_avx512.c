/* Noise with AVX-512: 16 Philox blocks, 64 elements, at a time. */
#include "coppice/noise/gaussian.h"
#include "coppice/noise/noise.h"
#include "coppice/noise/philox.h"
#include "noise/kernels.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>
#include <stdbool.h>

#define INLINE static inline __attribute__((always_inline))

enum { GROUP_BLOCKS = 16, GROUP_ELEMENTS = 64, LANES = 16 };

INLINE __m512i set_word(uint32_t word)
{
    return _mm512_set1_epi32((int)word);
}

/* Ten rounds on 8 blocks. Words sit in the low halves of 64-bit lanes: the multiplication reads
 * only those, so the high halves may hold anything. */
INLINE void philox_rounds(const philox_key *key, __m512i block, __m512i words[4])
{
    __m512i c0 = block;
    __m512i c1 = _mm512_srli_epi64(block, 32);
    __m512i c2 = set_word(key->tensor);
    __m512i c3 = set_word((uint32_t)COP_STREAM_WEIGHTS);
#pragma GCC unroll 10
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const __m512i product0 = _mm512_mul_epu32(c0, set_word(PHILOX_MULTIPLIER_0));
        const __m512i product1 = _mm512_mul_epu32(c2, set_word(PHILOX_MULTIPLIER_1));
        const __m512i high0 = _mm512_srli_epi64(product0, 32);
        const __m512i high1 = _mm512_srli_epi64(product1, 32);
        c0 = _mm512_ternarylogic_epi32(high1, c1, set_word(key->low[round]), 0x96);
        c1 = product1;
        c2 = _mm512_ternarylogic_epi32(high0, c3, set_word(key->high[round]), 0x96);
        c3 = product0;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/* The words of blocks base .. base + 15: element k of 128-bit lane l belongs to block 4 k + l,
 * so that transposing each lane by itself leaves the elements in order. */
INLINE void philox_group(const philox_key *key, uint64_t base, __m512i words[4])
{
    const __m512i start = _mm512_set1_epi64((long long)base);
    const __m512i low = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    const __m512i high = _mm512_setr_epi64(8, 12, 9, 13, 10, 14, 11, 15);
    __m512i a[4];
    __m512i b[4];
    philox_rounds(key, _mm512_add_epi64(start, low), a);
    philox_rounds(key, _mm512_add_epi64(start, high), b);
    for (int i = 0; i < 4; i++) {
        words[i] = _mm512_castps_si512(
            _mm512_shuffle_ps(_mm512_castsi512_ps(a[i]), _mm512_castsi512_ps(b[i]), 0x88));
    }
}

INLINE __m512 unit(__m512i x)
{
    const __m512 high = _mm512_cvtepi32_ps(_mm512_srli_epi32(x, 16));
    const __m512 low = _mm512_cvtepi32_ps(_mm512_and_si512(x, set_word(0xffffU)));
    const __m512 sum = _mm512_fmadd_ps(high, _mm512_set1_ps(0x1p16F),
                                       _mm512_add_ps(low, _mm512_set1_ps(0.5F)));
    return _mm512_mul_ps(sum, _mm512_set1_ps(0x1p-32F));
}

/* p x + c */
INLINE __m512 horner(__m512 p, __m512 x, float c)
{
    return _mm512_fmadd_ps(p, x, _mm512_set1_ps(c));
}

INLINE __m512 minus_two_log(__m512 u)
{
    const __m512i sqrt_half = _mm512_set1_epi32(GAUSSIAN_SQRT_HALF_BITS);
    const __m512i shifted = _mm512_sub_epi32(_mm512_castps_si512(u), sqrt_half);
    const __m512 e = _mm512_cvtepi32_ps(_mm512_srai_epi32(shifted, 23));
    const __m512i mantissa = _mm512_and_si512(shifted, set_word(GAUSSIAN_MANTISSA_BITS));
    const __m512 m = _mm512_castsi512_ps(_mm512_add_epi32(mantissa, sqrt_half));
    const __m512 f = _mm512_sub_ps(m, _mm512_set1_ps(1.0F));

    __m512 r = horner(_mm512_set1_ps(GAUSSIAN_LOG_8), f, GAUSSIAN_LOG_7);
    r = horner(r, f, GAUSSIAN_LOG_6);
    r = horner(r, f, GAUSSIAN_LOG_5);
    r = horner(r, f, GAUSSIAN_LOG_4);
    r = horner(r, f, GAUSSIAN_LOG_3);
    r = horner(r, f, GAUSSIAN_LOG_2);
    r = horner(r, f, GAUSSIAN_LOG_1);
    r = horner(r, f, GAUSSIAN_LOG_0);
    const __m512 linear = _mm512_mul_ps(_mm512_set1_ps(-2.0F), f);
    return _mm512_fmadd_ps(e, _mm512_set1_ps(GAUSSIAN_MINUS_TWO_LN_2),
                           _mm512_fmadd_ps(_mm512_mul_ps(f, f), r, linear));
}

INLINE __m512 sine_of(__m512 t, __m512 s)
{
    __m512 p = horner(_mm512_set1_ps(GAUSSIAN_SIN_3), s, GAUSSIAN_SIN_2);
    p = horner(p, s, GAUSSIAN_SIN_1);
    p = horner(p, s, GAUSSIAN_SIN_0);
    return _mm512_fmadd_ps(t, _mm512_set1_ps(GAUSSIAN_HALF_PI), _mm512_mul_ps(t, p));
}

INLINE __m512 cosine_of(__m512 s)
{
    __m512 p = horner(_mm512_set1_ps(GAUSSIAN_COS_3), s, GAUSSIAN_COS_2);
    p = horner(p, s, GAUSSIAN_COS_1);
    p = horner(p, s, GAUSSIAN_COS_0);
    return horner(p, s, 1.0F);
}

/* Flips the sign of z where the top bit of `turn` is set. */
INLINE __m512 flip(__m512 z, __m512i turn)
{
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(z), turn,
                                                         set_word(GAUSSIAN_HALF_TURN),
                                                         0x78)); /* z ^ (turn & top) */
}

INLINE void gaussian_pairs(__m512i x, __m512i y, __m512 *first, __m512 *second)
{
    const __m512 radius = _mm512_sqrt_ps(minus_two_log(unit(x)));
    const __m512i offset = _mm512_srai_epi32(_mm512_slli_epi32(y, 2), 2);
    const __m512 t = _mm512_mul_ps(_mm512_cvtepi32_ps(offset), _mm512_set1_ps(0x1p-30F));
    const __m512 s = _mm512_mul_ps(t, t);
    const __m512 sine = sine_of(t, s);
    const __m512 cosine = cosine_of(s);
    const __m512i turned = _mm512_add_epi32(y, set_word(GAUSSIAN_EIGHTH_TURN));
    const __m512i quarter = set_word(GAUSSIAN_QUARTER_TURN);
    const __mmask16 swap = _mm512_test_epi32_mask(turned, quarter);
    *first = flip(_mm512_mul_ps(radius, _mm512_mask_blend_ps(swap, cosine, sine)),
                  _mm512_add_epi32(turned, quarter));
    *second = flip(_mm512_mul_ps(radius, _mm512_mask_blend_ps(swap, sine, cosine)), turned);
}

/* The elements of one group of words, in order. */
INLINE void gaussian_group(const __m512i words[4], __m512 z[4])
{
    __m512 row[4];
    gaussian_pairs(words[0], words[1], &row[0], &row[1]);
    gaussian_pairs(words[2], words[3], &row[2], &row[3]);
    const __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(row[0], row[1]));
    const __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(row[0], row[1]));
    const __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(row[2], row[3]));
    const __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(row[2], row[3]));
    z[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(low01, low23));
    z[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low01, low23));
    z[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high01, high23));
    z[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high01, high23));
}

/* Whole groups: `out` [groups * 64] from element 4 * block on, stored or, with `add`, times
 * `factor` added. The next group's words are drawn while this one's are turned into numbers:
 * the two chains share nothing, and each alone would wait for its own results. */
INLINE void run_groups(float *out, const philox_key *key, uint64_t block, size_t groups,
                       bool add, float factor)
{
    __m512i next[4];
    if (groups > 0) philox_group(key, block, next);
    for (size_t group = 0; group < groups; group++) {
        const __m512i words[4] = {next[0], next[1], next[2], next[3]};
        __m512 z[4];
        block += GROUP_BLOCKS;
        philox_group(key, block, next);
        gaussian_group(words, z);
        for (int k = 0; k < 4; k++, out += LANES) {
            if (add) z[k] = _mm512_fmadd_ps(_mm512_set1_ps(factor), z[k], _mm512_loadu_ps(out));
            _mm512_storeu_ps(out, z[k]);
        }
    }
}

/* Part of one group, for the ends of a run: elements index .. index + count - 1. */
static void run_part(float *out, const philox_key *key, uint64_t index, size_t count,
                     const float *factor)
{
    __m512i words[4];
    __m512 z[4];
    float buffer[GROUP_ELEMENTS];
    philox_group(key, index / 4, words);
    gaussian_group(words, z);
    for (int k = 0; k < 4; k++) {
        _mm512_storeu_ps(buffer + (size_t)k * LANES, z[k]);
    }
    for (size_t i = 0; i < count; i++) {
        const float number = buffer[index % 4 + i];
        out[i] = factor == NULL ? number : fmaf(*factor, number, out[i]);
    }
}

/* A run of elements: up to the start of a block, whole groups, the rest. */
INLINE void run(float *out, const philox_key *key, uint64_t first, size_t count,
                const float *factor)
{
    const size_t aligned = (size_t)(-first % 4);
    const size_t head = aligned < count ? aligned : count;
    const size_t groups = (count - head) / GROUP_ELEMENTS;
    const size_t body = head + groups * GROUP_ELEMENTS;
    if (head > 0) run_part(out, key, first, head, factor);
    run_groups(out + head, key, (first + head) / 4, groups, factor != NULL,
               factor != NULL ? *factor : 0.0F);
    if (body < count) run_part(out + body, key, first + body, count - body, factor);
}

void cop_noise_fill_avx512(float *out, uint64_t seed, uint32_t tensor, uint64_t first,
                           size_t count)
{
    const philox_key key = philox_key_of(seed, tensor);
    run(out, &key, first, count, NULL);
}

void cop_noise_accumulate_avx512(float *sums, uint64_t seed, uint32_t tensor, uint64_t first,
                                 size_t count, float factor)
{
    const philox_key key = philox_key_of(seed, tensor);
    run(sums, &key, first, count, &factor);
}
#endif
