/* Elementary functions against the C library's, which are within a unit of the last place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coppice/base/math.h"

#include <math.h>
#include <stdio.h>

static const double tolerance = 2e-15;

static void expect_near(const char *what, double argument, double got, double want)
{
    const double scale = fabs(want) > 1.0 ? fabs(want) : 1.0;
    if (!(fabs(got - want) <= tolerance * scale))
        fail_msg("%s of %.17g is %.17g, not %.17g", what, argument, got, want);
}

static void test_log_and_exp(void **state)
{
    (void)state;
    for (int i = -3000; i <= 3000; i++) {
        const double x = exp(i * 0.2318);
        expect_near("log", x, cop_math_log(x), log(x));
        const double y = i * 0.2331;
        const double want = exp(y);
        if (!(fabs(cop_math_exp(y) - want) <= tolerance * want))
            fail_msg("exp of %.17g is %.17g, not %.17g", y, cop_math_exp(y), want);
    }
    assert_true(cop_math_log(1.0) == 0.0 && cop_math_exp(0.0) == 1.0);
}

static void test_pow_of_rope(void **state)
{
    (void)state;
    static const double thetas[] = {1e4, 1e5, 5e5, 1e6, 1e7};
    for (size_t t = 0; t < sizeof thetas / sizeof thetas[0]; t++) {
        for (int i = 0; i < 128; i++) {
            const double want = pow(thetas[t], -2.0 * i / 256);
            if (!(fabs(cop_math_pow(thetas[t], -2.0 * i / 256) - want) <= 8e-15 * want))
                fail_msg("%g to the -2 * %d / 256", thetas[t], i);
        }
    }
}

static void test_sine_and_cosine(void **state)
{
    (void)state;
    for (int i = -200000; i <= 200000; i++) {
        const double angle = i < 0 ? i * 0.7231 : i * 0.0001237;
        double sine = 0.0;
        double cosine = 0.0;
        cop_math_sine_cosine(angle, &sine, &cosine);
        expect_near("sine", angle, sine, sin(angle));
        expect_near("cosine", angle, cosine, cos(angle));
    }
}

static void test_odd_arguments_give_what_the_library_gives(void **state)
{
    (void)state;
    assert_true(isnan(cop_math_log(-1.0)) && isnan(cop_math_log((double)NAN)));
    assert_true(cop_math_log(0.0) == -HUGE_VAL && cop_math_log(HUGE_VAL) == HUGE_VAL);
    assert_true(cop_math_exp(-1e9) == 0.0 && cop_math_exp(1e9) == HUGE_VAL);
    assert_true(isnan(cop_math_exp((double)NAN)));
    double sine = 0.0;
    double cosine = 0.0;
    cop_math_sine_cosine(1e300, &sine, &cosine);
    assert_true(fabs(sine) <= 1.0 && fabs(cosine) <= 1.0);
    cop_math_sine_cosine(HUGE_VAL, &sine, &cosine);
    assert_true(isnan(sine) && isnan(cosine));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_and_exp),
        cmocka_unit_test(test_pow_of_rope),
        cmocka_unit_test(test_sine_and_cosine),
        cmocka_unit_test(test_odd_arguments_give_what_the_library_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
