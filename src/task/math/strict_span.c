/* Answers that are sets of numbers: intervals however they are written, and what has no order.
 */
#include "task/math/strict.h"

static bool find_constant(const cop_strict_tree *tree, uint16_t node, cop_strict_value *value)
{
    return cop_strict_is_scalar(tree, node) && !cop_strict_has_variables(tree, node) &&
           !cop_strict_has_sign(tree, node) && cop_strict_evaluate(tree, node, 0, false, value);
}

static cop_strict_value find_end(bool low)
{
    const cop_strict_value end = cop_strict_infinity();
    const cop_strict_value zero = cop_strict_subtract(&end, &end);
    return low ? cop_strict_subtract(&zero, &end) : end;
}

/* Narrows a span by "the variable is `sign` value". */
static bool narrow(char sign, const cop_strict_value *value, cop_strict_span *span)
{
    if (sign == '>' || sign == 'g') {
        span->low = *value;
        span->low_closed = sign == 'g';
        return true;
    }
    if (sign != '<' && sign != 'l') return false;
    span->high = *value;
    span->high_closed = sign == 'l';
    return true;
}

static char turn(char sign)
{
    switch (sign) {
    case '<':
        return '>';
    case '>':
        return '<';
    case 'l':
        return 'g';
    case 'g':
        return 'l';
    default:
        return sign;
    }
}

static bool is_rising(char sign)
{
    return sign == '<' || sign == 'l';
}

/* x < 3, 3 > x, 1 < x <= 3. */
static bool find_inequality(const cop_strict_tree *tree, const cop_strict_node *node,
                            cop_strict_span *span)
{
    const uint16_t first = node->first;
    const uint16_t second = tree->nodes[first].next;
    cop_strict_value value;
    if (node->count == 3) {
        const uint16_t third = tree->nodes[second].next;
        if (tree->nodes[second].code != COP_STRICT_NAME ||
            is_rising(node->detail) != is_rising(node->other))
            return false;
        span->name = tree->nodes[second].name;
        return find_constant(tree, first, &value) && narrow(turn(node->detail), &value, span) &&
               find_constant(tree, third, &value) && narrow(node->other, &value, span);
    }
    const bool left = tree->nodes[first].code == COP_STRICT_NAME;
    const uint16_t name = left ? first : second;
    if (tree->nodes[name].code != COP_STRICT_NAME) return false;
    span->name = tree->nodes[name].name;
    return find_constant(tree, left ? second : first, &value) &&
           narrow(left ? node->detail : turn(node->detail), &value, span);
}

bool cop_strict_find_span(const cop_strict_tree *tree, uint16_t index, cop_strict_span *span)
{
    const cop_strict_node *const node = &tree->nodes[index];
    *span = (cop_strict_span){.low = find_end(true), .high = find_end(false)};
    if (node->code == COP_STRICT_REALS) return true;
    if (node->code == COP_STRICT_RELATION) return find_inequality(tree, node, span);
    if (node->code != COP_STRICT_TUPLE || node->count != 2 || node->detail == 0) return false;
    span->low_closed = node->detail == '[';
    span->high_closed = node->other == ']';
    return find_constant(tree, node->first, &span->low) &&
           find_constant(tree, tree->nodes[node->first].next, &span->high);
}

static bool is_gathering(cop_strict_code code)
{
    return code == COP_STRICT_LIST || code == COP_STRICT_SET || code == COP_STRICT_UNION;
}

/* Appends a node, with both signs if it has a \pm. */
static bool add_item(const cop_strict_tree *tree, uint16_t node,
                     cop_strict_item items[COP_STRICT_MOST_ITEMS], size_t *count)
{
    const int signs = cop_strict_has_sign(tree, node) ? 2 : 1;
    for (int i = 0; i < signs; i++) {
        if (*count == COP_STRICT_MOST_ITEMS) return false;
        items[(*count)++] = (cop_strict_item){.node = node, .minus = i == 1};
    }
    return true;
}

size_t cop_strict_find_items(const cop_strict_tree *tree, uint16_t index,
                             cop_strict_item items[COP_STRICT_MOST_ITEMS])
{
    const cop_strict_node *const node = &tree->nodes[index];
    size_t count = 0;
    if (node->code == COP_STRICT_EMPTY) return 0;
    if (!is_gathering(node->code))
        return add_item(tree, index, items, &count) ? count : SIZE_MAX;
    for (uint16_t part = node->first; part != 0; part = tree->nodes[part].next) {
        const cop_strict_node *const one = &tree->nodes[part];
        bool fits = true;
        if (one->code == COP_STRICT_SET && node->code == COP_STRICT_UNION) {
            for (uint16_t inner = one->first; inner != 0 && fits;
                 inner = tree->nodes[inner].next)
                fits = add_item(tree, inner, items, &count);
        } else {
            fits = add_item(tree, part, items, &count);
        }
        if (!fits) return SIZE_MAX;
    }
    return count;
}
