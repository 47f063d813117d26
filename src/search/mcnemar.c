/* McNemar's test: which of two methods is right on examples where only one is. */
#include "coppice/search/compare.h"

#include <math.h>

/* P(X <= k) and P(X = k) for X binomial (n, 1/2), 2 k <= n. The first term is built up as a
 * product scaled by a power of two that is kept apart: C(n, k) soon leaves the range of a
 * double. */
static double binomial_tail(size_t n, size_t k, double *term)
{
    double product = 1.0; /* times 2^exponent */
    long exponent = -(long)n;
    for (size_t i = 1; i <= k; i++) {
        int shift = 0;
        product = frexp(product * (double)(n - k + i) / (double)i, &shift);
        exponent += shift;
    }
    double sum = 1.0;
    double ratio = 1.0; /* P(X = i) / P(X = k) */
    for (size_t i = k; i > 0 && ratio > 0x1p-60 * sum; i--) {
        ratio *= (double)i / (double)(n - i + 1);
        sum += ratio;
    }
    const int scale = exponent < -100000 ? -100000 : (int)exponent;
    *term = ldexp(product, scale);
    return ldexp(product * sum, scale);
}

cop_mcnemar cop_compare_mcnemar_counts(size_t gained, size_t lost)
{
    cop_mcnemar test = {.gained = gained, .lost = lost, .exact = 1, .mid = 1, .chi2 = 1};
    const size_t n = gained + lost;
    if (n == 0) return test;
    double term;
    const double tail = binomial_tail(n, gained < lost ? gained : lost, &term);
    test.exact = fmin(1.0, 2.0 * tail);
    /* Where both are equal the two tails share their term, which the mid-p counts once. */
    test.mid = gained == lost ? 1.0 : 2.0 * tail - term;
    const double distance = fabs((double)gained - (double)lost) - 1.0;
    test.chi2_value = distance * distance / (double)n;
    test.chi2 = erfc(sqrt(0.5 * test.chi2_value));
    return test;
}

cop_mcnemar cop_compare_mcnemar(const float *scores, const float *other, size_t count,
                                const cop_measure *measure)
{
    size_t gained = 0;
    size_t lost = 0;
    for (size_t m = 0; m < count; m++) {
        const double mine = cop_measure_value(measure, scores[m]);
        const double theirs = cop_measure_value(measure, other[m]);
        gained += mine > theirs;
        lost += theirs > mine;
    }
    return cop_compare_mcnemar_counts(gained, lost);
}
