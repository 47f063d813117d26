/* Paired comparison with the centre, and the decision whether to accept an update. */
#include "coppice/search.h"

#include <math.h>

cop_paired cop_paired_compare(const float *scores, const float *centre, size_t count,
                              double correct_at, double weight)
{
    cop_paired paired = {0};
    for (size_t m = 0; m < count; m++) {
        const bool now = (double)scores[m] >= correct_at;
        const bool before = (double)centre[m] >= correct_at;
        paired.fixes += now && !before;
        paired.regressions += before && !now;
    }
    if (count == 0) return paired;
    const double n = (double)count;
    const double fixes = (double)paired.fixes;
    const double regressions = (double)paired.regressions;
    paired.constructive = (fixes - weight * regressions) / n;
    paired.mean = (fixes - regressions) / n;
    /* Every difference is -1, 0 or 1, so the sum of squares is a count. */
    if (count > 1)
        paired.sd =
            sqrt(fmax(0.0, fixes + regressions - n * paired.mean * paired.mean) / (n - 1));
    return paired;
}

double cop_gate_raise_z(double z, size_t tries)
{
    if (tries <= 1) return z;
    const double tail = cop_stats_normal_cdf(-z) / (double)tries;
    /* So far out that the tail vanishes, no number of tries matters. */
    return tail > 0.0 ? -cop_stats_normal_quantile(tail) : z;
}

cop_gate_decision cop_gate_decide(const float *proposal, const float *centre, size_t count,
                                  double correct_at, double regression_weight, double z)
{
    cop_gate_decision decision = {.count = count, .z = z};
    decision.paired =
        cop_paired_compare(proposal, centre, count, correct_at, regression_weight);
    if (count == 0) return decision;
    decision.bound = decision.paired.mean - z * decision.paired.sd / sqrt((double)count);
    decision.accepted = decision.bound > 0.0 && decision.paired.constructive > 0.0;
    return decision;
}
