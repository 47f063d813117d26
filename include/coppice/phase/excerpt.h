/** \file excerpt.h
 * An excerpt of a phase: some units of some of its rows, as a phase by itself for those who
 * score it. Whoever hands out units in chunks, or rows side by side, needs units that follow
 * each other; those of one stage of a race, of rows that are still in it, do not.
 */
#ifndef COPPICE_PHASE_EXCERPT_H
#define COPPICE_PHASE_EXCERPT_H

#include "coppice/phase/phase.h"

/** An excerpt. Numbers of units in it are its own. */
typedef struct cop_phase_excerpt {
    cop_phase phase; /**< rows' recipes and examples only; borrowed but for `recipes` */
    size_t of_units; /**< units per row of the phase that it is of */
    size_t first;    /**< unit of a row there that is the row's unit 0 here */
    size_t *rows;    /**< [phase.row_count] there; owned */
    uint64_t *units; /**< [count] what is to be scored, rising; owned */
} cop_phase_excerpt;

/** The least excerpt with units [count >= 1], rising, of a phase that draws no samples: of the
 *  rows that have one, from the first such unit of a row to the last. Holds while the phase
 *  does; free with cop_phase_excerpt_free(). */
cop_status cop_phase_excerpt_create(const cop_phase *phase, const uint64_t *units, size_t count,
                                    cop_phase_excerpt *excerpt, cop_error *err);

/** The number in the whole phase of a unit of the excerpt; UINT64_MAX: there is no such unit.
 */
uint64_t cop_phase_excerpt_find(const cop_phase_excerpt *excerpt, uint64_t unit);

/** Frees what an excerpt owns. */
void cop_phase_excerpt_free(cop_phase_excerpt *excerpt);

#endif
