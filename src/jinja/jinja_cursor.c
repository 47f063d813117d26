/* What all parsing uses: the token to come, nodes, depth, and how a template is refused. */
#include "jinja/jinja_parse.h"

#include <stdarg.h>
#include <stdio.h>

enum { MAX_DEPTH = 120 };

cop_status cop_jinja_refuse(const jinja_parser *self, cop_status status, const char *format,
                            ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return cop_error_set(self->err, status, "line %d: %s", self->at->line, what);
}

cop_status cop_jinja_descend(jinja_parser *self)
{
    if (self->depth == MAX_DEPTH)
        return cop_jinja_refuse(self, COP_ERR_UNSUPPORTED,
                                "more than %d levels of nesting are not supported", MAX_DEPTH);
    self->depth++;
    return COP_OK;
}

cop_status cop_jinja_make(const jinja_parser *self, jinja_node_kind kind, jinja_node **node)
{
    *node = cop_jinja_take(self->arena, sizeof **node, self->err);
    if (*node == NULL) return COP_ERR_UNSUPPORTED;
    (*node)->kind = kind;
    (*node)->line = self->at->line;
    return COP_OK;
}

bool cop_jinja_is_word(const jinja_token *token, const char *word)
{
    return token->kind == JINJA_WORD && cop_jinja_text_is(token->text, word);
}

bool cop_jinja_skip_word(jinja_parser *self, const char *word)
{
    if (!cop_jinja_is_word(self->at, word)) return false;
    self->at++;
    return true;
}

bool cop_jinja_skip(jinja_parser *self, jinja_token_kind kind)
{
    if (self->at->kind != kind) return false;
    self->at++;
    return true;
}

cop_status cop_jinja_expect(jinja_parser *self, jinja_token_kind kind, const char *what)
{
    if (cop_jinja_skip(self, kind)) return COP_OK;
    return cop_jinja_refuse(self, COP_ERR_FORMAT, "%s should stand here", what);
}
