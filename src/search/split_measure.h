/* Split-half analysis: what one data set and one halving give. Private to search/. */
#ifndef COP_SEARCH_SPLIT_MEASURE_H
#define COP_SEARCH_SPLIT_MEASURE_H

#include "search/correlate.h"
#include "search/merge_private.h"
#include "search/split_data.h"

/* How a halving's numbers lie one after the other. */
typedef struct cop_split_layout {
    size_t count[COP_SPLIT_STATISTICS]; /* numbers of each statistic */
    size_t start[COP_SPLIT_STATISTICS]; /* the first of them */
    size_t width;                       /* all of them */
    size_t dimensions;                  /* K */
    size_t spectrum;                    /* min(N, M) */
} cop_split_layout;

cop_split_layout cop_split_layout_of(const cop_split_data *data,
                                     const cop_split_options *options);

/* One thread's space. */
typedef struct cop_split_work {
    const cop_split_data *data;
    const cop_split_options *options;
    cop_split_layout layout;
    bool by_example;    /* Gram matrices over examples: they are fewer than candidates */
    uint32_t *order;    /* [N] */
    double *permuted;   /* [M, N] */
    double *centred;    /* [M, N] D, transposed */
    double *part;       /* [M, N] rows of one half (by candidate) */
    double *gram;       /* [M, M] D' D (by example) */
    double *matrix;     /* a Gram matrix of the largest order, to be overwritten */
    double *cross;      /* [M, M] */
    double *eigenvalue; /* of the largest order */
    double *vector[2];  /* [K, order] of each half */
    double *turned;     /* [K, M] */
    double scale[2][COP_SPLIT_MOST_DIMENSIONS]; /* 1 / singular value; 0: none */
    double
        agreement[COP_SPLIT_MOST_DIMENSIONS * COP_SPLIT_MOST_DIMENSIONS]; /* U_A' U_B [K, K] */
    const double *scores;  /* [M, N] of the data set at hand */
    double *reward[2];     /* [N] */
    double *rank[2];       /* [N] */
    cop_ranked *ranked[2]; /* [N] */
    cop_merge merge[2];
} cop_split_work;

cop_status cop_split_work_create(const cop_split_data *data, const cop_split_options *options,
                                 cop_split_work *work, cop_error *err);
void cop_split_work_free(cop_split_work *work);

/* Turns to a data set: scores [M, N], borrowed. */
void cop_split_work_begin(cop_split_work *work, const double *scores);

/* Numbers [width] of halving `h` of the data set at hand. */
cop_status cop_split_work_halve(cop_split_work *work, size_t h, double *numbers,
                                cop_error *err);

/* Eigenvalues [spectrum] of D D', falling, none below 0. */
cop_status cop_split_work_spectrum(cop_split_work *work, double *eigenvalue, cop_error *err);

#endif
