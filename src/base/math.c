/* Each function: the argument reduced to a small interval with constants in two parts, of which
 * the first has so few digits that its multiples are exact (Cody and Waite, Software Manual for
 * the Elementary Functions, 1980), then the power series up to where terms no longer count. */
#include "coppice/base/math.h"

#include <math.h>

/* ln 2 and pi / 2 in two parts: the first 33 bits, and the rest. */
static const double ln2_high = 0x1.62e42fee00000p-1;
static const double ln2_low = 0x1.a39ef35793c76p-33;
static const double half_pi_high = 0x1.921fb54400000p0;
static const double half_pi_low = 0x1.0b4611a626331p-34;

/* Terms of the series: enough for their intervals, see below. */
enum { LOG_TERMS = 12, EXP_TERMS = 14, SINE_TERMS = 9 };

/* ln m = 2 (s + s^3 / 3 + s^5 / 5 + ...) with s = (m - 1) / (m + 1), |s| <= 0.172. */
double cop_math_log(double x)
{
    int exponent = 0;
    if (!(x > 0.0 && x < HUGE_VAL)) return x == 0.0 ? -HUGE_VAL : x > 0.0 ? x : (double)NAN;
    double m = frexp(x, &exponent); /* 0.5 <= m < 1 */
    if (m < 0x1.6a09e667f3bcdp-1) { /* the square root of 1/2 */
        m *= 2.0;
        exponent--;
    }
    const double s = (m - 1.0) / (m + 1.0);
    const double z = s * s;
    double sum = 0.0;
    for (int i = LOG_TERMS; i > 0; i--)
        sum = z * (sum + 1.0 / (2.0 * i + 1.0));
    const double e = (double)exponent;
    return e * ln2_high + (2.0 * s + (2.0 * s * sum + e * ln2_low));
}

/* e^x = 2^n e^r, |r| <= ln 2 / 2. */
double cop_math_exp(double x)
{
    if (!(fabs(x) <= 700.0)) return x > 0.0 ? HUGE_VAL : x < 0.0 ? 0.0 : x;
    const double n = floor(x * 1.4426950408889634 + 0.5);
    const double r = (x - n * ln2_high) - n * ln2_low;
    double sum = 1.0;
    for (int i = EXP_TERMS; i > 0; i--)
        sum = 1.0 + r / (double)i * sum;
    return ldexp(sum, (int)n);
}

double cop_math_pow(double base, double exponent)
{
    return cop_math_exp(exponent * cop_math_log(base));
}

/* angle = n pi / 2 + r, |r| <= pi / 4; n says which of the two is which. */
void cop_math_sine_cosine(double angle, double *sine, double *cosine)
{
    if (!(fabs(angle) <= 0x1p30)) { /* no position of a model has it */
        *sine = sin(angle);
        *cosine = cos(angle);
        return;
    }
    const double n = floor(angle * 0.6366197723675814 + 0.5);
    const double r = (angle - n * half_pi_high) - n * half_pi_low;
    const double z = r * r;
    double s = 1.0;
    double c = 1.0;
    for (int i = SINE_TERMS; i > 0; i--) {
        s = 1.0 - z / (2.0 * i * (2.0 * i + 1.0)) * s;
        c = 1.0 - z / (2.0 * i * (2.0 * i - 1.0)) * c;
    }
    s *= r;
    const int quarter = (int)((long long)n & 3);
    *sine = quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c;
    *cosine = quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s;
}
