/* The spectrum of a weighted cloud against LAPACK and against its definition. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "search/secular.h"
#include "unit/search/search_golden.h"

#include <lapacke.h>
#include <string.h>

enum { MOST = 100 };

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static double uniform(uint64_t *state)
{
    return (double)(next(state) >> 11) * 0x1p-53;
}

static void scale_to_one(double *weight, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += weight[i];
    for (size_t i = 0; i < n; i++)
        weight[i] /= sum;
}

/* The covariance of the rows sigma_i e_i - mean, from the rows. */
static double *build_matrix(const double *sigma, const double *weight, size_t n)
{
    double *matrix = calloc(n * n, sizeof *matrix);
    double *row = calloc(n, sizeof *row);
    assert_true(matrix && row);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++)
            row[j] = (i == j ? sigma[i] : 0.0) - weight[j] * sigma[j];
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < n; k++)
                matrix[j * n + k] += weight[i] * row[j] * row[k];
    }
    free(row);
    return matrix;
}

/* Solves it all; weights sum to 1. */
static void check(const double *sigma, const double *weight, size_t n)
{
    double *value = calloc(n, sizeof *value);
    double *vector = calloc(n * n, sizeof *vector);
    double *wanted = calloc(n, sizeof *wanted);
    double *matrix = build_matrix(sigma, weight, n);
    assert_true(value && vector && wanted);
    assert_int_equal(cop_secular_solve(sigma, weight, n, n, value, vector, NULL), COP_OK);
    check_orthonormal(vector, n, n);
    double scale = 1e-300;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, weight[i] * sigma[i] * sigma[i]);
    for (size_t k = 0; k < n; k++) {
        const double *v = vector + k * n;
        for (size_t i = 0; i < n; i++) {
            double dot = 0.0;
            for (size_t j = 0; j < n; j++)
                dot += matrix[i * n + j] * v[j];
            golden_compare(dot, value[k] * v[i], scale, 1e-12, "matrix times vector");
        }
    }
    assert_int_equal(LAPACKE_dsyevd(LAPACK_ROW_MAJOR, 'N', 'U', (int)n, matrix, (int)n, wanted),
                     0);
    for (size_t k = 0; k < n; k++) {
        golden_compare(value[k], wanted[n - 1 - k], scale, 1e-12, "eigenvalue");
        assert_true(value[k] >= 0.0);
    }
    free(value);
    free(vector);
    free(matrix);
    free(wanted);
}

static double draw_sigma(uint64_t *random)
{
    return 5e-4 * (double)(1 + next(random) % 4);
}

static void test_random(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 30; round++) {
        double sigma[MOST], weight[MOST];
        const size_t n = 1 + next(&random) % MOST;
        for (size_t i = 0; i < n; i++) {
            sigma[i] = uniform(&random) - 0.3;
            weight[i] = uniform(&random);
        }
        scale_to_one(weight, n);
        check(sigma, weight, n);
    }
}

static void test_ties_and_zeros(void **state)
{
    (void)state;
    uint64_t random = 2;
    for (int round = 0; round < 30; round++) {
        double sigma[MOST], weight[MOST];
        const size_t n = 1 + next(&random) % MOST;
        const uint64_t levels = 1 + next(&random) % 4;
        for (size_t i = 0; i < n; i++) { /* sigma 0 and weight 0, and many alike */
            sigma[i] = (double)(next(&random) % (levels + 1)) - 1.0;
            weight[i] = (double)(next(&random) % levels) + (i == 0);
        }
        scale_to_one(weight, n);
        check(sigma, weight, n);
    }
}

static void test_clusters(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int round = 0; round < 30; round++) {
        double sigma[MOST], weight[MOST];
        const size_t n = 2 + next(&random) % (MOST - 2);
        for (size_t i = 0; i < n; i++) { /* variances an ulp or a few apart */
            sigma[i] = draw_sigma(&random);
            weight[i] = 1.0 + (double)(next(&random) % 20) * 0x1p-52;
            weight[i] *= (double)(1 + next(&random) % 2);
        }
        scale_to_one(weight, n);
        check(sigma, weight, n);
    }
}

/* Weights of steep softmaxes: the spectrum sums to sum_i w_i (1 - w_i) sigma_i^2 however little
 * of it the largest weight leaves. */
static void test_steep_weights(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (int round = 0; round < 60; round++) {
        double sigma[MOST], weight[MOST], value[MOST], others[MOST];
        const double steepness = 10.0 * (double)(1 + round);
        const size_t n = 2 + next(&random) % (MOST - 2);
        for (size_t i = 0; i < n; i++) {
            sigma[i] = draw_sigma(&random);
            weight[i] = i == 0 ? 1.0 : exp(-steepness * (0.2 + 0.4 * uniform(&random)));
        }
        scale_to_one(weight, n);
        check(sigma, weight, n);
        assert_int_equal(cop_secular_solve(sigma, weight, n, 0, value, NULL, NULL), COP_OK);
        double trace = 0.0;
        double sum = 0.0;
        for (size_t i = n; i-- > 0;) {
            sum += value[i];
            others[i] = 0.0;
            for (size_t j = n; j-- > 0;)
                others[i] += j == i ? 0.0 : weight[j];
            trace += weight[i] * sigma[i] * sigma[i] * others[i];
        }
        golden_compare(sum, trace, trace, 1e-12, "sum of eigenvalues");
    }
}

static void test_edges(void **state)
{
    (void)state;
    const double zero[] = {0.0, 0.0};
    const double one[] = {1.0, 1.0};
    const double half[] = {0.5, 0.5};
    const double first[] = {1.0, 0.0};
    const double tiny[] = {1.0, 1e-200};
    check(zero, half, 2);
    check(one, half, 2);
    check(one, first, 2);
    check(first, half, 2);
    check(one, tiny, 2);
    double value = 1.0;
    double vector = 0.0;
    assert_int_equal(cop_secular_solve(one, one, 1, 1, &value, &vector, NULL), COP_OK);
    assert_true(value == 0.0 && vector == 1.0);
}

static void test_refuses(void **state)
{
    (void)state;
    const double good[] = {0.5, 0.5};
    const double bad[][2] = {{0.5, NAN}, {0.5, -0.5}};
    double value[2], vector[4];
    for (size_t i = 0; i < 2; i++) {
        cop_error err = {0};
        assert_int_equal(cop_secular_solve(good, bad[i], 2, 2, value, vector, &err),
                         COP_ERR_NUMERIC);
        assert_non_null(strstr(err.message, "axis 1"));
    }
    assert_int_equal(cop_secular_solve(bad[0], good, 2, 2, value, vector, NULL),
                     COP_ERR_NUMERIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),   cmocka_unit_test(test_ties_and_zeros),
        cmocka_unit_test(test_clusters), cmocka_unit_test(test_steep_weights),
        cmocka_unit_test(test_edges),    cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
