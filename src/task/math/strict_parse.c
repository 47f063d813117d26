/* From tokens to a tree, by recursive descent of bounded depth. */
#include "task/math/strict_nodes.h"

#include <string.h>

/* An atom with powers and units, a sum, and answers with commas between them. */
static uint16_t parse_atom(cop_strict_parser *p);
static uint16_t parse_power(cop_strict_parser *p);
static uint16_t parse_sum(cop_strict_parser *p);
static uint16_t parse_list(cop_strict_parser *p);
static bool begins_factor(const cop_strict_parser *p);

/* --- what binds closest: numbers, names, groups, fractions, roots, functions, matrices --- */

static uint16_t parse_braced(cop_strict_parser *p)
{
    if (!cop_strict_take(p, COP_STRICT_BRACE)) return 0;
    const uint16_t inside = parse_sum(p);
    return cop_strict_take(p, COP_STRICT_UNBRACE) ? inside : 0;
}

/* What \frac takes: {...}, or one digit, or one letter. */
static uint16_t parse_argument(cop_strict_parser *p)
{
    if (cop_strict_is_at(p, COP_STRICT_BRACE)) return parse_braced(p);
    if (cop_strict_is_at(p, COP_STRICT_NUMBER))
        return cop_strict_is_whole_number(p->at->text) ? cop_strict_make_number(p, 1) : 0;
    if (cop_strict_is_at(p, COP_STRICT_NAME) || cop_strict_is_at(p, COP_STRICT_CONSTANT)) {
        const cop_strict_token token = *p->at++;
        return cop_strict_make_leaf(p, token.code, token.text, token.name);
    }
    return 0;
}

/* What stands behind ^ or \sqrt: {...}, or one thing with its sign. */
static uint16_t parse_script(cop_strict_parser *p)
{
    if (cop_strict_is_at(p, COP_STRICT_BRACE)) return parse_braced(p);
    if (cop_strict_take(p, COP_STRICT_MINUS))
        return cop_strict_make_one(p, COP_STRICT_NEGATE, parse_script(p));
    (void)cop_strict_take(p, COP_STRICT_PLUS);
    if (cop_strict_is_at(p, COP_STRICT_NUMBER))
        return cop_strict_make_number(p, p->at->text.length - p->used);
    if (cop_strict_is_at(p, COP_STRICT_NAME) || cop_strict_is_at(p, COP_STRICT_CONSTANT))
        return parse_argument(p);
    return cop_strict_is_at(p, COP_STRICT_POWER) ? 0 : parse_power(p);
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
        degree = parse_sum(p);
        if (degree == 0 || !cop_strict_is_at(p, COP_STRICT_CLOSE)) return 0;
        p->at++;
    }
    const uint16_t inside = parse_script(p);
    return degree == 0 ? cop_strict_make_one(p, COP_STRICT_ROOT, inside)
                       : cop_strict_make_two(p, COP_STRICT_ROOT, inside, degree);
}

/* Factors that a function takes without parentheses: \sin 2x. */
static uint16_t parse_applied(cop_strict_parser *p)
{
    if (cop_strict_is_at(p, COP_STRICT_OPEN) || cop_strict_is_at(p, COP_STRICT_BRACE) ||
        cop_strict_is_at(p, COP_STRICT_BAR))
        return parse_power(p);
    if (cop_strict_take(p, COP_STRICT_MINUS))
        return cop_strict_make_one(p, COP_STRICT_NEGATE, parse_applied(p));
    uint16_t product = parse_power(p);
    while (product != 0 &&
           (cop_strict_is_at(p, COP_STRICT_NAME) || cop_strict_is_at(p, COP_STRICT_CONSTANT) ||
            cop_strict_is_at(p, COP_STRICT_FRACTION)))
        product = cop_strict_make_two(p, COP_STRICT_TIMES, product, parse_power(p));
    return product;
}

