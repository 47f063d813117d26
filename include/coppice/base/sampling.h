/** \file sampling.h
 * How tokens of an answer are chosen: plain numbers, which the job, the units and the model
 * share.
 */
#ifndef COPPICE_BASE_SAMPLING_H
#define COPPICE_BASE_SAMPLING_H

#include <stdint.h>

/** How answers are drawn; all zero: greedily. Token `position` (from 0) of the answer to an
 *  example is drawn by the uniform number cop_noise_uniform(seed, COP_STREAM_SAMPLING, example,
 *  sample * 2^32 + position) as cop_backend_ops.sample says, so it depends on neither batch nor
 *  order. (Logits may differ in their last places with the batch, as they may for greedy
 *  answers; then so may, rarely, a draw.) */
typedef struct cop_sampling {
    double temperature; /**< 0: greedy, and the other fields do not matter */
    double top_p;       /**< in (0, 1]; 1: all tokens */
    uint64_t seed;
    uint32_t sample; /**< another number gives another answer */
} cop_sampling;

#endif
