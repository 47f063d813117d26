/* What reads tokens into a tree, and the nodes that it makes. */
#ifndef COP_TASK_MATH_STRICT_NODES_H
#define COP_TASK_MATH_STRICT_NODES_H

#include "task/math/strict.h"

typedef struct cop_strict_parser {
    const cop_strict_token *at;
    cop_strict_tree *tree;
    int depth;
    int bars;    /* open: a | then closes */
    size_t used; /* digits of the number at hand that \frac has taken */
    bool full;
} cop_strict_parser;

/* Nodes are indices; 0 stands for what could not be read, and whatever is made
 * of it is 0 too. */
cop_strict_node *cop_strict_node_at(cop_strict_parser *p, uint16_t index);
uint16_t cop_strict_make(cop_strict_parser *p, cop_strict_code code);
uint16_t cop_strict_append(cop_strict_parser *p, uint16_t parent, uint16_t part);
uint16_t cop_strict_make_one(cop_strict_parser *p, cop_strict_code code, uint16_t part);
uint16_t cop_strict_make_two(cop_strict_parser *p, cop_strict_code code, uint16_t first,
                             uint16_t second);
uint16_t cop_strict_make_leaf(cop_strict_parser *p, cop_strict_code code, cop_slice text,
                              uint32_t name);
uint16_t cop_strict_make_number(cop_strict_parser *p, size_t length);

/* The token at hand: of a kind, taken if it is. */
bool cop_strict_is_at(const cop_strict_parser *p, cop_strict_code code);
bool cop_strict_take(cop_strict_parser *p, cop_strict_code code);

/* Whether a text has digits only. */
bool cop_strict_is_whole_number(cop_slice text);

#endif
