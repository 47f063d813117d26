/* What binds closest: numbers, names, groups, fractions, roots, functions, matrices. */
#include "task/math/strict_parse.h"

uint16_t cop_strict_parse_braced(cop_strict_parser *p)
{
    if (!cop_strict_take(p, COP_STRICT_BRACE)) return 0;
    const uint16_t inside = cop_strict_parse_sum(p);
    return cop_strict_take(p, COP_STRICT_UNBRACE) ? inside : 0;
}

/* What \frac takes: {...}, or one digit, or one letter. */
static uint16_t parse_argument(cop_strict_parser *p)
{
    if (cop_strict_is_at(p, COP_STRICT_BRACE)) return cop_strict_parse_braced(p);
    if (cop_strict_is_at(p, COP_STRICT_NUMBER))
        return cop_strict_is_whole_number(p->at->text) ? cop_strict_make_number(p, 1) : 0;
    if (cop_strict_is_at(p, COP_STRICT_NAME) || cop_strict_is_at(p, COP_STRICT_CONSTANT)) {
        const cop_strict_token token = *p->at++;
        return cop_strict_make_leaf(p, token.code, token.text, token.name);
    }
    return 0;
}

/* What stands behind ^ or \sqrt: {...}, or one thing with its sign. */
uint16_t cop_strict_parse_script(cop_strict_parser *p)
{
    if (cop_strict_is_at(p, COP_STRICT_BRACE)) return cop_strict_parse_braced(p);
    if (cop_strict_take(p, COP_STRICT_MINUS))
        return cop_strict_make_one(p, COP_STRICT_NEGATE, cop_strict_parse_script(p));
    (void)cop_strict_take(p, COP_STRICT_PLUS);
    if (cop_strict_is_at(p, COP_STRICT_NUMBER))
        return cop_strict_make_number(p, p->at->text.length - p->used);
    if (cop_strict_is_at(p, COP_STRICT_NAME) || cop_strict_is_at(p, COP_STRICT_CONSTANT))
        return parse_argument(p);
    return cop_strict_is_at(p, COP_STRICT_POWER) ? 0 : cop_strict_parse_power(p);
}

static uint16_t parse_two_arguments(cop_strict_parser *p, cop_strict_code code)
{
    p->at++;
    const uint16_t first = parse_argument(p);
    return cop_strict_make_two(p, code, first, first == 0 ? 0 : parse_argument(p));
}

static uint16_t parse_root(cop_strict_parser *p)
{
    uint16_t degree = 0;
    p->at++;
    if (cop_strict_is_at(p, COP_STRICT_OPEN) && p->at->detail == '[') {
        p->at++;
        degree = cop_strict_parse_sum(p);
        if (degree == 0 || !cop_strict_is_at(p, COP_STRICT_CLOSE)) return 0;
        p->at++;
    }
    const uint16_t inside = cop_strict_parse_script(p);
    return degree == 0 ? cop_strict_make_one(p, COP_STRICT_ROOT, inside)
                       : cop_strict_make_two(p, COP_STRICT_ROOT, inside, degree);
}

/* Factors that a function takes without parentheses: \sin 2x. */
static uint16_t parse_applied(cop_strict_parser *p)
{
    if (cop_strict_is_at(p, COP_STRICT_OPEN) || cop_strict_is_at(p, COP_STRICT_BRACE) ||
        cop_strict_is_at(p, COP_STRICT_BAR))
        return cop_strict_parse_power(p);
    if (cop_strict_take(p, COP_STRICT_MINUS))
        return cop_strict_make_one(p, COP_STRICT_NEGATE, parse_applied(p));
    uint16_t product = cop_strict_parse_power(p);
    while (product != 0 &&
           (cop_strict_is_at(p, COP_STRICT_NAME) || cop_strict_is_at(p, COP_STRICT_CONSTANT) ||
            cop_strict_is_at(p, COP_STRICT_FRACTION)))
        product = cop_strict_make_two(p, COP_STRICT_TIMES, product, cop_strict_parse_power(p));
    return product;
}

/* \sin^{-1} is the arc's, \sin^2 x the square of \sin x, \log_2 a quotient. */
static uint16_t parse_function(cop_strict_parser *p)
{
    const uint32_t name = p->at->name;
    uint16_t base = 0;
    uint16_t power = 0;
    p->at++;
    for (int i = 0; i < 2; i++) {
        if (base == 0 && name == COP_STRICT_LOG && cop_strict_take(p, COP_STRICT_BELOW)) {
            base = cop_strict_parse_script(p);
            if (base == 0) return 0;
        } else if (power == 0 && cop_strict_take(p, COP_STRICT_POWER)) {
            power = cop_strict_parse_script(p);
            if (power == 0) return 0;
        }
    }
    const uint16_t argument = parse_applied(p);
    uint16_t function = cop_strict_make_one(p, COP_STRICT_FUNCTION, argument);
    if (function == 0) return 0;
    cop_strict_node *const node = cop_strict_node_at(p, function);
    node->name = name;
    if (base != 0) function = cop_strict_append(p, function, base);
    if (power == 0 || function == 0) return function;
    const cop_strict_node *const exponent = cop_strict_node_at(p, power);
    const bool inverse = exponent->code == COP_STRICT_NEGATE && name >= COP_STRICT_SIN &&
                         name <= COP_STRICT_TAN &&
                         cop_strict_node_at(p, exponent->first)->text.length == 1 &&
                         cop_strict_node_at(p, exponent->first)->text.data[0] == '1';
    if (!inverse) return cop_strict_make_two(p, COP_STRICT_POWER, function, power);
    node->name = name - COP_STRICT_SIN + COP_STRICT_ASIN;
    return function;
}

