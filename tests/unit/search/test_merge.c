/* The two-pass merge against golden numbers, and at its edges. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/search/search.h"
#include "unit/search/search_golden.h"

#include <string.h>

enum { RANK = 8, LARGE = 400 };

static void check_case(const json_t *one)
{
    size_t n, m;
    double *sigma = golden_list(one, "sigma", &n);
    double *reward = golden_list(one, "reward", &m);
    assert_int_equal(n, m);
    cop_merge merge;
    const size_t rank = (size_t)golden_number(one, "rank");
    assert_int_equal(cop_merge_run(sigma, reward, NULL, n, golden_number(one, "q"),
                                   golden_number(one, "beta"), rank, &merge, NULL),
                     COP_OK);
    const size_t elite = merge.elite_count;
    golden_compare(merge.threshold, golden_number(one, "threshold"), 1.0, 1e-9, "threshold");
    golden_compare_indices(one, "elite", merge.elite, elite);
    golden_compare_list(one, "pass1_weight", merge.pass1_weight, elite, 1e-9);
    golden_compare_list(one, "pass2_weight", merge.pass2_weight, elite, 1e-9);
    golden_compare_list(one, "alignment", merge.alignment, elite, 1e-9);
    golden_compare_list(one, "dispersion", merge.dispersion, elite, 1e-9);
    golden_compare_list(one, "direction", merge.direction, n, 1e-9);
    static const char *const keys[] = {"mean_rss", "trace_cov", "effective_rank",
                                       "kappa",    "ess",       "entropy"};
    const double got[] = {merge.mean_rss, merge.trace_cov, merge.effective_rank,
                          merge.kappa,    merge.ess,       merge.entropy};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const double want = golden_number(one, keys[i]);
        golden_compare(got[i], want, fabs(want) + 1e-15, 1e-9, keys[i]);
    }
    golden_compare_list(one, "eigenvalue", merge.eigenvalue, merge.rank, 1e-9);
    check_orthonormal(merge.principal, merge.rank, n);
    cop_merge_free(&merge);
    free(sigma);
    free(reward);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root;
    const json_t *cases = golden_open("tests/data/merge.json", &root);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i));
    json_decref(root);
}

/* Principal rows times the covariance give back the eigenvalues. */
static void check_principal(const cop_merge *merge, const double *sigma)
{
    double mean[LARGE] = {0};
    double diagonal[LARGE] = {0};
    for (size_t i = 0; i < merge->elite_count; i++) {
        const size_t c = merge->elite[i];
        mean[c] = merge->pass2_weight[i] * sigma[c];
        diagonal[c] = mean[c] * sigma[c];
    }
    for (size_t k = 0; k < merge->rank; k++) {
        const double *row = merge->principal + k * merge->count;
        double dot = 0.0;
        double largest = 0.0;
        for (size_t i = 0; i < merge->count; i++) {
            dot += mean[i] * row[i];
            if (fabs(row[i]) > fabs(largest)) largest = row[i];
        }
        assert_true(largest > 0.0);
        for (size_t i = 0; i < merge->count; i++)
            golden_compare(diagonal[i] * row[i] - mean[i] * dot, merge->eigenvalue[k] * row[i],
                           merge->eigenvalue[0], 1e-10, "covariance times principal direction");
    }
}

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void test_random_populations(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int round = 0; round < 60; round++) {
        const size_t n = 1 + next(&random) % LARGE;
        double sigma[LARGE], reward[LARGE];
        const unsigned levels = round % 2 ? 1 + (unsigned)(next(&random) % 65) : 1u << 30;
        for (size_t i = 0; i < n; i++) {
            sigma[i] = 5e-4 * (double)(1 + next(&random) % 4);
            reward[i] = (double)(next(&random) % levels) / levels;
        }
        cop_merge merge;
        const double q = (double)(next(&random) % 101) / 100.0;
        const double beta = (double)(next(&random) % 50);
        assert_int_equal(cop_merge_run(sigma, reward, NULL, n, q, beta, RANK, &merge, NULL),
                         COP_OK);
        assert_int_equal(merge.rank, merge.elite_count < RANK ? merge.elite_count : RANK);
        check_orthonormal(merge.principal, merge.rank, n);
        check_principal(&merge, sigma);
        double norm = 0.0;
        for (size_t i = 0; i < n; i++)
            norm += merge.direction[i] * merge.direction[i];
        golden_compare(norm, 1.0, 1.0, 1e-12, "norm of the direction");
        for (size_t k = 1; k < merge.rank; k++)
            assert_true(merge.eigenvalue[k] <= merge.eigenvalue[k - 1]);
        cop_merge_free(&merge);
    }
}

static void test_one_candidate(void **state)
{
    (void)state;
    const double sigma = 0.002, reward = 0.25;
    cop_merge merge;
    assert_int_equal(cop_merge_run(&sigma, &reward, NULL, 1, 0.9, 5.0, RANK, &merge, NULL),
                     COP_OK);
    assert_int_equal(merge.elite_count, 1);
    assert_int_equal(merge.rank, 1);
    assert_true(merge.direction[0] == 1.0);
    assert_true(merge.eigenvalue[0] == 0.0 && merge.effective_rank == 0.0);
    assert_true(merge.principal[0] == 1.0);
    cop_merge_free(&merge);
    cop_merge_free(&merge); /* twice is harmless */
}

