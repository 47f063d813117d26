/* Arithmetic of the values of answers. */
#ifndef COP_TASK_MATH_STRICT_NUMBER_H
#define COP_TASK_MATH_STRICT_NUMBER_H

#include "task/math/strict.h"

cop_strict_value cop_strict_from_integer(int64_t integer);

/* A value that is known to the digits of a long double only. */
cop_strict_value cop_strict_from_number(long double complex number);

cop_strict_value cop_strict_add(const cop_strict_value *a, const cop_strict_value *b);
cop_strict_value cop_strict_negate(const cop_strict_value *a);
cop_strict_value cop_strict_multiply(const cop_strict_value *a, const cop_strict_value *b);

/* The following are false where there is no value: a division by zero, no whole number. */
bool cop_strict_power_whole(const cop_strict_value *base, int64_t exponent,
                            cop_strict_value *value);
bool cop_strict_power(const cop_strict_value *base, const cop_strict_value *exponent,
                      cop_strict_value *value);
bool cop_strict_root(const cop_strict_value *inside, const cop_strict_value *degree,
                     cop_strict_value *value);

/* n (n - 1) ... down to `count` factors, over count! for `chosen`. */
bool cop_strict_falling(const cop_strict_value *n, int64_t count, bool chosen,
                        cop_strict_value *value);

/* A number modulo one of the primes, and i. */
uint64_t cop_strict_reduce(uint64_t number, size_t index);
cop_strict_value cop_strict_imaginary(void);

#endif
