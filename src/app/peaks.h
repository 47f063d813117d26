/* Loops that do nothing but multiply and add in registers, one for each instruction set: what a
 * thread can do at most. Each is compiled for its set, and may be called where the processor
 * has it alone. Private to app/. */
#ifndef COP_APP_PEAKS_H
#define COP_APP_PEAKS_H

#include <stdbool.h>
#include <stddef.h>

/* One round: enough independent sums to hide how long one takes, and operations of a round. */
typedef struct cop_peak {
    const char *name; /* of the set, and of what it multiplies */
    bool bf16;        /* two bf16 and a binary32 sum, instead of binary32 */
    double flops;     /* of a round: a multiplication and an addition are two */
    /* What comes out depends on every round, so that none is left out. */
    float (*run)(size_t rounds);
    /* The processor has it, and the system lets it be used; NULL: never. */
    bool (*is_there)(void);
} cop_peak;

extern const cop_peak cop_peak_scalar, cop_peak_avx2, cop_peak_avx512, cop_peak_avx512bf16,
    cop_peak_amx;

/* Of a set that this build's processor does not know. */
#define COP_PEAK_ABSENT(peak) const cop_peak peak = {.run = NULL, .is_there = NULL}

/* Reads `bytes`, a multiple of 256, from memory aligned to 16. */
unsigned cop_peak_read(const void *memory, size_t bytes);

#endif
