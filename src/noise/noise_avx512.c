/* Noise with AVX-512: 16 Philox blocks, 64 elements, at a time. */
#include "coppice/noise/gaussian.h"
#include "noise/noise_isa.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define V(name) _mm512_##name

enum { LANES = 16 };

typedef __m512i ints;
typedef __m512 floats;
typedef __m512d doubles;

INLINE ints as_ints(floats x)
{
    return _mm512_castps_si512(x);
}

INLINE floats as_floats(ints x)
{
    return _mm512_castsi512_ps(x);
}

INLINE ints and_bits(ints a, ints b)
{
    return _mm512_and_si512(a, b);
}

INLINE ints set_word(uint32_t word)
{
    return _mm512_set1_epi32((int)word);
}

INLINE ints set_block(uint64_t block)
{
    return _mm512_set1_epi64((long long)block);
}

/* Once the words of both are in one vector, element k of 128-bit lane l belongs to block
 * 4 k + l, so that transposing each lane by itself leaves the elements in order. */
INLINE ints first_blocks(void)
{
    return _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
}

INLINE ints last_blocks(void)
{
    return _mm512_setr_epi64(8, 12, 9, 13, 10, 14, 11, 15);
}

INLINE ints xor3(ints a, ints b, ints c)
{
    return _mm512_ternarylogic_epi32(c, a, b, 0x96);
}

INLINE floats flip(floats z, ints turn)
{
    return as_floats(_mm512_ternarylogic_epi32(as_ints(z), turn, set_word(GAUSSIAN_HALF_TURN),
                                               0x78)); /* z ^ (turn & top) */
}

typedef __mmask16 choice;

INLINE choice has_quarter(ints turned)
{
    return _mm512_test_epi32_mask(turned, set_word(GAUSSIAN_QUARTER_TURN));
}

INLINE floats choose(choice set, floats clear, floats other)
{
    return _mm512_mask_blend_ps(set, clear, other);
}

#include "noise/noise_vector.h"

void cop_noise_fill_avx512(float *out, uint64_t seed, cop_noise_stream stream, uint32_t tensor,
                           uint64_t first, size_t count)
{
    const philox_key key = philox_key_of(seed, tensor, (uint32_t)stream);
    run(out, &key, first, count, NULL);
}

void cop_noise_accumulate_avx512(float *sums, uint64_t seed, uint32_t tensor, uint64_t first,
                                 size_t count, float factor)
{
    const philox_key key = philox_key_of(seed, tensor, (uint32_t)COP_STREAM_WEIGHTS);
    run(sums, &key, first, count, &factor);
}
#endif
