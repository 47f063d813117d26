/* The spectrum of a weighted cloud of axes around its mean. */
#ifndef COP_SEARCH_SECULAR_H
#define COP_SEARCH_SECULAR_H

#include "coppice/base/status.h"

#include <stddef.h>

/** All eigenvalues [count], falling, of diag(w_i sigma_i^2) - mean mean', mean_i = w_i sigma_i,
 *  and the orthonormal eigenvectors of the first `vectors` <= count of them: vector
 *  [vectors, count]. In each the largest entry is positive. sigma [count] finite; weight
 *  [count] not negative, with a sum that is taken to be 1 exactly, so that no eigenvalue is
 *  negative and small ones stay accurate. Plain serial arithmetic: no BLAS, no threads. */
cop_status cop_secular_solve(const double *sigma, const double *weight, size_t count,
                             size_t vectors, double *eigenvalue, double *vector,
                             cop_error *err);

#endif
