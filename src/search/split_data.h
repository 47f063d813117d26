/* Split-half analysis: the scores, the halves, and permuted copies. Private to search/. */
#ifndef COP_SEARCH_SPLIT_DATA_H
#define COP_SEARCH_SPLIT_DATA_H

#include "coppice/search/split_half.h"

/* What all threads read. */
typedef struct cop_split_data {
    size_t candidates, examples; /* N, M */
    size_t first;                /* size of half A */
    double *scores;              /* [M, N] of the candidates that take part */
    double *sigma;               /* [N] */
    double *plain;               /* [N] unit vector along sigma */
    size_t *half;                /* [R, M] examples of A, rising, then those of B */
    uint32_t *slot;              /* [N] candidates, group by group */
    size_t *group_end;           /* [group_count] where in `slot` each group ends */
    size_t group_count;
    uint64_t seed;
} cop_split_data;

/* Takes over what takes part; refuses what cannot be analysed. */
cop_status cop_split_data_create(const cop_split_input *input, const cop_split_options *options,
                                 cop_split_data *data, cop_error *err);

/* Frees what it owns. */
void cop_split_data_free(cop_split_data *data);

/* The examples of halving `h`: A's, then B's, [M]. */
const size_t *cop_split_data_halving(const cop_split_data *data, size_t h);

/* Permuted data set `index`: out [M, N] holds each example's scores permuted over the
 * candidates, every permutation equally likely to one part in 2^32 / N. `order` [N] is scratch.
 */
void cop_split_data_permute(const cop_split_data *data, size_t index, uint32_t *order,
                            double *out);

#endif
