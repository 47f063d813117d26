/* Reductions over one row of logits. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"

#include <math.h>

enum { BLOCK = 1024 };

/* Lets the bits of negative floats rise with their values; its own inverse. */
static inline uint32_t flip_negative(uint32_t bits)
{
    return bits ^ ((0U - (bits >> 31)) & 0x7fffffffU);
}

/* Order of the floats as order of signed integers; both zeros give 0. Integers, because the
 * compiler may not turn a maximum of floats, which has to respect NaN, into vectors. */
static inline int32_t order_key(float value)
{
    return (int32_t)flip_negative(float_bits(value + 0.0F));
}

int32_t COP_KERNEL(cop_kernel_argmax)(const float *row, size_t count)
{
    int32_t best = INT32_MIN;
    size_t best_block = 0;
    uint32_t special = 0;
    for (size_t start = 0; start < count; start += BLOCK) {
        const size_t length = count - start < BLOCK ? count - start : BLOCK;
        const float *const block = row + start;
        int32_t key = INT32_MIN;
#pragma omp simd reduction(max : key) reduction(| : special)
        for (size_t i = 0; i < length; i++) {
            const int32_t own = order_key(block[i]);
            key = own > key ? own : key;
            special |= (float_bits(block[i]) & 0x7f800000U) == 0x7f800000U ? 1U : 0U;
        }
        if (key > best) {
            best = key;
            best_block = start;
        }
    }
    if (special != 0) return -1;
    size_t index = best_block;
    while (order_key(row[index]) != best) {
        index++;
    }
    return (int32_t)index;
}

double COP_KERNEL(cop_kernel_log_probability)(const float *row, size_t count, size_t target)
{
    int32_t top = INT32_MIN;
#pragma omp simd reduction(max : top)
    for (size_t i = 0; i < count; i++) {
        const int32_t own = order_key(row[i]);
        top = own > top ? own : top;
    }
    const float greatest = float_from_bits(flip_negative((uint32_t)top));
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < count; i++) {
        sum += (double)exp_f32(row[i] - greatest);
    }
    /* cppcheck-suppress invalidFunctionArg ; the greatest itself adds 1 to the sum */
    return (double)row[target] - (double)greatest - log(sum);
}
