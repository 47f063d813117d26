/* Wilson's interval of a proportion. */
#include "coppice/search/search.h"

#include <assert.h>
#include <math.h>

void cop_stats_wilson(size_t successes, size_t count, double confidence, double *low,
                      double *high)
{
    assert(successes <= count && confidence > 0.0 && confidence < 1.0);
    *low = 0.0;
    *high = 1.0;
    if (count == 0) return;
    const double n = (double)count;
    const double p = (double)successes / n;
    const double z = -cop_stats_normal_quantile(0.5 * (1.0 - confidence));
    const double square = z * z / n;
    const double centre = p + 0.5 * square;
    const double radius = z * sqrt((p * (1.0 - p) + 0.25 * square) / n);
    /* The ends are exact where rounding would leave a speck beyond them. */
    if (successes > 0) *low = fmax(0.0, (centre - radius) / (1.0 + square));
    if (successes < count) *high = fmin(1.0, (centre + radius) / (1.0 + square));
}
