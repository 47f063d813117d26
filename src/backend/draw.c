#include "backend/draw.h"

#include "backend/cpu/kernels/scalar_math.h"
#include "coppice/backend/draw.h"

#include <math.h>
#include <stdbool.h>

/* The greatest of row; false if one is not finite. */
static bool find_top(const float *row, size_t count, float *top)
{
    float best = row[0];
    uint32_t special = 0;
    for (size_t i = 0; i < count; i++) {
        special |= (float_bits(row[i]) & 0x7f800000U) == 0x7f800000U ? 1U : 0U;
        best = row[i] > best ? row[i] : best;
    }
    *top = best;
    return special == 0;
}

/* weights [count] = e^((row - top) / temperature); returns their sum in index order. */
static double weigh(const float *row, size_t count, float top, double temperature,
                    float *weights)
{
    /* No factor so large that 0, the top's own distance, times it is not 0. */
    const float factor = (float)fmin(1.0 / temperature, 1e30);
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        weights[i] = exp_f32((row[i] - top) * factor);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)weights[i];
    return sum;
}

/* The id at which the running sum in index order passes `target`. */
static int32_t walk_all(const float *weights, size_t count, double target)
{
    double sum = 0;
    size_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (weights[i] == 0.0F) continue;
        last = i;
        sum += (double)weights[i];
        if (sum > target) break;
    }
    return (int32_t)last;
}

/* Heavier first, the lower id among equals. */
static bool goes_before(const float *weights, int32_t a, int32_t b)
{
    return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
}

/* Restores the heap ids [count], whose first is the one that goes before all, below `at`. */
static void sift(const float *weights, int32_t *ids, size_t count, size_t at)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) return;
        if (child + 1 < count && goes_before(weights, ids[child + 1], ids[child])) child++;
        if (!goes_before(weights, ids[child], ids[at])) return;
        const int32_t moved = ids[at];
        ids[at] = ids[child];
        ids[child] = moved;
        at = child;
    }
}

/* The ids that can belong to the nucleus: all below a share of (1 - top_p) / count weigh less
 * than 1 - top_p together. */
static size_t gather(const float *weights, size_t count, double sum, double top_p, int32_t *ids)
{
    const double least = (1.0 - top_p) * sum / (double)count;
    size_t gathered = 0;
    for (size_t i = 0; i < count; i++) {
        ids[gathered] = (int32_t)i;
        gathered += (double)weights[i] >= least ? 1 : 0;
    }
    return gathered;
}

/* Draws from the nucleus: the heaviest ids in falling order, up to and with the one that
 * reaches top_p of the sum. They end up at the tail of scratch->ids. */
static int32_t draw_nucleus(size_t count, double sum, double top_p, double u,
                            const cop_draw_scratch *scratch)
{
    const float *const weights = scratch->weights;
    int32_t *const ids = scratch->ids;
    const size_t gathered = gather(weights, count, sum, top_p, ids);
    for (size_t i = gathered / 2; i > 0; i--)
        sift(weights, ids, gathered, i - 1);
    double nucleus = 0;
    size_t left = gathered;
    while (left > 0 && (left == gathered || nucleus < top_p * sum)) {
        const int32_t heaviest = ids[0];
        nucleus += (double)weights[heaviest];
        ids[0] = ids[--left];
        ids[left] = heaviest;
        sift(weights, ids, left, 0);
    }
    double walked = 0;
    for (size_t i = gathered; i > left; i--) {
        walked += (double)weights[ids[i - 1]];
        if (walked > u * nucleus) return ids[i - 1];
    }
    return ids[left];
}

int32_t cop_draw_token(const float *row, size_t count, double temperature, double top_p,
                       double u, const cop_draw_scratch *scratch)
{
    float top;
    if (!find_top(row, count, &top)) return -1;
    const double sum = weigh(row, count, top, temperature, scratch->weights);
    if (top_p >= 1.0) return walk_all(scratch->weights, count, u * sum);
    return draw_nucleus(count, sum, top_p, u, scratch);
}

int32_t cop_backend_draw(const float *row, size_t count, const cop_draw *draw, float *weights,
                         int32_t *ids)
{
    const cop_draw_scratch scratch = {.weights = weights, .ids = ids};
    return cop_draw_token(row, count, draw->temperature, draw->top_p, draw->uniform[0],
                          &scratch);
}
