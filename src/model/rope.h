/* Angles of the rotary embedding. */
#ifndef COP_MODEL_ROPE_H
#define COP_MODEL_ROPE_H

#include "coppice/model/model.h"

/* Radians per position of each pair of dimensions: frequencies [head_size / 2].
 * \return the factor on sines and cosines. */
double cop_rope_frequencies(const cop_rope *rope, int32_t head_size, double *frequencies);

/* Fills table [positions, head_size]: per position head_size/2 cosines, then as many sines, the
 * factor multiplied in. */
cop_status cop_rope_table(const cop_rope *rope, int32_t head_size, size_t positions,
                          float *table, cop_error *err);

#endif
