/* What the two halves of the lexer share: text between tags, and tags. */
#ifndef COP_JINJA_JINJA_LEX_H
#define COP_JINJA_JINJA_LEX_H

#include "jinja/jinja_text.h"
#include "jinja/jinja_tree.h"

enum { JINJA_MAX_BRACKETS = 200 };

typedef struct jinja_lexer {
    jinja_arena *arena;
    const char *source; /* [length], valid UTF-8, lines ended by \n */
    size_t length, at;
    int line;
    bool line_starts;    /* what was taken last ended with a line */
    jinja_token *tokens; /* [count], owned until they lie in the arena */
    size_t count, capacity;
    cop_error *err;
} jinja_lexer;

/* Behind the white space at `at`. */
size_t cop_jinja_lex_space(const jinja_lexer *self, size_t at);

bool cop_jinja_lex_sees(const jinja_lexer *self, size_t at, const char *text);

/* COP_ERR_FORMAT, with the line. */
cop_status cop_jinja_lex_fail(const jinja_lexer *self, const char *what);

/* Goes on to `to`, counting lines. */
void cop_jinja_lex_move(jinja_lexer *self, size_t to);

cop_status cop_jinja_lex_add(jinja_lexer *self, jinja_token_kind kind, const char *text,
                             size_t length);

/* Behind the end of a block or comment at `at`, with the white space that it takes; 0 if there
 * is none. */
size_t cop_jinja_lex_end(const jinja_lexer *self, size_t at, const char *mark);

/* The tokens of a tag, from behind its opening to behind its end. */
cop_status cop_jinja_lex_tag(jinja_lexer *self, bool output);

#endif
