/* Conversions of half types: all 2^16 values, and rounding against arithmetic in binary64. */
#include "coppice/base/dtype.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A format of one sign bit, `exponent` and `fraction` bits. */
typedef struct format {
    int exponent, fraction;
    float (*widen)(uint16_t);
    uint16_t (*narrow)(float);
} format;

static float widen_bf16(uint16_t bits)
{
    return cop_bf16_to_f32(bits);
}
static uint16_t narrow_bf16(float value)
{
    return cop_f32_to_bf16(value);
}

static const format formats[] = {{5, 10, cop_f16_to_f32, cop_f32_to_f16},
                                 {8, 7, widen_bf16, narrow_bf16}};

static int bias_of(const format *f)
{
    return (1 << (f->exponent - 1)) - 1;
}

/* The value of finite bits, by the definition of the format. */
static double value_of(const format *f, uint16_t bits)
{
    const int fraction = bits & ((1 << f->fraction) - 1);
    const int exponent = bits >> f->fraction & ((1 << f->exponent) - 1);
    const double magnitude = exponent == 0 ? ldexp(fraction, 1 - bias_of(f) - f->fraction)
                                           : ldexp((1 << f->fraction) + fraction,
                                                   exponent - bias_of(f) - f->fraction);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

/* The value rounded to the format, by binary64 arithmetic in the default rounding mode. */
static double rounded(const format *f, float value)
{
    int exponent = 0;
    (void)frexp(fabs((double)value), &exponent); /* in [2^(exponent-1), 2^exponent) */
    const int least = 1 - bias_of(f);
    const int scale = (exponent - 1 > least ? exponent - 1 : least) - f->fraction;
    const double result = ldexp(nearbyint(ldexp((double)value, -scale)), scale);
    const double limit = ldexp(1, bias_of(f) + 1);
    return fabs(result) >= limit ? copysign(INFINITY, (double)value) : result;
}

static void test_every_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const format *const f = &formats[i];
        const int infinity = ((1 << f->exponent) - 1) << f->fraction;
        for (int bits = 0; bits < 1 << 16; bits++) {
            const float wide = f->widen((uint16_t)bits);
            const uint16_t back = f->narrow(wide);
            const int magnitude = bits & 0x7fff;
            assert_int_equal(signbit(wide) != 0, bits >> 15);
            if (magnitude > infinity) {
                assert_true(isnan(wide));
                assert_int_equal(bits_of(wide) >> (23 - f->fraction) &
                                     ((1U << f->fraction) - 1),
                                 magnitude & ((1 << f->fraction) - 1));
                assert_int_equal(back, bits | 1 << (f->fraction - 1)); /* quiet */
                continue;
            }
            if (magnitude == infinity) {
                assert_true(isinf(wide));
            } else {
                assert_true((double)wide == value_of(f, (uint16_t)bits));
            }
            assert_int_equal(back, bits);
        }
    }
}

static void assert_rounds(const format *f, uint32_t bits)
{
    const float value = float_of(bits);
    const uint16_t narrow = f->narrow(value);
    if (isnan(value)) {
        assert_true(isnan(f->widen(narrow)));
        return;
    }
    const double wanted = isinf(value) ? (double)value : rounded(f, value);
    const float wide = f->widen(narrow);
    if ((double)wide != wanted || (signbit(wide) != 0) != (signbit(value) != 0)) {
        print_error("%08x gives %04x = %g, not %g\n", bits, narrow, (double)wide, wanted);
    }
    assert_true((double)wide == wanted);
    assert_int_equal(signbit(wide) != 0, signbit(value) != 0);
}

/* Around every value that either format has, and half-way between each and the next. */
static void test_rounding_at_the_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const format *const f = &formats[i];
        for (uint32_t bits = 0; bits < 1U << 16; bits++) {
            const uint32_t here = bits_of(f->widen((uint16_t)bits));
            const uint32_t half = here + (1U << (22 - f->fraction));
            for (uint32_t near = 0; near < 5; near++) {
                assert_rounds(f, here + near - 2);
                assert_rounds(f, half + near - 2);
            }
        }
    }
}

/* Every exponent and leading bits with several tails, and subnormal results at every half step.
 */
static void test_rounding_everywhere(void **state)
{
    (void)state;
    static const uint32_t tails[] = {0,      1,      0x0fff, 0x1000, 0x1001,
                                     0x7fff, 0x8000, 0x8001, 0xffff};
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t high = 0; high < 1U << 16; high++) {
            for (size_t t = 0; t < sizeof tails / sizeof tails[0]; t++) {
                assert_rounds(&formats[i], high << 16 | tails[t]);
            }
        }
        uint32_t random = 1;
        for (int k = 0; k < 1000000; k++) {
            random = random * 1664525U + 1013904223U;
            assert_rounds(&formats[i], random ^ random >> 15);
        }
        const double step = ldexp(1, 1 - bias_of(&formats[i]) - formats[i].fraction);
        for (int k = 0; k < 4096; k++) {
            const float at = (float)(step * k / 2);
            assert_rounds(&formats[i], bits_of(at));
            assert_rounds(&formats[i], bits_of(nextafterf(at, INFINITY)));
            assert_rounds(&formats[i], bits_of(nextafterf(at, -INFINITY)));
        }
    }
}

static void test_known_values(void **state)
{
    (void)state;
    assert_int_equal(cop_f32_to_f16(1.0F), 0x3c00);
    assert_int_equal(cop_f32_to_f16(65504.0F), 0x7bff);
    assert_int_equal(cop_f32_to_f16(65519.996F), 0x7bff);
    assert_int_equal(cop_f32_to_f16(65520.0F), 0x7c00);
    assert_int_equal(cop_f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(cop_f32_to_f16(0x1p-24F), 0x0001);
    assert_int_equal(cop_f32_to_f16(0x1p-25F), 0x0000);
    assert_int_equal(cop_f32_to_f16(0x1.000002p-25F), 0x0001);
    assert_int_equal(cop_f32_to_f16(-0.0F), 0x8000);
    assert_int_equal(cop_f32_to_bf16(1.0F), 0x3f80);
    assert_int_equal(cop_f32_to_bf16(0x1.01p0F), 0x3f80);
    assert_int_equal(cop_f32_to_bf16(0x1.03p0F), 0x3f82);
    assert_int_equal(cop_f32_to_bf16(3.4028235e38F), 0x7f80);
    assert_int_equal(cop_f32_to_bf16(float_of(0x7f800001U)), 0x7fc0);
    assert_int_equal(cop_f32_to_bf16(float_of(0xffffffffU)), 0xffff);
}

static void test_names_and_sizes(void **state)
{
    (void)state;
    assert_int_equal(cop_dtype_size(COP_F32), 4);
    assert_int_equal(cop_dtype_size(COP_BF16), 2);
    assert_int_equal(cop_dtype_size(COP_F16), 2);
    assert_int_equal(cop_dtype_size(COP_DTYPE_OTHER), 0);
    assert_string_equal(cop_dtype_name(COP_F32), "f32");
    assert_string_equal(cop_dtype_name(COP_BF16), "bf16");
    assert_string_equal(cop_dtype_name(COP_F16), "f16");
    assert_string_equal(cop_dtype_name(COP_DTYPE_OTHER), "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value),
        cmocka_unit_test(test_rounding_at_the_edges),
        cmocka_unit_test(test_rounding_everywhere),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_names_and_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
