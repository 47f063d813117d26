/* The product kernels of every instruction set that this processor has: the same bits as the
 * definition, written out here once more, on random shapes and numbers of every kind. */
#include "unit/backend/backend_support.h"

#include "backend/cpu/kernels/kernels.h"

#include <xmmintrin.h>

enum { MOST_ROWS = 70, MOST_PANELS = 5, MOST_DEPTH = 8 * COP_PRODUCT_BLOCK };

/* A product with memory of its own; rows and columns have gaps between them. */
typedef struct sample {
    size_t rows, panels, depth;
    size_t a_stride, b_stride, c_stride;
    uint16_t *a;
    float *wide;
    uint32_t *b;
    float *c, *expected;
    bool fresh;
} sample;

typedef enum numbers { USUAL, SMALL, ODD } numbers;

static uint16_t draw_bf16(rng *r, numbers kind)
{
    const uint32_t bits = rng_next(r);
    if (kind == ODD && bits % 97 == 0) return (uint16_t)(bits >> 16); /* anything */
    /* Sums of products of those around 2^-63 are subnormal; some of these are themselves. */
    const uint32_t exponent =
        kind == SMALL ? (bits % 7 == 0 ? 0 : 60 + bits % 9) : 120 + bits % 9;
    return (uint16_t)((bits >> 31) << 15 | exponent << 7 | (bits >> 8 & 0x7fU));
}

static void make_sample(sample *s, rng *r, numbers kind)
{
    s->rows = 1 + rng_next(r) % MOST_ROWS;
    s->panels = 1 + rng_next(r) % MOST_PANELS;
    s->depth = (1 + rng_next(r) % (MOST_DEPTH / COP_PRODUCT_BLOCK)) * COP_PRODUCT_BLOCK;
    s->a_stride = s->depth + rng_next(r) % 3 * COP_PRODUCT_BLOCK;
    s->b_stride = (s->depth / 2 + rng_next(r) % 3) * COP_PANEL;
    s->c_stride = s->panels * COP_PANEL + rng_next(r) % 5;
    s->a = calloc(s->rows * s->a_stride, sizeof *s->a);
    s->wide = calloc(s->rows * s->a_stride, sizeof *s->wide);
    s->b = calloc(s->panels * s->b_stride, sizeof *s->b);
    s->c = calloc(s->rows * s->c_stride, sizeof *s->c);
    s->expected = calloc(s->rows * s->c_stride, sizeof *s->expected);
    assert_true(s->a != NULL && s->wide != NULL && s->b != NULL && s->c != NULL &&
                s->expected != NULL);
    for (size_t i = 0; i < s->rows * s->a_stride; i++) {
        s->a[i] = draw_bf16(r, kind);
        s->wide[i] = cop_bf16_to_f32(s->a[i]);
    }
    for (size_t i = 0; i < s->panels * s->b_stride; i++)
        s->b[i] = draw_bf16(r, kind) | (uint32_t)draw_bf16(r, kind) << 16;
    s->fresh = rng_next(r) % 2 == 0;
    for (size_t i = 0; i < s->rows * s->c_stride; i++)
        s->expected[i] =
            kind == SMALL || s->fresh ? 0.0F : cop_bf16_to_f32(draw_bf16(r, USUAL));
}

static void drop_sample(sample *s)
{
    free(s->a);
    free(s->wide);
    free(s->b);
    free(s->c);
    free(s->expected);
}

/* The definition, element by element, where subnormal numbers are zero. */
static void multiply_by_definition(const sample *s)
{
    for (size_t r = 0; r < s->rows; r++) {
        for (size_t n = 0; n < s->panels * COP_PANEL; n++) {
            const uint32_t *const b = s->b + n / COP_PANEL * s->b_stride + n % COP_PANEL;
            volatile float *const c = &s->expected[r * s->c_stride + n];
            for (size_t k = 0; k < s->depth; k += 32) {
                volatile float even = 0.0F;
                volatile float odd = 0.0F;
                for (size_t i = 0; i < 16; i++) {
                    const uint32_t both_halves = b[(k / 2 + i) * COP_PANEL];
                    const float *const a = s->wide + r * s->a_stride + k + 2 * i;
                    even = fmaf(a[0], cop_bf16_to_f32((uint16_t)both_halves), even);
                    odd = fmaf(a[1], cop_bf16_to_f32((uint16_t)(both_halves >> 16)), odd);
                }
                const volatile float both = even + odd;
                *c = *c + both;
            }
        }
    }
}

