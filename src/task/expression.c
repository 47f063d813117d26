/* Recursive descent over sums, products and factors; only parentheses recurse, and their depth
 * is limited. */
#include "task/expression.h"

#include <stdint.h>

enum { DEPTH_LIMIT = 200, DECIMAL = 10 };

/* An exact integer or, after a division or an overflow, a binary64. */
typedef struct number {
    bool exact;
    int64_t integer;
    double real; /* the value in either case */
} number;

typedef struct parser {
    const char *at, *end;
    int depth;
} parser;

static bool parse_sum(parser *p, number *result);

static number from_integer(int64_t value)
{
    return (number){.exact = true, .integer = value, .real = (double)value};
}

static number from_real(double value)
{
    return (number){.real = value};
}

/* a op b; false for a division by zero. */
static bool combine(char op, number a, number b, number *result)
{
    const bool exact = a.exact && b.exact;
    int64_t integer = 0;
    switch (op) {
    case '+':
        *result = exact && !__builtin_add_overflow(a.integer, b.integer, &integer)
                      ? from_integer(integer)
                      : from_real(a.real + b.real);
        return true;
    case '-':
        *result = exact && !__builtin_sub_overflow(a.integer, b.integer, &integer)
                      ? from_integer(integer)
                      : from_real(a.real - b.real);
        return true;
    case '*':
        *result = exact && !__builtin_mul_overflow(a.integer, b.integer, &integer)
                      ? from_integer(integer)
                      : from_real(a.real * b.real);
        return true;
    default:
        if (b.real == 0.0) return false;
        *result = from_real(a.real / b.real);
        return true;
    }
}

/* The next character after spaces, '\0' at the end. */
static char peek(parser *p)
{
    while (p->at < p->end && *p->at == ' ')
        p->at++;
    return p->at < p->end ? *p->at : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A literal: zero, however often written, or digits that do not begin with zero. */
static bool parse_literal(parser *p, number *result)
{
    const char *const start = p->at;
    *result = from_integer(0);
    while (p->at < p->end && is_digit(*p->at)) {
        const int digit = *p->at++ - '0';
        int64_t integer = 0;
        const bool fits = result->exact &&
                          !__builtin_mul_overflow(result->integer, DECIMAL, &integer) &&
                          !__builtin_add_overflow(integer, digit, &integer);
        *result = fits ? from_integer(integer) : from_real(result->real * DECIMAL + digit);
    }
    return *start != '0' || result->real == 0.0;
}

static bool parse_primary(parser *p, number *result)
{
    const char c = peek(p);
    if (is_digit(c)) return parse_literal(p, result);
    if (c != '(' || p->depth == DEPTH_LIMIT) return false;
    p->at++;
    p->depth++;
    if (!parse_sum(p, result) || peek(p) != ')') return false;
    p->at++;
    p->depth--;
    return true;
}

static bool parse_factor(parser *p, number *result)
{
    bool negative = false;
    for (char c = peek(p); c == '+' || c == '-'; c = peek(p)) {
        negative ^= c == '-';
        p->at++;
    }
    if (!parse_primary(p, result)) return false;
    return !negative || combine('-', from_integer(0), *result, result);
}

static bool parse_product(parser *p, number *result)
{
    if (!parse_factor(p, result)) return false;
    for (char c = peek(p); c == '*' || c == '/'; c = peek(p)) {
        number right;
        p->at++;
        /* A second * or / is no factor, which refuses ** and //. */
        if (!parse_factor(p, &right) || !combine(c, *result, right, result)) return false;
    }
    return true;
}

static bool parse_sum(parser *p, number *result)
{
    if (!parse_product(p, result)) return false;
    for (char c = peek(p); c == '+' || c == '-'; c = peek(p)) {
        number right;
        p->at++;
        if (!parse_product(p, &right) || !combine(c, *result, right, result)) return false;
    }
    return true;
}

bool cop_expression_evaluate(const char *text, size_t length, double *value)
{
    *value = 0.0;
    if (length > 0 && text[length - 1] == '\n') length--;
    parser p = {.at = text, .end = text + length};
    number result;
    if (!parse_sum(&p, &result) || peek(&p) != '\0' || p.at != p.end) return false;
    *value = result.real;
    return true;
}
