/* The search update against golden numbers, and at its edges. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/search/search.h"
#include "unit/search/search_golden.h"

#include <string.h>

enum { RANK = 8 };

static void check_case(const json_t *one)
{
    size_t n, m;
    double *sigma = golden_list(one, "sigma", &n);
    double *score = golden_list(one, "score", &m);
    assert_int_equal(n, m);
    /* The file gives half of what is aimed at. */
    const double target = 2.0 * golden_number(one, "target_ess");
    cop_search_update update;
    assert_int_equal(cop_search_update_run(sigma, score, n, target,
                                           golden_number(one, "iso_lambda_before"), RANK,
                                           &update, NULL),
                     COP_OK);
    golden_compare(update.positive_fraction, golden_number(one, "positive_fraction"), 1.0,
                   1e-12, "positive_fraction");
    golden_compare(update.lambda_after, golden_number(one, "iso_lambda_after"), 1.0, 1e-12,
                   "lambda");
    golden_compare_indices(one, "member", update.member, update.member_count);
    golden_compare_list(one, "weight", update.weight, update.member_count, 1e-6);
    const bool uniform = json_is_null(json_object_get(one, "temperature"));
    assert_int_equal(update.uniform, uniform);
    if (uniform) {
        assert_true(update.temperature == 0.0);
    } else {
        const double temperature = golden_number(one, "temperature");
        golden_compare(update.temperature, temperature, temperature, 1e-6, "temperature");
    }
    golden_compare_list(one, "eigenvalue", update.eigenvalue, update.rank, 1e-6);
    check_orthonormal(update.principal, update.rank, n);
    for (size_t i = 0; i < n; i++)
        if (!(score[i] > 0.0))
            for (size_t k = 0; k < update.rank; k++)
                assert_true(update.principal[k * n + i] == 0.0);
    cop_search_update_free(&update);
    free(sigma);
    free(score);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root;
    const json_t *cases = golden_open("tests/data/search_update.json", &root);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i));
    json_decref(root);
}

static void test_meets_target(void **state)
{
    (void)state;
    double sigma[50], score[50];
    for (size_t i = 0; i < 50; i++) {
        sigma[i] = 0.001;
        score[i] = (double)((i * 37) % 50) / 50.0 - 0.2;
    }
    for (double target = 1.5; target < 38.0; target += 1.0) {
        cop_search_update update;
        assert_int_equal(
            cop_search_update_run(sigma, score, 50, target, 0.5, RANK, &update, NULL), COP_OK);
        double square = 0.0;
        for (size_t i = 0; i < update.member_count; i++)
            square += update.weight[i] * update.weight[i];
        golden_compare(1.0 / square, target, target, 1e-9, "effective sample size");
        assert_false(update.uniform);
        cop_search_update_free(&update);
    }
}

static void test_no_member(void **state)
{
    (void)state;
    const double sigma[] = {0.001, 0.002};
    const double score[] = {0.0, -0.5};
    cop_search_update update;
    assert_int_equal(cop_search_update_run(sigma, score, 2, 16.0, 0.5, RANK, &update, NULL),
                     COP_OK);
    assert_int_equal(update.member_count, 0);
    assert_int_equal(update.rank, 0);
    assert_true(update.positive_fraction == 0.0);
    golden_compare(update.lambda_after, 0.725, 1.0, 1e-12, "lambda");
    cop_search_update_free(&update);
}

static void test_lambda_limits(void **state)
{
    (void)state;
    const double sigma[] = {0.001, 0.001};
    const double bad[] = {-1.0, -1.0};
    const double good[] = {1.0, 1.0};
    double up = 0.5;
    double down = 0.5;
    for (int i = 0; i < 80; i++) {
        cop_search_update update;
        assert_int_equal(cop_search_update_run(sigma, bad, 2, 4.0, up, RANK, &update, NULL),
                         COP_OK);
        up = update.lambda_after;
        cop_search_update_free(&update);
        assert_int_equal(cop_search_update_run(sigma, good, 2, 4.0, down, RANK, &update, NULL),
                         COP_OK);
        down = update.lambda_after;
        cop_search_update_free(&update);
    }
    golden_compare(up, 0.95, 1.0, 1e-12, "largest lambda");
    golden_compare(down, 0.15, 1.0, 1e-12, "least lambda");
}

static void test_ties(void **state)
{
    (void)state;
    const double sigma[] = {0.001, 0.002, 0.001, 0.002};
    const double score[] = {0.5, 0.5, 0.5, 0.5};
    cop_search_update update; /* no temperature tells them apart */
    assert_int_equal(cop_search_update_run(sigma, score, 4, 2.0, 0.5, RANK, &update, NULL),
                     COP_OK);
    for (size_t i = 0; i < 4; i++)
        assert_true(update.weight[i] == 0.25);
    cop_search_update_free(&update);
}

static void test_refuses(void **state)
{
    (void)state;
    const double sigma[] = {0.001, 0.002};
    const double score[] = {0.5, NAN};
    cop_search_update update;
    cop_error err = {0};
    assert_int_equal(cop_search_update_run(sigma, score, 2, 4.0, 0.5, RANK, &update, &err),
                     COP_ERR_NUMERIC);
    assert_non_null(strstr(err.message, "candidate 1"));
    assert_int_equal(cop_search_update_run(sigma, score, 0, 4.0, 0.5, RANK, &update, &err),
                     COP_ERR_INTERNAL);
}

static void test_target_ess(void **state)
{
    (void)state;
    golden_compare(cop_search_target_ess(0, 3, 100), 32.0, 1.0, 1e-12, "first round");
    golden_compare(cop_search_target_ess(1, 3, 100), 16.0, 1.0, 1e-12, "second round");
    golden_compare(cop_search_target_ess(2, 3, 100), 8.0, 1.0, 1e-12, "last round");
    golden_compare(cop_search_target_ess(0, 1, 100), 32.0, 1.0, 1e-12, "only round");
    golden_compare(cop_search_target_ess(7, 3, 100), 8.0, 1.0, 1e-12, "past the last");
    golden_compare(cop_search_target_ess(0, 3, 5), 5.0, 1.0, 1e-12, "few members");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),     cmocka_unit_test(test_meets_target),
        cmocka_unit_test(test_no_member),  cmocka_unit_test(test_lambda_limits),
        cmocka_unit_test(test_ties),       cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_target_ess),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
