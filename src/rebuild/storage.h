/* Stored weights to binary32 and back, and what is added to them between, by instruction set.
 */
#ifndef COP_REBUILD_STORAGE_H
#define COP_REBUILD_STORAGE_H

#include "coppice/base/cpu.h"
#include "coppice/base/dtype.h"

#include <stddef.h>

/* out [count] = the stored elements, exactly; a signalling NaN may come out quiet, as it
 * does from the first accumulation anyway. */
typedef void cop_storage_widen_fn(float *out, const void *stored, cop_dtype dtype,
                                  size_t count);

/* stored [count] = values, rounded as dtype.h does. */
typedef void cop_storage_narrow_fn(void *stored, const float *values, cop_dtype dtype,
                                   size_t count);

/* sums [count] += factor * values, by fma. */
typedef void cop_storage_add_fn(float *sums, const float *values, float factor, size_t count);

/* All are required; all instruction sets give the same bits. */
typedef struct cop_storage_kernels {
    cop_storage_widen_fn *widen;
    cop_storage_narrow_fn *narrow;
    cop_storage_add_fn *add;
} cop_storage_kernels;

/* The kernels of `isa`, or of the best one below it that this build has. */
const cop_storage_kernels *cop_storage_kernels_get(cop_isa isa);

/* The entries of the table, by instruction set; those above the build's are not defined. */

cop_storage_widen_fn cop_storage_widen_scalar;
cop_storage_narrow_fn cop_storage_narrow_scalar;
cop_storage_add_fn cop_storage_add_scalar;

cop_storage_widen_fn cop_storage_widen_avx2;
cop_storage_narrow_fn cop_storage_narrow_avx2;
cop_storage_add_fn cop_storage_add_avx2;

cop_storage_widen_fn cop_storage_widen_avx512;
cop_storage_narrow_fn cop_storage_narrow_avx512;
cop_storage_add_fn cop_storage_add_avx512;

#endif
