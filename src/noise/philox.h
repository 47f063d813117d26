/** \file philox.h
 * Philox4x32-10 for vectors of blocks: the constants and the key of each round. The scalar form
 * is Random123's.
 */
#ifndef NOISE_PHILOX_H
#define NOISE_PHILOX_H

#include <Random123/philox.h>

#include <stdint.h>

enum { PHILOX_ROUNDS = 10 };

/** What all blocks of a tensor share: both key words of every round, and the tensor. */
typedef struct philox_key {
    uint32_t low[PHILOX_ROUNDS];
    uint32_t high[PHILOX_ROUNDS];
    uint32_t tensor;
} philox_key;

static inline philox_key philox_key_of(uint64_t seed, uint32_t tensor)
{
    philox_key key;
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
        key.low[round] = (uint32_t)seed + round * PHILOX_W32_0;
        key.high[round] = (uint32_t)(seed >> 32) + round * PHILOX_W32_1;
    }
    key.tensor = tensor;
    return key;
}

#endif
