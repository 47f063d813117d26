/** \file gaussian.h
 * The arithmetic of the noise: constants that every implementation shares, and the plain scalar
 * form that defines the result. Every function is a fixed sequence of binary32 operations; the
 * vector forms repeat it operation by operation.
 *
 * Notation: u in [2^-33, 1] is the uniform number, f = m - 1 with u = 2^e m and m in
 * [sqrt(1/2), sqrt(2)); the angle is (pi / 2) (quadrant + t) with t in [-1/2, 1/2], s = t^2.
 * The coefficients are minimax for the relative error of the function, rounded to binary32.
 *
 * A compiler for another processor defines how a function, a fused multiply-add and a correctly
 * rounded square root are written there, before it includes this.
 */
#ifndef COPPICE_NOISE_GAUSSIAN_H
#define COPPICE_NOISE_GAUSSIAN_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef GAUSSIAN_FUNCTION
#define GAUSSIAN_FUNCTION static inline
#define GAUSSIAN_FMA fmaf
#define GAUSSIAN_SQRT sqrtf
#endif

/* -2 ln m = f^2 R(f) - 2 f; R of degree 8, relative error of the whole 2^-27.8. */
#define GAUSSIAN_LOG_0 0x1.fffff8p-1F
#define GAUSSIAN_LOG_1 (-0x1.555550p-1F)
#define GAUSSIAN_LOG_2 0x1.000438p-1F
#define GAUSSIAN_LOG_3 (-0x1.99a41cp-2F)
#define GAUSSIAN_LOG_4 0x1.5423e8p-2F
#define GAUSSIAN_LOG_5 (-0x1.226c84p-2F)
#define GAUSSIAN_LOG_6 0x1.0f5208p-2F
#define GAUSSIAN_LOG_7 (-0x1.087500p-2F)
#define GAUSSIAN_LOG_8 0x1.38138ep-3F
#define GAUSSIAN_MINUS_TWO_LN_2 (-0x1.62e430p+0F)
#define GAUSSIAN_SQRT_HALF_BITS 0x3f3504f3
#define GAUSSIAN_MANTISSA_BITS 0x007fffff

/* sin((pi/2) t) = t HALF_PI + t S(s); S of degree 3 holds the rest of pi/2, 2^-28.1. */
#define GAUSSIAN_HALF_PI 0x1.921fb6p+0F
#define GAUSSIAN_SIN_0 (-0x1.a32bd2p-25F)
#define GAUSSIAN_SIN_1 (-0x1.4abbbap-1F)
#define GAUSSIAN_SIN_2 0x1.465eeap-4F
#define GAUSSIAN_SIN_3 (-0x1.2da156p-8F)

/* cos((pi/2) t) = 1 + s C(s); C of degree 3, 2^-31. */
#define GAUSSIAN_COS_0 (-0x1.3bd3ccp+0F)
#define GAUSSIAN_COS_1 0x1.03c1b0p-2F
#define GAUSSIAN_COS_2 (-0x1.55b2b6p-6F)
#define GAUSSIAN_COS_3 0x1.d4f7eep-11F

#define GAUSSIAN_EIGHTH_TURN 0x20000000U
#define GAUSSIAN_QUARTER_TURN 0x40000000U
#define GAUSSIAN_HALF_TURN 0x80000000U

/** u = (x + 0.5) / 2^32, rounded once: both halves of x are exact in binary32, as is their
 * scale. The 128 largest x give 1. */
GAUSSIAN_FUNCTION float gaussian_unit(uint32_t x)
{
    const float high = (float)(int32_t)(x >> 16);
    const float low = (float)(int32_t)(x & 0xffffU);
    return GAUSSIAN_FMA(high, 0x1p16F, low + 0.5F) * 0x1p-32F;
}

