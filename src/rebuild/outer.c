/* Chooses what adds outer products by instruction set. */
#include "rebuild/outer.h"

static const cop_outer_kernels kernels[] = {
    [COP_ISA_SCALAR] = {cop_outer_add_scalar, OUTER_LANES_SCALAR},
#if defined(__x86_64__)
    [COP_ISA_AVX2] = {cop_outer_add_avx2, OUTER_LANES_AVX2},
    [COP_ISA_AVX512] = {cop_outer_add_avx512, OUTER_LANES_AVX512},
#endif
};

const cop_outer_kernels *cop_outer_kernels_get(cop_isa isa)
{
    const size_t last = sizeof kernels / sizeof kernels[0] - 1;
    return &kernels[(size_t)isa < last ? (size_t)isa : last];
}
