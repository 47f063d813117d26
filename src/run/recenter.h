/* What the two halves of recentring share: sampling around the centre, and moving it. Private
 * to run/. */
#ifndef COP_RUN_RECENTER_H
#define COP_RUN_RECENTER_H

#include "run/proposals.h"

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
cop_status cop_local_search_create(const cop_run *run, const cop_candidates *population,
                                   const cop_direction *cloud, cop_local_search *search,
                                   cop_error *err);

/* Draws the candidates of a round (from 0): sqrt(lambda) of their norm on a fresh seed each,
 * the rest in the cloud. */
cop_status cop_local_search_draw(const cop_run *run, const cop_local_search *search,
                                 size_t round, cop_candidates *local, cop_error *err);

/* The search update from constructive scores [N]: cloud and lambda of the next round. */
cop_status cop_local_search_update(const cop_run *run, cop_local_search *search, size_t round,
                                   const cop_candidates *local, const double *constructive,
                                   cop_error *err);

/* Frees what a search owns. */
void cop_local_search_free(cop_local_search *search);

#endif
