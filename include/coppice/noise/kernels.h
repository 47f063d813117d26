/** \file kernels.h
 * What each instruction set implements of the noise.
 */
#ifndef COPPICE_NOISE_KERNELS_H
#define COPPICE_NOISE_KERNELS_H

#include "coppice/base/cpu.h"
#include "coppice/noise/noise.h"

#include <stddef.h>
#include <stdint.h>

/** out [count] = the numbers of a stream from `first` on. */
typedef void cop_noise_fill_fn(float *out, uint64_t seed, cop_noise_stream stream,
                               uint32_t tensor, uint64_t first, size_t count);

/** sums [count] += factor * noise of weights, by fma. */
typedef void cop_noise_accumulate_fn(float *sums, uint64_t seed, uint32_t tensor,
                                     uint64_t first, size_t count, float factor);

/** All entries are required; all instruction sets give the same bits. `first` is any index. */
typedef struct cop_noise_kernels {
    cop_noise_fill_fn *fill;
    cop_noise_accumulate_fn *accumulate;
} cop_noise_kernels;

/** The kernels of `isa`, or of the best one below it that this build has. */
const cop_noise_kernels *cop_noise_kernels_get(cop_isa isa);

#endif
