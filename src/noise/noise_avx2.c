/* Noise with AVX2 and FMA: 8 Philox blocks, 32 elements, at a time. */
#include "coppice/noise/gaussian.h"
#include "noise/noise_isa.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define V(name) _mm256_##name

enum { LANES = 8 };

typedef __m256i ints;
typedef __m256 floats;
typedef __m256d doubles;

INLINE ints as_ints(floats x)
{
    return _mm256_castps_si256(x);
}

INLINE floats as_floats(ints x)
{
    return _mm256_castsi256_ps(x);
}

INLINE ints and_bits(ints a, ints b)
{
    return _mm256_and_si256(a, b);
}

INLINE ints set_word(uint32_t word)
{
    return _mm256_set1_epi32((int)word);
}

INLINE ints set_block(uint64_t block)
{
    return _mm256_set1_epi64x((long long)block);
}

/* Once the words of both are in one vector, element k of 128-bit lane l belongs to block
 * 2 k + l, so that transposing each lane by itself leaves the elements in order. */
INLINE ints first_blocks(void)
{
    return _mm256_setr_epi64x(0, 2, 1, 3);
}

INLINE ints last_blocks(void)
{
    return _mm256_setr_epi64x(4, 6, 5, 7);
}

INLINE ints xor3(ints a, ints b, ints c)
{
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

INLINE floats flip(floats z, ints turn)
{
    const ints sign = and_bits(turn, set_word(GAUSSIAN_HALF_TURN));
    return _mm256_xor_ps(z, as_floats(sign));
}

typedef floats choice;

/* The quarter turn's bit, moved to the top, selects. */
INLINE choice has_quarter(ints turned)
{
    return as_floats(_mm256_add_epi32(turned, turned));
}

INLINE floats choose(choice set, floats clear, floats other)
{
    return _mm256_blendv_ps(clear, other, set);
}

#include "noise/noise_vector.h"

void cop_noise_fill_avx2(float *out, uint64_t seed, cop_noise_stream stream, uint32_t tensor,
                         uint64_t first, size_t count)
{
    const philox_key key = philox_key_of(seed, tensor, (uint32_t)stream);
    run(out, &key, first, count, NULL);
}

void cop_noise_accumulate_avx2(float *sums, uint64_t seed, uint32_t tensor, uint64_t first,
                               size_t count, float factor)
{
    const philox_key key = philox_key_of(seed, tensor, (uint32_t)COP_STREAM_WEIGHTS);
    run(sums, &key, first, count, &factor);
}
#endif
