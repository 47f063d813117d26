/* Instruction sets of the products, as the libraries that multiply report them. */
#ifndef COP_BACKEND_CPU_GEMM_ISA_H
#define COP_BACKEND_CPU_GEMM_ISA_H

#include "coppice/base/cpu.h"
#include "coppice/base/dtype.h"
#include "coppice/base/status.h"

#include <stdbool.h>

/* Holds the library to an instruction set for the life of the process, before its first use.
 * COP_ERR_UNSUPPORTED with the remedy where it has not got that set or cannot be held. */
cop_status cop_onednn_hold_isa(cop_isa_hold hold, cop_error *err);
cop_status cop_openblas_hold_isa(cop_isa_hold hold, cop_error *err);

/* The set that products of operands of this type are dispatched to: "sse41", "avx", "avx2",
 * "avx512", "avx512_bf16" or "amx". Sets that differ in nothing that such products use have one
 * name. */
const char *cop_onednn_isa_name(cop_dtype input);

/* The highest set that oneDNN could be held to where it is not held. */
cop_isa_hold cop_onednn_best_isa(void);

/* The core that OpenBLAS has its kernels of ("Haswell"). */
const char *cop_openblas_core(void);

/* True if oneDNN multiplies bf16 by instructions of the processor for it: what the processor
 * has, unless ONEDNN_MAX_CPU_ISA or a hold keeps the library from it. */
bool cop_onednn_has_bf16(void);

#endif
