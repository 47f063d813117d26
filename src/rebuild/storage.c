/* Chooses what widens and narrows by instruction set. */
#include "rebuild/storage.h"

static const cop_storage_kernels kernels[] = {
    [COP_ISA_SCALAR] = {cop_storage_widen_scalar, cop_storage_narrow_scalar,
                        cop_storage_add_scalar},
#if defined(__x86_64__)
    [COP_ISA_AVX2] = {cop_storage_widen_avx2, cop_storage_narrow_avx2, cop_storage_add_avx2},
    [COP_ISA_AVX512] = {cop_storage_widen_avx512, cop_storage_narrow_avx512,
                        cop_storage_add_avx512},
#endif
};

const cop_storage_kernels *cop_storage_kernels_get(cop_isa isa)
{
    const size_t last = sizeof kernels / sizeof kernels[0] - 1;
    return &kernels[(size_t)isa < last ? (size_t)isa : last];
}
