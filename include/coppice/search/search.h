/** \file search.h
 * Pure statistics over (seed, sigma, scores): CoRP's two-pass merge and recentring, the gate,
 * intervals. No MPI, no files, no model. All in binary64, in index order.
 *
 * N candidates, M examples. A direction is an amplitude per seed [N]; its RSS norm is the root
 * of the sum of squares.
 */
#ifndef COPPICE_SEARCH_SEARCH_H
#define COPPICE_SEARCH_SEARCH_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- small statistics --- */

/** Mean of values [count]; 0 for none. */
double cop_stats_mean(const double *values, size_t count);

/** q-quantile with linear interpolation between order statistics (type 7); count >= 1. */
cop_status cop_stats_quantile(const double *values, size_t count, double q, double *quantile,
                              cop_error *err);

/** Standard normal distribution function, and its inverse for 0 < p < 1. */
double cop_stats_normal_cdf(double x);
double cop_stats_normal_quantile(double p);

/** Wilson score interval of a proportion successes/count at two-sided `confidence`. */
void cop_stats_wilson(size_t successes, size_t count, double confidence, double *low,
                      double *high);

/** softmax(values / temperature) into weights [count]; values may be -INFINITY (all of them:
 * uniform weights). */
void cop_stats_softmax(const double *values, size_t count, double temperature, double *weights);

/* --- stage 1: two-pass merge --- */

/** The two-pass merge of one population. Free with cop_merge_free(). */
typedef struct cop_merge {
    size_t count;     /**< N */
    double threshold; /**< the q-quantile of the rewards */
    size_t elite_count;
    size_t *elite;                                                /**< [elite_count], rising */
    double *pass1_weight, *pass2_weight, *alignment, *dispersion; /**< [elite_count] */
    double mean_rss;                                              /**< |mean| */
    double trace_cov;
    double effective_rank;
    double kappa;       /**< mean_rss^2 / (trace_cov + 1e-12) */
    double ess;         /**< 1 / sum of squares of pass2_weight */
    double entropy;     /**< of pass2_weight, in nats */
    size_t rank;        /**< rows of `principal` */
    double *eigenvalue; /**< [rank], falling */
    double *principal;  /**< [rank, N], orthonormal rows: amplitudes over seeds */
    double *direction; /**< [N], unit RSS norm (all zero if the mean vanishes); candidates whose
                            amplitude in the mean is below 1e-12 are left out */
} cop_merge;

/** Merges sigma [N], reward [N]; at most `rank` principal directions. valid [N] marks
 * candidates that take part (NULL: all). N >= 1 with at least one valid. */
cop_status cop_merge_run(const double *sigma, const double *reward, const bool *valid,
                         size_t count, double q, double beta, size_t rank, cop_merge *merge,
                         cop_error *err);

/** Frees what a merge owns. */
void cop_merge_free(cop_merge *merge);

/* --- what is compared --- */

/** What a decision looks at: whether answers are right, or how much they earn. */
typedef struct cop_measure {
    bool on_reward;    /**< an answer's value is its reward, else 1 for a right one and 0 */
    double correct_at; /**< an answer is right if and only if its reward is at least this */
} cop_measure;

/** The value of an answer that earns `score`. */
double cop_measure_value(const cop_measure *measure, float score);

/** Mean value of scores [count]; 0 for none. */
double cop_measure_mean(const cop_measure *measure, const float *scores, size_t count);

/* --- stage 2: recentring --- */

/** Changes against the centre, in the values of a measure. On correctness every difference is
 *  -1, 0 or 1, so gains and losses are counts. */
typedef struct cop_paired {
    size_t fixes;        /**< examples whose value has risen: wrong at the centre, right now */
    size_t regressions;  /**< examples whose value has fallen */
    double constructive; /**< (sum of gains - weight * sum of losses) / M */
    double mean;         /**< mean of the paired differences */
    double sd;           /**< their standard deviation (n - 1); 0 for M < 2 */
} cop_paired;

/** Compares scores [count] with those of the centre [count]. `weight` is L. */
cop_paired cop_paired_compare(const float *scores, const float *centre, size_t count,
                              const cop_measure *measure, double weight);

/** The search update. Free with cop_search_update_free(). */
typedef struct cop_search_update {
    double positive_fraction;
    /** Half `before`, half .15 + .8 (1 - positive_fraction), in [.05, .95]. */
    double lambda_after;
    size_t member_count;
    size_t *member;     /**< [member_count] candidates with positive score, rising */
    double *weight;     /**< [member_count] */
    bool uniform;       /**< the target could not be met (or needed no temperature) */
    double temperature; /**< 0 if uniform */
    size_t rank;
    double *eigenvalue; /**< [rank], falling */
    double *principal;  /**< [rank, count] orthonormal rows */
} cop_search_update;

/** Runs the update on sigma [count] and constructive score [count]: weights by bisection of the
 *  temperature until the effective sample size is min(target_ess, members); cloud of the
 *  members around the weighted mean. No member: member_count 0, rank 0. */
cop_status cop_search_update_run(const double *sigma, const double *score, size_t count,
                                 double target_ess, double lambda_before, size_t rank,
                                 cop_search_update *update, cop_error *err);

/** Frees what an update owns. */
void cop_search_update_free(cop_search_update *update);

/** Effective sample size aimed at in round k (from 0) of n: geometric from 16 to 4, times 2,
 *  at most the number of members. */
double cop_search_target_ess(size_t round, size_t rounds, size_t members);

/* --- the gate --- */

/** One decision with its numbers. */
typedef struct cop_gate_decision {
    cop_paired paired;
    size_t count;  /**< examples */
    double z;      /**< after Bonferroni */
    double bound;  /**< mean - z sd / sqrt(count) */
    bool accepted; /**< bound > 0 and constructive > 0 */
} cop_gate_decision;

/** What a guard says of a proposal. */
typedef struct cop_guard_decision {
    cop_paired paired; /**< against the base */
    double base, mean; /**< of the base and of the proposal */
    double loss;       /**< that is allowed */
    double z;          /**< after Bonferroni */
    double bound;      /**< of the change: its mean - z sd / sqrt(count) */
    bool accepted;     /**< bound > -loss, or no example is worse */
} cop_guard_decision;

/** Decides on scores [count >= 1] of a proposal against those of the base [count]; `z` is as
 *  raised. */
cop_guard_decision cop_guard_decide(const float *proposal, const float *base, size_t count,
                                    const cop_measure *measure, double loss, double z);

/** What share of a step that a guard refused should lose nine tenths of what is allowed, at
 * most 3/4; 0: there is none, or less than a tenth, which is not worth a try. `centre` is what
 * the guard says of where the step begins, NULL for the base. The harm beyond the centre's is
 * taken to grow with the step's `power`: 2, for around a model that a step was not made to harm
 * the first order is small, or 1, the more careful one. What the guard is unsure of grows with
 * the step. */
double cop_guard_shorten(const cop_guard_decision *refused, const cop_guard_decision *centre,
                         int power);

/** z raised so that the chance of a false accept over `tries` tries is what it is for one. */
double cop_gate_raise_z(double z, size_t tries);

/** Decides on scores [count] of a proposal against those of the centre [count]; `z` is as
 * raised. */
cop_gate_decision cop_gate_decide(const float *proposal, const float *centre, size_t count,
                                  const cop_measure *measure, double regression_weight,
                                  double z);

#endif
