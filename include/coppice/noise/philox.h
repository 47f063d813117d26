/** \file philox.h
 * Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC11): the scalar form, which defines the result, and for vectors of blocks the constants and
 * the key of each round.
 *
 * A compiler for another processor defines how a function is written there, before it includes
 * this.
 */
#ifndef COPPICE_NOISE_PHILOX_H
#define COPPICE_NOISE_PHILOX_H

#include <stdint.h>

#ifndef PHILOX_FUNCTION
#define PHILOX_FUNCTION static inline
#endif

/** What words 0 and 2 of the counter are multiplied by. */
#define PHILOX_MULTIPLIER_0 0xd2511f53U
#define PHILOX_MULTIPLIER_1 0xcd9e8d57U
/** What the key grows by from round to round: the golden ratio and sqrt(3) - 1. */
#define PHILOX_STEP_0 0x9e3779b9U
#define PHILOX_STEP_1 0xbb67ae85U

enum { PHILOX_ROUNDS = 10 };

/** The four words of a counter under a key. */
PHILOX_FUNCTION void philox_words(const uint32_t counter[4], const uint32_t key[2],
                                  uint32_t words[4])
{
    uint32_t c0 = counter[0];
    uint32_t c1 = counter[1];
    uint32_t c2 = counter[2];
    uint32_t c3 = counter[3];
    uint32_t low = key[0];
    uint32_t high = key[1];
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
        const uint64_t product0 = (uint64_t)PHILOX_MULTIPLIER_0 * c0;
        const uint64_t product1 = (uint64_t)PHILOX_MULTIPLIER_1 * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ low;
        c1 = (uint32_t)product1;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ high;
        c3 = (uint32_t)product0;
        low += PHILOX_STEP_0;
        high += PHILOX_STEP_1;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

/** What all blocks of a tensor in a stream share: both key words of every round, and the last
 *  two of the counter. */
typedef struct philox_key {
    uint32_t low[PHILOX_ROUNDS];
    uint32_t high[PHILOX_ROUNDS];
    uint32_t tensor;
    uint32_t stream;
} philox_key;

PHILOX_FUNCTION philox_key philox_key_of(uint64_t seed, uint32_t tensor, uint32_t stream)
{
    philox_key key;
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
        key.low[round] = (uint32_t)seed + round * PHILOX_STEP_0;
        key.high[round] = (uint32_t)(seed >> 32) + round * PHILOX_STEP_1;
    }
    key.tensor = tensor;
    key.stream = stream;
    return key;
}

#endif
