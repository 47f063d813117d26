/* Answers of mathematics by their structure: read as expressions, compared by value. Whatever a
 * text holds, reading and comparing it takes a bounded number of steps. */
#ifndef COP_TASK_MATH_STRICT_H
#define COP_TASK_MATH_STRICT_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "task/tasks.h"

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COP_STRICT_MOST_BYTES = 1500, /* longer answers are compared as text */
    COP_STRICT_MOST_TOKENS = 600,
    COP_STRICT_MOST_NODES = 1200,
    COP_STRICT_MOST_DEPTH = 40,
    COP_STRICT_MOST_ITEMS = 64, /* of a list, a set, a matrix */
    COP_STRICT_PRIMES = 2,
    COP_STRICT_POINTS = 6 /* at which expressions with variables are compared */
};

/* What a token is, and what a node of a tree is made of. */
typedef enum cop_strict_code {
    COP_STRICT_END,
    COP_STRICT_UNKNOWN,
    COP_STRICT_NUMBER,
    COP_STRICT_NAME, /* a variable */
    COP_STRICT_UNIT, /* words beside a number */
    COP_STRICT_CONSTANT,
    COP_STRICT_FUNCTION,
    COP_STRICT_PLUS,
    COP_STRICT_MINUS,
    COP_STRICT_PLUS_MINUS,
    COP_STRICT_MINUS_PLUS,
    COP_STRICT_TIMES,
    COP_STRICT_DIVIDE,
    COP_STRICT_POWER,
    COP_STRICT_BELOW, /* _ */
    COP_STRICT_FACTORIAL,
    COP_STRICT_PERCENT,
    COP_STRICT_DEGREE,
    COP_STRICT_COMMA,
    COP_STRICT_OPEN,  /* ( [ \{ \lfloor \lceil, `detail` tells which */
    COP_STRICT_CLOSE, /* the like */
    COP_STRICT_BRACE, /* { */
    COP_STRICT_UNBRACE,
    COP_STRICT_BAR,
    COP_STRICT_RELATION, /* `detail`: = ! < l > g */
    COP_STRICT_IN,
    COP_STRICT_UNION,
    COP_STRICT_FRACTION,
    COP_STRICT_BINOMIAL,
    COP_STRICT_ROOT,
    COP_STRICT_OVERLINE,
    COP_STRICT_BEGIN, /* of a matrix */
    COP_STRICT_FINISH,
    COP_STRICT_CELL, /* & */
    COP_STRICT_ROW,  /* \\ */
    COP_STRICT_EMPTY,
    COP_STRICT_REALS,
    /* of nodes only */
    COP_STRICT_MIXED,  /* a whole number and a fraction */
    COP_STRICT_REPEAT, /* 0.1\overline{6} */
    COP_STRICT_NEGATE,
    COP_STRICT_ABSOLUTE,
    COP_STRICT_BASED, /* digits in a base */
    COP_STRICT_LIST,  /* a, b: in no order */
    COP_STRICT_SET,
    COP_STRICT_TUPLE, /* in order; `detail` and `other` are its parentheses */
    COP_STRICT_MATRIX,
    COP_STRICT_NAMED /* name = value, or name in value */
} cop_strict_code;

typedef struct cop_strict_token {
    cop_strict_code code;
    char detail;
    bool spaced; /* white space before it */
    cop_slice text;
    uint32_t name; /* of a variable, a constant or a function */
} cop_strict_token;

/* Constants and functions by number. */
typedef enum cop_strict_word {
    COP_STRICT_PI = 1,
    COP_STRICT_E,
    COP_STRICT_I,
    COP_STRICT_INFINITY,
    COP_STRICT_SIN,
    COP_STRICT_COS,
    COP_STRICT_TAN,
    COP_STRICT_COT,
    COP_STRICT_SEC,
    COP_STRICT_CSC,
    COP_STRICT_ASIN,
    COP_STRICT_ACOS,
    COP_STRICT_ATAN,
    COP_STRICT_SINH,
    COP_STRICT_COSH,
    COP_STRICT_TANH,
    COP_STRICT_LN,
    COP_STRICT_LOG,
    COP_STRICT_EXP,
    COP_STRICT_FLOOR,
    COP_STRICT_CEILING
} cop_strict_word;

typedef struct cop_strict_node {
    cop_strict_code code;
    char detail, other;
    uint16_t first, next; /* its first part, and the next part of what it belongs to; 0: none */
    uint16_t count;       /* of parts; of a matrix, rows are parts */
    cop_slice text;       /* digits of a number */
    uint32_t name;
} cop_strict_node;

