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

cop_kernel_widen_fn COP_KERNEL(cop_kernel_widen);
cop_kernel_narrow_fn COP_KERNEL(cop_kernel_narrow);
cop_kernel_rmsnorm_fn COP_KERNEL(cop_kernel_rmsnorm);
cop_kernel_rmsnorm_add_fn COP_KERNEL(cop_kernel_rmsnorm_add);
cop_kernel_glu_fn COP_KERNEL(cop_kernel_glu);
cop_kernel_rope_fn COP_KERNEL(cop_kernel_rope);
cop_kernel_store_key_fn COP_KERNEL(cop_kernel_store_key);
cop_kernel_store_value_fn COP_KERNEL(cop_kernel_store_value);
cop_kernel_attention_fn COP_KERNEL(cop_kernel_attention);
cop_kernel_product_fn COP_KERNEL(cop_kernel_product);
cop_kernel_argmax_fn COP_KERNEL(cop_kernel_argmax);
cop_kernel_log_probability_fn COP_KERNEL(cop_kernel_log_probability);

#endif
