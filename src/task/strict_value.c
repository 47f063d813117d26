/* Values of expressions. Residues modulo two primes of 61 bits make arithmetic exact at any
 * size: what differs there differs, what agrees modulo both is equal but for one chance in
 * 2^120. In both fields -1 has a square root, which stands for i. */
#include "task/strict.h"

#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

static const uint64_t primes[COP_STRICT_PRIMES] = {2305843009213693921u, 2305843009213693693u};
static const uint64_t roots[COP_STRICT_PRIMES] = {583529827753931384u, 966685122347009555u};

enum { MOST_FACTORIAL = 1000, MOST_EXACT_POWER = 64, MOST_REPEATED_POWER = 1024 };

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

static cop_strict_value from_integer(int64_t integer)
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

static cop_strict_value from_number(long double complex number)
{
    return (cop_strict_value){.number = number};
}

static cop_strict_value add(const cop_strict_value *a, const cop_strict_value *b)
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

static cop_strict_value negate(const cop_strict_value *a)
{
    cop_strict_value value = *a;
    for (size_t i = 0; i < COP_STRICT_PRIMES; i++)
        value.residue[i] = a->residue[i] == 0 ? 0 : primes[i] - a->residue[i];
    value.above = -a->above; /* never INT64_MIN */
    value.number = -a->number;
    return value;
}

static cop_strict_value subtract(const cop_strict_value *a, const cop_strict_value *b)
{
    const cop_strict_value other = negate(b);
    return add(a, &other);
}

static cop_strict_value multiply(const cop_strict_value *a, const cop_strict_value *b)
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
    *value = multiply(a, &inverse);
    if (!a->exact || !b->exact) value->number = a->number / b->number;
    return true;
}

cop_strict_value cop_strict_subtract(const cop_strict_value *a, const cop_strict_value *b)
{
    return subtract(a, b);
}

/* --- powers --- */

static cop_strict_value power_repeated(const cop_strict_value *base, uint64_t exponent)
{
    cop_strict_value result = from_integer(1);
    cop_strict_value square = *base;
    for (uint64_t left = exponent; left > 0; left >>= 1) {
        if (left & 1u) result = multiply(&result, &square);
        if (left > 1) square = multiply(&square, &square);
    }
    return result;
}

