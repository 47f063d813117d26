/* For kernel files only: names with the suffix of the instruction set that is being compiled.
 */
#ifndef COP_BACKEND_CPU_KERNELS_KERNELS_ISA_H
#define COP_BACKEND_CPU_KERNELS_KERNELS_ISA_H

#include "backend/cpu/kernels/kernels.h"

#ifndef COP_ISA_SUFFIX
#error "kernels are compiled with -DCOP_ISA_SUFFIX=_scalar, _avx2 or _avx512"
#endif

#define COP_PASTE_(name, suffix) name##suffix
#define COP_PASTE(name, suffix) COP_PASTE_(name, suffix)
#define COP_KERNEL(name) COP_PASTE(name, COP_ISA_SUFFIX)

void COP_KERNEL(cop_kernel_widen)(float *out, const void *in, cop_dtype dtype, size_t count);
void COP_KERNEL(cop_kernel_narrow)(void *out, cop_dtype dtype, const float *in, size_t count);
void COP_KERNEL(cop_kernel_rmsnorm)(void *out, cop_dtype dtype, const float *in,
                                    const float *weight, size_t width, float eps);
void COP_KERNEL(cop_kernel_rmsnorm_add)(float *residual, const float *in, const float *weight,
                                        size_t width, float eps);
void COP_KERNEL(cop_kernel_swiglu)(void *out, cop_dtype dtype, const float *in, size_t width);
void COP_KERNEL(cop_kernel_rope)(float *heads, size_t count, size_t size, const float *table);
void COP_KERNEL(cop_kernel_store_key)(void *keys, cop_dtype dtype, size_t position,
                                      const float *key, size_t size);
void COP_KERNEL(cop_kernel_attention)(const cop_attention_task *task, float *scratch);
int32_t COP_KERNEL(cop_kernel_argmax)(const float *row, size_t count);
double COP_KERNEL(cop_kernel_log_probability)(const float *row, size_t count, size_t target);

#endif
