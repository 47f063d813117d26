/* Roots of the secular equation sum_i weight[i] / (pole[i] - x) = 0. */
#ifndef COP_SEARCH_SECULAR_ROOT_H
#define COP_SEARCH_SECULAR_ROOT_H

#include <stddef.h>

/** A root as an offset from one of the two poles beside it: the difference from any pole is
 * then accurate however close the root lies. */
typedef struct cop_secular_root {
    size_t origin; /**< index of the pole */
    double offset; /**< root - pole[origin]; cop_secular_root_find() never gives 0 */
} cop_secular_root;

/** The root between pole k and pole k + 1 < count; poles falling strictly, weights positive. */
cop_secular_root cop_secular_root_find(const double *pole, const double *weight, size_t count,
                                       size_t k);

/** pole[i] - root. */
static inline double cop_secular_root_gap(const double *pole, cop_secular_root root, size_t i)
{
    return (pole[i] - pole[root.origin]) - root.offset;
}

#endif