static bool power_whole(const cop_strict_value *base, int64_t exponent, cop_strict_value *value)
{
    cop_strict_value positive;
    const uint64_t size = exponent < 0 ? 0 - (uint64_t)exponent : (uint64_t)exponent;
    if (size <= MOST_REPEATED_POWER) {
        positive = power_repeated(base, size);
    } else {
        positive = from_number(cpowl(base->number, (long double)size));
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

static bool power(const cop_strict_value *base, const cop_strict_value *exponent,
                  cop_strict_value *value)
{
    if (exponent->rational && exponent->below == 1)
        return power_whole(base, exponent->above, value);
    *value = from_number(power_number(base, exponent));
    return true;
}

static bool root(const cop_strict_value *inside, const cop_strict_value *degree,
                 cop_strict_value *value)
{
    cop_strict_value exponent;
    if (!invert(degree, &exponent)) return false;
    if (degree->rational && degree->above == 2 && degree->below == 1) {
        const bool real = cimagl(inside->number) == 0.0L && creall(inside->number) >= 0.0L;
        *value = from_number(real ? sqrtl(creall(inside->number)) : csqrtl(inside->number));
        return true;
    }
    return power(inside, &exponent, value);
}

/* n (n - 1) ... down to `count` factors, over count! for `chosen`. */
static bool falling(const cop_strict_value *n, int64_t count, bool chosen,
                    cop_strict_value *value)
{
    if (!n->rational || n->below != 1 || n->above < 0 || n->above > MOST_FACTORIAL)
        return false;
    cop_strict_value below = from_integer(1);
    *value = from_integer(count < 0 || count > n->above ? 0 : 1);
    for (int64_t k = 0; k < count && k < n->above; k++) {
        const cop_strict_value factor = from_integer(n->above - k);
        const cop_strict_value divisor = from_integer(k + 1);
        *value = multiply(value, &factor);
        if (chosen) below = multiply(&below, &divisor);
    }
    return !chosen || cop_strict_divide(value, &below, value);
}

/* --- leaves --- */

/* 10^exponent. */
static bool ten_to(int64_t exponent, cop_strict_value *value)
{
    const cop_strict_value ten = from_integer(10);
    return power_whole(&ten, exponent, value);
}

/* Digits with separators, perhaps a point and an exponent. *decimals: digits after the point.
 */
static bool read_number(cop_slice text, cop_strict_value *value, int64_t *decimals)
{
    enum { MOST_EXPONENT = 4000 };
    const cop_strict_value ten = from_integer(10);
    bool point = false;
    int64_t exponent = 0;
    *value = from_integer(0);
    *decimals = 0;
    for (size_t i = 0; i < text.length; i++) {
        const char c = text.data[i];
        if (c == '.') point = true;
        if (c == 'e' || c == 'E') {
            const bool minus = text.data[i + 1] == '-';
            for (i += text.data[i + 1] == '-' || text.data[i + 1] == '+' ? 2 : 1;
                 i < text.length && exponent <= MOST_EXPONENT; i++)
                exponent = exponent * 10 + (text.data[i] - '0');
            if (exponent > MOST_EXPONENT) return false;
            if (minus) exponent = -exponent;
            break;
        }
        if (c < '0' || c > '9') continue;
        const cop_strict_value digit = from_integer(c - '0');
        *value = multiply(value, &ten);
        *value = add(value, &digit);
        *decimals += point;
    }
    cop_strict_value scale;
    if (exponent == *decimals) return true;
    return exponent > *decimals ? ten_to(exponent - *decimals, &scale) &&
                                      (*value = multiply(value, &scale), true)
                                : ten_to(*decimals - exponent, &scale) &&
                                      cop_strict_divide(value, &scale, value);
}

/* 0.1\overline{6} = 0.1 + 6 / (10 * 9) */
static bool read_repeat(const cop_strict_tree *tree, const cop_strict_node *node,
                        cop_strict_value *value)
{
    const cop_strict_node *const start = &tree->nodes[node->first];
    const cop_strict_node *const digits = &tree->nodes[start->next];
    cop_strict_value repeated, places, cycle;
    int64_t decimals = 0;
    int64_t none = 0;
    if (digits->text.length > MOST_FACTORIAL) return false;
    if (!read_number(start->text, value, &decimals) ||
        !read_number(digits->text, &repeated, &none))
        return false;
    if (!ten_to(decimals, &places) || !ten_to((int64_t)digits->text.length, &cycle))
        return false;
    const cop_strict_value one = from_integer(1);
    cycle = subtract(&cycle, &one);
    places = multiply(&places, &cycle);
    if (!cop_strict_divide(&repeated, &places, &repeated)) return false;
    *value = add(value, &repeated);
    return true;
}

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* What a variable is at a point: half of the points are negative. */
cop_strict_value cop_strict_sample(uint32_t name, int point)
{
    static const long double scale = 1.0L / 18446744073709551616.0L;
    const uint64_t hash = mix(mix(name) + (uint64_t)point);
    const long double size = 0.3L + 1.9L * ((long double)hash * scale);
    cop_strict_value value = from_number(point % 2 == 0 ? size : -size);
    value.exact = true;
    for (size_t i = 0; i < COP_STRICT_PRIMES; i++)
        value.residue[i] = mix(hash + i + 1) % primes[i];
    return value;
}

cop_strict_value cop_strict_infinity(void)
{
    cop_strict_value value = cop_strict_sample(COP_STRICT_INFINITY, 0);
    value.number = 8.8888e300L; /* no answer is as large */
    return value;
}

static bool read_constant(uint32_t name, cop_strict_value *value)
{
    static const long double pi = 3.14159265358979323846264338327950288L;
    static const long double e = 2.71828182845904523536028747135266250L;
    switch (name) {
    case COP_STRICT_PI:
        *value = from_number(pi);
        return true;
    case COP_STRICT_E:
        *value = from_number(e);
        return true;
    case COP_STRICT_I:
        *value = from_number(_Complex_I);
        value->exact = true;
        memcpy(value->residue, roots, sizeof roots);
        return true;
    default:
        *value = cop_strict_infinity();
        return true;
    }
}

/* --- functions --- */

static long double complex apply(uint32_t name, long double complex x)
{
    switch (name) {
    case COP_STRICT_SIN:
        return csinl(x);
    case COP_STRICT_COS:
        return ccosl(x);
    case COP_STRICT_TAN:
        return ctanl(x);
    case COP_STRICT_COT:
        return 1.0L / ctanl(x);
    case COP_STRICT_SEC:
        return 1.0L / ccosl(x);
    case COP_STRICT_CSC:
        return 1.0L / csinl(x);
    case COP_STRICT_ASIN:
        return casinl(x);
    case COP_STRICT_ACOS:
        return cacosl(x);
    case COP_STRICT_ATAN:
        return catanl(x);
    case COP_STRICT_SINH:
        return csinhl(x);
    case COP_STRICT_COSH:
        return ccoshl(x);
    case COP_STRICT_TANH:
        return ctanhl(x);
    case COP_STRICT_EXP:
        return cexpl(x);
    default:
        return clogl(x);
    }
}

static bool round_value(uint32_t name, const cop_strict_value *x, cop_strict_value *value)
{
    static const long double most = 1e15L;
    const long double real = creall(x->number);
    if (cimagl(x->number) != 0.0L || !(fabsl(real) < most)) return false;
    if (x->rational) {
        const int64_t down = x->above / x->below - (x->above < 0 && x->above % x->below != 0);
        *value = from_integer(down + (name == COP_STRICT_CEILING && x->above % x->below != 0));
    } else {
        *value = from_number(name == COP_STRICT_FLOOR ? floorl(real) : ceill(real));
    }
    return true;
}

/* \log is to base ten unless it has one. */
static bool call(const cop_strict_node *node, const cop_strict_value *x,
                 const cop_strict_value *base, cop_strict_value *value)
{
    if (node->name == COP_STRICT_FLOOR || node->name == COP_STRICT_CEILING)
        return round_value(node->name, x, value);
    *value = from_number(apply(node->name, x->number));
    if (node->name == COP_STRICT_LOG) {
        const long double complex below = base != NULL ? clogl(base->number) : logl(10.0L);
        value->number /= below;
    }
    return true;
}

static cop_strict_value find_size(const cop_strict_value *x)
{
    if (x->rational) return x->above < 0 ? negate(x) : *x;
    return from_number(cabsl(x->number));
}

/* --- nodes --- */

static bool combine(const cop_strict_node *node, const cop_strict_value *a,
                    const cop_strict_value *b, bool minus, cop_strict_value *value)
{
    switch (node->code) {
    case COP_STRICT_PLUS:
    case COP_STRICT_MIXED:
        *value = add(a, b);
        return true;
    case COP_STRICT_MINUS:
        *value = subtract(a, b);
        return true;
    case COP_STRICT_PLUS_MINUS:
        *value = minus ? subtract(a, b) : add(a, b);
        return true;
    case COP_STRICT_MINUS_PLUS:
        *value = minus ? add(a, b) : subtract(a, b);
        return true;
    case COP_STRICT_TIMES:
        *value = multiply(a, b);
        return true;
    case COP_STRICT_DIVIDE:
        return cop_strict_divide(a, b, value);
    case COP_STRICT_POWER:
        return power(a, b, value);
    case COP_STRICT_ROOT:
        return root(a, b, value);
    case COP_STRICT_BINOMIAL:
        return b->rational && b->below == 1 && falling(a, b->above, true, value);
    case COP_STRICT_FUNCTION:
        return call(node, a, b, value);
    default:
        return false;
    }
}

static bool change(const cop_strict_node *node, const cop_strict_value *a,
                   cop_strict_value *value)
{
    const cop_strict_value two = from_integer(2);
    const cop_strict_value hundred = from_integer(100);
    switch (node->code) {
    case COP_STRICT_NEGATE:
        *value = negate(a);
        return true;
    case COP_STRICT_PERCENT:
        return cop_strict_divide(a, &hundred, value);
    case COP_STRICT_ABSOLUTE:
        *value = find_size(a);
        return true;
    case COP_STRICT_FACTORIAL:
        return a->rational && falling(a, a->above, false, value);
    case COP_STRICT_ROOT:
        return root(a, &two, value);
    case COP_STRICT_FUNCTION:
        return call(node, a, NULL, value);
    default:
        return false;
    }
}

bool cop_strict_evaluate(const cop_strict_tree *tree, uint16_t index, int point, bool minus,
                         cop_strict_value *value)
{
    const cop_strict_node *const node = &tree->nodes[index];
    cop_strict_value a, b;
    int64_t decimals = 0;
    switch (node->code) {
    case COP_STRICT_NUMBER:
        return read_number(node->text, value, &decimals);
    case COP_STRICT_NAME:
        *value = cop_strict_sample(node->name, point);
        return true;
    case COP_STRICT_CONSTANT:
        return read_constant(node->name, value);
    case COP_STRICT_REPEAT:
        return read_repeat(tree, node, value);
    default:
        break;
    }
    if (node->first == 0 || node->count > 2) return false;
    if (!cop_strict_is_scalar(tree, index)) return false;
    if (!cop_strict_evaluate(tree, node->first, point, minus, &a)) return false;
    if (node->code == COP_STRICT_BASED) {
        *value = a;
        return true;
    }
    if (node->count == 1) return change(node, &a, value);
    return cop_strict_evaluate(tree, tree->nodes[node->first].next, point, minus, &b) &&
           combine(node, &a, &b, minus, value);
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

/* --- what a tree has --- */

static bool has_code(const cop_strict_tree *tree, uint16_t index, cop_strict_code one,
                     cop_strict_code other)
{
    const cop_strict_node *const node = &tree->nodes[index];
    if (node->code == one || node->code == other) return true;
    for (uint16_t part = node->first; part != 0; part = tree->nodes[part].next)
        if (has_code(tree, part, one, other)) return true;
    return false;
}

bool cop_strict_has_variables(const cop_strict_tree *tree, uint16_t node)
{
    return has_code(tree, node, COP_STRICT_NAME, COP_STRICT_NAME);
}

bool cop_strict_has_sign(const cop_strict_tree *tree, uint16_t node)
{
    return has_code(tree, node, COP_STRICT_PLUS_MINUS, COP_STRICT_MINUS_PLUS);
}

bool cop_strict_is_scalar(const cop_strict_tree *tree, uint16_t node)
{
    switch (tree->nodes[node].code) {
    case COP_STRICT_LIST:
    case COP_STRICT_SET:
    case COP_STRICT_TUPLE:
    case COP_STRICT_MATRIX:
    case COP_STRICT_UNION:
    case COP_STRICT_RELATION:
    case COP_STRICT_NAMED:
    case COP_STRICT_EMPTY:
    case COP_STRICT_REALS:
        return false;
    default:
        return true;
    }
}
