/* The two-pass merge in steps, for callers that merge many rewards of one population: the space
 * is used again, and the elite of a quantile for every beta. Private to search/. */
#ifndef COP_SEARCH_MERGE_PRIVATE_H
#define COP_SEARCH_MERGE_PRIVATE_H

#include "coppice/search/search.h"

/* Space for merges of `count` candidates of which `taking_part` at most are valid. */
cop_status cop_merge_create(size_t count, size_t taking_part, cop_merge *merge, cop_error *err);

/* The elite: candidates at or above merge->threshold. */
void cop_merge_select(const double *reward, const bool *valid, cop_merge *merge);

/* Both passes over the elite, and the direction; no cloud. */
void cop_merge_weigh(const double *sigma, const double *reward, double beta, cop_merge *merge);

#endif
