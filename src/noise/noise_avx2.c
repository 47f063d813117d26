/* Noise with AVX2 and FMA: 8 Philox blocks, 32 elements, at a time. */
#include "coppice/noise/gaussian.h"
#include "coppice/noise/noise.h"
#include "coppice/noise/philox.h"
#include "noise/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#include <stdbool.h>

#define INLINE static inline __attribute__((always_inline))

enum { GROUP_BLOCKS = 8, GROUP_ELEMENTS = 32, LANES = 8 };

INLINE __m256i set_word(uint32_t word)
{
    return _mm256_set1_epi32((int)word);
}

INLINE __m256i xor3(__m256i a, __m256i b, __m256i c)
{
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

/* Ten rounds on 4 blocks. Words sit in the low halves of 64-bit lanes: the multiplication reads
 * only those, so the high halves may hold anything. */
INLINE void philox_rounds(const philox_key *key, __m256i block, __m256i words[4])
{
    __m256i c0 = block;
    __m256i c1 = _mm256_srli_epi64(block, 32);
    __m256i c2 = set_word(key->tensor);
    __m256i c3 = set_word((uint32_t)COP_STREAM_WEIGHTS);
#pragma GCC unroll 10
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const __m256i product0 = _mm256_mul_epu32(c0, set_word(PHILOX_MULTIPLIER_0));
        const __m256i product1 = _mm256_mul_epu32(c2, set_word(PHILOX_MULTIPLIER_1));
        const __m256i high0 = _mm256_srli_epi64(product0, 32);
        const __m256i high1 = _mm256_srli_epi64(product1, 32);
        c0 = xor3(c1, set_word(key->low[round]), high1);
        c1 = product1;
        c2 = xor3(c3, set_word(key->high[round]), high0);
        c3 = product0;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/* The words of blocks base .. base + 7: element k of 128-bit lane l belongs to block 2 k + l,
 * so that transposing each lane by itself leaves the elements in order. */
INLINE void philox_group(const philox_key *key, uint64_t base, __m256i words[4])
{
    const __m256i start = _mm256_set1_epi64x((long long)base);
    const __m256i low = _mm256_setr_epi64x(0, 2, 1, 3);
    const __m256i high = _mm256_setr_epi64x(4, 6, 5, 7);
    __m256i a[4];
    __m256i b[4];
    philox_rounds(key, _mm256_add_epi64(start, low), a);
    philox_rounds(key, _mm256_add_epi64(start, high), b);
    for (int i = 0; i < 4; i++) {
        words[i] = _mm256_castps_si256(
            _mm256_shuffle_ps(_mm256_castsi256_ps(a[i]), _mm256_castsi256_ps(b[i]), 0x88));
    }
}

INLINE __m256 unit(__m256i x)
{
    const __m256 high = _mm256_cvtepi32_ps(_mm256_srli_epi32(x, 16));
    const __m256 low = _mm256_cvtepi32_ps(_mm256_and_si256(x, set_word(0xffffU)));
    const __m256 sum = _mm256_fmadd_ps(high, _mm256_set1_ps(0x1p16F),
                                       _mm256_add_ps(low, _mm256_set1_ps(0.5F)));
    return _mm256_mul_ps(sum, _mm256_set1_ps(0x1p-32F));
}

/* p x + c */
INLINE __m256 horner(__m256 p, __m256 x, float c)
{
    return _mm256_fmadd_ps(p, x, _mm256_set1_ps(c));
}

INLINE __m256 minus_two_log(__m256 u)
{
    const __m256i sqrt_half = _mm256_set1_epi32(GAUSSIAN_SQRT_HALF_BITS);
    const __m256i shifted = _mm256_sub_epi32(_mm256_castps_si256(u), sqrt_half);
    const __m256 e = _mm256_cvtepi32_ps(_mm256_srai_epi32(shifted, 23));
    const __m256i mantissa = _mm256_and_si256(shifted, set_word(GAUSSIAN_MANTISSA_BITS));
    const __m256 m = _mm256_castsi256_ps(_mm256_add_epi32(mantissa, sqrt_half));
    const __m256 f = _mm256_sub_ps(m, _mm256_set1_ps(1.0F));

    __m256 r = horner(_mm256_set1_ps(GAUSSIAN_LOG_8), f, GAUSSIAN_LOG_7);
    r = horner(r, f, GAUSSIAN_LOG_6);
    r = horner(r, f, GAUSSIAN_LOG_5);
    r = horner(r, f, GAUSSIAN_LOG_4);
    r = horner(r, f, GAUSSIAN_LOG_3);
    r = horner(r, f, GAUSSIAN_LOG_2);
    r = horner(r, f, GAUSSIAN_LOG_1);
    r = horner(r, f, GAUSSIAN_LOG_0);
    const __m256 linear = _mm256_mul_ps(_mm256_set1_ps(-2.0F), f);
    return _mm256_fmadd_ps(e, _mm256_set1_ps(GAUSSIAN_MINUS_TWO_LN_2),
                           _mm256_fmadd_ps(_mm256_mul_ps(f, f), r, linear));
}

INLINE __m256 sine_of(__m256 t, __m256 s)
{
    __m256 p = horner(_mm256_set1_ps(GAUSSIAN_SIN_3), s, GAUSSIAN_SIN_2);
    p = horner(p, s, GAUSSIAN_SIN_1);
    p = horner(p, s, GAUSSIAN_SIN_0);
    return _mm256_fmadd_ps(t, _mm256_set1_ps(GAUSSIAN_HALF_PI), _mm256_mul_ps(t, p));
}

INLINE __m256 cosine_of(__m256 s)
{
    __m256 p = horner(_mm256_set1_ps(GAUSSIAN_COS_3), s, GAUSSIAN_COS_2);
    p = horner(p, s, GAUSSIAN_COS_1);
    p = horner(p, s, GAUSSIAN_COS_0);
    return horner(p, s, 1.0F);
}

/* Flips the sign of z where the top bit of `turn` is set. */
INLINE __m256 flip(__m256 z, __m256i turn)
{
    const __m256i sign = _mm256_and_si256(turn, set_word(GAUSSIAN_HALF_TURN));
    return _mm256_xor_ps(z, _mm256_castsi256_ps(sign));
}

INLINE void gaussian_pairs(__m256i x, __m256i y, __m256 *first, __m256 *second)
{
    const __m256 radius = _mm256_sqrt_ps(minus_two_log(unit(x)));
    const __m256i offset = _mm256_srai_epi32(_mm256_slli_epi32(y, 2), 2);
    const __m256 t = _mm256_mul_ps(_mm256_cvtepi32_ps(offset), _mm256_set1_ps(0x1p-30F));
    const __m256 s = _mm256_mul_ps(t, t);
    const __m256 sine = sine_of(t, s);
    const __m256 cosine = cosine_of(s);
    const __m256i turned = _mm256_add_epi32(y, set_word(GAUSSIAN_EIGHTH_TURN));
    /* The quarter turn's bit, moved to the top, selects. */
    const __m256 swap = _mm256_castsi256_ps(_mm256_add_epi32(turned, turned));
    *first = flip(_mm256_mul_ps(radius, _mm256_blendv_ps(cosine, sine, swap)),
                  _mm256_add_epi32(turned, set_word(GAUSSIAN_QUARTER_TURN)));
    *second = flip(_mm256_mul_ps(radius, _mm256_blendv_ps(sine, cosine, swap)), turned);
}

/* The elements of one group of words, in order. */
INLINE void gaussian_group(const __m256i words[4], __m256 z[4])
{
    __m256 row[4];
    gaussian_pairs(words[0], words[1], &row[0], &row[1]);
    gaussian_pairs(words[2], words[3], &row[2], &row[3]);
    const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(row[0], row[1]));
    const __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(row[0], row[1]));
    const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(row[2], row[3]));
    const __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(row[2], row[3]));
    z[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23));
    z[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23));
    z[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23));
    z[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23));
}

