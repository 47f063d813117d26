/* Products of bf16 matrices in the order of the tile instruction (AMX), whatever does them:
 *
 *     for each block of 32 elements of depth, in order:
 *         even = odd = +0;  for i = 0 .. 15:  even = fma(a[2 i], b[2 i], even)
 *                                             odd  = fma(a[2 i + 1], b[2 i + 1], odd)
 *         c = c + (even + odd)
 *
 * binary32, round to nearest even, subnormal numbers taken and given as zero. A bf16 is a
 * binary32 whose low half is zero, so that FMAs of any width give the tile's bits.
 *
 * A panel holds 16 columns of b as tiles hold them: of each pair of depth, 16 words with the
 * even element in the low half. One load gives a vector of columns, and a shift its even or a
 * mask its odd elements. A block's even sums are done before its odd ones: of the 16 registers
 * of AVX2 ten hold sums then, 5 rows of 16 columns, and two columns, a value of a and the mask
 * fit beside them. That is 10 FMAs for 7 loads, which two load ports do in less than the five
 * cycles of the FMAs, and 10 independent chains, more than the 8 that hide an FMA's latency of
 * four cycles; with twelve the compiler runs out of registers. AVX-512 has 32: the even and the
 * odd sums of 12 rows of one panel, or of 6 of two, are done together, so that none of them
 * waits in memory. A panel's row of pairs is a cache line, which is asked for four blocks
 * ahead: at 8 rows a core wants 8 bytes of b a cycle, more than it gets from memory without
 * asking. The sums c are touched once in 32 elements and stay in the first-level cache. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    PANEL = COP_PANEL,
    BLOCK = COP_PRODUCT_BLOCK,
    WORDS = PANEL * BLOCK / 2 /* of a block of a panel */
};

#if defined(__AVX512F__)
enum { LANES = 16, ROWS = 12, PANELS = 2, HALVES = 2, SUMS = 24 };
typedef __m512 vec;
typedef __m512i ints;
#define V(name) _mm512_##name
#define LOAD_INTS(from) _mm512_loadu_si512(from)
#define AND_INTS(a, b) _mm512_and_si512(a, b)
#define AS_VEC(x) _mm512_castsi512_ps(x)
#elif defined(__AVX2__)
enum { LANES = 8, ROWS = 5, PANELS = 2, HALVES = 1, SUMS = 8 };
typedef __m256 vec;
typedef __m256i ints;
#define V(name) _mm256_##name
#define LOAD_INTS(from) _mm256_loadu_si256((const __m256i *)(const void *)(from))
#define AND_INTS(a, b) _mm256_and_si256(a, b)
#define AS_VEC(x) _mm256_castsi256_ps(x)
#endif

#if defined(__FMA__)
enum { VECTORS = PANEL / LANES, WIDTH = PANELS * VECTORS };

/* The even or the odd elements of pairs [VECTORS] of b from `at` on. */
ALWAYS_INLINE vec take(const uint32_t *at, bool odd)
{
    const ints pair = LOAD_INTS(at);
    if (odd) return AS_VEC(AND_INTS(pair, V(set1_epi32)((int)0xffff0000U)));
    return AS_VEC(V(slli_epi32)(pair, 16));
}

/* Fetches the line of a panel that is needed four blocks later. A single row goes through b at
 * the memory's rate by itself, and only pays for the instruction. */
ALWAYS_INLINE void fetch_ahead(const uint32_t *at, int rows)
{
    if (rows > 1) _mm_prefetch((const void *)(at + (ptrdiff_t)4 * WORDS), _MM_HINT_T0);
}

#if defined(__AVX512F__)
/* The sums of a block of depth, all in registers. */
ALWAYS_INLINE void sum_block(const float *a, size_t a_stride, const uint32_t *const b[PANELS],
                             vec even[ROWS][WIDTH], vec odd[ROWS][WIDTH], int rows, int width)
{
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < width; v++)
            even[r][v] = odd[r][v] = V(setzero_ps)();
    }
    for (size_t i = 0; i < BLOCK / 2; i++) {
        vec first[WIDTH];
        vec second[WIDTH];
        for (int v = 0; v < width; v++) {
            const uint32_t *const at =
                b[v / VECTORS] + i * PANEL + (size_t)(v % VECTORS) * LANES;
            fetch_ahead(at, rows);
            first[v] = take(at, false);
            second[v] = take(at, true);
        }
        for (int r = 0; r < rows; r++) {
            const float *const pair = a + (size_t)r * a_stride + 2 * i;
            for (int v = 0; v < width; v++) {
                even[r][v] = V(fmadd_ps)(V(set1_ps)(pair[0]), first[v], even[r][v]);
                odd[r][v] = V(fmadd_ps)(V(set1_ps)(pair[1]), second[v], odd[r][v]);
            }
        }
    }
}
#else
/* Sums of the even or of the odd elements of a block of depth, all in registers. */
ALWAYS_INLINE void sum_half(const float *a, size_t a_stride, const uint32_t *const b[PANELS],
                            bool odd, vec sums[ROWS][WIDTH], int rows, int width)
{
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < width; v++)
            sums[r][v] = V(setzero_ps)();
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < BLOCK / 2; i++) {
        vec column[WIDTH];
        for (int v = 0; v < width; v++) {
            const uint32_t *const at =
                b[v / VECTORS] + i * PANEL + (size_t)(v % VECTORS) * LANES;
            if (!odd && v % VECTORS == 0) fetch_ahead(at, rows);
            column[v] = take(at, odd);
        }
        for (int r = 0; r < rows; r++) {
            const vec value = V(set1_ps)(a[(size_t)r * a_stride + 2 * i + odd]);
            for (int v = 0; v < width; v++)
                sums[r][v] = V(fmadd_ps)(value, column[v], sums[r][v]);
        }
    }
}

