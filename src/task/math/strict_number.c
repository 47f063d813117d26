/* Arithmetic of values. Residues modulo two primes of 61 bits make arithmetic exact at any
 * size: what differs there differs, what agrees modulo both is equal but for one chance in
 * 2^120. In both fields -1 has a square root, which stands for i. */
#include "task/math/strict_number.h"

#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

static const uint64_t primes[COP_STRICT_PRIMES] = {2305843009213693921u, 2305843009213693693u};
static const uint64_t roots[COP_STRICT_PRIMES] = {583529827753931384u, 966685122347009555u};

enum { MOST_FACTORIAL = 1000, MOST_REPEATED_POWER = 1024 };

/* --- arithmetic --- */

static uint64_t multiply_mod(uint64_t a, uint64_t b, uint64_t prime)
{
    return (uint64_t)((wide)a * b % prime);
}

static uint64_t power_mod(uint64_t base, uint64_t exponent, uint64_t prime)
{
    uint64_t result = 1;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1u) result = multiply_mod(result, base, prime);
        base = multiply_mod(base, base, prime);
    }
    return result;
}

static int64_t find_divisor(int64_t a, int64_t b)
{
    uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
    uint64_t y = (uint64_t)b;
    while (y != 0) {
        const uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    return (int64_t)x; /* at most b */
}

/* Takes above / below, below > 0, as the value's fraction. */
static void set_fraction(cop_strict_value *value, int64_t above, int64_t below)
{
    const int64_t divisor = find_divisor(above, below);
    value->rational = above != INT64_MIN;
    value->above = above / divisor;
    value->below = below / divisor;
}

cop_strict_value cop_strict_from_integer(int64_t integer)
{
    cop_strict_value value = {.exact = true, .number = (long double)integer};
    set_fraction(&value, integer, 1);
    for (size_t i = 0; i < COP_STRICT_PRIMES; i++) {
        const uint64_t size = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
        const uint64_t rest = size % primes[i];
        value.residue[i] = integer < 0 && rest != 0 ? primes[i] - rest : rest;
    }
    return value;
}

cop_strict_value cop_strict_from_number(long double complex number)
{
    return (cop_strict_value){.number = number};
}

cop_strict_value cop_strict_add(const cop_strict_value *a, const cop_strict_value *b)
{
    cop_strict_value sum = {.exact = a->exact && b->exact, .number = a->number + b->number};
    int64_t left, right, above, below;
    for (size_t i = 0; i < COP_STRICT_PRIMES; i++)
        sum.residue[i] = (a->residue[i] + b->residue[i]) % primes[i];
    if (a->rational && b->rational && !__builtin_mul_overflow(a->above, b->below, &left) &&
        !__builtin_mul_overflow(b->above, a->below, &right) &&
        !__builtin_add_overflow(left, right, &above) &&
        !__builtin_mul_overflow(a->below, b->below, &below))
        set_fraction(&sum, above, below);
    return sum;
}

cop_strict_value cop_strict_negate(const cop_strict_value *a)
{
    cop_strict_value value = *a;
    for (size_t i = 0; i < COP_STRICT_PRIMES; i++)
        value.residue[i] = a->residue[i] == 0 ? 0 : primes[i] - a->residue[i];
    value.above = -a->above; /* never INT64_MIN */
    value.number = -a->number;
    return value;
}

cop_strict_value cop_strict_subtract(const cop_strict_value *a, const cop_strict_value *b)
{
    const cop_strict_value other = cop_strict_negate(b);
    return cop_strict_add(a, &other);
}

cop_strict_value cop_strict_multiply(const cop_strict_value *a, const cop_strict_value *b)
{
    cop_strict_value value = {.exact = a->exact && b->exact, .number = a->number * b->number};
    int64_t above, below;
    for (size_t i = 0; i < COP_STRICT_PRIMES; i++)
        value.residue[i] = multiply_mod(a->residue[i], b->residue[i], primes[i]);
    if (a->rational && b->rational && !__builtin_mul_overflow(a->above, b->above, &above) &&
        !__builtin_mul_overflow(a->below, b->below, &below))
        set_fraction(&value, above, below);
    return value;
}

/* 1 / a; false for zero. */
static bool invert(const cop_strict_value *a, cop_strict_value *value)
{
    if (a->exact ? a->residue[0] == 0 || a->residue[1] == 0 : a->number == 0.0L) return false;
    *value = (cop_strict_value){.exact = a->exact, .number = 1.0L / a->number};
    for (size_t i = 0; i < COP_STRICT_PRIMES; i++)
        value->residue[i] = power_mod(a->residue[i], primes[i] - 2, primes[i]);
    if (a->rational)
        set_fraction(value, a->above < 0 ? -a->below : a->below,
                     a->above < 0 ? -a->above : a->above);
    return true;
}

bool cop_strict_divide(const cop_strict_value *a, const cop_strict_value *b,
                       cop_strict_value *value)
{
    cop_strict_value inverse;
    if (!invert(b, &inverse)) return false;
    *value = cop_strict_multiply(a, &inverse);
    if (!a->exact || !b->exact) value->number = a->number / b->number;
    return true;
}

/* --- powers --- */

static cop_strict_value power_repeated(const cop_strict_value *base, uint64_t exponent)
{
    cop_strict_value result = cop_strict_from_integer(1);
    cop_strict_value square = *base;
    for (uint64_t left = exponent; left > 0; left >>= 1) {
        if (left & 1u) result = cop_strict_multiply(&result, &square);
        if (left > 1) square = cop_strict_multiply(&square, &square);
    }
    return result;
}

bool cop_strict_power_whole(const cop_strict_value *base, int64_t exponent,
                            cop_strict_value *value)
{
    cop_strict_value positive;
    const uint64_t size = exponent < 0 ? 0 - (uint64_t)exponent : (uint64_t)exponent;
    if (size <= MOST_REPEATED_POWER) {
        positive = power_repeated(base, size);
    } else {
        positive = cop_strict_from_number(cpowl(base->number, (long double)size));
        positive.exact = base->exact;
        for (size_t i = 0; i < COP_STRICT_PRIMES; i++)
            positive.residue[i] =
                power_mod(base->residue[i], size % (primes[i] - 1), primes[i]);
    }
    if (exponent >= 0) {
        *value = positive;
        return true;
    }
    return invert(&positive, value);
}

/* An odd root of a negative number is negative, as school has it. */
static long double complex power_number(const cop_strict_value *base,
                                        const cop_strict_value *exponent)
{
    const long double real = creall(base->number);
    const bool negative = cimagl(base->number) == 0.0L && real < 0.0L;
    if (negative && exponent->rational && exponent->below % 2 != 0) {
        const long double size = powl(-real, creall(exponent->number));
        return exponent->above % 2 != 0 ? -size : size;
    }
    if (!negative && cimagl(base->number) == 0.0L && cimagl(exponent->number) == 0.0L)
        return powl(real, creall(exponent->number));
    return cpowl(base->number, exponent->number);
}

bool cop_strict_power(const cop_strict_value *base, const cop_strict_value *exponent,
                      cop_strict_value *value)
{
    if (exponent->rational && exponent->below == 1)
        return cop_strict_power_whole(base, exponent->above, value);
    *value = cop_strict_from_number(power_number(base, exponent));
    return true;
}

bool cop_strict_root(const cop_strict_value *inside, const cop_strict_value *degree,
                     cop_strict_value *value)
{
    cop_strict_value exponent;
    if (!invert(degree, &exponent)) return false;
    if (degree->rational && degree->above == 2 && degree->below == 1) {
        const bool real = cimagl(inside->number) == 0.0L && creall(inside->number) >= 0.0L;
        *value = cop_strict_from_number(real ? sqrtl(creall(inside->number))
                                             : csqrtl(inside->number));
        return true;
    }
    return cop_strict_power(inside, &exponent, value);
}

/* n (n - 1) ... down to `count` factors, over count! for `chosen`. */
bool cop_strict_falling(const cop_strict_value *n, int64_t count, bool chosen,
                        cop_strict_value *value)
{
    if (!n->rational || n->below != 1 || n->above < 0 || n->above > MOST_FACTORIAL)
        return false;
    cop_strict_value below = cop_strict_from_integer(1);
    *value = cop_strict_from_integer(count < 0 || count > n->above ? 0 : 1);
    for (int64_t k = 0; k < count && k < n->above; k++) {
        const cop_strict_value factor = cop_strict_from_integer(n->above - k);
        const cop_strict_value divisor = cop_strict_from_integer(k + 1);
        *value = cop_strict_multiply(value, &factor);
        if (chosen) below = cop_strict_multiply(&below, &divisor);
    }
    return !chosen || cop_strict_divide(value, &below, value);
}

static bool is_finite(long double complex number)
{
    return isfinite(creall(number)) && isfinite(cimagl(number));
}

bool cop_strict_is_usable(const cop_strict_value *value)
{
    return value->exact || is_finite(value->number);
}

bool cop_strict_is_same_value(const cop_strict_value *a, const cop_strict_value *b)
{
    static const long double share = 1e-12L;
    static const long double least = 1e-17L;
    if (a->exact && b->exact) return memcmp(a->residue, b->residue, sizeof a->residue) == 0;
    if (!is_finite(a->number) || !is_finite(b->number)) return false;
    const long double size = fmaxl(cabsl(a->number), cabsl(b->number));
    return cabsl(a->number - b->number) <= share * size + least;
}

uint64_t cop_strict_reduce(uint64_t number, size_t index)
{
    return number % primes[index];
}

cop_strict_value cop_strict_imaginary(void)
{
    cop_strict_value value = cop_strict_from_number(_Complex_I);
    value.exact = true;
    memcpy(value.residue, roots, sizeof roots);
    return value;
}
