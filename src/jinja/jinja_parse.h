/* Tokens into a tree: what parsing goes through, by the token to come (jinja_cursor.c), and the
 * expressions that statements are made of. */
#ifndef COP_JINJA_JINJA_PARSE_H
#define COP_JINJA_JINJA_PARSE_H

#include "jinja/jinja_tree.h"

/* What parsing goes through. */
typedef struct jinja_parser {
    jinja_arena *arena;
    const jinja_token *at; /* the token to come */
    int depth, loops;
    unsigned reads;
    cop_error *err;
} jinja_parser;

/* "line N: " and what is wrong there. */
cop_status cop_jinja_refuse(const jinja_parser *parser, cop_status status, const char *format,
                            ...) __attribute__((format(printf, 3, 4)));

/* One level deeper; the caller leaves it by parser->depth--. */
cop_status cop_jinja_descend(jinja_parser *parser);

/* A node at the token to come. */
cop_status cop_jinja_make(const jinja_parser *parser, jinja_node_kind kind, jinja_node **node);

/* True, and past it, if the token to come is that word, or of that kind. */
bool cop_jinja_skip_word(jinja_parser *parser, const char *word);
bool cop_jinja_skip(jinja_parser *parser, jinja_token_kind kind);

bool cop_jinja_is_word(const jinja_token *token, const char *word);

/* Past a token that must be of that kind; `what` names it. */
cop_status cop_jinja_expect(jinja_parser *parser, jinja_token_kind kind, const char *what);

/* --- expressions (jinja_parse_expression.c) --- */

/* An expression; without `choice` no "a if b else c". */
cop_status cop_jinja_parse_expression(jinja_parser *parser, bool choice, jinja_node **node);

/* An expression, or several with commas: a tuple. Where `parens` it may be empty. */
cop_status cop_jinja_parse_tuple(jinja_parser *parser, bool choice, bool parens,
                                 jinja_node **node);

/* What a value is assigned to: names, tuples of such, and attributes where `attributes`. */
cop_status cop_jinja_parse_target(jinja_parser *parser, bool attributes, jinja_node **node);

/* Filters behind a value (NULL: a block's text), from "|", or from a name if `inline_first`. */
cop_status cop_jinja_parse_filters(jinja_parser *parser, bool inline_first, jinja_node **node);

/* (a, b=1): parameters, JINJA_NODE_NAME with a default in a. */
cop_status cop_jinja_parse_signature(jinja_parser *parser, jinja_node **args);

#endif
