/* The weighted cloud of candidates around their mean, in seed space. */
#ifndef COP_SEARCH_CLOUD_H
#define COP_SEARCH_CLOUD_H

#include "coppice/base/status.h"

#include <stddef.h>

/** Candidates of a cloud; nothing owned. */
typedef struct cop_cloud_input {
    const double *sigma;  /**< [count] scale of every candidate */
    const size_t *member; /**< [members] indices of those in the cloud */
    const double *weight; /**< [members], sum 1 */
    size_t members, count;
} cop_cloud_input;

/** Spectrum of a cloud. */
typedef struct cop_cloud {
    double trace;
    double effective_rank; /**< exp of the normalised eigenvalues' entropy; 0 if all vanish */
    size_t rank;
    double *eigenvalue; /**< [rank], falling, not negative; owned */
    double *principal;  /**< [rank, count], orthonormal rows, zero outside the cloud; owned */
} cop_cloud;

/** Computes it, with at most `rank` principal directions (and no more than there are members).
 */
cop_status cop_cloud_create(const cop_cloud_input *input, size_t rank, cop_cloud *cloud,
                            cop_error *err);

#endif
