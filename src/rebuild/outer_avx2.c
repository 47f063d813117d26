/* Sums of outer products with AVX2 and FMA. */
#include "rebuild/outer.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define V(name) _mm256_##name

enum { LANES = OUTER_LANES_AVX2, STRIP = 4 };

typedef __m256 floats;

#include "rebuild/outer_vector.h"

void cop_outer_add_avx2(float *sums, const float *left, const float *right, size_t panel,
                        size_t depth, size_t rows, size_t columns)
{
    add_tile(sums, left, right, panel, depth, rows, columns);
}
#endif
