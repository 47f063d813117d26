/* Baseline: on x86-64 four numbers at a time, without fused operations. */
#include "app/peaks.h"

typedef float floats __attribute__((vector_size(16)));
typedef unsigned words __attribute__((vector_size(16)));

enum { SUMS = 12, LANES = 4 };

static float run(size_t rounds)
{
    const floats x = {0.5F, 0.5F, 0.5F, 0.5F};
    floats sum[SUMS];
    for (int j = 0; j < SUMS; j++) /* of different sums, since one of equal ones would do */
        sum[j] = x * (float)j;
    for (size_t i = 0; i < rounds; i++) {
#pragma GCC unroll 12
        for (int j = 0; j < SUMS; j++)
            sum[j] = sum[j] * x + x;
    }
    for (int j = 1; j < SUMS; j++)
        sum[0] += sum[j];
    return sum[0][0] + sum[0][1] + sum[0][2] + sum[0][3];
}

static bool is_there(void)
{
    return true;
}

const cop_peak cop_peak_scalar = {"baseline, f32", false, 2.0 * SUMS *LANES, run, is_there};

unsigned cop_peak_read(const void *memory, size_t bytes)
{
    enum { WORDS = 16 };
    words sum[WORDS] = {{0}};
    const words *const from = memory;
    for (size_t i = 0; i < bytes / sizeof *from; i += WORDS) {
#pragma GCC unroll 16
        for (int j = 0; j < WORDS; j++)
            sum[j] += from[i + (size_t)j];
    }
    for (int j = 1; j < WORDS; j++)
        sum[0] += sum[j];
    return sum[0][0] + sum[0][1] + sum[0][2] + sum[0][3];
}
