/** \file rebuild.h
 * The one kernel that writes weights (recipe version 1):
 *
 *     theta'_i = round(theta_i + sum_j amplitude_j * scale * noise(seed_j, tensor, i))
 *
 * accumulated in binary32 with fma in the order of the components, the factor amplitude_j *
 * scale rounded to binary32 first, one rounding (to nearest even) to the storage type. With no
 * component the output is the input, bit for bit.
 */
#ifndef COPPICE_REBUILD_REBUILD_H
#define COPPICE_REBUILD_REBUILD_H

#include "coppice/base/cpu.h"
#include "coppice/base/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One term of a recipe. */
typedef struct cop_component {
    uint64_t seed;
    float amplitude; /**< standard deviation of the noise in units of the weights; finite */
} cop_component;

/** A contiguous piece of one tensor to rebuild. Its pointers may have any alignment. */
typedef struct cop_rebuild_piece {
    const void *base; /**< [count] of `dtype` from element `first` on, not owned */
    void *out;       /**< [count] of `dtype`, not owned; may be equal to base, not overlap it */
    cop_dtype dtype; /**< COP_F32, COP_BF16 or COP_F16 */
    uint64_t first;  /**< index of the first element within its tensor */
    size_t count;
    uint32_t tensor; /**< cop_noise_tensor_id() of the tensor's name */
    float scale;     /**< scale(tensor) of the recipe; 0 leaves the tensor as it is */
    /* A rebuild in two steps gives the same bits as in one: sums of the first components are
     * kept in binary32, and the others added to them later. */
    bool base_is_sums; /**< base is such sums, [count] binary32 */
    bool keep_sums;    /**< out gets such sums, [count] binary32 */
} cop_rebuild_piece;

/** Rebuilds one piece with `threads` threads, in blocks that stay in cache while all components
 *  [component_count] are added. Gives the same bits for any number of threads and any isa. */
void cop_rebuild_run(const cop_rebuild_piece *piece, const cop_component *components,
                     size_t component_count, int threads, cop_isa isa);

/** Counts the elements whose stored bits the components do not move (bf16 is coarse); writes
 *  nothing to piece->out, which may be NULL. */
uint64_t cop_rebuild_count_unmoved(const cop_rebuild_piece *piece,
                                   const cop_component *components, size_t component_count,
                                   int threads, cop_isa isa);

#endif
