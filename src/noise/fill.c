/* Chooses the noise by instruction set. */
#include "coppice/noise/noise.h"
#include "noise/noise_isa.h"

static const cop_noise_kernels kernels[] = {
    [COP_ISA_SCALAR] = {cop_noise_fill_scalar, cop_noise_accumulate_scalar},
#if defined(__x86_64__)
    [COP_ISA_AVX2] = {cop_noise_fill_avx2, cop_noise_accumulate_avx2},
    [COP_ISA_AVX512] = {cop_noise_fill_avx512, cop_noise_accumulate_avx512},
#endif
};

const cop_noise_kernels *cop_noise_kernels_get(cop_isa isa)
{
    const size_t last = sizeof kernels / sizeof kernels[0] - 1;
    return &kernels[(size_t)isa < last ? (size_t)isa : last];
}

void cop_noise_fill(float *out, uint64_t seed, uint32_t tensor, uint64_t first, size_t count,
                    cop_isa isa)
{
    cop_noise_stream_fill(out, seed, COP_STREAM_WEIGHTS, tensor, first, count, isa);
}

void cop_noise_stream_fill(float *out, uint64_t seed, cop_noise_stream stream, uint32_t tensor,
                           uint64_t first, size_t count, cop_isa isa)
{
    cop_noise_kernels_get(isa)->fill(out, seed, stream, tensor, first, count);
}
