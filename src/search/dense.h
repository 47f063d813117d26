/* Dense linear algebra in binary64 by LAPACK and BLAS: the one file of search/ that sees them.
 * Matrices are row-major. One thread each call if the caller has told OpenMP so. */
#ifndef COP_SEARCH_DENSE_H
#define COP_SEARCH_DENSE_H

#include "coppice/base/status.h"

#include <stddef.h>

/* Largest order of a matrix: LAPACK counts its elements in 32 bits. */
enum { COP_DENSE_MOST = 32768 };

/* gram [n, n] = rows rows' of rows [n, width]; all of it is filled. */
void cop_dense_gram(const double *rows, size_t n, size_t width, double *gram);

/* gram [width, width] = rows' rows; all of it is filled. */
void cop_dense_gram_columns(const double *rows, size_t n, size_t width, double *gram);

/* out [m, n] = a [m, k] b', b [n, k]. */
void cop_dense_product(const double *a, const double *b, size_t m, size_t n, size_t k,
                       double *out);

/* The `k` largest eigenvalues, falling, and their eigenvectors [k, n] of a symmetric matrix [n,
 * n], which is overwritten. `eigenvalue` [n] is scratch beyond k. */
cop_status cop_dense_leading(double *matrix, size_t n, size_t k, double *eigenvalue,
                             double *vector, cop_error *err);

/* All eigenvalues [n] of a symmetric matrix, falling; it is overwritten. */
cop_status cop_dense_spectrum(double *matrix, size_t n, double *eigenvalue, cop_error *err);

/* Singular values [n], falling, of a matrix [n, n], which is overwritten. */
cop_status cop_dense_singular(double *matrix, size_t n, double *singular, cop_error *err);

#endif
