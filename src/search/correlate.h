/* Correlations of paired values. Private to search/. */
#ifndef COP_SEARCH_CORRELATE_H
#define COP_SEARCH_CORRELATE_H

#include <stddef.h>

/* Values in rising order and where they stood; equal ones by their place. */
typedef struct cop_ranked {
    double value;
    size_t index;
} cop_ranked;

/* Sorts values [count] into `ranked` [count]. */
void cop_ranked_sort(const double *values, size_t count, cop_ranked *ranked);

/* rank [count] of each value from `ranked`, from 1; equal values share their mean rank. */
void cop_ranked_place(const cop_ranked *ranked, size_t count, double *rank);

/* Pearson's correlation of a and b [count]; 0 if either has no spread beyond rounding. */
double cop_correlate(const double *a, const double *b, size_t count);

#endif