/* \sin^{-1} is the arc's, \sin^2 x the square of \sin x as \sin(x)^2 is, \log_2 a quotient. */
static uint16_t parse_function(cop_strict_parser *p)
{
    const uint32_t name = p->at->name;
    uint16_t base = 0;
    uint16_t power = 0;
    p->at++;
    for (int i = 0; i < 2; i++) {
        if (base == 0 && name == COP_STRICT_LOG && cop_strict_take(p, COP_STRICT_BELOW)) {
            base = parse_script(p);
            if (base == 0) return 0;
        } else if (power == 0 && cop_strict_take(p, COP_STRICT_POWER)) {
            power = parse_script(p);
            if (power == 0) return 0;
        }
    }
    const bool enclosed =
        cop_strict_is_at(p, COP_STRICT_OPEN) && (p->at->detail == '(' || p->at->detail == '[');
    const uint16_t argument = enclosed ? parse_atom(p) : parse_applied(p);
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
    const uint16_t inside = parse_sum(p);
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
        row = cop_strict_append(p, row, parse_sum(p));
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
    const uint16_t function = cop_strict_make_one(p, COP_STRICT_FUNCTION, parse_sum(p));
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
    list = empty ? cop_strict_make(p, COP_STRICT_EMPTY) : parse_list(p);
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
    const uint16_t list = parse_list(p);
    if (list == 0 || !cop_strict_take(p, COP_STRICT_UNBRACE)) return 0;
    if (cop_strict_node_at(p, list)->code == COP_STRICT_LIST)
        cop_strict_node_at(p, list)->code = COP_STRICT_SET;
    return list;
}

static uint16_t parse_atom(cop_strict_parser *p)
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

/* --- behind an atom --- */

/* 0.1\overline{6} */
static uint16_t parse_repeat(cop_strict_parser *p, uint16_t number)
{
    const cop_slice text = cop_strict_node_at(p, number)->text;
    if (memchr(text.data, '.', text.length) == NULL ||
        !cop_strict_is_at(p, COP_STRICT_OVERLINE))
        return 0;
    p->at++;
    const uint16_t digits = parse_braced(p);
    if (digits == 0 || cop_strict_node_at(p, digits)->code != COP_STRICT_NUMBER) return 0;
    return cop_strict_is_whole_number(cop_strict_node_at(p, digits)->text)
               ? cop_strict_make_two(p, COP_STRICT_REPEAT, number, digits)
               : 0;
}

/* A subscript: the base of a number, or part of a variable's name. */
static uint16_t parse_below(cop_strict_parser *p, uint16_t atom)
{
    const cop_strict_code code = cop_strict_node_at(p, atom)->code;
    const uint16_t script = parse_script(p);
    if (script == 0) return 0;
    if (code == COP_STRICT_NUMBER && cop_strict_node_at(p, script)->code == COP_STRICT_NUMBER)
        return cop_strict_make_two(p, COP_STRICT_BASED, atom, script);
    const cop_strict_node *const below = cop_strict_node_at(p, script);
    const bool plain = below->code == COP_STRICT_NUMBER || below->code == COP_STRICT_NAME;
    if (code != COP_STRICT_NAME || !plain) return 0;
    uint32_t name = cop_strict_node_at(p, atom)->name;
    for (size_t i = 0; i < below->text.length; i++)
        name = (name ^ (unsigned char)below->text.data[i]) * 16777619u + 1u;
    cop_strict_node_at(p, atom)->name = name;
    return atom;
}

/* Units do not count: 5 \text{ cm}^2, 90^\circ. \return false where the words are none, for
 * they have an argument: 2\operatorname{cis}(x). */
static bool skip_unit(cop_strict_parser *p)
{
    if (!cop_strict_is_at(p, COP_STRICT_UNIT)) return true;
    while (cop_strict_take(p, COP_STRICT_UNIT)) {
        if (cop_strict_take(p, COP_STRICT_POWER)) (void)parse_script(p);
    }
    return !begins_factor(p);
}

