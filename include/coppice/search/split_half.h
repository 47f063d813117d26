/** \file split_half.h
 * Split-half analysis: is the structure in the scores of a population real, and how many
 * dimensions does it have? Pure statistics in binary64, independent of the number of threads.
 *
 * N candidates that take part, M examples, S [N, M] their scores, r the mean of S over
 * examples. The examples are halved at random R times into A (M / 2, rounded down) and B; from
 * each halving come
 * - the correlations of r_A and r_B over candidates, and what they promise for all M examples
 *   (Spearman-Brown, 2 rho / (1 + rho) of Pearson's; -1 at the least);
 * - for each (q, beta) the cosine of the two-pass merges of r_A and r_B, each without its part
 *   along sigma, the merge of everybody with equal weights: what both have by construction;
 * - with D = S - column means - row means + grand mean, whose columns are divided like those of
 *   S, and U_A, U_B [N, K] the leading left singular vectors: overlap(k) = |U_A' U_B|_F^2 / k
 * of the first k, and the canonical correlations, the singular values of U_A' U_B of all K. K =
 * min(16, (N - 1) / 3, M / 4), rounded down: the columns of D have N - 1 dimensions, and those
 * of A and of B have the same sum but for its sign. With more than half the dimensions, or all
 * of a half's columns, a direction would be common to both whatever the scores are, so that
 * nothing could be above chance. Vectors of singular values below 1e-5 of the largest are zero.
 *
 * The null is made of P data sets in each of which every example's scores are permuted over the
 * candidates (within groups, if there are any), each halved like the data in the first
 * H = min(5, R) halvings. A permutation within one halving alone would do for the spread of a
 * single halving, but not for p: a median over halvings of the same scores spreads less than
 * single halvings do, so its p would crowd about one half where there is nothing. Therefore p
 * and z compare the median of the data's first H halvings with that of each permuted data set.
 *
 * Likewise a canonical correlation counts towards the rank only above the 95th percentile of
 * the null's first, whichever place it has itself: once the real dimensions are taken, the next
 * is the first of what is left, and would be above the null's of its own place by chance.
 *
 * Correlations of a half without spread are 0, and so are cosines of vanishing directions. The
 * two candidates of an antithetic pair count as two directions.
 */
#ifndef COPPICE_SEARCH_SPLIT_HALF_H
#define COPPICE_SEARCH_SPLIT_HALF_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COP_SPLIT_MOST_DIMENSIONS = 16, /**< K at the most */
    COP_SPLIT_NULL_HALVINGS = 5,    /**< H at the most */
    COP_SPLIT_LEAST = 4             /**< candidates, and examples, that it needs */
};

/** What a halving gives. */
typedef enum cop_split_statistic_id {
    COP_SPLIT_PEARSON,        /**< of rewards */
    COP_SPLIT_SPEARMAN,       /**< of rewards, ties by their mean rank */
    COP_SPLIT_SPEARMAN_BROWN, /**< of rewards, for all M examples */
    COP_SPLIT_DIRECTION,      /**< cosine, one for each (q, beta) */
    COP_SPLIT_OVERLAP,        /**< overlap(k), k = 1 .. K */
    COP_SPLIT_CANONICAL,      /**< canonical correlations, falling, K */
    COP_SPLIT_STATISTICS
} cop_split_statistic_id;

/** One number of the halvings, and of the null. */
typedef struct cop_split_summary {
    double median, low, high; /**< over all R halvings; 2.5 and 97.5 percent */
    double null_mean;         /**< over the P * H halvings of permuted data */
    double null_high;         /**< their 95th percentile */
    double z;                 /**< (median of H halvings - its mean under the null) / its sd */
    double p; /**< (1 + permuted data sets that reach the median of H halvings) / (1 + P) */
} cop_split_summary;

/** A statistic. */
typedef struct cop_split_statistic {
    size_t count;               /**< numbers a halving has: 1, (q, beta) pairs, or K */
    double *value;              /**< [R, count] */
    cop_split_summary *summary; /**< [count] */
} cop_split_statistic;

/** The analysis. Free with cop_split_half_free(). */
typedef struct cop_split_half {
    size_t candidates;    /**< N */
    size_t examples;      /**< M */
    size_t halvings;      /**< R */
    size_t permutations;  /**< P */
    size_t null_halvings; /**< H */
    size_t pair_count;    /**< (q, beta) pairs: q first, beta running fastest */
    double *q, *beta;     /**< [pair_count] */
    cop_split_statistic statistic[COP_SPLIT_STATISTICS];
    /** Leading canonical correlations whose medians are above the 95th percentile of the null's
     *  first: the largest of what chance can do, whichever place it is compared with. */
    size_t reproducible_rank;
    size_t spectrum_count;      /**< min(N, M) */
    double *eigenvalue;         /**< [spectrum_count] squared singular values of D, falling */
    double *spectrum_mean;      /**< [spectrum_count] of permuted data */
    double *spectrum_high;      /**< [spectrum_count] their 95th percentile */
    size_t parallel_rank;       /**< leading eigenvalues above that (parallel analysis) */
    double effective_rank;      /**< exp(entropy of the eigenvalues' shares); 0 if all vanish */
    double participation_ratio; /**< (sum)^2 / sum of squares; 0 if all vanish */
} cop_split_half;

/** The scores. */
typedef struct cop_split_input {
    const float *scores; /**< [count, M] */
    const double *sigma; /**< [count], > 0 */
    const bool *valid;   /**< [count] candidates that take part; NULL: all */
    const uint32_t
        *group; /**< [count] scores are permuted within groups only; NULL: one group */
    size_t count, examples;
} cop_split_input;

/** How to analyse. */
typedef struct cop_split_options {
    size_t halvings;     /**< R >= 1 */
    size_t permutations; /**< P >= 1 */
    uint64_t seed;       /**< of halvings and permutations */
    const double *q;     /**< [q_count] elite quantiles of the merges */
    const double *beta;  /**< [beta_count] inverse temperatures */
    size_t q_count, beta_count;
    int threads; /**< OpenMP threads; the result does not depend on it */
    /** Called now and then on the calling thread, `done` of R + P steps; true: stop. May
     *  be NULL. */
    bool (*tick)(void *context, size_t done, size_t total);
    void *context;
} cop_split_options;

/** Analyses. Fewer than COP_SPLIT_LEAST candidates that take part, or examples, are
 *  COP_ERR_CONFIG; scores that are not finite COP_ERR_NUMERIC; a stop COP_INTERRUPTED. */
cop_status cop_split_half_run(const cop_split_input *input, const cop_split_options *options,
                              cop_split_half *result, cop_error *err);

/** Frees what an analysis owns. */
void cop_split_half_free(cop_split_half *result);

/** Name of a statistic in run files ("reward_pearson") and its meaning in a few words. */
const char *cop_split_statistic_name(cop_split_statistic_id id);
const char *cop_split_statistic_meaning(cop_split_statistic_id id);

#endif
