/** \file rebuild.h
 * The one kernel that writes weights (jobs/RECIPE.md):
 *
 *     theta'_i = round(theta_i + sum_j amplitude_j * scale * noise(seed_j, tensor, i))
 *
 * accumulated in binary32 with fma in the order of the components, the factor amplitude_j *
 * scale rounded to binary32 first, one rounding (to nearest even) to the storage type. With no
 * component the output is the input, bit for bit.
 *
 * Since recipe version 2 some of the components may form sums, each with a factor of its own:
 *
 *     D_i = sum_j amplitude_j * noise(seed_j, tensor, i)      from 0, by fma, in their order
 *     theta_i + ... + factor * scale * D_i                    by one fma, in the sum's place
 *
 * so that models along one direction share D and differ in the factor.
 *
 * Noise of low rank adds the rank's products one by one in the place of the noise, each by fma:
 *
 *     (amplitude_j * scale / sqrt(rank)) * A_j[row, k] * B_j[column, k]       for rising k
 *
 * with the bracket, and its product with A, rounded to binary32 first.
 */
#ifndef COPPICE_REBUILD_REBUILD_H
#define COPPICE_REBUILD_REBUILD_H

#include "coppice/base/cpu.h"
#include "coppice/base/dtype.h"
#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One term of a recipe. Those of a sum follow each other. */
typedef struct cop_component {
    uint64_t seed;
    float amplitude; /**< standard deviation of the noise in units of the weights; finite */
    /** 0: added by itself. COP_IN_SUM: of a sum that goes on with the next component. Else the
     *  last one of a sum, and the sum's factor; finite. */
    float factor;
} cop_component;

/** cop_component::factor of all but the last of a sum. */
#define COP_IN_SUM (__builtin_inff())

/** Components that belong together from `first` on: 1, or those of a sum; 0 for a sum without
 *  an end. */
static inline size_t cop_component_term(const cop_component *components, size_t count,
                                        size_t first)
{
    size_t end = first;
    while (end < count && components[end].factor == COP_IN_SUM)
        end++;
    if (end == count) return 0;
    return end == first || components[end].factor != 0.0F ? end - first + 1 : 0;
}

/** What noise of low rank is made for: a matrix [rows, columns], in full, whatever part of it a
 *  piece is. All zero: noise of full rank, which knows no shape. */
typedef struct cop_low_rank {
    size_t rank; /**< up to COP_MOST_RANK */
    size_t rows, columns;
} cop_low_rank;

/** Factors of noise of low rank, drawn once for all pieces of a tensor. */
typedef struct cop_rebuild_factors cop_rebuild_factors;

/** A contiguous piece of one tensor to rebuild. Its pointers may have any alignment. */
typedef struct cop_rebuild_piece {
    const void *base; /**< [count] of `dtype` from element `first` on, not owned */
    void *out;       /**< [count] of `dtype`, not owned; may be equal to base, not overlap it */
    cop_dtype dtype; /**< COP_F32, COP_BF16 or COP_F16 */
    uint64_t first;  /**< index of the first element within its tensor */
    size_t count;
    uint32_t tensor; /**< cop_noise_tensor_id() of the tensor's name */
    float scale;     /**< scale(tensor) of the recipe; 0 leaves the tensor as it is */
    cop_low_rank low;
    /** cop_rebuild_factors_create() for these components and this or a larger piece of the
     *  tensor; NULL: drawn where they are needed, as often as that is. */
    const cop_rebuild_factors *factors;
    /* A rebuild in two steps gives the same bits as in one: sums of the first components are
     * kept in binary32, and the others added to them later. */
    bool base_is_sums; /**< base is such sums, [count] binary32 */
    bool keep_sums;    /**< out gets such sums, [count] binary32 */
    /* A sum that is known already is added as it is, after all components. */
    const float *sum; /**< [count] cop_rebuild_sums() of these elements; NULL: none */
    float factor;     /**< of `sum` */
} cop_rebuild_piece;

/** The components of a sum, whose factor is of no concern here. */
typedef struct cop_rebuild_sum {
    const cop_component *components; /**< [count] */
    size_t count;
    float *out; /**< [elements] of the call */
} cop_rebuild_sum;

/** Rebuilds one piece with `threads` threads, in blocks that stay in cache while all components
 *  [component_count] are added. Gives the same bits for any number of threads and any isa. */
void cop_rebuild_run(const cop_rebuild_piece *piece, const cop_component *components,
                     size_t component_count, int threads, cop_isa isa);

/** A rectangle of a piece of whole rows. */
typedef struct cop_rebuild_rectangle {
    size_t width;           /**< of a row of the piece */
    size_t row, rows;       /**< from the piece's first on */
    size_t column, columns; /**< of each of these rows */
    size_t stride;          /**< elements from row to row where piece->out points */
} cop_rebuild_rectangle;

/** Rebuilds a rectangle of the piece with one thread. The bits of cop_rebuild_run(). */
void cop_rebuild_run_rectangle(const cop_rebuild_piece *piece, const cop_component *components,
                               size_t component_count, const cop_rebuild_rectangle *rectangle,
                               cop_isa isa);

/** Draws the factors of a piece's rows, so that what is rebuilt in many calls need not draw
 * them in each. NULL if there are none, or no memory for them: calls without them are slower
 * and give the same bits. */
cop_rebuild_factors *cop_rebuild_factors_create(const cop_rebuild_piece *piece,
                                                const cop_component *components,
                                                size_t component_count, int threads,
                                                cop_isa isa);

/** Most bytes that the factors of a matrix [rows, columns] take at a time, for a list of
 *  components that come to so many products (components times rank) or fewer. */
uint64_t cop_rebuild_factors_bytes(size_t rows, size_t columns, size_t products);

/** Frees *factors and sets it to NULL; NULL is allowed. */
void cop_rebuild_factors_destroy(cop_rebuild_factors **factors);

/** The sum that components [count] end in, a view of them; of none, count 0. */
cop_rebuild_sum cop_rebuild_last_sum(const cop_component *components, size_t count);

/** True if two sums are of the same components, whatever their factors. */
bool cop_rebuild_same_sum(const cop_rebuild_sum *a, const cop_rebuild_sum *b);

/** Elements `first` to first + elements - 1 of sums [count] over one tensor: D above. A seed
 * that several have in the same order is drawn once for all of them. The same bits whatever
 * sums are asked for together, for any number of threads and any isa. */
cop_status cop_rebuild_sums(const cop_rebuild_sum *sums, size_t count, uint32_t tensor,
                            cop_low_rank low, uint64_t first, size_t elements, int threads,
                            cop_isa isa, cop_error *err);

/** Counts the elements whose stored bits the components do not move (bf16 is coarse); writes
 *  nothing to piece->out, which may be NULL. */
uint64_t cop_rebuild_count_unmoved(const cop_rebuild_piece *piece,
                                   const cop_component *components, size_t component_count,
                                   int threads, cop_isa isa);

#endif
