/* The arithmetic from words to Gaussian numbers: accuracy, edges and pinned answers. */
#include "coppice/noise/gaussian.h"
#include "coppice/noise/noise.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Distance from `exact` in units of its last binary32 place. */
static double ulps(float value, double exact)
{
    if (exact == 0.0) return value == 0.0F ? 0.0 : INFINITY;
    return fabs((double)value - exact) / ldexp(1.0, ilogb(exact) - 23);
}

static uint64_t random_bits(uint64_t i)
{
    return cop_noise_bits(2026, COP_STREAM_BOOTSTRAP, 0, i);
}

static void check_unit(uint32_t x)
{
    const float expected = (float)(((double)x + 0.5) * 0x1p-32); /* exact until the cast */
    assert_true(gaussian_unit(x) == expected);
}

static void test_unit_rounds_once(void **state)
{
    (void)state;
    for (uint32_t x = 0; x < 1U << 17; x++) {
        check_unit(x);
        check_unit(~x);
    }
    for (int shift = 16; shift < 32; shift++) {
        for (uint32_t d = 0; d < 2048; d++) {
            check_unit((1U << shift) + d);
            check_unit((1U << shift) - d);
        }
    }
    for (uint64_t i = 0; i < 1U << 20; i++) {
        check_unit((uint32_t)random_bits(i));
    }
    uint32_t ones = 0;
    for (uint32_t x = UINT32_MAX - 4095; x != 0; x++) {
        ones += gaussian_unit(x) == 1.0F;
    }
    assert_int_equal(ones, 128);
}

static double log_error(uint32_t from, uint32_t to, uint32_t step)
{
    double worst = 0;
    for (uint32_t bits = from; bits < to; bits += step) {
        const float u = float_of(bits);
        const double error = ulps(gaussian_minus_two_log(u), -2.0 * log((double)u));
        if (error > worst) worst = error;
    }
    return worst;
}

/* Every u from 1/4 to 1 (all of the polynomial's range, and the cancelling exponent), and a
 * dense sample below. */
static void test_logarithm_is_within_2_ulp(void **state)
{
    (void)state;
    const double near = log_error(bits_of(0.25F), bits_of(1.0F) + 1, 1);
    const double far = log_error(bits_of(0x1p-33F), bits_of(0.25F), 37);
    print_message("-2 ln u: %.3f ulp from 1/4 to 1, %.3f ulp below\n", near, far);
    assert_true(near < 2.0 && far < 2.0);
}

/* Every float t down to 2^-4 and samples down to the smallest that an angle can give. */
static void test_sine_and_cosine_are_within_2_ulp(void **state)
{
    (void)state;
    const double half_pi = 1.57079632679489661923;
    double worst_sin = 0;
    double worst_cos = 0;
    for (uint32_t bits = bits_of(0x1p-30F); bits <= bits_of(0.5F);
         bits += bits < bits_of(0x1p-4F) ? 101 : 1) {
        const float t = float_of(bits);
        const double sin_error = ulps(gaussian_sin(t), sin(half_pi * (double)t));
        const double cos_error = ulps(gaussian_cos(t), cos(half_pi * (double)t));
        if (sin_error > worst_sin) worst_sin = sin_error;
        if (cos_error > worst_cos) worst_cos = cos_error;
        assert_true(gaussian_sin(-t) == -gaussian_sin(t));
        assert_true(gaussian_cos(-t) == gaussian_cos(t));
    }
    print_message("sine %.3f ulp, cosine %.3f ulp\n", worst_sin, worst_cos);
    assert_true(worst_sin < 2.0 && worst_cos < 2.0);
}

/* Exact formula in binary64, from u as rounded. */
static void exact_pair(uint32_t x, uint32_t y, double z[2])
{
    const double radius = sqrt(-2.0 * log((double)gaussian_unit(x)));
    const int32_t offset = (int32_t)(y & 0x3fffffffU) - (int32_t)(y << 1 & 0x40000000U);
    const double angle = (double)offset * (1.57079632679489661923 * 0x1p-30);
    const double c = cos(angle);
    const double s = sin(angle);
    const double cosines[] = {c, -s, -c, s};
    const double sines[] = {s, c, -s, -c};
    const uint32_t quadrant = (y + 0x20000000U) >> 30;
    z[0] = radius * cosines[quadrant];
    z[1] = radius * sines[quadrant];
}

