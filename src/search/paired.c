/* Paired comparison with the centre, and the decision whether to accept an update. */
#include "coppice/search/search.h"

#include <assert.h>
#include <math.h>

double cop_measure_value(const cop_measure *measure, float score)
{
    if (measure->on_reward) return (double)score;
    return (double)score >= measure->correct_at ? 1 : 0;
}

double cop_measure_mean(const cop_measure *measure, const float *scores, size_t count)
{
    double sum = 0;
    for (size_t m = 0; m < count; m++)
        sum += cop_measure_value(measure, scores[m]);
    return count == 0 ? 0 : sum / (double)count;
}

/* Root of the mean square of the differences around their mean (n - 1). */
static double spread(const float *scores, const float *centre, size_t count,
                     const cop_measure *measure, double mean)
{
    double sum = 0;
    for (size_t m = 0; m < count; m++) {
        const double change = cop_measure_value(measure, scores[m]) -
                              cop_measure_value(measure, centre[m]) - mean;
        sum += change * change;
    }
    return sqrt(sum / ((double)count - 1));
}

cop_paired cop_paired_compare(const float *scores, const float *centre, size_t count,
                              const cop_measure *measure, double weight)
{
    cop_paired paired = {0};
    double gains = 0;
    double losses = 0;
    for (size_t m = 0; m < count; m++) {
        const double change =
            cop_measure_value(measure, scores[m]) - cop_measure_value(measure, centre[m]);
        paired.fixes += change > 0;
        paired.regressions += change < 0;
        if (change > 0) gains += change;
        if (change < 0) losses -= change;
    }
    if (count == 0) return paired;
    const double n = (double)count;
    paired.constructive = (gains - weight * losses) / n;
    paired.mean = (gains - losses) / n;
    if (count < 2) return paired;
    /* On correctness the sum of squares is a count, and this the exact form. */
    paired.sd = measure->on_reward
                    ? spread(scores, centre, count, measure, paired.mean)
                    : sqrt(fmax(0.0, gains + losses - n * paired.mean * paired.mean) / (n - 1));
    return paired;
}

/* What lies z standard errors below the mean, and whether it is above `limit`. With z = 1 one
 * example that is better, and nobody worse, puts it at 0 itself: rounding must not decide. */
static double find_bound(const cop_paired *paired, size_t count, double z, double limit,
                         bool *is_above)
{
    static const double rounding = 1e-9;
    const double margin = z * paired->sd / sqrt((double)count);
    const double bound = paired->mean - margin;
    *is_above = bound - limit > rounding * (fabs(paired->mean) + margin + fabs(limit));
    return bound;
}

double cop_gate_raise_z(double z, size_t tries)
{
    if (tries <= 1) return z;
    const double tail = cop_stats_normal_cdf(-z) / (double)tries;
    /* So far out that the tail vanishes, no number of tries matters. */
    return tail > 0.0 ? -cop_stats_normal_quantile(tail) : z;
}

cop_gate_decision cop_gate_decide(const float *proposal, const float *centre, size_t count,
                                  const cop_measure *measure, double regression_weight,
                                  double z)
{
    cop_gate_decision decision = {.count = count, .z = z};
    decision.paired = cop_paired_compare(proposal, centre, count, measure, regression_weight);
    if (count == 0) return decision;
    bool is_above = false;
    decision.bound = find_bound(&decision.paired, count, z, 0.0, &is_above);
    decision.accepted = is_above && decision.paired.constructive > 0.0;
    return decision;
}

cop_guard_decision cop_guard_decide(const float *proposal, const float *base, size_t count,
                                    const cop_measure *measure, double loss, double z)
{
    cop_guard_decision decision = {.loss = loss, .z = z};
    decision.paired = cop_paired_compare(proposal, base, count, measure, 1.0);
    if (count == 0) return decision;
    decision.base = cop_measure_mean(measure, base, count);
    decision.mean = cop_measure_mean(measure, proposal, count);
    bool is_above = false;
    decision.bound = find_bound(&decision.paired, count, z, -loss, &is_above);
    decision.accepted = is_above || decision.paired.regressions == 0;
    return decision;
}

double cop_guard_shorten(const cop_guard_decision *refused, const cop_guard_decision *centre,
                         int power)
{
    static const double most = 0.75;  /* little less would be refused as well */
    static const double least = 0.1;  /* of a gain, too */
    static const double filled = 0.9; /* estimates are off */
    const double mean = centre == NULL ? 0 : centre->paired.mean;
    const double bound = centre == NULL ? 0 : centre->bound;
    const double room = filled * (refused->loss + bound);
    const double harm = fmax(mean - refused->paired.mean, 0);
    const double doubt = fmax(refused->paired.mean - refused->bound - (mean - bound), 0);
    assert(power == 1 || power == 2);
    if (!isfinite(refused->paired.mean) || !isfinite(refused->bound)) return most;
    if (!(room > 0)) return 0;
    /* The root of harm share^power + doubt share = room. */
    const double share = power == 1
                             ? room / (harm + doubt)
                             : 2 * room / (doubt + sqrt(doubt * doubt + 4 * harm * room));
    if (share < least) return 0;
    return share < most ? share : most;
}