/* Whole groups: `out` [groups * 32] from element 4 * block on, stored or, with `add`, times
 * `factor` added. The next group's words are drawn while this one's are turned into numbers:
 * the two chains share nothing, and each alone would wait for its own results. */
INLINE void run_groups(float *out, const philox_key *key, uint64_t block, size_t groups,
                       bool add, float factor)
{
    __m256i next[4];
    if (groups > 0) philox_group(key, block, next);
    for (size_t group = 0; group < groups; group++) {
        const __m256i words[4] = {next[0], next[1], next[2], next[3]};
        __m256 z[4];
        block += GROUP_BLOCKS;
        philox_group(key, block, next);
        gaussian_group(words, z);
        for (int k = 0; k < 4; k++, out += LANES) {
            if (add) z[k] = _mm256_fmadd_ps(_mm256_set1_ps(factor), z[k], _mm256_loadu_ps(out));
            _mm256_storeu_ps(out, z[k]);
        }
    }
}

/* Part of one group, for the ends of a run: elements index .. index + count - 1. */
static void run_part(float *out, const philox_key *key, uint64_t index, size_t count,
                     const float *factor)
{
    __m256i words[4];
    __m256 z[4];
    float buffer[GROUP_ELEMENTS];
    philox_group(key, index / 4, words);
    gaussian_group(words, z);
    for (int k = 0; k < 4; k++) {
        _mm256_storeu_ps(buffer + (size_t)k * LANES, z[k]);
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

void cop_noise_fill_avx2(float *out, uint64_t seed, uint32_t tensor, uint64_t first,
                         size_t count)
{
    const philox_key key = philox_key_of(seed, tensor);
    run(out, &key, first, count, NULL);
}

void cop_noise_accumulate_avx2(float *sums, uint64_t seed, uint32_t tensor, uint64_t first,
                               size_t count, float factor)
{
    const philox_key key = philox_key_of(seed, tensor);
    run(sums, &key, first, count, &factor);
}
#endif