static void test_huge_beta(void **state)
{
    (void)state;
    const double sigma[] = {0.001, 0.002, 0.0005, 0.001};
    const double reward[] = {0.5, 0.75, 0.75, 0.1};
    const double beta[] = {50.0, 1e4, 1e300, -1e300};
    for (size_t i = 0; i < 4; i++) {
        cop_merge merge;
        assert_int_equal(
            cop_merge_run(sigma, reward, NULL, 4, 0.0, beta[i], RANK, &merge, NULL), COP_OK);
        double sum = 0.0;
        for (size_t k = 0; k < merge.elite_count; k++)
            sum += merge.pass2_weight[k];
        golden_compare(sum, 1.0, 1.0, 1e-12, "sum of weights");
        assert_true(isfinite(merge.kappa) && isfinite(merge.effective_rank));
        check_orthonormal(merge.principal, merge.rank, 4);
        cop_merge_free(&merge);
    }
}

static void test_vanishing_mean(void **state)
{
    (void)state;
    const double sigma[] = {0.0, 0.0, 0.0};
    const double reward[] = {0.1, 0.2, 0.3};
    cop_merge merge;
    assert_int_equal(cop_merge_run(sigma, reward, NULL, 3, 0.0, 1.0, RANK, &merge, NULL),
                     COP_OK);
    assert_true(merge.mean_rss == 0.0 && merge.trace_cov == 0.0 && merge.kappa == 0.0);
    for (size_t i = 0; i < 3; i++)
        assert_true(merge.direction[i] == 0.0 && merge.eigenvalue[i] == 0.0);
    check_orthonormal(merge.principal, 3, 3);
    cop_merge_free(&merge);
}

static void test_one_zero_sigma(void **state)
{
    (void)state;
    const double sigma[] = {0.001, 0.0, 0.002};
    const double reward[] = {0.1, 0.2, 0.3};
    cop_merge merge;
    assert_int_equal(cop_merge_run(sigma, reward, NULL, 3, 0.0, 1.0, RANK, &merge, NULL),
                     COP_OK);
    assert_true(merge.direction[1] == 0.0 && merge.direction[0] > 0.0);
    check_principal(&merge, sigma);
    cop_merge_free(&merge);
}

static void test_valid_mask(void **state)
{
    (void)state;
    const double sigma[] = {0.001, NAN, 0.002, 0.001, 0.0005};
    const double reward[] = {0.1, 0.9, 0.3, NAN, 0.2};
    const bool valid[] = {true, false, true, false, true};
    const double kept_sigma[] = {0.001, 0.002, 0.0005};
    const double kept_reward[] = {0.1, 0.3, 0.2};
    cop_merge merge, kept;
    assert_int_equal(cop_merge_run(sigma, reward, valid, 5, 0.5, 2.0, RANK, &merge, NULL),
                     COP_OK);
    assert_int_equal(
        cop_merge_run(kept_sigma, kept_reward, NULL, 3, 0.5, 2.0, RANK, &kept, NULL), COP_OK);
    static const size_t where[] = {0, 2, 4};
    assert_int_equal(merge.elite_count, kept.elite_count);
    assert_true(merge.threshold == kept.threshold && merge.mean_rss == kept.mean_rss);
    for (size_t i = 0; i < 3; i++)
        assert_true(merge.direction[where[i]] == kept.direction[i]);
    assert_true(merge.direction[1] == 0.0 && merge.direction[3] == 0.0);
    cop_merge_free(&merge);
    cop_merge_free(&kept);
}

static void test_refuses(void **state)
{
    (void)state;
    const double sigma[] = {0.001, 0.001};
    const double reward[] = {0.5, NAN};
    const bool none[] = {false, false};
    cop_merge merge;
    cop_error err = {0};
    assert_int_equal(cop_merge_run(sigma, reward, NULL, 2, 0.5, 1.0, RANK, &merge, &err),
                     COP_ERR_NUMERIC);
    assert_non_null(strstr(err.message, "candidate 1"));
    assert_null(merge.direction);
    assert_int_equal(cop_merge_run(sigma, reward, none, 2, 0.5, 1.0, RANK, &merge, &err),
                     COP_ERR_NUMERIC);
    assert_int_equal(cop_merge_run(sigma, sigma, NULL, 2, -0.1, 1.0, RANK, &merge, &err),
                     COP_ERR_CONFIG);
    assert_int_equal(cop_merge_run(sigma, sigma, NULL, 2, 0.5, INFINITY, RANK, &merge, &err),
                     COP_ERR_CONFIG);
    cop_merge_free(&merge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),         cmocka_unit_test(test_random_populations),
        cmocka_unit_test(test_one_candidate),  cmocka_unit_test(test_huge_beta),
        cmocka_unit_test(test_vanishing_mean), cmocka_unit_test(test_one_zero_sigma),
        cmocka_unit_test(test_valid_mask),     cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
