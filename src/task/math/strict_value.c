/* Values of expressions. */
#include "task/math/strict_number.h"

#include <math.h>

/* Longer cycles of a repeating decimal are none. */
enum { MOST_CYCLE = 1000 };

/* --- leaves --- */

/* 10^exponent. */
static bool ten_to(int64_t exponent, cop_strict_value *value)
{
    const cop_strict_value ten = cop_strict_from_integer(10);
    return cop_strict_power_whole(&ten, exponent, value);
}

/* Digits with separators, perhaps a point and an exponent. *decimals: digits after the point.
 */
static bool read_number(cop_slice text, cop_strict_value *value, int64_t *decimals)
{
    enum { MOST_EXPONENT = 4000 };
    const cop_strict_value ten = cop_strict_from_integer(10);
    bool point = false;
    int64_t exponent = 0;
    *value = cop_strict_from_integer(0);
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
        const cop_strict_value digit = cop_strict_from_integer(c - '0');
        *value = cop_strict_multiply(value, &ten);
        *value = cop_strict_add(value, &digit);
        *decimals += point;
    }
    cop_strict_value scale;
    if (exponent == *decimals) return true;
    return exponent > *decimals ? ten_to(exponent - *decimals, &scale) &&
                                      (*value = cop_strict_multiply(value, &scale), true)
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
    if (digits->text.length > MOST_CYCLE) return false;
    if (!read_number(start->text, value, &decimals) ||
        !read_number(digits->text, &repeated, &none))
        return false;
    if (!ten_to(decimals, &places) || !ten_to((int64_t)digits->text.length, &cycle))
        return false;
    const cop_strict_value one = cop_strict_from_integer(1);
    cycle = cop_strict_subtract(&cycle, &one);
    places = cop_strict_multiply(&places, &cycle);
    if (!cop_strict_divide(&repeated, &places, &repeated)) return false;
    *value = cop_strict_add(value, &repeated);
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
    cop_strict_value value = cop_strict_from_number(point % 2 == 0 ? size : -size);
    value.exact = true;
    for (size_t i = 0; i < COP_STRICT_PRIMES; i++)
        value.residue[i] = cop_strict_reduce(mix(hash + i + 1), i);
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
        *value = cop_strict_from_number(pi);
        return true;
    case COP_STRICT_E:
        *value = cop_strict_from_number(e);
        return true;
    case COP_STRICT_I:
        *value = cop_strict_imaginary();
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
        *value = cop_strict_from_integer(
            down + (name == COP_STRICT_CEILING && x->above % x->below != 0));
    } else {
        *value = cop_strict_from_number(name == COP_STRICT_FLOOR ? floorl(real) : ceill(real));
    }
    return true;
}

/* \log is to base ten unless it has one. */
static bool call(const cop_strict_node *node, const cop_strict_value *x,
                 const cop_strict_value *base, cop_strict_value *value)
{
    if (node->name == COP_STRICT_FLOOR || node->name == COP_STRICT_CEILING)
        return round_value(node->name, x, value);
    *value = cop_strict_from_number(apply(node->name, x->number));
    if (node->name == COP_STRICT_LOG) {
        const long double complex below = base != NULL ? clogl(base->number) : logl(10.0L);
        value->number /= below;
    }
    return true;
}

static cop_strict_value find_size(const cop_strict_value *x)
{
    if (x->rational) return x->above < 0 ? cop_strict_negate(x) : *x;
    return cop_strict_from_number(cabsl(x->number));
}

/* --- nodes --- */

static bool combine(const cop_strict_node *node, const cop_strict_value *a,
                    const cop_strict_value *b, bool minus, cop_strict_value *value)
{
    switch (node->code) {
    case COP_STRICT_PLUS:
    case COP_STRICT_MIXED:
        *value = cop_strict_add(a, b);
        return true;
    case COP_STRICT_MINUS:
        *value = cop_strict_subtract(a, b);
        return true;
    case COP_STRICT_PLUS_MINUS:
        *value = minus ? cop_strict_subtract(a, b) : cop_strict_add(a, b);
        return true;
    case COP_STRICT_MINUS_PLUS:
        *value = minus ? cop_strict_add(a, b) : cop_strict_subtract(a, b);
        return true;
    case COP_STRICT_TIMES:
        *value = cop_strict_multiply(a, b);
        return true;
    case COP_STRICT_DIVIDE:
        return cop_strict_divide(a, b, value);
    case COP_STRICT_POWER:
        return cop_strict_power(a, b, value);
    case COP_STRICT_ROOT:
        return cop_strict_root(a, b, value);
    case COP_STRICT_BINOMIAL:
        return b->rational && b->below == 1 && cop_strict_falling(a, b->above, true, value);
    case COP_STRICT_FUNCTION:
        return call(node, a, b, value);
    default:
        return false;
    }
}

static bool change(const cop_strict_node *node, const cop_strict_value *a,
                   cop_strict_value *value)
{
    const cop_strict_value two = cop_strict_from_integer(2);
    const cop_strict_value hundred = cop_strict_from_integer(100);
    switch (node->code) {
    case COP_STRICT_NEGATE:
        *value = cop_strict_negate(a);
        return true;
    case COP_STRICT_PERCENT:
        return cop_strict_divide(a, &hundred, value);
    case COP_STRICT_ABSOLUTE:
        *value = find_size(a);
        return true;
    case COP_STRICT_FACTORIAL:
        return a->rational && cop_strict_falling(a, a->above, false, value);
    case COP_STRICT_ROOT:
        return cop_strict_root(a, &two, value);
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
