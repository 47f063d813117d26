/** \file math.h
 * Elementary functions in binary64 that give the same bits on every processor and with every C
 * library: sums and products in a fixed order, no contraction. Within 2e-15 of the true value,
 * relative to it or to 1, where no argument is out of range.
 */
#ifndef COPPICE_BASE_MATH_H
#define COPPICE_BASE_MATH_H

/** Natural logarithm; -infinity for 0, NaN below. */
double cop_math_log(double x);

/** e^x; 0 below -700, infinity above 700. */
double cop_math_exp(double x);

/** base^exponent for base > 0, as e^(exponent ln base). */
double cop_math_pow(double base, double exponent);

/** Sine and cosine; beyond 2^30, which no position of a model reaches, those of the C library.
 */
void cop_math_sine_cosine(double angle, double *sine, double *cosine);

#endif