/* An answer, as a tree. */
typedef struct cop_strict_tree {
    cop_text source; /* what slices of nodes point into */
    cop_text plain;  /* the text without what does not matter in it */
    bool wordy;      /* words: case does not matter */
    uint16_t root;   /* 0: no expression, the text is all there is */
    uint16_t count;
    cop_strict_node nodes[COP_STRICT_MOST_NODES];
} cop_strict_tree;

/* Reads an answer. What is no expression that is known here is no failure. */
cop_status cop_strict_read(cop_slice answer, cop_strict_tree **tree, cop_error *err);

/* Frees *tree and sets it to NULL; NULL is allowed. */
void cop_strict_free(cop_strict_tree **tree);

/* (strict_words.c) Appends an answer to `source` as it is read: characters of Unicode as LaTeX.
 */
cop_status cop_strict_translate(cop_slice answer, cop_text *source, cop_error *err);

/* (strict_lex.c) Cuts it into tokens, the last of which is COP_STRICT_END. \return false if
 * there is no room for them. */
bool cop_strict_cut(cop_slice source, cop_strict_token tokens[COP_STRICT_MOST_TOKENS]);

/* (strict_parse.c) Makes the tree of tokens; its root is 0 where they are no expression. */
void cop_strict_parse(const cop_strict_token *tokens, cop_strict_tree *tree);

/* A number, or an expression at one point: residues modulo two primes, which are exact for
 * whatever + - * / and whole powers make, i included; a fraction where 64 bits hold it; and the
 * complex value. */
typedef struct cop_strict_value {
    bool exact;    /* `residue` */
    bool rational; /* `above` / `below` */
    uint64_t residue[COP_STRICT_PRIMES];
    int64_t above, below; /* in lowest terms, below > 0 */
    long double complex number;
} cop_strict_value;

/* (strict_value.c) The value of an expression at a point, with the sign that \pm has. false: it
 * has none there. */
bool cop_strict_evaluate(const cop_strict_tree *tree, uint16_t node, int point, bool minus,
                         cop_strict_value *value);

/* a / b; false for a division by zero. a - b. */
bool cop_strict_divide(const cop_strict_value *a, const cop_strict_value *b,
                       cop_strict_value *value);
cop_strict_value cop_strict_subtract(const cop_strict_value *a, const cop_strict_value *b);

/* What a variable is at a point, and what stands for infinity. */
cop_strict_value cop_strict_sample(uint32_t name, int point);
cop_strict_value cop_strict_infinity(void);

/* Whether a value can be compared: exact or finite. */
bool cop_strict_is_usable(const cop_strict_value *value);

/* Whether two values are one: exactly where both are exact, else to 12 digits. */
bool cop_strict_is_same_value(const cop_strict_value *a, const cop_strict_value *b);

/* Whether an expression has variables, and whether it has a \pm. */
bool cop_strict_has_variables(const cop_strict_tree *tree, uint16_t node);
bool cop_strict_has_sign(const cop_strict_tree *tree, uint16_t node);

/* Whether a node is a number or an expression, not a list or the like. */
bool cop_strict_is_scalar(const cop_strict_tree *tree, uint16_t node);

/* An interval. */
typedef struct cop_strict_span {
    cop_strict_value low, high;
    bool low_closed, high_closed;
    uint32_t name; /* of the variable of an inequality, 0: none */
} cop_strict_span;

/* (strict_span.c) The interval that a pair in parentheses, an inequality of one variable with
 * constants, or \mathbb{R} is; false if it is none. */
bool cop_strict_find_span(const cop_strict_tree *tree, uint16_t node, cop_strict_span *span);

/* An element of what has no order: a node, with one of the signs of its \pm. */
typedef struct cop_strict_item {
    uint16_t node;
    bool minus;
} cop_strict_item;

/* The elements of a list, a set or a union, or a node itself.
 * \return how many, 0 for an empty set; SIZE_MAX where there are too many. */
size_t cop_strict_find_items(const cop_strict_tree *tree, uint16_t node,
                             cop_strict_item items[COP_STRICT_MOST_ITEMS]);

/* (strict_compare.c) Whether an answer is the reference. */
bool cop_strict_is_equal(const cop_strict_tree *answer, const cop_strict_tree *reference);

/* (strict_key.c) Appends what equal answers share, for a vote. */
cop_status cop_strict_append_key(const cop_strict_tree *tree, cop_text *key, cop_error *err);

/* (strict_extract.c) The answer that a response (valid UTF-8) gives; .data NULL for none.
 * *boxed: it is in a box. */
cop_slice cop_strict_extract(cop_slice response, bool *boxed);

#endif
