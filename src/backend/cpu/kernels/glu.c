/* The gated unit of one row. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

static inline float silu(float x)
{
    return x / (1.0F + exp_f32(-x));
}

/* (1 + tanh u) / 2 is 1 / (1 + e^-2u), so that nothing cancels for gates below zero. */
static inline float gelu_tanh(float x)
{
    const float linear = 1.59576912F;  /* 2 sqrt(2 / pi) */
    const float cubic = 0.0713548163F; /* 0.044715 of it */
    return x / (1.0F + exp_f32(-x * (linear + cubic * (x * x))));
}

static void narrow_row(uint16_t *out, const float *gate, const float *up, size_t width,
                       cop_activation activation)
{
    if (activation == COP_GELU_TANH) {
#pragma omp simd
        for (size_t i = 0; i < width; i++)
            out[i] = narrow_bf16(gelu_tanh(gate[i]) * up[i]);
    } else {
#pragma omp simd
        for (size_t i = 0; i < width; i++)
            out[i] = narrow_bf16(silu(gate[i]) * up[i]);
    }
}

static void wide_row(float *out, const float *gate, const float *up, size_t width,
                     cop_activation activation)
{
    if (activation == COP_GELU_TANH) {
#pragma omp simd
        for (size_t i = 0; i < width; i++)
            out[i] = gelu_tanh(gate[i]) * up[i];
    } else {
#pragma omp simd
        for (size_t i = 0; i < width; i++)
            out[i] = silu(gate[i]) * up[i];
    }
}

void COP_KERNEL(cop_kernel_glu)(void *out, cop_dtype dtype, const float *in, size_t width,
                                cop_activation activation)
{
    if (dtype == COP_BF16) {
        narrow_row(out, in, in + width, width, activation);
    } else {
        wide_row(out, in, in + width, width, activation);
    }
}