static uint16_t parse_bars(cop_strict_parser *p)
{
    p->at++;
    p->bars++;
    const uint16_t inside = cop_strict_parse_sum(p);
    p->bars--;
    return cop_strict_take(p, COP_STRICT_BAR)
               ? cop_strict_make_one(p, COP_STRICT_ABSOLUTE, inside)
               : 0;
}

static uint16_t parse_matrix(cop_strict_parser *p)
{
    uint16_t matrix = cop_strict_make(p, COP_STRICT_MATRIX);
    uint16_t row = cop_strict_make(p, COP_STRICT_TUPLE);
    p->at++;
    while (matrix != 0 && row != 0) {
        row = cop_strict_append(p, row, cop_strict_parse_sum(p));
        if (row == 0 || cop_strict_take(p, COP_STRICT_CELL)) continue;
        const bool more =
            cop_strict_take(p, COP_STRICT_ROW) && !cop_strict_is_at(p, COP_STRICT_FINISH);
        matrix = cop_strict_append(p, matrix, row);
        if (more) {
            row = cop_strict_make(p, COP_STRICT_TUPLE);
            continue;
        }
        return cop_strict_take(p, COP_STRICT_FINISH) ? matrix : 0;
    }
    return 0;
}

static uint16_t parse_rounded(cop_strict_parser *p, char kind)
{
    const uint16_t function =
        cop_strict_make_one(p, COP_STRICT_FUNCTION, cop_strict_parse_sum(p));
    if (function == 0 || !cop_strict_is_at(p, COP_STRICT_CLOSE) || p->at->detail != kind)
        return 0;
    p->at++;
    cop_strict_node_at(p, function)->name = kind == 'f' ? COP_STRICT_FLOOR : COP_STRICT_CEILING;
    return function;
}

/* (a), (a, b], \{a, b\}: an expression, a tuple or an interval, a set. */
static uint16_t parse_group(cop_strict_parser *p)
{
    const char open = p->at->detail;
    p->at++;
    if (open == 'f' || open == 'c') return parse_rounded(p, open);
    const int bars = p->bars;
    p->bars = 0;
    uint16_t list = 0;
    const bool empty = open == '{' && cop_strict_is_at(p, COP_STRICT_CLOSE);
    list = empty ? cop_strict_make(p, COP_STRICT_EMPTY) : cop_strict_parse_list(p);
    p->bars = bars;
    const char close = p->at->detail;
    if (list == 0 || !cop_strict_is_at(p, COP_STRICT_CLOSE) || (open == '{') != (close == '}'))
        return 0;
    if (close != ')' && close != ']' && close != '}') return 0;
    p->at++;
    if (empty) return list;
    cop_strict_node *const node = cop_strict_node_at(p, list);
    if (open == '{') {
        if (node->code != COP_STRICT_LIST) return cop_strict_make_one(p, COP_STRICT_SET, list);
        node->code = COP_STRICT_SET;
        return list;
    }
    if (node->code == COP_STRICT_LIST) {
        node->code = COP_STRICT_TUPLE;
        node->detail = open;
        node->other = close;
        return list;
    }
    const bool matched = (open == '(') == (close == ')');
    return matched && cop_strict_is_scalar(p->tree, list) ? list : 0;
}

/* {a} groups; {a, b} is a set whose braces have no backslash. */
static uint16_t parse_braces(cop_strict_parser *p)
{
    p->at++;
    const uint16_t list = cop_strict_parse_list(p);
    if (list == 0 || !cop_strict_take(p, COP_STRICT_UNBRACE)) return 0;
    if (cop_strict_node_at(p, list)->code == COP_STRICT_LIST)
        cop_strict_node_at(p, list)->code = COP_STRICT_SET;
    return list;
}

uint16_t cop_strict_parse_atom(cop_strict_parser *p)
{
    switch (p->at->code) {
    case COP_STRICT_NUMBER:
        return cop_strict_make_number(p, p->at->text.length - p->used);
    case COP_STRICT_NAME:
    case COP_STRICT_CONSTANT:
        return parse_argument(p);
    case COP_STRICT_BRACE:
        return parse_braces(p);
    case COP_STRICT_OPEN:
        return parse_group(p);
    case COP_STRICT_BAR:
        return p->bars > 0 ? 0 : parse_bars(p);
    case COP_STRICT_FRACTION:
        return parse_two_arguments(p, COP_STRICT_DIVIDE);
    case COP_STRICT_BINOMIAL:
        return parse_two_arguments(p, COP_STRICT_BINOMIAL);
    case COP_STRICT_ROOT:
        return parse_root(p);
    case COP_STRICT_FUNCTION:
        return parse_function(p);
    case COP_STRICT_BEGIN:
        return parse_matrix(p);
    case COP_STRICT_EMPTY:
    case COP_STRICT_REALS:
        return cop_strict_make(p, (p->at++)->code);
    default:
        return 0;
    }
}
