#include "search/dense.h"

#include "coppice/base/memory.h"

#include <assert.h>
#include <cblas.h>
#include <lapacke.h>
#include <string.h>

/* LAPACK speaks of columns: what is row-major here is the transpose there, which for symmetric
 * matrices is the same, and for eigenvectors is what is wanted. */

static cop_status check(lapack_int code, const char *routine, cop_error *err)
{
    if (code == 0) return COP_OK;
    if (code == LAPACK_WORK_MEMORY_ERROR)
        return cop_error_set(err, COP_ERR_MEMORY, "no memory for LAPACK's %s", routine);
    return cop_error_set(err, COP_ERR_NUMERIC, "LAPACK's %s failed with code %lld", routine,
                         (long long)code);
}

static void fill_upper(double *gram, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            gram[i * n + j] = gram[j * n + i];
}

static void gram_of(const double *rows, size_t n, size_t width, CBLAS_TRANSPOSE transpose,
                    double *gram)
{
    const int order = (int)(transpose == CblasNoTrans ? n : width);
    const int inner = (int)(transpose == CblasNoTrans ? width : n);
    cblas_dsyrk(CblasRowMajor, CblasLower, transpose, order, inner, 1.0, rows, (int)width, 0.0,
                gram, order);
    fill_upper(gram, (size_t)order);
}

void cop_dense_gram(const double *rows, size_t n, size_t width, double *gram)
{
    assert(n <= COP_DENSE_MOST && width <= COP_DENSE_MOST);
    gram_of(rows, n, width, CblasNoTrans, gram);
}

void cop_dense_gram_columns(const double *rows, size_t n, size_t width, double *gram)
{
    assert(n <= COP_DENSE_MOST && width <= COP_DENSE_MOST);
    gram_of(rows, n, width, CblasTrans, gram);
}

void cop_dense_product(const double *a, const double *b, size_t m, size_t n, size_t k,
                       double *out)
{
    assert(m <= COP_DENSE_MOST && n <= COP_DENSE_MOST && k <= COP_DENSE_MOST);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, 1.0, a, (int)k,
                b, (int)k, 0.0, out, (int)n);
}

static void reverse(double *values, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        const double other = values[i];
        values[i] = values[count - 1 - i];
        values[count - 1 - i] = other;
    }
}

static void reverse_rows(double *rows, size_t count, size_t width)
{
    for (size_t i = 0; i < count / 2; i++) {
        double *const a = rows + i * width;
        double *const b = rows + (count - 1 - i) * width;
        for (size_t j = 0; j < width; j++) {
            const double other = a[j];
            a[j] = b[j];
            b[j] = other;
        }
    }
}

/* By way of all of them. */
static cop_status find_all_leading(double *matrix, size_t n, size_t k, double *eigenvalue,
                                   double *vector, cop_error *err)
{
    const lapack_int order = (lapack_int)n;
    COP_TRY(check(LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', order, matrix, order, eigenvalue),
                  "dsyevd", err));
    memmove(eigenvalue, eigenvalue + (n - k), k * sizeof *eigenvalue);
    memcpy(vector, matrix + (n - k) * n, k * n * sizeof *vector);
    return COP_OK;
}

/* Of a matrix that falls apart into blocks, as equal examples make it, dsyevr finds fewer
 * eigenvalues than it is asked for, and calls that success. The triangle that it does not read
 * is whole then. */
cop_status cop_dense_leading(double *matrix, size_t n, size_t k, double *eigenvalue,
                             double *vector, cop_error *err)
{
    assert(n <= COP_DENSE_MOST && k >= 1 && k <= n && k <= 64);
    const lapack_int order = (lapack_int)n;
    lapack_int found = 0;
    lapack_int support[2 * 64];
    double *const diagonal = cop_memory_alloc(n, sizeof *diagonal, err);
    if (diagonal == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < n; i++)
        diagonal[i] = matrix[i * n + i];
    cop_status status = check(LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', order, matrix,
                                             order, 0, 0, order - (lapack_int)k + 1, order, 0,
                                             &found, eigenvalue, vector, order, support),
                              "dsyevr", err);
    if (status == COP_OK && found < (lapack_int)k) {
        for (size_t i = 0; i < n; i++) {
            matrix[i * n + i] = diagonal[i];
            for (size_t j = 0; j < i; j++)
                matrix[j * n + i] = matrix[i * n + j];
        }
        status = find_all_leading(matrix, n, k, eigenvalue, vector, err);
    }
    cop_memory_free(diagonal);
    COP_TRY(status);
    reverse(eigenvalue, k);
    reverse_rows(vector, k, n);
    return COP_OK;
}

cop_status cop_dense_spectrum(double *matrix, size_t n, double *eigenvalue, cop_error *err)
{
    assert(n <= COP_DENSE_MOST && n >= 1);
    const lapack_int order = (lapack_int)n;
    COP_TRY(check(LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'N', 'L', order, matrix, order, eigenvalue),
                  "dsyevd", err));
    reverse(eigenvalue, n);
    return COP_OK;
}

cop_status cop_dense_singular(double *matrix, size_t n, double *singular, cop_error *err)
{
    assert(n <= COP_DENSE_MOST && n >= 1);
    const lapack_int order = (lapack_int)n;
    double none = 0.0;
    return check(LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', order, order, matrix, order, singular,
                                &none, 1, &none, 1),
                 "dgesdd", err);
}
