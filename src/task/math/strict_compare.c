/* Whether two answers are one. What has an order is compared in order, what has none without;
 * parentheses and brackets count, names of variables too. */
#include "task/math/strict.h"

#include <string.h>

/* A node of a tree, with the sign of its \pm. */
typedef struct side {
    const cop_strict_tree *tree;
    uint16_t node;
    bool minus;
    bool fixed; /* the sign is chosen: this is one of the two that \pm stands for */
} side;

static const cop_strict_node *node_of(side s)
{
    return &s.tree->nodes[s.node];
}

static side part_of(side s, uint16_t node)
{
    return (side){s.tree, node, s.minus, s.fixed};
}

static bool is_equal(side a, side b, int depth);

/* --- values --- */

/* At every point where one has a value, both must have the same one; at two points at least, if
 * there are variables. */
static bool is_same_expression(side a, side b)
{
    const bool varies =
        cop_strict_has_variables(a.tree, a.node) || cop_strict_has_variables(b.tree, b.node);
    const int points = varies ? COP_STRICT_POINTS : 1;
    int compared = 0;
    for (int point = 0; point < points; point++) {
        cop_strict_value left, right;
        const bool has_left = cop_strict_evaluate(a.tree, a.node, point, a.minus, &left) &&
                              cop_strict_is_usable(&left);
        const bool has_right = cop_strict_evaluate(b.tree, b.node, point, b.minus, &right) &&
                               cop_strict_is_usable(&right);
        if (has_left != has_right) return false;
        if (!has_left) continue;
        if (!cop_strict_is_same_value(&left, &right)) return false;
        compared++;
    }
    return compared >= (varies ? 2 : 1);
}

/* Digits in a base are not those in another; without one they are taken for the same. */
static bool is_same_base(side a, side b)
{
    const cop_strict_node *const left = node_of(a);
    const cop_strict_node *const right = node_of(b);
    if (left->code != COP_STRICT_BASED || right->code != COP_STRICT_BASED) return true;
    return is_same_expression(part_of(a, a.tree->nodes[left->first].next),
                              part_of(b, b.tree->nodes[right->first].next));
}

/* 50% is 0.5, and it is 50 where the question has asked for per cent. */
static bool is_same_scalar(side a, side b)
{
    const bool left = node_of(a)->code == COP_STRICT_PERCENT;
    const bool right = node_of(b)->code == COP_STRICT_PERCENT;
    if (!is_same_base(a, b)) return false;
    if (is_same_expression(a, b)) return true;
    return left != right && is_same_expression(left ? part_of(a, node_of(a)->first) : a,
                                               right ? part_of(b, node_of(b)->first) : b);
}

/* --- equations --- */

/* Left side less right at a point, for an equation or an inequality of two sides. */
static bool find_difference(side s, int point, cop_strict_value *value)
{
    const cop_strict_node *const node = node_of(s);
    cop_strict_value left, right;
    if (node->code == COP_STRICT_NAMED) {
        if (node->detail != '=' || node->name == 0) return false;
        left = cop_strict_sample(node->name, point);
        if (!cop_strict_evaluate(s.tree, node->first, point, s.minus, &right)) return false;
    } else {
        if (node->code != COP_STRICT_RELATION || node->count != 2) return false;
        if (!cop_strict_evaluate(s.tree, node->first, point, s.minus, &left) ||
            !cop_strict_evaluate(s.tree, s.tree->nodes[node->first].next, point, s.minus,
                                 &right))
            return false;
    }
    *value = cop_strict_subtract(&left, &right);
    return cop_strict_is_usable(value);
}

/* '=', '!', '<' or 'l', with *turned where it is > or >=. */
static char find_sign(side s, bool *turned)
{
    const cop_strict_node *const node = node_of(s);
    const char sign = node->code == COP_STRICT_NAMED ? '=' : node->detail;
    *turned = sign == '>' || sign == 'g';
    return sign == '>' ? '<' : sign == 'g' ? 'l' : sign;
}

