/** \file compare.h
 * Comparing methods on the same examples: votes of an ensemble, paired bootstrap intervals,
 * McNemar's test. Pure functions of arrays, as those of search.h.
 *
 * K members, M examples.
 */
#ifndef COPPICE_SEARCH_COMPARE_H
#define COPPICE_SEARCH_COMPARE_H

#include "coppice/search/search.h"

#include <stddef.h>
#include <stdint.h>

/* --- votes --- */

/** An answer that is none: it takes no part in a vote. */
enum { COP_VOTE_NO_ANSWER = 0 };

/** What members answered, the best member first. Answers are equal if and only if their numbers
 *  are (a digest of the text, say). */
typedef struct cop_ballot {
    const uint64_t *answers; /**< [K, M]; COP_VOTE_NO_ANSWER: none */
    const float *scores;     /**< [K, M] of each member's answer */
    size_t members;          /**< K */
    size_t examples;         /**< M */
} cop_ballot;

/** Plurality vote on each example: most votes win, a tie goes to the answer whose first voter
 *  ranks higher, who does not answer does not vote. So RandOpt's ensembles decide
 *  (arXiv 2603.12228).
 *
 *  winner [M] gets the first member that gave the winning answer, K where nobody answered.
 *  score [M] gets the winning answer's score; where nobody answered that of the first member,
 * for all are equal then and rewards need not have 0 as their least. Members who gave the same
 *  answer in other words may differ in score: the least of theirs counts, for it owes nothing
 * to what stands beside the answer. Either may be NULL. */
cop_status cop_vote(const cop_ballot *ballot, size_t *winner, float *score, cop_error *err);

/* --- intervals --- */

/** How to resample. */
typedef struct cop_bootstrap {
    size_t resamples;  /**< at least 1 */
    double confidence; /**< two-sided, in (0, 1) */
    uint64_t seed;     /**< of stream COP_STREAM_BOOTSTRAP */
} cop_bootstrap;

/** An interval. */
typedef struct cop_interval {
    double low, high;
} cop_interval;

/** Percentile bootstrap intervals of the means of rows values [rows, count]: intervals [rows].
 *  Draw i of resample r takes value floor(count * u) for the 64 random bits u of domain 0,
 * index r * count + i, the same for all rows, so that the interval of a row does not depend on
 * the others. With rows of paired differences it is the paired bootstrap. */
cop_status cop_compare_bootstrap(const double *values, size_t rows, size_t count,
                                 const cop_bootstrap *how, cop_interval *intervals,
                                 cop_error *err);

/* --- McNemar's test --- */

/** Two-sided p-values of the hypothesis that two methods are right equally often, from the
 *  examples on which they differ. */
typedef struct cop_mcnemar {
    size_t gained;     /**< right only by the method in question */
    size_t lost;       /**< right only by the one it is compared with */
    double exact;      /**< binomial test of (gained, lost) at 1/2 */
    double mid;        /**< the same, counting what was seen for half (mid-p) */
    double chi2;       /**< chi-square with continuity correction, 1 degree of freedom */
    double chi2_value; /**< its statistic, (|gained - lost| - 1)^2 / (gained + lost) */
} cop_mcnemar;

/** The test on counts; all p-values are 1 where the methods never differ. O(gained + lost). */
cop_mcnemar cop_compare_mcnemar_counts(size_t gained, size_t lost);

/** The test on scores [count] against those of another method, by which of the two is worth
 *  more on an example. On rewards that is the sign test. */
cop_mcnemar cop_compare_mcnemar(const float *scores, const float *other, size_t count,
                                const cop_measure *measure);

#endif
