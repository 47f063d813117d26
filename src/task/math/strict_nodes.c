/* Nodes of a tree, and tokens on their way into it. */
#include "task/math/strict_nodes.h"

#include <string.h>

cop_strict_node *cop_strict_node_at(cop_strict_parser *p, uint16_t index)
{
    return &p->tree->nodes[index];
}

/* A new node; 0 where there is no room. */
uint16_t cop_strict_make(cop_strict_parser *p, cop_strict_code code)
{
    if (p->tree->count == COP_STRICT_MOST_NODES) {
        p->full = true;
        return 0;
    }
    const uint16_t index = p->tree->count++;
    *cop_strict_node_at(p, index) = (cop_strict_node){.code = code};
    return index;
}

/* Appends a part to a node; 0 if there is no such part. */
uint16_t cop_strict_append(cop_strict_parser *p, uint16_t parent, uint16_t part)
{
    if (parent == 0 || part == 0) return 0;
    cop_strict_node *const node = cop_strict_node_at(p, parent);
    if (node->count == COP_STRICT_MOST_ITEMS) return 0;
    node->count++;
    if (node->first == 0) {
        node->first = part;
        return parent;
    }
    uint16_t last = node->first;
    while (cop_strict_node_at(p, last)->next != 0)
        last = cop_strict_node_at(p, last)->next;
    cop_strict_node_at(p, last)->next = part;
    return parent;
}

uint16_t cop_strict_make_one(cop_strict_parser *p, cop_strict_code code, uint16_t part)
{
    return part == 0 ? 0 : cop_strict_append(p, cop_strict_make(p, code), part);
}

uint16_t cop_strict_make_two(cop_strict_parser *p, cop_strict_code code, uint16_t first,
                             uint16_t second)
{
    if (first == 0 || second == 0) return 0;
    return cop_strict_append(p, cop_strict_make_one(p, code, first), second);
}

uint16_t cop_strict_make_leaf(cop_strict_parser *p, cop_strict_code code, cop_slice text,
                              uint32_t name)
{
    const uint16_t index = cop_strict_make(p, code);
    if (index == 0) return 0;
    cop_strict_node_at(p, index)->text = text;
    cop_strict_node_at(p, index)->name = name;
    return index;
}

bool cop_strict_is_at(const cop_strict_parser *p, cop_strict_code code)
{
    return p->at->code == code;
}

bool cop_strict_take(cop_strict_parser *p, cop_strict_code code)
{
    if (!cop_strict_is_at(p, code)) return false;
    p->at++;
    return true;
}

bool cop_strict_is_whole_number(cop_slice text)
{
    return text.length > 0 && strspn(text.data, "0123456789") >= text.length;
}

uint16_t cop_strict_make_number(cop_strict_parser *p, size_t length)
{
    const cop_slice text = p->at->text;
    const uint16_t number =
        cop_strict_make_leaf(p, COP_STRICT_NUMBER, (cop_slice){text.data + p->used, length}, 0);
    p->used += length;
    if (p->used == text.length) {
        p->used = 0;
        p->at++;
    }
    return number;
}
