/* Split-half analysis: from the numbers of all halvings to the result. Private to search/. */
#ifndef COP_SEARCH_SPLIT_SUMMARY_H
#define COP_SEARCH_SPLIT_SUMMARY_H

#include "search/split_measure.h"

/* Everything measured. */
typedef struct cop_split_numbers {
    cop_split_layout layout;
    size_t halvings, permutations, null_halvings; /* R, P, H */
    double *observed;                             /* [R, width] */
    double *null;                                 /* [P, H, width] */
    double *spectrum;                             /* [min(N, M)] of D */
    double *null_spectrum;                        /* [P, min(N, M)] of permuted data */
} cop_split_numbers;

/* Fills the result's statistics and spectrum. On failure the caller frees it. */
cop_status cop_split_summarise(const cop_split_numbers *numbers, cop_split_half *result,
                               cop_error *err);

#endif
