/** \file candidates.h
 * Candidates: a seed and an amplitude each, or vectors over the search's seeds, around a
 * centre, with their scores on support. An index counts the search's seeds; a seed is a number
 * of 64 bits.
 */
#ifndef COPPICE_METHOD_CANDIDATES_H
#define COPPICE_METHOD_CANDIDATES_H

#include "coppice/method/budget.h"
#include "coppice/phase/phase.h"
#include "coppice/search/operators.h"

typedef struct cop_search cop_search; /**< method.h */

typedef struct cop_candidates {
    size_t count;       /**< N; what the arrays have room for may be more */
    size_t *seed_index; /**< [N] into the search's seeds; NULL where vectors are given */
    double *sign;       /**< [N] 1 or -1, the second of a pair; NULL where vectors are given */
    double *vector;     /**< [N, seeds]; NULL: one seed each */
    bool paired;        /**< some share a seed */
    double *sigma;      /**< [N] norm of each */
    double *reward;     /**< [N] mean score on support */
    bool *valid;        /**< [N] all logits were finite */
    size_t usable;      /**< valid ones */
    size_t best;        /**< highest reward, the first among equals */
    cop_phase *phase;
    size_t first_row; /**< of the candidates in the phase */
} cop_candidates;

/** Draws `count` candidates on the run's seeds from `first` on: one seed each, or one for two
 * of opposite sign with population.antithetic. Their sigmas are the job's, times `shrink`. */
cop_status cop_candidates_draw(const cop_search *search, size_t first, size_t count,
                               double shrink, cop_candidates *candidates, cop_error *err);

/** A phase of candidates. */
typedef struct cop_candidates_phase {
    const char *path, *title;
    const size_t *examples; /**< [count] */
    size_t count;
    bool with_centre; /**< which is row 0 then */
} cop_candidates_phase;

/** Makes the phase in which they are to be scored around the centre, and the rows of the first
 *  `count`. */
cop_status cop_candidates_open(cop_search *search, cop_candidates *candidates,
                               const cop_candidates_phase *of, size_t count, cop_error *err);

/** Scores them on support around the centre, as a phase at `path` unless one was opened for
 * them: as many as the budget leaves of the round, whose candidates they are; none if it is not
 * to be made. A round that counts the centre has it as row 0. Without it seeds and sigmas go
 * into the run file beside the scores. */
cop_status cop_candidates_score(cop_search *search, cop_candidates *candidates,
                                const cop_round *round, const char *path, const char *title,
                                cop_error *err);

/** What an operator sees of scored candidates, with the job's grid; `reward` [N] is what they
 * rank by. Borrows from both. */
cop_operator_input cop_candidates_input(const cop_search *search,
                                        const cop_candidates *candidates, const double *reward);

/** direction [seeds] = sum_i amplitude_i candidate_i / sigma_i. Gives its norm. */
double cop_candidates_spread(const cop_search *search, const cop_candidates *candidates,
                             const double *amplitude, double *direction);

/** The sigma of the job whose candidates did best on average. */
double cop_candidates_best_sigma(const cop_search *search, const cop_candidates *candidates);

/** Ranks candidates by their reward on support, those with finite logits first, equals in their
 *  order: members [count] are the best. */
cop_status cop_candidates_rank(const cop_candidates *candidates, size_t *members, size_t count,
                               cop_error *err);

/** Frees what candidates own. */
void cop_candidates_free(cop_candidates *candidates);

#endif
