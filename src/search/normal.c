/* The standard normal distribution and its inverse. */
#include "coppice/search/search.h"

#include <math.h>

static const double root_half = 0.70710678118654752440;       /* 1 / sqrt(2) */
static const double density_at_zero = 0.39894228040143267794; /* 1 / sqrt(2 pi) */

double cop_stats_normal_cdf(double x)
{
    return 0.5 * erfc(-x * root_half);
}

/* One step of Halley's method, for a distribution function that is `excess` too large at x: the
 * second derivative of the distribution function is -x times the density. */
static double halley_step(double x, double excess)
{
    const double newton = excess / (density_at_zero * exp(-0.5 * x * x));
    return x - newton / (1.0 + 0.5 * x * newton);
}

/* p in [1/4, 3/4]: solves erf(x / sqrt 2) / 2 = p - 1/2, relatively accurate even near 0. */
static double quantile_centre(double offset)
{
    const double square = offset * offset;
    double x = offset * (2.5067 - 3.228 * square) / (1.0 - 2.331 * square);
    for (int step = 0; step < 3; step++)
        x = halley_step(x, 0.5 * erf(x * root_half) - offset);
    return x;
}

/* p < 1/4: a rational function of sqrt(-2 ln p), within 0.003, then Halley's method. */
static double quantile_tail(double p)
{
    const double t = sqrt(-2.0 * log(p));
    double x = (2.1959 + 0.26247 * t) / (1.0 + t * (0.92191 + 0.045891 * t)) - t;
    for (int step = 0; step < 3; step++)
        x = halley_step(x, cop_stats_normal_cdf(x) - p);
    return x;
}

double cop_stats_normal_quantile(double p)
{
    if (!(p > 0.0 && p < 1.0)) return p == 0.0 ? -INFINITY : p == 1.0 ? INFINITY : NAN;
    if (p < 0.25) return quantile_tail(p);
    if (p > 0.75) return -quantile_tail(1.0 - p);
    return quantile_centre(p - 0.5);
}
