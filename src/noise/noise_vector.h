/* The noise by vectors of any width: one text, which the file of each instruction set includes
 * once, after it has defined
 *
 *     V(name)                  the intrinsic of that name for whole vectors
 *     ints, floats, doubles    whole vectors, as_ints(), as_floats() their bits as another
 *     LANES                    32-bit elements of one
 *     and_bits()               what the intrinsics name by the width of the vector
 *     set_word(), set_block()  all elements equal, of 32 and of 64 bits
 *     first_blocks(), last_blocks()   which blocks of a group are drawn together
 *     xor3(), flip()           three words' xor; the sign flipped where `turn` has its top bit
 *     choice, has_quarter(), choose() a choice by element: between the second and the third
 *                              where the quarter turn's bit is clear and set
 *
 * Operation by operation it is what gaussian.h and philox.h define. */
#ifndef COP_NOISE_NOISE_VECTOR_H
#define COP_NOISE_NOISE_VECTOR_H

#include "coppice/noise/gaussian.h"
#include "coppice/noise/noise.h"
#include "coppice/noise/philox.h"

#include <stdbool.h>

/* A group: what two calls of philox_rounds() give, four words of a block each. */
enum { GROUP_BLOCKS = LANES, GROUP_ELEMENTS = 4 * GROUP_BLOCKS };

/* Ten rounds on half a group. Words sit in the low halves of 64-bit lanes: the multiplication
 * reads only those, so the high halves may hold anything. */
