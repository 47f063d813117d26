/** \file race.h
 * Racing: rows (proposals) are compared on a growing part of their examples, and those that are
 * behind the best one beyond doubt leave before the rest is scored. Pure functions of arrays,
 * as those of search.h; what they decide follows from values by index alone.
 *
 * The rule. After n of M examples let b be the row in the race with the highest sum of values,
 * the first among equals (or, where K places are raced for, with the K-th highest), and for
 * another row i
 *
 *     d_j = value of b on example j - value of i on it,   m = mean of d over n
 *     s^2 = (sum (d_j - m)^2 + max d_j^2) / n
 *     e^2 = s^2 / n * (1 - n / M)
 *
 * Row i leaves if m > z * e. The differences are paired, so what both rows find hard or easy
 * cancels, and e is the standard error of a mean of n examples drawn from M without replacement
 * (W. G. Cochran, Sampling Techniques, 3rd ed. 1977, section 2.6): what is asked is who is
 * ahead on these M examples, and of them n are known already. The term max d_j^2 stands for one
 * more example that shows the largest difference seen and moves the mean nowhere: without it a
 * row that lost all of its first few examples alike would have no error at all.
 *
 * The error. A row that is no worse than b on all M examples leaves at a given look with a
 * chance of at most P(Z > z), in the normal approximation; z is such that over all looks, of
 * which the last example needs none, that adds up to COP_RACE_ERROR (Bonferroni). That is for
 * an opponent that was named beforehand; the best of many is flattered by its choice, so the
 * chance that the best row of all is lost can be higher, and is measured: on scores drawn as a
 * search makes them (make check-calibration) it is 0.02 to 0.05 for 126 rows that are right or
 * wrong on 64 or 100 examples, and what is taken then is behind by 0.01 to 0.02. Of many rows
 * that all examples show level each leaves more often (of 60 more than every other one), but
 * never all. And the approximation fails where few examples hold a row's value: one that earns
 * 1 on 7 of 64 leaves for one that earns 0.1 on each in 0.18 of the races of 4 stages, in 0.63
 * of those of 16.
 *
 * Sources: O. Maron and A. W. Moore, Hoeffding races, NIPS 1993; M. Birattari et al., A racing
 * algorithm for configuring metaheuristics, GECCO 2002 (paired comparison on growing parts);
 * J.-Y. Audibert, S. Bubeck and R. Munos, Best arm identification in multi-armed bandits, COLT
 * 2010 (rejects one after the other). Theirs leave by quota or by bounds for any distribution;
 * with many rows that hardly differ a quota throws away the best one, and such bounds none in a
 * few dozen examples.
 */
#ifndef COPPICE_SEARCH_RACE_H
#define COPPICE_SEARCH_RACE_H

#include "coppice/base/status.h"

#include <stddef.h>

/** Chance that a row which is as good as its opponent leaves in one of the looks. */
#define COP_RACE_ERROR 0.1

/** How examples are shown. */
typedef struct cop_race_plan {
    size_t stages;      /**< there is a look after each but the last; 1: no race */
    size_t unit;        /**< examples of a unit of work, at most `batch` */
    size_t stage_units; /**< units of a stage; the last may have fewer */
    double z;           /**< of the rule, to six digits; 0 without a look */
} cop_race_plan;

/** The plan for `examples` >= 1 in about `stages` >= 1 equal parts, in units of at most `batch`
 *  >= 1: stages end where units do. There are fewer where there are fewer examples. */
cop_race_plan cop_race_make_plan(size_t examples, size_t stages, size_t batch);

/** What became of a row. */
typedef struct cop_race_row {
    size_t seen;   /**< examples after which it left; 0: it is in the race */
    size_t behind; /**< of a row that left: b */
    double gap;    /**< of a row that left: m; NaN if its values are not finite */
    double error;  /**< of a row that left: e; NaN if its values are not finite */
} cop_race_row;

/** A look at the race. */
typedef struct cop_race_look {
    const double *values; /**< [rows, examples]; of a row only the first `seen` are looked at */
    size_t rows, examples;
    size_t seen;   /**< n, 1 .. examples - 1 */
    size_t first;  /**< rows below have run all of the way: they may lead, and do not leave */
    size_t keep;   /**< no fewer than so many are left, the best ones, if there are so many */
    size_t places; /**< K: who is behind the K-th best leaves; 0 and 1: behind the best */
    double z;
} cop_race_look;

/** Decides after `seen` examples who leaves: what was 0 in row [rows].seen is set for those. A
 *  row one of whose values is not finite is behind all others, whose values are. The best
 *  rows so far, one or K, never leave. */
cop_status cop_race_run_look(const cop_race_look *look, cop_race_row *row, cop_error *err);

#endif
