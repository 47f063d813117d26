/* Leading eigenvectors of symmetric matrices, also of those that fall apart into blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "search/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 24 };

/* They are the k largest, their vectors are orthonormal and are the matrix's. */
static void check_leading(const double *matrix, size_t n, size_t k)
{
    double scratch[MOST * MOST];
    double all[MOST];
    double value[MOST];
    double vector[MOST * MOST];
    cop_error err = {0};
    memcpy(scratch, matrix, n * n * sizeof *matrix);
    assert_int_equal(cop_dense_spectrum(scratch, n, all, &err), COP_OK);
    memcpy(scratch, matrix, n * n * sizeof *matrix);
    if (cop_dense_leading(scratch, n, k, value, vector, &err) != COP_OK)
        fail_msg("%s", err.message);
    for (size_t a = 0; a < k; a++) {
        const double *const v = vector + a * n;
        assert_true(fabs(value[a] - all[a]) <= 1e-12 * (1 + fabs(all[0])));
        for (size_t i = 0; i < n; i++) {
            double image = 0;
            for (size_t j = 0; j < n; j++)
                image += matrix[i * n + j] * v[j];
            assert_true(fabs(image - value[a] * v[i]) <= 1e-12 * (1 + fabs(all[0])));
        }
        for (size_t b = 0; b <= a; b++) {
            double product = 0;
            for (size_t i = 0; i < n; i++)
                product += v[i] * vector[b * n + i];
            assert_true(fabs(product - (a == b ? 1 : 0)) <= 1e-12);
        }
    }
}

/* OpenBLAS's dsyevr finds none of the two largest eigenvalues of the first, one of three of the
 * second, and says that all went well. */
static void test_blocks(void **state)
{
    (void)state;
    static const double six[] = {2, 1, 0, 1, 1, 1, 1, 2, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0,
                                 1, 1, 0, 2, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1};
    static const double seven[] = {3,  2,  -1, 1, -1, -1, 1, 2, 3,  -1, 1, -1, -1, 1, -1, -1, 2,
                                   0,  0,  1,  0, 1,  1,  0, 2, -1, 0,  1, -1, -1, 0, -1, 1,  0,
                                   -1, -1, -1, 1, 0,  0,  2, 0, 1,  1,  0, 1,  -1, 0, 2};
    for (size_t k = 1; k <= 6; k++)
        check_leading(six, 6, k);
    for (size_t k = 1; k <= 7; k++)
        check_leading(seven, 7, k);
}

/* Few numbers, equal rows, zeros: as scores of 0 and 1 give them. */
static void test_random(void **state)
{
    (void)state;
    srand(1);
    for (int turn = 0; turn < 3000; turn++) {
        const size_t n = 1 + (size_t)rand() % MOST;
        const size_t width = 1 + (size_t)rand() % 6;
        double rows[MOST * 6];
        double gram[MOST * MOST];
        for (size_t i = 0; i < n; i++) {
            const size_t like = rand() % 3 == 0 && i > 0 ? (size_t)rand() % i : i;
            for (size_t j = 0; j < width; j++)
                rows[i * width + j] = like < i ? rows[like * width + j] : rand() % 3 - 1;
        }
        cop_dense_gram(rows, n, width, gram);
        check_leading(gram, n, 1 + (size_t)rand() % n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blocks),
                                       cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