static void test_pair_follows_the_formula(void **state)
{
    (void)state;
    static const uint32_t edges[] = {
        0,          1,          2,          0x1fffffff, 0x20000000, 0x20000001, 0x3fffffff,
        0x40000000, 0x40000001, 0x5fffffff, 0x60000000, 0x7fffffff, 0x80000000, 0x80000001,
        0x9fffffff, 0xa0000000, 0xbfffffff, 0xc0000000, 0xdfffffff, 0xe0000000, 0xffffffff};
    enum { EDGES = sizeof edges / sizeof edges[0], RANDOM = 1 << 21 };
    double worst = 0;
    for (uint32_t i = 0; i < EDGES * EDGES + RANDOM; i++) {
        const uint64_t words = random_bits(i);
        const bool edge = i < EDGES * EDGES;
        const uint32_t x = edge ? edges[i / EDGES] : (uint32_t)words;
        const uint32_t y = edge ? edges[i % EDGES] : (uint32_t)(words >> 32);
        float z[2];
        double exact[2];
        gaussian_pair(x, y, z);
        exact_pair(x, y, exact);
        for (int k = 0; k < 2; k++) {
            const double error = ulps(z[k], exact[k]);
            if (error > worst) worst = error;
        }
        /* The turn by y itself, free of the split into quadrants. */
        const double angle = (double)y * (6.28318530717958647692 * 0x1p-32);
        const double radius = hypot((double)z[0], (double)z[1]);
        assert_true(fabs((double)z[0] - radius * cos(angle)) < 1e-6 * (1 + radius));
        assert_true(fabs((double)z[1] - radius * sin(angle)) < 1e-6 * (1 + radius));
    }
    print_message("Gaussian numbers: %.3f ulp\n", worst);
    assert_true(worst < 3.0);
}

static void test_edges(void **state)
{
    (void)state;
    float z[2];
    assert_int_equal(bits_of(gaussian_minus_two_log(1.0F)), 0); /* +0 */
    gaussian_pair(UINT32_MAX, 0x12345678, z);
    assert_true(z[0] == 0.0F && z[1] == 0.0F);
    gaussian_pair(UINT32_MAX - 128, 0, z); /* the largest u below 1 */
    assert_true(z[0] > 3.4e-4F && z[0] < 3.5e-4F && z[1] == 0.0F);
    gaussian_pair(0, 0, z); /* the farthest number */
    assert_true(z[0] > 6.763F && z[0] < 6.765F && z[1] == 0.0F);
    gaussian_pair(0, 0x80000000U, z);
    assert_true(z[0] < -6.763F && z[1] == 0.0F);
    gaussian_pair(0, 0x40000000U, z);
    assert_true(z[0] == 0.0F && z[1] > 6.763F);
    gaussian_pair(0, 0xc0000000U, z);
    assert_true(z[0] == 0.0F && z[1] < -6.763F);
    gaussian_pair(0, 0x20000000U, z);
    assert_true(fabsf(z[0] - z[1]) < 1e-6F && z[0] > 4.78F);
}

/* Answers from a model of the definition in exact rational arithmetic. */
static void test_pinned_answers(void **state)
{
    (void)state;
    FILE *const file = fopen("tests/data/noise-vectors.txt", "r");
    assert_non_null(file);
    char line[256];
    int count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#') continue;
        uint64_t seed;
        uint64_t index;
        uint32_t tensor;
        uint32_t stream;
        uint32_t bits;
        assert_int_equal(sscanf(line, "%" SCNu64 "%" SCNu32 "%" SCNu32 "%" SCNu64 "%" SCNx32,
                                &seed, &tensor, &stream, &index, &bits),
                         5);
        const float z = cop_noise_stream_at(seed, (cop_noise_stream)stream, tensor, index);
        assert_int_equal(bits_of(z), bits);
        if (stream == COP_STREAM_WEIGHTS) {
            assert_int_equal(bits_of(cop_noise_at(seed, tensor, index)), bits);
        }
        count++;
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(count, 144);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unit_rounds_once),
        cmocka_unit_test(test_logarithm_is_within_2_ulp),
        cmocka_unit_test(test_sine_and_cosine_are_within_2_ulp),
        cmocka_unit_test(test_pair_follows_the_formula),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_pinned_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
