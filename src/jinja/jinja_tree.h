/* Tokens and syntax tree of a template. All lies in the template's arena; texts are not ended
 * by NUL. */
#ifndef COP_JINJA_JINJA_TREE_H
#define COP_JINJA_JINJA_TREE_H

#include "coppice/jinja/jinja.h"
#include "jinja/jinja_arena.h"

#include <stdint.h>
#include <string.h>

typedef struct jinja_text {
    const char *data; /* [length] */
    size_t length;
} jinja_text;

/* Operators are tokens and what nodes do alike. */
typedef enum jinja_token_kind {
    JINJA_END,
    JINJA_DATA,
    JINJA_BLOCK_BEGIN,
    JINJA_BLOCK_END,
    JINJA_OUTPUT_BEGIN,
    JINJA_OUTPUT_END,
    JINJA_WORD,
    JINJA_STRING,
    JINJA_INTEGER,
    JINJA_REAL,
    JINJA_ADD,
    JINJA_SUBTRACT,
    JINJA_MULTIPLY,
    JINJA_DIVIDE,
    JINJA_FLOOR_DIVIDE,
    JINJA_MODULO,
    JINJA_POWER,
    JINJA_TILDE,
    JINJA_EQUAL,
    JINJA_NOT_EQUAL,
    JINJA_LESS,
    JINJA_LESS_EQUAL,
    JINJA_GREATER,
    JINJA_GREATER_EQUAL,
    JINJA_IN,     /* of a comparison; no token */
    JINJA_NOT_IN, /* the same */
    JINJA_ASSIGN,
    JINJA_DOT,
    JINJA_COLON,
    JINJA_PIPE,
    JINJA_COMMA,
    JINJA_SEMICOLON,
    JINJA_LEFT_PAREN,
    JINJA_RIGHT_PAREN,
    JINJA_LEFT_BRACKET,
    JINJA_RIGHT_BRACKET,
    JINJA_LEFT_BRACE,
    JINJA_RIGHT_BRACE
} jinja_token_kind;

typedef struct jinja_token {
    jinja_token_kind kind;
    int line;
    jinja_text text; /* data, word, contents of a string */
    int64_t integer;
    double real;
} jinja_token;

/* Cuts source [length] into tokens [*count], the last of them JINJA_END. */
cop_status cop_jinja_lex(jinja_arena *arena, const char *source, size_t length,
                         jinja_token **tokens, size_t *count, cop_error *err);

typedef enum jinja_node_kind {
    /* Expressions. */
    JINJA_NODE_STRING,  /* text */
    JINJA_NODE_INTEGER, /* integer */
    JINJA_NODE_REAL,    /* real */
    JINJA_NODE_BOOLEAN, /* integer */
    JINJA_NODE_NONE,    /* */
    JINJA_NODE_NAME,    /* text */
    JINJA_NODE_GETATTR, /* a.text */
    JINJA_NODE_GETITEM, /* a[b] */
    JINJA_NODE_SLICE,   /* a:b:c, each may be NULL; only as b of JINJA_NODE_GETITEM */
    JINJA_NODE_CALL,    /* a(args) */
    JINJA_NODE_FILTER,  /* a|text(args); a NULL: the text of the block */
    JINJA_NODE_TEST,    /* a is text(args) */
    JINJA_NODE_LIST,    /* [args] */
    JINJA_NODE_TUPLE,   /* (args) */
    JINJA_NODE_DICT,    /* args: keys and values in turn */
    JINJA_NODE_UNARY,   /* op a */
    JINJA_NODE_BINARY,  /* a op b */
    JINJA_NODE_COMPARE, /* a, args: JINJA_NODE_OPERAND */
    JINJA_NODE_OPERAND, /* op a */
    JINJA_NODE_AND,     /* a, b */
    JINJA_NODE_OR,      /* a, b */
    JINJA_NODE_NOT,     /* a */
    JINJA_NODE_CHOICE,  /* b if a else c; c may be NULL */
    JINJA_NODE_KEYWORD, /* text=a, an argument */
    JINJA_NODE_STAR,    /* *a, an argument */
    JINJA_NODE_STAR_STAR /* **a, an argument */,
    /* Statements; body and otherwise are lists of such. */
    JINJA_NODE_DATA,      /* text */
    JINJA_NODE_OUTPUT,    /* a */
    JINJA_NODE_IF,        /* a, body, otherwise */
    JINJA_NODE_FOR,       /* a in b if c, body, otherwise; c may be NULL */
    JINJA_NODE_SET,       /* a = b; a is JINJA_NODE_NAME, _TUPLE or _GETATTR (of a namespace) */
    JINJA_NODE_SET_BLOCK, /* a = body through the filters b; b may be NULL */
    JINJA_NODE_MACRO,     /* text(args): body */
    JINJA_NODE_CALL_BLOCK, /* a is the call; body with parameters args is its caller() */
    JINJA_NODE_FILTERED,   /* body through the filters b */
    JINJA_NODE_WITH,       /* args: targets and values in turn, body */
    JINJA_NODE_SCOPE,      /* body */
    JINJA_NODE_BREAK,      /* */
    JINJA_NODE_CONTINUE    /* */
} jinja_node_kind;

/* Which of a macro's special names its body reads. */
enum { JINJA_READS_VARARGS = 1, JINJA_READS_KWARGS = 2 };

typedef struct jinja_node {
    jinja_node_kind kind;
    jinja_token_kind op;
    int line;
    unsigned reads; /* JINJA_NODE_MACRO and _CALL_BLOCK */
    jinja_text text;
    int64_t integer;
    double real;
    struct jinja_node *a, *b, *c;
    struct jinja_node *args, *body, *otherwise; /* first of each list */
    struct jinja_node *next;                    /* in the list that it is in */
} jinja_node;

struct cop_jinja {
    jinja_arena arena;
    const jinja_node *body;
    const jinja_token *tokens; /* [token_count] */
    size_t token_count;
};

static inline bool cop_jinja_text_is(jinja_text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

#endif
