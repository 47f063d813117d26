/* What the two halves of recentring share: sampling around the centre, and moving it. Private
 * to method/. */
#ifndef COP_METHOD_RECENTER_H
#define COP_METHOD_RECENTER_H

#include "method/proposals.h"

/* The distribution of local candidates. */
typedef struct cop_local_search {
    double lambda;     /* share of energy on fresh seeds */
    double sigma;      /* norm of a candidate */
    size_t rank;       /* most principal directions */
    double *principal; /* [rank, seeds], principal_count rows of unit norm */
    double *share;     /* [rank] of the cloud's variance, summing to 1 */
    size_t principal_count;
} cop_local_search;

/* Starts from a cloud over the population, each of whose candidates has one seed. */
cop_status cop_local_search_create(const cop_search *search, const cop_candidates *population,
                                   const cop_direction *cloud, cop_local_search *distribution,
                                   cop_error *err);

/* Draws the candidates of a round (from 0): sqrt(lambda) of their norm on a fresh seed each,
 * the rest in the cloud. */
cop_status cop_local_search_draw(const cop_search *search, const cop_local_search *distribution,
                                 size_t round, cop_candidates *local, cop_error *err);

/* The search update from constructive scores [N]: cloud and lambda of the next round. */
cop_status cop_local_search_update(const cop_search *search, cop_local_search *distribution,
                                   size_t round, const cop_candidates *local,
                                   const double *constructive, cop_error *err);

/* Frees what a search owns. */
void cop_local_search_free(cop_local_search *distribution);

/* CoRP's stage 2: rounds of local search around the accepted model, gated at every step.
 * `population` gives the size of local steps, `cloud` the first principal directions. */
cop_status cop_recenter_run(cop_search *search, const cop_candidates *population,
                            const cop_direction *cloud, cop_error *err);

#endif