static uint16_t parse_exponent(cop_strict_parser *p, uint16_t base)
{
    if (cop_strict_is_at(p, COP_STRICT_BRACE) && p->at[1].code == COP_STRICT_DEGREE &&
        p->at[2].code == COP_STRICT_UNBRACE) {
        p->at += 3;
        return base;
    }
    if (cop_strict_take(p, COP_STRICT_DEGREE)) return base;
    return cop_strict_make_two(p, COP_STRICT_POWER, base, parse_script(p));
}

static uint16_t parse_power(cop_strict_parser *p)
{
    if (p->depth == COP_STRICT_MOST_DEPTH) return 0;
    p->depth++;
    uint16_t node = parse_atom(p);
    if (node != 0 && cop_strict_node_at(p, node)->code == COP_STRICT_NUMBER &&
        cop_strict_is_at(p, COP_STRICT_OVERLINE))
        node = parse_repeat(p, node);
    while (node != 0) {
        if (cop_strict_take(p, COP_STRICT_BELOW)) {
            node = parse_below(p, node);
        } else if (cop_strict_take(p, COP_STRICT_POWER)) {
            node = parse_exponent(p, node);
        } else if (cop_strict_take(p, COP_STRICT_FACTORIAL)) {
            node = cop_strict_make_one(p, COP_STRICT_FACTORIAL, node);
        } else if (cop_strict_take(p, COP_STRICT_PERCENT)) {
            node = cop_strict_make_one(p, COP_STRICT_PERCENT, node);
        } else if (!cop_strict_take(p, COP_STRICT_DEGREE)) {
            break;
        }
    }
    if (node != 0 && !skip_unit(p)) node = 0;
    p->depth--;
    return node;
}

/* --- products, sums --- */

static bool is_whole_leaf(cop_strict_parser *p, uint16_t node)
{
    const cop_strict_node *const leaf = cop_strict_node_at(p, node);
    return leaf->code == COP_STRICT_NUMBER && cop_strict_is_whole_number(leaf->text);
}

static bool is_less(cop_slice a, cop_slice b)
{
    return a.length < b.length ||
           (a.length == b.length && memcmp(a.data, b.data, a.length) < 0);
}

/* Whether a whole number and what follows are a mixed number: 1\frac{4}{5}, 1 4/5. */
static bool is_mixed(cop_strict_parser *p, uint16_t whole, uint16_t fraction)
{
    const cop_strict_node *const node = cop_strict_node_at(p, fraction);
    if (!is_whole_leaf(p, whole) || node->code != COP_STRICT_DIVIDE) return false;
    const uint16_t above = node->first;
    const uint16_t below = cop_strict_node_at(p, above)->next;
    return is_whole_leaf(p, above) && is_whole_leaf(p, below) &&
           is_less(cop_strict_node_at(p, above)->text, cop_strict_node_at(p, below)->text);
}

/* Whether a factor begins here without a sign of multiplication. */
static bool begins_factor(const cop_strict_parser *p)
{
    switch (p->at->code) {
    case COP_STRICT_NAME:
    case COP_STRICT_CONSTANT:
    case COP_STRICT_FRACTION:
    case COP_STRICT_BINOMIAL:
    case COP_STRICT_ROOT:
    case COP_STRICT_FUNCTION:
    case COP_STRICT_BRACE:
    case COP_STRICT_BEGIN:
        return true;
    case COP_STRICT_NUMBER:
        return p->used > 0; /* behind \frac12 */
    case COP_STRICT_OPEN:
        return true;
    case COP_STRICT_BAR:
        return p->bars == 0;
    default:
        return false;
    }
}

