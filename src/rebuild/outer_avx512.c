/* Sums of outer products with AVX-512. */
#include "rebuild/outer.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define V(name) _mm512_##name

enum { LANES = OUTER_LANES_AVX512, STRIP = 8 };

typedef __m512 floats;

#include "rebuild/outer_vector.h"

void cop_outer_add_avx512(float *sums, const float *left, const float *right, size_t panel,
                          size_t depth, size_t rows, size_t columns)
{
    add_tile(sums, left, right, panel, depth, rows, columns);
}
#endif
