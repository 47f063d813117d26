/** \file work_order.h
 * What rank 0 tells the others: of a phase its examples and what its rows have in common, of a
 * chunk of units the recipes of its rows. Bytes for messages, so they are kept few.
 */
#ifndef COPPICE_PHASE_WORK_ORDER_H
#define COPPICE_PHASE_WORK_ORDER_H

#include "coppice/base/text.h"
#include "coppice/data/dataset.h"
#include "coppice/phase/phase.h"

/** A phase as every rank sees it. */
typedef struct cop_work_order {
    size_t example_count;  /**< M */
    size_t row_units;      /**< units per row */
    size_t unit;           /**< most examples of one; 0: the job's batch */
    bool keeps_answers;    /**< as in cop_phase */
    cop_sampling sampling; /**< of row 0; row r draws sample r */
    size_t *examples;      /**< [M] indices into the data set, owned */
    cop_component *trunk;  /**< [trunk_count] that rows may begin with, owned */
    size_t trunk_count;
} cop_work_order;

/** Appends the order of a phase. Examples travel as runs over the splits, which every rank has
 * made for itself: eight bytes for a whole split. COP_ERR_INTERNAL: an example of no split. */
cop_status cop_work_order_pack(const cop_splits *splits, const cop_phase *phase, cop_text *data,
                               cop_error *err);

/** Reads an order; every bound is checked. Free with cop_work_order_free(). */
cop_status cop_work_order_unpack(const cop_splits *splits, const void *data, size_t bytes,
                                 cop_work_order *order, cop_error *err);

/** Frees what an order owns. */
void cop_work_order_free(cop_work_order *order);

/** The recipes of consecutive rows, and of some that are likely to follow. */
typedef struct cop_work_rows {
    size_t first, count;       /**< rows */
    size_t ahead;              /**< recipes behind theirs */
    size_t *start;             /**< [count + ahead + 1] offsets into components, owned */
    cop_component *components; /**< of all rows, owned */
    bool *on_trunk;            /**< [count + ahead] behind the order's trunk, owned */
} cop_work_rows;

/** Bytes of one component in a message. */
enum { COP_COMPONENT_BYTES = sizeof(uint64_t) + sizeof(float) };

/** Appends the recipes of rows first .. first + count - 1. */
cop_status cop_work_rows_pack(const cop_phase *phase, size_t first, size_t count,
                              cop_text *data, cop_error *err);

/** Appends, behind rows up to `last`, the recipe of a row along each of the next directions
 *  whose rows are enough that each of `ranks` is likely to be handed some: who knows them adds
 *  up their sums in one go. Nothing where rows end in no sums. */
cop_status cop_work_rows_pack_ahead(const cop_phase *phase, size_t last, size_t ranks,
                                    cop_text *data, cop_error *err);

/** Reads them. Free with cop_work_rows_free(). */
cop_status cop_work_rows_unpack(const void *data, size_t bytes, size_t first, size_t count,
                                cop_work_rows *rows, cop_error *err);

/** Frees what rows own. */
void cop_work_rows_free(cop_work_rows *rows);

#endif
