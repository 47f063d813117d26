#include "model/rope.h"

#include "coppice/base/math.h"
#include "coppice/base/memory.h"

#include <math.h>

static const double two_pi = 6.283185307179586476925;

/* Llama 3: slow pairs are divided by the factor, fast ones kept, those between interpolated. */
static double scale_llama3(const cop_rope *rope, double frequency)
{
    const double turns = rope->original_positions * frequency / two_pi;
    if (turns < rope->low_frequency_factor) return frequency / rope->factor;
    if (turns > rope->high_frequency_factor) return frequency;
    const double smooth = (turns - rope->low_frequency_factor) /
                          (rope->high_frequency_factor - rope->low_frequency_factor);
    return (1.0 - smooth) * frequency / rope->factor + smooth * frequency;
}

/* The pair (as a real number) that makes `turns` turns over the original positions. */
static double yarn_pair(const cop_rope *rope, int32_t head_size, double turns)
{
    return head_size * cop_math_log(rope->original_positions / (turns * two_pi)) /
           (2.0 * cop_math_log(rope->theta));
}

/* YaRN: pairs up to `low` are kept, those from `high` on divided by the factor, a ramp between.
 */
static void scale_yarn(const cop_rope *rope, int32_t head_size, double *frequencies)
{
    double low = yarn_pair(rope, head_size, rope->beta_fast);
    double high = yarn_pair(rope, head_size, rope->beta_slow);
    if (rope->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0.0);
    high = fmin(high, head_size - 1.0);
    if (low == high) high += 0.001;
    for (int32_t i = 0; i < head_size / 2; i++) {
        const double ramp = fmin(fmax((i - low) / (high - low), 0.0), 1.0);
        frequencies[i] = frequencies[i] / rope->factor * ramp + frequencies[i] * (1.0 - ramp);
    }
}

double cop_rope_frequencies(const cop_rope *rope, int32_t head_size, double *frequencies)
{
    for (int32_t i = 0; i < head_size / 2; i++) {
        const double plain = cop_math_pow(rope->theta, -2.0 * i / head_size);
        frequencies[i] = rope->kind == COP_ROPE_LINEAR   ? plain / rope->factor
                         : rope->kind == COP_ROPE_LLAMA3 ? scale_llama3(rope, plain)
                                                         : plain;
    }
    if (rope->kind != COP_ROPE_YARN) return 1.0;
    scale_yarn(rope, head_size, frequencies);
    if (rope->attention_factor > 0.0) return rope->attention_factor;
    return rope->factor <= 1.0 ? 1.0 : 0.1 * cop_math_log(rope->factor) + 1.0;
}

cop_status cop_rope_table(const cop_rope *rope, int32_t head_size, size_t positions,
                          float *table, cop_error *err)
{
    const size_t half = (size_t)head_size / 2;
    double *const frequencies = cop_memory_alloc(half, sizeof *frequencies, err);
    if (frequencies == NULL) return COP_ERR_MEMORY;
    const double factor = cop_rope_frequencies(rope, head_size, frequencies);
    for (size_t p = 0; p < positions; p++) {
        float *const cosines = table + p * 2 * half;
        float *const sines = cosines + half;
        for (size_t i = 0; i < half; i++) {
            double sine = 0.0;
            double cosine = 0.0;
            cop_math_sine_cosine((double)p * frequencies[i], &sine, &cosine);
            cosines[i] = (float)(cosine * factor);
            sines[i] = (float)(sine * factor);
        }
    }
    cop_memory_free(frequencies);
    return COP_OK;
}
