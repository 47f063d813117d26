/** \file kernels.h
 * What each instruction set implements for the noise and the rebuild.
 */
#ifndef COP_NOISE_KERNELS_H
#define COP_NOISE_KERNELS_H

#include "coppice/base/cpu.h"
#include "coppice/base/dtype.h"

#include <stddef.h>
#include <stdint.h>

/** out [count] = noise of the elements from `first` on. */
typedef void cop_noise_fill_fn(float *out, uint64_t seed, uint32_t tensor, uint64_t first,
                               size_t count);

/** sums [count] += factor * noise, by fma. */
typedef void cop_noise_accumulate_fn(float *sums, uint64_t seed, uint32_t tensor,
                                     uint64_t first, size_t count, float factor);

/** out [count] = the stored elements, exactly; a signalling NaN may come out quiet, as it
 *  does from the first accumulation anyway. */
typedef void cop_noise_widen_fn(float *out, const void *stored, cop_dtype dtype, size_t count);

/** stored [count] = values, rounded as dtype.h does. */
typedef void cop_noise_narrow_fn(void *stored, const float *values, cop_dtype dtype,
                                 size_t count);

/** All entries are required; all instruction sets give the same bits. `first` is any index. */
typedef struct cop_noise_kernels {
    cop_noise_fill_fn *fill;
    cop_noise_accumulate_fn *accumulate;
    cop_noise_widen_fn *widen;
    cop_noise_narrow_fn *narrow;
} cop_noise_kernels;

/** The kernels of `isa`, or of the best one below it that this build has. */
const cop_noise_kernels *cop_noise_kernels_get(cop_isa isa);

/* The entries of the table, by instruction set; those above the build's are not defined. */

cop_noise_fill_fn cop_noise_fill_scalar;
cop_noise_accumulate_fn cop_noise_accumulate_scalar;
cop_noise_widen_fn cop_noise_widen_scalar;
cop_noise_narrow_fn cop_noise_narrow_scalar;

cop_noise_fill_fn cop_noise_fill_avx2;
cop_noise_accumulate_fn cop_noise_accumulate_avx2;
cop_noise_widen_fn cop_noise_widen_avx2;
cop_noise_narrow_fn cop_noise_narrow_avx2;

cop_noise_fill_fn cop_noise_fill_avx512;
cop_noise_accumulate_fn cop_noise_accumulate_avx512;
cop_noise_widen_fn cop_noise_widen_avx512;
cop_noise_narrow_fn cop_noise_narrow_avx512;

#endif
