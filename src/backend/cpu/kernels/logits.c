/* Reductions over one row of logits. */
#include "backend/cpu/kernels/kernels_isa.h"
#include "backend/cpu/kernels/scalar_math.h"
#include "coppice/base/math.h"

#include <math.h>

enum { BLOCK = 1024, LANES = 16 };

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
    /* In as many sums as the widest vectors have lanes, joined in order: the same bits by all.
     */
    double sums[LANES] = {0.0};
    double sum = 0.0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
#pragma omp simd
        for (size_t l = 0; l < LANES; l++)
            sums[l] += (double)exp_f32(row[i + l] - greatest);
    }
    for (size_t l = 0; i + l < count; l++)
        sums[l] += (double)exp_f32(row[i + l] - greatest);
    for (size_t l = 0; l < LANES; l++)
        sum += sums[l];
    /* NaN where a logit is not finite; otherwise the greatest itself adds 1 to the sum. */
    if (!(sum >= 1.0 && sum < HUGE_VAL)) return (double)NAN;
    return (double)row[target] - (double)greatest - cop_math_log(sum);
}
