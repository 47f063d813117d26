/** \file cpu.h
 * What the processor can do; chooses among implementations at run time.
 */
#ifndef COPPICE_CPU_H
#define COPPICE_CPU_H

#include <stdbool.h>

/** Instruction sets with kernels of their own, in rising order. */
typedef enum cop_isa {
    COP_ISA_SCALAR, /**< baseline x86-64 (or any processor) */
    COP_ISA_AVX2,   /**< AVX2 with FMA and F16C */
    COP_ISA_AVX512, /**< AVX-512 F, BW, DQ and VL */
    COP_ISA_COUNT
} cop_isa;

/** The best instruction set of this processor, lowered by the environment variable COPPICE_ISA
 *  (scalar, avx2 or avx512) if that is set. Never higher than the processor's. */
cop_isa cop_cpu_isa(void);

/** True if the processor multiplies bf16 natively (AVX512_BF16 or AMX_BF16). */
bool cop_cpu_has_bf16(void);

/** "scalar", "avx2" or "avx512". */
const char *cop_isa_name(cop_isa isa);

/** Model name of the processor, "unknown" if the system does not tell. `text` [size]. */
void cop_cpu_describe(char *text, unsigned size);

#endif
