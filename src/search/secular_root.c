/* One root of the secular equation
 *
 *     f(x) = sum_i weight[i] / (pole[i] - x) = 0
 *
 * between two neighbouring poles, where f rises from -infinity just above the lower pole to
 * infinity just below the upper one. Near the root the poles on either side are stood in for by
 * one pole each, of matching value and slope, which leaves a quadratic equation (Bunch, Nielsen
 * and Sorensen 1978); a bracket catches steps that go astray. */
#include "search/secular_root.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

enum { MAX_STEPS = 200 };

/* The equation and which root is sought. */
typedef struct secular_equation {
    const double *pole, *weight;
    size_t count, k;
} secular_equation;

/* f at a point, in parts: `above` sums the poles 0..k, `below` the others. */
typedef struct secular_value {
    double above, above_slope;
    double below, below_slope;
    double f;
} secular_value;

static secular_value evaluate(const secular_equation *e, cop_secular_root at)
{
    double sum[2] = {0.0, 0.0};
    double slope[2] = {0.0, 0.0};
    const double origin = e->pole[at.origin];
    const size_t ends[2] = {e->k + 1, e->count};
    for (size_t side = 0, i = 0; side < 2; side++) {
        for (; i < ends[side]; i++) {
            const double inverse = 1.0 / ((e->pole[i] - origin) - at.offset);
            const double term = e->weight[i] * inverse;
            sum[side] += term;
            slope[side] += term * inverse;
        }
    }
    return (secular_value){.above = sum[0],
                           .above_slope = slope[0],
                           .below = sum[1],
                           .below_slope = slope[1],
                           .f = sum[0] + sum[1]};
}

/* The step from `at` to the root of the function that stands in for f,
 * rest + upper_weight / (upper - step) + lower_weight / (lower - step). */
static double propose_step(const secular_equation *e, const secular_value *v,
                           cop_secular_root at)
{
    const double upper = cop_secular_root_gap(e->pole, at, e->k);
    const double lower = cop_secular_root_gap(e->pole, at, e->k + 1);
    const double upper_weight = v->above_slope * upper * upper;
    const double lower_weight = v->below_slope * lower * lower;
    const double rest = v->f - v->above_slope * upper - v->below_slope * lower;
    /* rest step^2 - linear step + constant = 0 */
    const double linear = rest * (upper + lower) + upper_weight + lower_weight;
    const double constant = upper * lower * v->f;
    const double root = sqrt(fabs(linear * linear - 4.0 * rest * constant));
    /* Of its two roots, the one between the poles, in the form that does not cancel. */
    return linear < 0.0 ? (linear - root) / (2.0 * rest) : 2.0 * constant / (linear + root);
}

/* A point between two offsets of one sign: the geometric mean, since the root may lie many
 * orders of magnitude nearer to the pole than the other end. */
static double split_bracket(double low, double high)
{
    const double sign = low < 0.0 ? -1.0 : 1.0;
    return sign * sqrt(fmax(fabs(low), DBL_MIN)) * sqrt(fmax(fabs(high), DBL_MIN));
}

/* Takes the nearer pole as origin and brackets the root: f(low) < 0 < f(high). */
static cop_secular_root start(const secular_equation *e, double *low, double *high)
{
    const double half = 0.5 * (e->pole[e->k] - e->pole[e->k + 1]);
    const cop_secular_root from_upper = {.origin = e->k, .offset = -half};
    if (evaluate(e, from_upper).f < 0.0) {
        *low = -half;
        *high = 0.0;
        return from_upper;
    }
    *low = 0.0;
    *high = half;
    return (cop_secular_root){.origin = e->k + 1, .offset = half};
}

cop_secular_root cop_secular_root_find(const double *pole, const double *weight, size_t count,
                                       size_t k)
{
    const secular_equation e = {.pole = pole, .weight = weight, .count = count, .k = k};
    const double noise = DBL_EPSILON * (1.0 + (double)count / 16.0);
    double low, high;
    cop_secular_root at = start(&e, &low, &high);
    double previous = INFINITY;
    for (int step = 0; step < MAX_STEPS; step++) {
        const secular_value v = evaluate(&e, at);
        if (fabs(v.f) <= noise * (fabs(v.above) + fabs(v.below))) break;
        if (v.f < 0.0)
            low = at.offset;
        else
            high = at.offset;
        if (high - low <= 2.0 * DBL_EPSILON * fabs(at.offset)) break;
        const bool slow = fabs(v.f) > 0.5 * previous;
        previous = slow ? INFINITY : fabs(v.f); /* after a split, one step is free */
        double next = at.offset + propose_step(&e, &v, at);
        if (slow || !(next > low && next < high)) next = split_bracket(low, high);
        if (next == at.offset) break;
        at.offset = next;
    }
    return at;
}
