/** \file cpu.h
 * What the processor can do; chooses among implementations at run time.
 */
#ifndef COPPICE_BASE_CPU_H
#define COPPICE_BASE_CPU_H

#include "coppice/base/status.h"

#include <stdbool.h>

/** Instruction sets with kernels of their own, in rising order. */
typedef enum cop_isa {
    COP_ISA_SCALAR, /**< baseline x86-64 (or any processor) */
    COP_ISA_AVX2,   /**< AVX2 with FMA and F16C */
    COP_ISA_AVX512, /**< AVX-512 F, BW, DQ and VL */
    COP_ISA_AMX,    /**< AVX-512 and, for products of bf16, AMX_BF16; the rest as AVX-512 */
    COP_ISA_COUNT
} cop_isa;

/** The best instruction set of this processor, lowered by the environment variable COPPICE_ISA
 *  (scalar, avx2, avx512 or amx) if that is set. Never higher than the processor's, and amx
 * only where the system lets this process use tiles, which is asked for here. */
cop_isa cop_cpu_isa(void);

/** COP_ERR_USAGE where COPPICE_ISA is another word, which cop_cpu_isa() takes for unset. */
cop_status cop_cpu_check(cop_error *err);

/** What kernels and matrix products may be held to, so that processors of several kinds compute
 *  alike. */
typedef enum cop_isa_hold {
    COP_HOLD_NONE,        /**< "auto": the best that each processor has */
    COP_HOLD_SCALAR,      /**< baseline x86-64; products take SSE 4.1 */
    COP_HOLD_AVX2,        /**< AVX2 with FMA and F16C */
    COP_HOLD_AVX512,      /**< AVX-512 without instructions for bf16 */
    COP_HOLD_AVX512_BF16, /**< AVX512_BF16 */
    COP_HOLD_AMX,         /**< AMX_BF16 */
    COP_HOLD_COUNT
} cop_isa_hold;

/** "auto", "scalar", "avx2", "avx512", "avx512_bf16" or "amx". */
const char *cop_isa_hold_name(cop_isa_hold hold);

/** The hold of that name. \return false for another. */
bool cop_isa_hold_parse(const char *name, cop_isa_hold *hold);

/** The kernels that belong to a hold; without one, those of cop_cpu_isa(). */
cop_isa cop_isa_hold_kernels(cop_isa_hold hold);

/** True if the processor multiplies bf16 natively (AVX512_BF16 or AMX_BF16). */
bool cop_cpu_has_bf16(void);

/** "scalar", "avx2", "avx512" or "amx". */
const char *cop_isa_name(cop_isa isa);

/** Model name of the processor, "unknown" if the system does not tell. `text` [size]. */
void cop_cpu_describe(char *text, unsigned size);

#endif
