/* The noise by instruction set: see coppice/noise/kernels.h. */
#ifndef COP_NOISE_NOISE_ISA_H
#define COP_NOISE_NOISE_ISA_H

#include "coppice/noise/kernels.h"

/* The entries of the table, by instruction set; those above the build's are not defined. */

cop_noise_fill_fn cop_noise_fill_scalar;
cop_noise_accumulate_fn cop_noise_accumulate_scalar;

cop_noise_fill_fn cop_noise_fill_avx2;
cop_noise_accumulate_fn cop_noise_accumulate_avx2;

cop_noise_fill_fn cop_noise_fill_avx512;
cop_noise_accumulate_fn cop_noise_accumulate_avx512;

#endif