/* 1 4/5 in plain text, at its 4. */
static uint16_t parse_plain_mixed(cop_strict_parser *p, uint16_t whole)
{
    const cop_strict_token *const at = p->at;
    if (at[0].code != COP_STRICT_NUMBER || !at[0].spaced || at[1].code != COP_STRICT_DIVIDE ||
        at[2].code != COP_STRICT_NUMBER || p->used > 0)
        return 0;
    const uint16_t above = parse_atom(p);
    p->at++;
    const uint16_t below = parse_atom(p);
    const uint16_t fraction = cop_strict_make_two(p, COP_STRICT_DIVIDE, above, below);
    return fraction != 0 && is_mixed(p, whole, fraction)
               ? cop_strict_make_two(p, COP_STRICT_MIXED, whole, fraction)
               : 0;
}

static uint16_t parse_signed(cop_strict_parser *p)
{
    if (p->depth == COP_STRICT_MOST_DEPTH) return 0;
    p->depth++;
    uint16_t node = 0;
    if (cop_strict_take(p, COP_STRICT_MINUS)) {
        node = cop_strict_make_one(p, COP_STRICT_NEGATE, parse_signed(p));
    } else if (cop_strict_take(p, COP_STRICT_PLUS)) {
        node = parse_signed(p);
    } else {
        node = parse_power(p);
    }
    p->depth--;
    return node;
}

static uint16_t parse_product(cop_strict_parser *p)
{
    const bool signless =
        !cop_strict_is_at(p, COP_STRICT_MINUS) && !cop_strict_is_at(p, COP_STRICT_PLUS);
    const bool negative = cop_strict_is_at(p, COP_STRICT_MINUS);
    if (!signless) p->at++;
    uint16_t product = parse_signed(p);
    bool first = true;
    while (product != 0) {
        const cop_strict_code code = p->at->code;
        if (code == COP_STRICT_TIMES || code == COP_STRICT_DIVIDE) {
            p->at++;
            product = cop_strict_make_two(p, code, product, parse_signed(p));
        } else if (begins_factor(p)) {
            const uint16_t factor = parse_power(p);
            const bool mixed = first && factor != 0 && is_mixed(p, product, factor);
            product = cop_strict_make_two(p, mixed ? COP_STRICT_MIXED : COP_STRICT_TIMES,
                                          product, factor);
        } else if (first && code == COP_STRICT_NUMBER && is_whole_leaf(p, product)) {
            product = parse_plain_mixed(p, product);
        } else {
            break;
        }
        first = false;
    }
    return negative ? cop_strict_make_one(p, COP_STRICT_NEGATE, product) : product;
}

static bool is_sum_sign(cop_strict_code code)
{
    return code == COP_STRICT_PLUS || code == COP_STRICT_MINUS ||
           code == COP_STRICT_PLUS_MINUS || code == COP_STRICT_MINUS_PLUS;
}

static uint16_t parse_sum_inside(cop_strict_parser *p)
{
    uint16_t sum = 0;
    if (cop_strict_is_at(p, COP_STRICT_PLUS_MINUS) ||
        cop_strict_is_at(p, COP_STRICT_MINUS_PLUS)) {
        sum = cop_strict_make_leaf(p, COP_STRICT_NUMBER, (cop_slice){"0", 1}, 0);
    } else {
        sum = parse_product(p);
    }
    while (sum != 0 && is_sum_sign(p->at->code)) {
        const cop_strict_code code = (p->at++)->code;
        sum = cop_strict_make_two(p, code, sum, parse_product(p));
    }
    return sum;
}

static uint16_t parse_sum(cop_strict_parser *p)
{
    if (p->depth == COP_STRICT_MOST_DEPTH) return 0;
    p->depth++;
    const uint16_t sum = parse_sum_inside(p);
    p->depth--;
    return sum;
}

/* --- answers --- */

static uint16_t parse_union(cop_strict_parser *p)
{
    const uint16_t first = parse_sum(p);
    if (first == 0 || !cop_strict_is_at(p, COP_STRICT_UNION)) return first;
    uint16_t all = cop_strict_make_one(p, COP_STRICT_UNION, first);
    while (all != 0 && cop_strict_take(p, COP_STRICT_UNION))
        all = cop_strict_append(p, all, parse_sum(p));
    return all;
}

