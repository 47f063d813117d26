/* Small statistics: means, quantiles, the normal distribution, intervals, softmax. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/search/search.h"

#include <math.h>
#include <string.h>

enum { DRAWS = 200 };

static void check_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance)) fail_msg("%.17g, expected %.17g", got, want);
}

static void test_mean(void **state)
{
    (void)state;
    const double values[] = {1.0, 2.0, 6.0};
    check_near(cop_stats_mean(values, 3), 3.0, 0.0);
    check_near(cop_stats_mean(NULL, 0), 0.0, 0.0);
}

static void test_quantile(void **state)
{
    (void)state;
    static const double values[] = {3.0, -1.0, 4.0, 1.5, 9.0, 2.6, 5.3};
    static const double expected[][2] = {{0.0, -1.0}, {0.1, 0.5},  {0.5, 3.0},
                                         {0.7, 4.26}, {0.9, 6.78}, {1.0, 9.0}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        double got;
        assert_int_equal(cop_stats_quantile(values, 7, expected[i][0], &got, NULL), COP_OK);
        check_near(got, expected[i][1], 1e-14);
    }
    double got;
    assert_int_equal(cop_stats_quantile(values, 1, 0.9, &got, NULL), COP_OK);
    check_near(got, 3.0, 0.0);
    /* Between equal values there is nothing to interpolate, at any q. */
    const double equal[] = {0.1, 0.1, 0.1, 0.1, 0.1};
    for (int i = 0; i <= 100; i++) {
        assert_int_equal(cop_stats_quantile(equal, 5, i / 100.0, &got, NULL), COP_OK);
        assert_true(got == 0.1);
    }
}

static void test_quantile_refuses(void **state)
{
    (void)state;
    const double value = 1.0;
    double got = 5.0;
    cop_error err = {0};
    assert_int_equal(cop_stats_quantile(&value, 1, 1.5, &got, &err), COP_ERR_CONFIG);
    assert_non_null(strstr(err.message, "1.5"));
    assert_true(got == 0.0);
    assert_int_equal(cop_stats_quantile(&value, 1, NAN, &got, &err), COP_ERR_CONFIG);
    assert_int_equal(cop_stats_quantile(&value, 0, 0.5, &got, &err), COP_ERR_INTERNAL);
}

static void test_normal_cdf(void **state)
{
    (void)state;
    static const double expected[][2] = {
        {-37, 5.7255712225245768e-300},
        {-10, 7.6198530241605261e-24},
        {-3, 0.0013498980316300945},
        {-1, 0.15865525393145705},
        {0, 0.5},
        {0.5, 0.6914624612740131},
        {2, 0.97724986805182079},
        {6, 0.99999999901341235},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        check_near(cop_stats_normal_cdf(expected[i][0]), expected[i][1],
                   1e-12 * expected[i][1]);
}

static void test_normal_quantile(void **state)
{
    (void)state;
    static const double expected[][2] = {
        {1e-300, -37.047096299361199},       {1e-100, -21.273453560965324},
        {1e-20, -9.2623400897984076},        {1e-9, -5.9978070150076869},
        {0.001, -3.0902323061678135},        {0.025, -1.9599639845400542},
        {0.2, -0.84162123357291417},         {0.2499, -0.67480447011060999},
        {0.25, -0.67448975019608174},        {0.3, -0.52440051270804082},
        {0.4999999, -2.5066282747031065e-7}, {0.500000000001, 2.5065728237018605e-12},
        {0.75, 0.67448975019608174},         {0.7501, 0.67480447011060999},
        {0.9, 1.2815515655446006},           {0.975, 1.9599639845400539},
        {0.999999, 4.7534243088170878},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        check_near(cop_stats_normal_quantile(expected[i][0]), expected[i][1],
                   4e-16 * fabs(expected[i][1]));
    assert_true(cop_stats_normal_quantile(0.5) == 0.0);
    assert_true(cop_stats_normal_quantile(0.0) == -INFINITY);
    assert_true(cop_stats_normal_quantile(1.0) == INFINITY);
    assert_true(isnan(cop_stats_normal_quantile(-0.1)));
    assert_true(isnan(cop_stats_normal_quantile(NAN)));
    for (int i = 1; i < 4000; i++) { /* there and back */
        const double p = pow(10.0, -i / 20.0);
        check_near(cop_stats_normal_cdf(cop_stats_normal_quantile(p)), p, 1e-12 * p);
    }
}

static void test_wilson(void **state)
{
    (void)state;
    double low, high;
    cop_stats_wilson(7, 20, 0.95, &low, &high);
    check_near(low, 0.181191824101082, 1e-14);
    check_near(high, 0.567145723314764, 1e-14);
    cop_stats_wilson(312, 1000, 0.9, &low, &high);
    check_near(low, 0.288435472466468, 1e-14);
    check_near(high, 0.336579066991682, 1e-14);
    cop_stats_wilson(0, 10, 0.95, &low, &high);
    assert_true(low == 0.0);
    check_near(high, 0.277532799862889, 1e-14);
    cop_stats_wilson(10, 10, 0.95, &low, &high);
    check_near(low, 0.722467200137111, 1e-14);
    assert_true(high == 1.0);
    cop_stats_wilson(0, 0, 0.95, &low, &high);
    assert_true(low == 0.0 && high == 1.0);
}

static void test_softmax(void **state)
{
    (void)state;
    const double values[] = {1.0, 2.0, -INFINITY, 2.0};
    double w[4];
    cop_stats_softmax(values, 4, 0.5, w);
    const double small = exp(-2.0);
    check_near(w[0], small / (2.0 + small), 1e-16);
    check_near(w[1], 1.0 / (2.0 + small), 1e-16);
    assert_true(w[2] == 0.0);
    assert_true(w[1] == w[3]);
    cop_stats_softmax(values, 4, 1e-300, w); /* the best ones only */
    assert_true(w[0] == 0.0 && w[1] == 0.5 && w[2] == 0.0 && w[3] == 0.5);
    const double huge[] = {1e308, -1e308};
    cop_stats_softmax(huge, 2, 1.0, w);
    assert_true(w[0] == 1.0 && w[1] == 0.0);
    const double none[] = {-INFINITY, -INFINITY};
    cop_stats_softmax(none, 2, 1.0, w);
    assert_true(w[0] == 0.5 && w[1] == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_quantile_refuses),
        cmocka_unit_test(test_normal_cdf),
        cmocka_unit_test(test_normal_quantile),
        cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_softmax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
