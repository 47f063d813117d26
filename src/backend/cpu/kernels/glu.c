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

static void silu_narrow(uint16_t *out, const float *gate, const float *up, size_t width)
{
#pragma omp simd
    for (size_t i = 0; i < width; i++)
        out[i] = narrow_bf16(silu(gate[i]) * up[i]);
}

static void silu_wide(float *out, const float *gate, const float *up, size_t width)
{
#pragma omp simd
    for (size_t i = 0; i < width; i++)
        out[i] = silu(gate[i]) * up[i];
}

static void gelu_narrow(uint16_t *out, const float *gate, const float *up, size_t width)
{
#pragma omp simd
    for (size_t i = 0; i < width; i++)
        out[i] = narrow_bf16(gelu_tanh(gate[i]) * up[i]);
}

static void gelu_wide(float *out, const float *gate, const float *up, size_t width)
{
#pragma omp simd
    for (size_t i = 0; i < width; i++)
        out[i] = gelu_tanh(gate[i]) * up[i];
}

void COP_KERNEL(cop_kernel_glu)(void *out, cop_dtype dtype, const float *in, size_t width,
                                cop_activation activation)
{
    const float *const up = in + width;
    const bool narrow = dtype == COP_BF16;
    switch (activation) {
    case COP_SILU:
        if (narrow)
            silu_narrow(out, in, up, width);
        else
            silu_wide(out, in, up, width);
        break;
    case COP_GELU_TANH:
        if (narrow)
            gelu_narrow(out, in, up, width);
        else
            gelu_wide(out, in, up, width);
        break;
    }
}