/** -2 ln u for a normal u in (0, 1]; +0 at u = 1. */
GAUSSIAN_FUNCTION float gaussian_minus_two_log(float u)
{
    uint32_t bits;
    memcpy(&bits, &u, sizeof bits);
    const int32_t shifted = (int32_t)bits - GAUSSIAN_SQRT_HALF_BITS;
    const float e = (float)(shifted >> 23);
    bits = (uint32_t)((shifted & GAUSSIAN_MANTISSA_BITS) + GAUSSIAN_SQRT_HALF_BITS);
    float m;
    memcpy(&m, &bits, sizeof m);
    const float f = m - 1.0F;

    float r = GAUSSIAN_FMA(GAUSSIAN_LOG_8, f, GAUSSIAN_LOG_7);
    r = GAUSSIAN_FMA(r, f, GAUSSIAN_LOG_6);
    r = GAUSSIAN_FMA(r, f, GAUSSIAN_LOG_5);
    r = GAUSSIAN_FMA(r, f, GAUSSIAN_LOG_4);
    r = GAUSSIAN_FMA(r, f, GAUSSIAN_LOG_3);
    r = GAUSSIAN_FMA(r, f, GAUSSIAN_LOG_2);
    r = GAUSSIAN_FMA(r, f, GAUSSIAN_LOG_1);
    r = GAUSSIAN_FMA(r, f, GAUSSIAN_LOG_0);
    return GAUSSIAN_FMA(e, GAUSSIAN_MINUS_TWO_LN_2, GAUSSIAN_FMA(f * f, r, -2.0F * f));
}

/** t of an angle: the distance of y to the nearest quarter turn, in quarter turns. */
GAUSSIAN_FUNCTION float gaussian_quarter_offset(uint32_t y)
{
    const int32_t shifted = (int32_t)(y << 2);
    return (float)(shifted >> 2) * 0x1p-30F;
}

/** sin((pi/2) t) for t in [-1/2, 1/2]. */
GAUSSIAN_FUNCTION float gaussian_sin(float t)
{
    const float s = t * t;
    float p = GAUSSIAN_FMA(GAUSSIAN_SIN_3, s, GAUSSIAN_SIN_2);
    p = GAUSSIAN_FMA(p, s, GAUSSIAN_SIN_1);
    p = GAUSSIAN_FMA(p, s, GAUSSIAN_SIN_0);
    return GAUSSIAN_FMA(t, GAUSSIAN_HALF_PI, t * p);
}

/** cos((pi/2) t) for t in [-1/2, 1/2]. */
GAUSSIAN_FUNCTION float gaussian_cos(float t)
{
    const float s = t * t;
    float p = GAUSSIAN_FMA(GAUSSIAN_COS_3, s, GAUSSIAN_COS_2);
    p = GAUSSIAN_FMA(p, s, GAUSSIAN_COS_1);
    p = GAUSSIAN_FMA(p, s, GAUSSIAN_COS_0);
    return GAUSSIAN_FMA(s, p, 1.0F);
}

/** Two Gaussian numbers from two words. */
GAUSSIAN_FUNCTION void gaussian_pair(uint32_t x, uint32_t y, float z[2])
{
    const float radius = GAUSSIAN_SQRT(gaussian_minus_two_log(gaussian_unit(x)));
    const float t = gaussian_quarter_offset(y);
    const float sine = gaussian_sin(t);
    const float cosine = gaussian_cos(t);
    const uint32_t turned = y + GAUSSIAN_EIGHTH_TURN; /* the quadrant is in its two top bits */
    const int swap = (turned & GAUSSIAN_QUARTER_TURN) != 0;
    const float first = radius * (swap ? sine : cosine);
    const float second = radius * (swap ? cosine : sine);
    z[0] = ((turned + GAUSSIAN_QUARTER_TURN) & GAUSSIAN_HALF_TURN) != 0 ? -first : first;
    z[1] = (turned & GAUSSIAN_HALF_TURN) != 0 ? -second : second;
}

#endif
