/* The table of kernels of one instruction set. */
#include "backend/cpu/kernels/kernels_isa.h"

#define TABLE(product_kernel, input)                                                          \
    {                                                                                         \
        .product_input = (input), .widen = COP_KERNEL(cop_kernel_widen),                      \
        .narrow = COP_KERNEL(cop_kernel_narrow), .rmsnorm = COP_KERNEL(cop_kernel_rmsnorm),   \
        .rmsnorm_add = COP_KERNEL(cop_kernel_rmsnorm_add), .glu = COP_KERNEL(cop_kernel_glu), \
        .rope = COP_KERNEL(cop_kernel_rope), .store_key = COP_KERNEL(cop_kernel_store_key),   \
        .store_value = COP_KERNEL(cop_kernel_store_value),                                    \
        .attention = COP_KERNEL(cop_kernel_attention), .product = (product_kernel),           \
        .argmax = COP_KERNEL(cop_kernel_argmax),                                              \
        .log_probability = COP_KERNEL(cop_kernel_log_probability),                            \
    }

const cop_kernels COP_KERNEL(cop_kernels) = TABLE(COP_KERNEL(cop_kernel_product), COP_F32);

#if defined(__AVX512F__)
const cop_kernels cop_kernels_amx = TABLE(cop_kernel_product_amx, COP_BF16);
#endif
