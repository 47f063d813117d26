/** \file operators.h
 * Operators: what turns the scores of candidates into directions to move along.
 *
 * An operator is a pure function of scores and scales. All work in the space of candidates: a
 * direction is an amplitude for each, of unit norm, noises of different seeds being orthogonal.
 */
#ifndef COPPICE_SEARCH_OPERATORS_H
#define COPPICE_SEARCH_OPERATORS_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/** What an operator sees. Nothing owned. */
typedef struct cop_operator_input {
    size_t count;         /**< N candidates */
    size_t examples;      /**< M */
    const float *scores;  /**< [N, M] score of each candidate on each example */
    const double *sigma;  /**< [N] norm of each candidate */
    const double *reward; /**< [N] what candidates are ranked by, as a rule the mean score */
    const bool *valid;    /**< [N] candidates that take part; NULL: all */
    const double *q;      /**< [q_count] elite quantiles, for operators that have an elite */
    size_t q_count;
    const double *beta; /**< [beta_count] inverse temperatures, for those that have one */
    size_t beta_count;
    size_t rank; /**< most principal directions */
} cop_operator_input;

/** One direction, and the cloud of the candidates that made it. */
typedef struct cop_direction {
    double q, beta;     /**< NaN where the operator has none */
    double *amplitude;  /**< [N] of unit norm */
    double reference;   /**< natural length of the step, in weight units: the mean's RSS norm */
    size_t rank;        /**< rows of `principal` */
    double *eigenvalue; /**< [rank], falling */
    double *principal;  /**< [rank, N] orthonormal rows */
} cop_direction;

/** What an operator gave. Free with cop_directions_free(). */
typedef struct cop_directions {
    cop_direction *items; /**< [count]; none where the scores show no direction */
    size_t count;
} cop_directions;

/** An operator. Operators are constant data. */
typedef struct cop_operator {
    const char *name; /**< in the job file */
    cop_status (*run)(const cop_operator_input *input, cop_directions *directions,
                      cop_error *err);
} cop_operator;

/** Operator `index`, NULL past the last. */
const cop_operator *cop_operator_at(size_t index);

/** The operator of that name; COP_ERR_CONFIG with the known names otherwise. */
cop_status cop_operator_find(const char *name, const cop_operator **found, cop_error *err);

/** Runs an operator. COP_ERR_NUMERIC if no candidate is valid. */
cop_status cop_operator_run(const cop_operator *chosen, const cop_operator_input *input,
                            cop_directions *directions, cop_error *err);

/** Frees what one direction owns. */
void cop_direction_free(cop_direction *direction);

/** Frees what a set of directions owns. */
void cop_directions_free(cop_directions *directions);

#endif