INLINE void philox_rounds(const philox_key *key, ints block, ints words[4])
{
    ints c0 = block;
    ints c1 = V(srli_epi64)(block, 32);
    ints c2 = set_word(key->tensor);
    ints c3 = set_word(key->stream);
#pragma GCC unroll 10
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const ints product0 = V(mul_epu32)(c0, set_word(PHILOX_MULTIPLIER_0));
        const ints product1 = V(mul_epu32)(c2, set_word(PHILOX_MULTIPLIER_1));
        const ints high0 = V(srli_epi64)(product0, 32);
        const ints high1 = V(srli_epi64)(product1, 32);
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

/* The words of the GROUP_BLOCKS blocks from `base` on, in the order of first_blocks(). */
INLINE void philox_group(const philox_key *key, uint64_t base, ints words[4])
{
    const ints start = set_block(base);
    ints a[4];
    ints b[4];
    philox_rounds(key, V(add_epi64)(start, first_blocks()), a);
    philox_rounds(key, V(add_epi64)(start, last_blocks()), b);
    for (int i = 0; i < 4; i++) {
        words[i] = as_ints(V(shuffle_ps)(as_floats(a[i]), as_floats(b[i]), 0x88));
    }
}

INLINE floats unit(ints x)
{
    const floats high = V(cvtepi32_ps)(V(srli_epi32)(x, 16));
    const floats low = V(cvtepi32_ps)(and_bits(x, set_word(0xffffU)));
    const floats sum = V(fmadd_ps)(high, V(set1_ps)(0x1p16F), V(add_ps)(low, V(set1_ps)(0.5F)));
    return V(mul_ps)(sum, V(set1_ps)(0x1p-32F));
}

/* p x + c */
INLINE floats horner(floats p, floats x, float c)
{
    return V(fmadd_ps)(p, x, V(set1_ps)(c));
}

INLINE floats minus_two_log(floats u)
{
    const ints sqrt_half = V(set1_epi32)(GAUSSIAN_SQRT_HALF_BITS);
    const ints shifted = V(sub_epi32)(as_ints(u), sqrt_half);
    const floats e = V(cvtepi32_ps)(V(srai_epi32)(shifted, 23));
    const ints mantissa = and_bits(shifted, set_word(GAUSSIAN_MANTISSA_BITS));
    const floats m = as_floats(V(add_epi32)(mantissa, sqrt_half));
    const floats f = V(sub_ps)(m, V(set1_ps)(1.0F));

    floats r = horner(V(set1_ps)(GAUSSIAN_LOG_8), f, GAUSSIAN_LOG_7);
    r = horner(r, f, GAUSSIAN_LOG_6);
    r = horner(r, f, GAUSSIAN_LOG_5);
    r = horner(r, f, GAUSSIAN_LOG_4);
    r = horner(r, f, GAUSSIAN_LOG_3);
    r = horner(r, f, GAUSSIAN_LOG_2);
    r = horner(r, f, GAUSSIAN_LOG_1);
    r = horner(r, f, GAUSSIAN_LOG_0);
    const floats linear = V(mul_ps)(V(set1_ps)(-2.0F), f);
    return V(fmadd_ps)(e, V(set1_ps)(GAUSSIAN_MINUS_TWO_LN_2),
                       V(fmadd_ps)(V(mul_ps)(f, f), r, linear));
}

INLINE floats sine_of(floats t, floats s)
{
    floats p = horner(V(set1_ps)(GAUSSIAN_SIN_3), s, GAUSSIAN_SIN_2);
    p = horner(p, s, GAUSSIAN_SIN_1);
    p = horner(p, s, GAUSSIAN_SIN_0);
    return V(fmadd_ps)(t, V(set1_ps)(GAUSSIAN_HALF_PI), V(mul_ps)(t, p));
}

INLINE floats cosine_of(floats s)
{
    floats p = horner(V(set1_ps)(GAUSSIAN_COS_3), s, GAUSSIAN_COS_2);
    p = horner(p, s, GAUSSIAN_COS_1);
    p = horner(p, s, GAUSSIAN_COS_0);
    return horner(p, s, 1.0F);
}

INLINE void gaussian_pairs(ints x, ints y, floats *first, floats *second)
{
    const floats radius = V(sqrt_ps)(minus_two_log(unit(x)));
    const ints offset = V(srai_epi32)(V(slli_epi32)(y, 2), 2);
    const floats t = V(mul_ps)(V(cvtepi32_ps)(offset), V(set1_ps)(0x1p-30F));
    const floats s = V(mul_ps)(t, t);
    const floats sine = sine_of(t, s);
    const floats cosine = cosine_of(s);
    const ints turned = V(add_epi32)(y, set_word(GAUSSIAN_EIGHTH_TURN));
    const choice swap = has_quarter(turned);
    *first = flip(V(mul_ps)(radius, choose(swap, cosine, sine)),
                  V(add_epi32)(turned, set_word(GAUSSIAN_QUARTER_TURN)));
    *second = flip(V(mul_ps)(radius, choose(swap, sine, cosine)), turned);
}

/* The elements of one group of words, in order. */
INLINE void gaussian_group(const ints words[4], floats z[4])
{
    floats row[4];
    gaussian_pairs(words[0], words[1], &row[0], &row[1]);
    gaussian_pairs(words[2], words[3], &row[2], &row[3]);
    const doubles low01 = V(castps_pd)(V(unpacklo_ps)(row[0], row[1]));
    const doubles high01 = V(castps_pd)(V(unpackhi_ps)(row[0], row[1]));
    const doubles low23 = V(castps_pd)(V(unpacklo_ps)(row[2], row[3]));
    const doubles high23 = V(castps_pd)(V(unpackhi_ps)(row[2], row[3]));
    z[0] = V(castpd_ps)(V(unpacklo_pd)(low01, low23));
    z[1] = V(castpd_ps)(V(unpackhi_pd)(low01, low23));
    z[2] = V(castpd_ps)(V(unpacklo_pd)(high01, high23));
    z[3] = V(castpd_ps)(V(unpackhi_pd)(high01, high23));
}

/* Whole groups: `out` [groups * GROUP_ELEMENTS] from element 4 * block on, stored or, with
 * `add`, times `factor` added. The next group's words are drawn while this one's are turned
 * into numbers: the two chains share nothing, and each alone would wait for its own results. */
INLINE void run_groups(float *out, const philox_key *key, uint64_t block, size_t groups,
                       bool add, float factor)
{
    ints next[4];
    if (groups > 0) philox_group(key, block, next);
    for (size_t group = 0; group < groups; group++) {
        const ints words[4] = {next[0], next[1], next[2], next[3]};
        floats z[4];
        block += GROUP_BLOCKS;
        philox_group(key, block, next);
        gaussian_group(words, z);
        for (int k = 0; k < 4; k++, out += LANES) {
            if (add) z[k] = V(fmadd_ps)(V(set1_ps)(factor), z[k], V(loadu_ps)(out));
            V(storeu_ps)(out, z[k]);
        }
    }
}

/* Part of one group, for the ends of a run: elements index .. index + count - 1. */
static void run_part(float *out, const philox_key *key, uint64_t index, size_t count,
                     const float *factor)
{
    ints words[4];
    floats z[4];
    float buffer[GROUP_ELEMENTS];
    philox_group(key, index / 4, words);
    gaussian_group(words, z);
    for (int k = 0; k < 4; k++) {
        V(storeu_ps)(buffer + (size_t)k * LANES, z[k]);
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

#endif
