/* Statistics shared within search/: of weights that sum to one, and of sorted values. */
#ifndef COP_SEARCH_STATS_PRIVATE_H
#define COP_SEARCH_STATS_PRIVATE_H

#include <stddef.h>

/** Effective sample size, 1 / sum of squares; 0 if all weights vanish. */
double cop_weights_ess(const double *weight, size_t count);

/** Entropy in nats, 0 log 0 = 0. */
double cop_weights_entropy(const double *weight, size_t count);

/** exp of the entropy of parts' shares in their sum; 0 if that vanishes. */
double cop_stats_effective_rank(const double *part, size_t count);

/** Sorts values [count] in rising order. */
void cop_stats_sort(double *values, size_t count);

/** q-quantile (type 7) of values that are sorted rising; count >= 1, 0 <= q <= 1. */
double cop_stats_sorted_quantile(const double *sorted, size_t count, double q);

#endif