/* Whether two equations are one but for a factor: 2x - 4 = 0, x = 2. Of inequalities the factor
 * is positive. */
static bool is_same_relation(side a, side b)
{
    bool turned_a, turned_b;
    const char sign = find_sign(a, &turned_a);
    cop_strict_value first = {0};
    if (sign != find_sign(b, &turned_b)) return false;
    for (int point = 0; point < COP_STRICT_POINTS; point++) {
        cop_strict_value left, right, ratio;
        if (!find_difference(a, point, &left) || !find_difference(b, point, &right) ||
            !cop_strict_divide(&left, &right, &ratio))
            return false;
        if (point == 0) first = ratio;
        if (!cop_strict_is_same_value(&first, &ratio)) return false;
        const bool positive = creall(ratio.number) > 0;
        if (sign != '=' && sign != '!' && positive != (turned_a == turned_b)) return false;
    }
    const cop_strict_value zero = cop_strict_subtract(&first, &first);
    return !cop_strict_is_same_value(&first, &zero);
}

/* --- what has parts --- */

static bool has_same_parts(side a, side b, int depth)
{
    uint16_t left = node_of(a)->first;
    uint16_t right = node_of(b)->first;
    while (left != 0 && right != 0) {
        if (!is_equal(part_of(a, left), part_of(b, right), depth)) return false;
        left = a.tree->nodes[left].next;
        right = b.tree->nodes[right].next;
    }
    return left == right; /* both 0 */
}

static bool has_every_item(side a, const cop_strict_item *items, size_t count, side b,
                           const cop_strict_item *others, size_t other_count, int depth)
{
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t k = 0; k < other_count && !found; k++)
            found = is_equal((side){a.tree, items[i].node, items[i].minus, true},
                             (side){b.tree, others[k].node, others[k].minus, true}, depth);
        if (!found) return false;
    }
    return true;
}

static bool has_same_items(side a, side b, int depth)
{
    cop_strict_item left[COP_STRICT_MOST_ITEMS];
    cop_strict_item right[COP_STRICT_MOST_ITEMS];
    const size_t count = cop_strict_find_items(a.tree, a.node, left);
    const size_t other = cop_strict_find_items(b.tree, b.node, right);
    if (count == SIZE_MAX || other == SIZE_MAX || (count == 0) != (other == 0)) return false;
    return has_every_item(a, left, count, b, right, other, depth) &&
           has_every_item(b, right, other, a, left, count, depth);
}

static bool is_same_span(side a, side b)
{
    cop_strict_span left, right;
    if (!cop_strict_find_span(a.tree, a.node, &left) ||
        !cop_strict_find_span(b.tree, b.node, &right))
        return false;
    return left.low_closed == right.low_closed && left.high_closed == right.high_closed &&
           (left.name == 0 || right.name == 0 || left.name == right.name) &&
           cop_strict_is_same_value(&left.low, &right.low) &&
           cop_strict_is_same_value(&left.high, &right.high);
}

static bool is_gathering(side s)
{
    const cop_strict_code code = node_of(s)->code;
    return code == COP_STRICT_LIST || code == COP_STRICT_SET || code == COP_STRICT_UNION ||
           code == COP_STRICT_EMPTY;
}

/* --- any two answers --- */

/* x = 5 beside 5, x \in [1, 2] beside [1, 2]; two names must be one. */
static bool is_equal_named(side a, side b, int depth)
{
    const cop_strict_node *const left = node_of(a);
    const cop_strict_node *const right = node_of(b);
    const bool both = left->code == COP_STRICT_NAMED && right->code == COP_STRICT_NAMED;
    const side inner_a = left->code == COP_STRICT_NAMED ? part_of(a, left->first) : a;
    const side inner_b = right->code == COP_STRICT_NAMED ? part_of(b, right->first) : b;
    const bool agree =
        !both || left->name == right->name || left->name == 0 || right->name == 0;
    if (agree && is_equal(inner_a, inner_b, depth)) return true;
    return is_same_relation(a, b);
}