static void check_isa(const sample *s, cop_isa isa, const float *before)
{
    const cop_kernels *const k = cop_kernels_get(isa);
    /* What is not to be read may be anything. */
    memcpy(s->c, before, s->rows * s->c_stride * sizeof *s->c);
    for (size_t i = 0; s->fresh && i < s->rows * s->c_stride; i++)
        if (i % s->c_stride < s->panels * COP_PANEL) s->c[i] = NAN;
    const unsigned int control = _mm_getcsr();
    const cop_product product = {.a = k->product_input == COP_BF16 ? (const void *)s->a
                                                                   : (const void *)s->wide,
                                 .a_stride = s->a_stride,
                                 .b = s->b,
                                 .b_stride = s->b_stride,
                                 .c = s->c,
                                 .fresh = s->fresh,
                                 .c_stride = s->c_stride,
                                 .rows = s->rows,
                                 .panels = s->panels,
                                 .depth = s->depth};
    k->product(&product);
    /* Bits of exceptions may be set, modes are as they were. */
    assert_int_equal(_mm_getcsr() & 0xffc0U, control & 0xffc0U);
    for (size_t i = 0; i < s->rows * s->c_stride; i++) {
        if (isnan(s->expected[i]) && isnan(s->c[i])) continue;
        if (memcmp(&s->expected[i], &s->c[i], sizeof *s->c) != 0)
            fail_msg("%s, %zu x %zu x %zu: element %zu is %a, not %a", cop_isa_name(isa),
                     s->rows, s->depth, s->panels * COP_PANEL, i, (double)s->c[i],
                     (double)s->expected[i]);
    }
}

static void check_kind(numbers kind, int samples)
{
    rng r = {2026};
    for (int i = 0; i < samples; i++) {
        sample s;
        make_sample(&s, &r, kind);
        const size_t bytes = s.rows * s.c_stride * sizeof *s.c;
        float *const before = malloc(bytes);
        assert_non_null(before);
        memcpy(before, s.expected, bytes);
        const unsigned int control = _mm_getcsr();
        _mm_setcsr(control | 0x8040U);
        multiply_by_definition(&s);
        _mm_setcsr(control);
        for (cop_isa isa = COP_ISA_SCALAR; isa <= cop_cpu_isa(); isa++)
            check_isa(&s, isa, before);
        free(before);
        drop_sample(&s);
    }
    print_message("instruction sets up to %s\n", cop_isa_name(cop_cpu_isa()));
}

static void test_usual_numbers(void **state)
{
    (void)state;
    check_kind(USUAL, 60);
}

static void test_subnormal_numbers_are_zero(void **state)
{
    (void)state;
    check_kind(SMALL, 40);
}

static void test_infinities_and_nan_stay_in_their_rows_and_columns(void **state)
{
    (void)state;
    check_kind(ODD, 40);
}

/* Whatever the number of rows beside it, a row gets the same bits. */
static void test_rows_are_alone(void **state)
{
    (void)state;
    rng r = {7};
    sample s;
    make_sample(&s, &r, USUAL);
    for (cop_isa isa = COP_ISA_SCALAR; isa <= cop_cpu_isa(); isa++) {
        const cop_kernels *const k = cop_kernels_get(isa);
        const char *const a =
            k->product_input == COP_BF16 ? (const char *)s.a : (const char *)s.wide;
        const size_t item = cop_dtype_size(k->product_input);
        memset(s.c, 0, s.rows * s.c_stride * sizeof *s.c);
        cop_product whole = {.a = a,
                             .a_stride = s.a_stride,
                             .b = s.b,
                             .b_stride = s.b_stride,
                             .c = s.c,
                             .c_stride = s.c_stride,
                             .rows = s.rows,
                             .panels = s.panels,
                             .depth = s.depth};
        k->product(&whole);
        for (size_t row = 0; row < s.rows; row++) {
            memset(s.expected, 0, s.c_stride * sizeof *s.c);
            cop_product alone = whole;
            alone.a = a + row * s.a_stride * item;
            alone.c = s.expected;
            alone.rows = 1;
            k->product(&alone);
            assert_memory_equal(s.expected, s.c + row * s.c_stride,
                                s.panels * COP_PANEL * sizeof *s.c);
        }
    }
    drop_sample(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_numbers),
        cmocka_unit_test(test_subnormal_numbers_are_zero),
        cmocka_unit_test(test_infinities_and_nan_stay_in_their_rows_and_columns),
        cmocka_unit_test(test_rows_are_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
