/* The table of kernels of one instruction set. */
#include "backend/cpu/kernels/kernels_isa.h"

const cop_kernels COP_KERNEL(cop_kernels) = {
    .widen = COP_KERNEL(cop_kernel_widen),
    .narrow = COP_KERNEL(cop_kernel_narrow),
    .rmsnorm = COP_KERNEL(cop_kernel_rmsnorm),
    .rmsnorm_add = COP_KERNEL(cop_kernel_rmsnorm_add),
    .swiglu = COP_KERNEL(cop_kernel_swiglu),
    .rope = COP_KERNEL(cop_kernel_rope),
    .store_key = COP_KERNEL(cop_kernel_store_key),
    .attention = COP_KERNEL(cop_kernel_attention),
    .argmax = COP_KERNEL(cop_kernel_argmax),
    .log_probability = COP_KERNEL(cop_kernel_log_probability),
};