static bool is_equals(const cop_strict_token *token)
{
    return token->code == COP_STRICT_RELATION && token->detail == '=';
}

/* "x =", "f(x) =", "\text{Area} =" or "x \in" here: how many tokens; 0 for none of them. */
static size_t match_label(const cop_strict_parser *p)
{
    const cop_strict_token *const at = p->at;
    const bool name = at->code == COP_STRICT_NAME;
    size_t count = name || at->code == COP_STRICT_UNIT ? 1 : 0;
    if (name && at[1].code == COP_STRICT_BELOW &&
        (at[2].code == COP_STRICT_NUMBER || at[2].code == COP_STRICT_NAME))
        count = 3;
    if (name && at[1].code == COP_STRICT_OPEN && at[1].detail == '(' &&
        at[2].code == COP_STRICT_NAME && at[3].code == COP_STRICT_CLOSE)
        count = 4;
    if (count == 0) return 0;
    return is_equals(&at[count]) || (name && at[count].code == COP_STRICT_IN) ? count + 1 : 0;
}

static uint16_t parse_labelled(cop_strict_parser *p, size_t tokens)
{
    const cop_strict_token label = *p->at;
    p->at += tokens;
    const char kind = p->at[-1].code == COP_STRICT_IN ? 'i' : '=';
    uint16_t value = parse_union(p);
    while (value != 0 && kind == '=' && is_equals(p->at)) { /* of x = 2 + 3 = 5 the last */
        p->at++;
        value = parse_union(p);
    }
    const uint16_t node = cop_strict_make_one(p, COP_STRICT_NAMED, value);
    if (node == 0) return 0;
    cop_strict_node_at(p, node)->name = label.code == COP_STRICT_NAME ? label.name : 0;
    cop_strict_node_at(p, node)->detail = kind;
    return node;
}

/* a = b, a < x <= b: a node with the sides as its parts, and the signs as its text. */
static uint16_t parse_relation(cop_strict_parser *p)
{
    const size_t label = match_label(p);
    if (label > 0) return parse_labelled(p, label);
    uint16_t side = parse_union(p);
    if (side == 0 || !cop_strict_is_at(p, COP_STRICT_RELATION)) return side;
    uint16_t relation = cop_strict_make_one(p, COP_STRICT_RELATION, side);
    while (relation != 0 && cop_strict_is_at(p, COP_STRICT_RELATION)) {
        cop_strict_node *const node = cop_strict_node_at(p, relation);
        if (node->count > 2) return 0;
        if (node->count == 1) node->detail = p->at->detail;
        if (node->count == 2) node->other = p->at->detail;
        p->at++;
        relation = cop_strict_append(p, relation, parse_union(p));
    }
    return relation;
}

static uint16_t parse_list_inside(cop_strict_parser *p)
{
    const uint16_t first = parse_relation(p);
    if (first == 0 || !cop_strict_is_at(p, COP_STRICT_COMMA)) return first;
    uint16_t list = cop_strict_make_one(p, COP_STRICT_LIST, first);
    while (list != 0 && cop_strict_take(p, COP_STRICT_COMMA)) {
        while (cop_strict_take(p, COP_STRICT_COMMA)) /* "1, 2, and 3" */
            continue;
        list = cop_strict_append(p, list, parse_relation(p));
    }
    return list;
}

static uint16_t parse_list(cop_strict_parser *p)
{
    if (p->depth == COP_STRICT_MOST_DEPTH) return 0;
    p->depth++;
    const uint16_t list = parse_list_inside(p);
    p->depth--;
    return list;
}

void cop_strict_parse(const cop_strict_token *tokens, cop_strict_tree *tree)
{
    cop_strict_parser p = {.at = tokens, .tree = tree};
    tree->count = 1; /* 0 is no node */
    const uint16_t root = parse_list(&p);
    tree->root = cop_strict_is_at(&p, COP_STRICT_END) && p.used == 0 && !p.full ? root : 0;
}