static bool is_equal_in_order(side a, side b, int depth)
{
    const cop_strict_node *const left = node_of(a);
    const cop_strict_node *const right = node_of(b);
    if (left->code == COP_STRICT_TUPLE && right->code == COP_STRICT_TUPLE)
        return left->detail == right->detail && left->other == right->other &&
               left->count == right->count && has_same_parts(a, b, depth);
    const cop_strict_node *const tuple = left->code == COP_STRICT_TUPLE ? left : right;
    const cop_strict_node *const other = tuple == left ? right : left;
    return tuple->code == COP_STRICT_TUPLE && tuple->detail == '(' && tuple->other == ')' &&
           other->code == COP_STRICT_LIST && tuple->count == other->count &&
           has_same_parts(a, b, depth);
}

/* Of 10/4 = 2.5 the last side, if all sides are one number. */
static side unwrap_equation(side s)
{
    const cop_strict_node *const node = node_of(s);
    if (node->code != COP_STRICT_RELATION || node->detail != '=' ||
        (node->count == 3 && node->other != '=') || cop_strict_has_variables(s.tree, s.node))
        return s;
    const side first = part_of(s, node->first);
    side last = first;
    for (uint16_t part = s.tree->nodes[first.node].next; part != 0;
         part = s.tree->nodes[part].next) {
        last = part_of(s, part);
        if (!is_same_expression(first, last)) return s;
    }
    return last;
}

static bool is_equal(side a, side b, int depth)
{
    a = unwrap_equation(a);
    b = unwrap_equation(b);
    enum { MOST_DEPTH = 4 };
    const cop_strict_code left = node_of(a)->code;
    const cop_strict_code right = node_of(b)->code;
    const bool named = left == COP_STRICT_NAMED || right == COP_STRICT_NAMED;
    if (depth == MOST_DEPTH) return false;
    if (left == COP_STRICT_NAMED && node_of(a)->detail == 'i' && right == COP_STRICT_RELATION)
        return is_same_span(part_of(a, node_of(a)->first), b);
    if (right == COP_STRICT_NAMED && node_of(b)->detail == 'i' && left == COP_STRICT_RELATION)
        return is_same_span(a, part_of(b, node_of(b)->first));
    if (named && left != COP_STRICT_RELATION && right != COP_STRICT_RELATION)
        return is_equal_named(a, b, depth + 1);
    if (is_same_span(a, b)) return true;
    if (left == COP_STRICT_TUPLE || right == COP_STRICT_TUPLE)
        return is_equal_in_order(a, b, depth + 1) ||
               ((is_gathering(a) || is_gathering(b)) && left != COP_STRICT_LIST &&
                right != COP_STRICT_LIST && left != COP_STRICT_SET && right != COP_STRICT_SET &&
                has_same_items(a, b, depth + 1));
    if (is_gathering(a) || is_gathering(b)) return has_same_items(a, b, depth + 1);
    if (left == COP_STRICT_MATRIX || right == COP_STRICT_MATRIX)
        return left == right && node_of(a)->count == node_of(b)->count &&
               has_same_parts(a, b, depth + 1);
    if (left == COP_STRICT_RELATION || right == COP_STRICT_RELATION || named)
        return is_same_relation(a, b);
    const bool signs =
        !a.fixed && !b.fixed &&
        (cop_strict_has_sign(a.tree, a.node) || cop_strict_has_sign(b.tree, b.node));
    return signs ? has_same_items(a, b, depth + 1) : is_same_scalar(a, b);
}

bool cop_strict_is_equal(const cop_strict_tree *answer, const cop_strict_tree *reference)
{
    const cop_text *const a = &answer->plain;
    const cop_text *const b = &reference->plain;
    const bool blind = answer->wordy || reference->wordy;
    if (a->length == b->length && a->length > 0 &&
        (blind ? strncasecmp(a->data, b->data, a->length)
               : memcmp(a->data, b->data, a->length)) == 0)
        return true;
    if (answer->root == 0 || reference->root == 0) return false;
    return is_equal((side){answer, answer->root, false, false},
                    (side){reference, reference->root, false, false}, 0);
}