/* The sums of a block of depth: the even ones wait in memory while the odd ones are done. */
ALWAYS_INLINE void sum_block(const float *a, size_t a_stride, const uint32_t *const b[PANELS],
                             vec even[ROWS][WIDTH], vec odd[ROWS][WIDTH], int rows, int width)
{
    sum_half(a, a_stride, b, false, even, rows, width);
    sum_half(a, a_stride, b, true, odd, rows, width);
}
#endif

/* Adds a block of depth to c, for `rows` rows and `panels` panels; both are constants at every
 * call, so that loops unroll. */
ALWAYS_INLINE void multiply_block(const float *a, size_t a_stride,
                                  const uint32_t *const b[PANELS], float *c, size_t c_stride,
                                  bool fresh, int rows, int panels)
{
    vec even[ROWS][WIDTH];
    vec odd[ROWS][WIDTH];
    const int width = panels * VECTORS;
    sum_block(a, a_stride, b, even, odd, rows, width);
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < width; v++) {
            float *const at = c + (size_t)r * c_stride + (size_t)v * LANES;
            const vec before = fresh ? V(setzero_ps)() : V(loadu_ps)(at);
            V(storeu_ps)(at, V(add_ps)(before, V(add_ps)(even[r][v], odd[r][v])));
        }
    }
}

/* `rows` rows against panels from `*panel` on, `panels` at a time as long as there are so many.
 */
ALWAYS_INLINE void multiply_panels(const cop_product *p, const float *a, float *c,
                                   size_t *panel, int rows, int panels)
{
    for (; *panel + (size_t)panels <= p->panels; *panel += (size_t)panels) {
        const uint32_t *b[PANELS] = {NULL};
        for (int n = 0; n < panels; n++)
            b[n] = p->b + (*panel + (size_t)n) * p->b_stride;
        for (size_t k = 0; k < p->depth; k += BLOCK) {
            multiply_block(a + k, p->a_stride, b, c + *panel * PANEL, p->c_stride,
                           p->fresh && k == 0, rows, panels);
            for (int n = 0; n < panels; n++)
                b[n] += WORDS;
        }
    }
}

/* Two panels at a time where registers take their sums: few rows have too few chains in one. */
ALWAYS_INLINE void multiply_rows(const cop_product *p, const float *a, float *c, int rows)
{
    size_t panel = 0;
    if (rows * WIDTH * HALVES <= SUMS) multiply_panels(p, a, c, &panel, rows, PANELS);
    multiply_panels(p, a, c, &panel, rows, 1);
}

static void multiply(const cop_product *p)
{
    const float *a = p->a;
    float *c = p->c;
    size_t rows = p->rows;
    for (; rows >= ROWS; rows -= ROWS) {
        multiply_rows(p, a, c, ROWS);
        a += ROWS * p->a_stride;
        c += ROWS * p->c_stride;
    }
    switch (rows) {
#define CASE(count)                    \
    case count:                        \
        multiply_rows(p, a, c, count); \
        break;
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
#if defined(__AVX512F__)
        CASE(5)
        CASE(6)
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
#endif
#undef CASE
    default:
        assert(rows == 0);
    }
}
#else
static void multiply(const cop_product *p)
{
    for (size_t n = 0; n < p->panels * PANEL; n++) {
        const uint32_t *const b = p->b + n / PANEL * p->b_stride + n % PANEL;
        for (size_t r = 0; r < p->rows; r++) {
            const float *const a = (const float *)p->a + r * p->a_stride;
            float *const c = &p->c[r * p->c_stride + n];
            for (size_t k = 0; k < p->depth; k += BLOCK) {
                float even = 0.0F;
                float odd = 0.0F;
                for (size_t i = k; i < k + BLOCK; i += 2) {
                    const uint32_t pair = b[i / 2 * PANEL];
                    even = fmaf(a[i], float_from_bits(pair << 16), even);
                    odd = fmaf(a[i + 1], float_from_bits(pair & 0xffff0000U), odd);
                }
                *c = (p->fresh && k == 0 ? 0.0F : *c) + (even + odd);
            }
        }
    }
}
#endif

void COP_KERNEL(cop_kernel_product)(const cop_product *product)
{
    assert(product->depth % BLOCK == 0);
#if defined(__x86_64__)
    enum { SUBNORMALS_ARE_ZERO = 0x8040 };
    const unsigned int before = _mm_getcsr();
    _mm_setcsr(before | SUBNORMALS_ARE_ZERO);
    multiply(product);
    _mm_setcsr(before);
#else
    multiply(product);
#endif
}
