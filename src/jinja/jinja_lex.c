/* Cutting a template into tokens, as jinja2's lexer does with trim_blocks and lstrip_blocks. */
#include "jinja/jinja_lex.h"

#include "coppice/base/memory.h"
#include "coppice/unicode/unicode.h"

#include <string.h>

/* A tag's opening. */
typedef struct opening {
    size_t start, end; /* from its brace to behind its sign */
    char kind;         /* '%', '{', '#', 'r' for raw, '\0' at the end of the template */
    char sign;         /* '-', '+', '\0' */
} opening;

bool cop_jinja_is_space(uint32_t code)
{
    return cop_unicode_is_space(code) || (code >= 0x1C && code <= 0x1F);
}

size_t cop_jinja_lex_space(const jinja_lexer *self, size_t at)
{
    uint32_t code = 0;
    while (at < self->length) {
        const size_t bytes = cop_unicode_decode(self->source + at, self->length - at, &code);
        if (!cop_jinja_is_space(code)) break;
        at += bytes;
    }
    return at;
}

/* Where the white space before `end` begins, at `start` at the earliest. */
static size_t space_before(const jinja_lexer *self, size_t start, size_t end)
{
    uint32_t code = 0;
    while (end > start) {
        const size_t previous = cop_unicode_previous(self->source, end);
        (void)cop_unicode_decode(self->source + previous, end - previous, &code);
        if (!cop_jinja_is_space(code)) break;
        end = previous;
    }
    return end;
}

bool cop_jinja_lex_sees(const jinja_lexer *self, size_t at, const char *text)
{
    const size_t length = strlen(text);
    return at <= self->length && length <= self->length - at &&
           memcmp(self->source + at, text, length) == 0;
}

cop_status cop_jinja_lex_fail(const jinja_lexer *self, const char *what)
{
    return cop_error_set(self->err, COP_ERR_FORMAT, "line %d: %s", self->line, what);
}

void cop_jinja_lex_move(jinja_lexer *self, size_t to)
{
    for (; self->at < to; self->at++) {
        if (self->source[self->at] == '\n') self->line++;
    }
}

cop_status cop_jinja_lex_add(jinja_lexer *self, jinja_token_kind kind, const char *text,
                             size_t length)
{
    void *tokens = self->tokens;
    COP_TRY(cop_memory_grow(&tokens, &self->capacity, self->count + 1, sizeof *self->tokens,
                            self->err));
    self->tokens = tokens;
    self->tokens[self->count++] =
        (jinja_token){.kind = kind, .line = self->line, .text = {text, length}};
    return COP_OK;
}

/* A copy with one kind of line ends and without the last of them. */
static cop_status even_out(jinja_arena *arena, const char *source, size_t *length,
                           const char **even, cop_error *err)
{
    char *const copy = cop_jinja_take(arena, *length + 1, err);
    if (copy == NULL) return COP_ERR_UNSUPPORTED;
    size_t kept = 0;
    for (size_t i = 0; i < *length; i++) {
        const bool carriage = source[i] == '\r';
        if (carriage && i + 1 < *length && source[i + 1] == '\n') i++;
        copy[kept++] = carriage ? '\n' : source[i];
    }
    if (kept > 0 && copy[kept - 1] == '\n') kept--;
    *length = kept;
    *even = copy;
    return COP_OK;
}

static char sign_at(const jinja_lexer *self, size_t at)
{
    if (at >= self->length) return '\0';
    const char c = self->source[at];
    return c == '-' || c == '+' ? c : '\0';
}

/* Behind "{% raw %}" if that is what begins at `at`; 0 if not. */
static size_t raw_end(const jinja_lexer *self, size_t at)
{
    size_t place = at + 2;
    place += sign_at(self, place) != '\0';
    place = cop_jinja_lex_space(self, place);
    if (!cop_jinja_lex_sees(self, place, "raw")) return 0;
    place = cop_jinja_lex_space(self, place + 3);
    if (cop_jinja_lex_sees(self, place, "-%}")) return cop_jinja_lex_space(self, place + 3);
    return cop_jinja_lex_sees(self, place, "%}") ? place + 2 : 0;
}

static opening find_opening(const jinja_lexer *self)
{
    for (size_t i = self->at; i + 1 < self->length; i++) {
        if (self->source[i] != '{') continue;
        const char kind = self->source[i + 1];
        if (kind != '%' && kind != '{' && kind != '#') continue;
        const char sign = sign_at(self, i + 2);
        const size_t raw = kind == '%' ? raw_end(self, i) : 0;
        if (raw != 0) return (opening){i, raw, 'r', sign};
        return (opening){i, i + 2 + (sign != '\0'), kind, sign};
    }
    return (opening){self->length, self->length, '\0', '\0'};
}

/* Text up to a tag, without the white space that the tag takes. */
static cop_status add_data(jinja_lexer *self, size_t end, const opening *tag)
{
    const size_t start = self->at;
    size_t kept = end;
    if (tag->sign == '-') {
        kept = space_before(self, start, end);
    } else if (tag->sign != '+' && tag->kind != '{' && tag->kind != '\0') {
        size_t line = end;
        while (line > start && self->source[line - 1] != '\n')
            line--;
        if ((line > start || self->line_starts) && space_before(self, line, end) == line)
            kept = line;
    }
    return kept > start
               ? cop_jinja_lex_add(self, JINJA_DATA, self->source + start, kept - start)
               : COP_OK;
}

/* Behind the end of a block or comment at `at`, whose mark is "%}" or "#}"; 0 if none is. */
size_t cop_jinja_lex_end(const jinja_lexer *self, size_t at, const char *mark)
{
    if (sign_at(self, at) == '+' && cop_jinja_lex_sees(self, at + 1, mark)) return at + 3;
    if (sign_at(self, at) == '-' && cop_jinja_lex_sees(self, at + 1, mark))
        return cop_jinja_lex_space(self, at + 3);
    if (!cop_jinja_lex_sees(self, at, mark)) return 0;
    return at + 2 + cop_jinja_lex_sees(self, at + 2, "\n");
}

static cop_status skip_comment(jinja_lexer *self)
{
    for (size_t i = self->at; i < self->length; i++) {
        const size_t end = cop_jinja_lex_end(self, i, "#}");
        if (end == 0) continue;
        cop_jinja_lex_move(self, end);
        return COP_OK;
    }
    if (self->at == self->length) return COP_OK; /* as jinja2 has it */
    return cop_jinja_lex_fail(self, "the comment has no end");
}

static cop_status take_raw(jinja_lexer *self)
{
    for (size_t i = self->at; i + 1 < self->length; i++) {
        if (!cop_jinja_lex_sees(self, i, "{%")) continue;
        const char sign = sign_at(self, i + 2);
        size_t place = cop_jinja_lex_space(self, i + 2 + (sign != '\0'));
        if (!cop_jinja_lex_sees(self, place, "endraw")) continue;
        place = cop_jinja_lex_space(self, place + 6);
        const size_t end = cop_jinja_lex_end(self, place, "%}");
        if (end == 0) continue;
        const opening tag = {i, end, 'r', sign};
        COP_TRY(add_data(self, i, &tag));
        cop_jinja_lex_move(self, end);
        return COP_OK;
    }
    if (self->at == self->length) return COP_OK; /* as jinja2 has it */
    return cop_jinja_lex_fail(self, "{% raw %} has no {% endraw %}");
}

static cop_status lex(jinja_lexer *self)
{
    while (self->at < self->length) {
        const opening tag = find_opening(self);
        COP_TRY(add_data(self, tag.start, &tag));
        cop_jinja_lex_move(self, tag.end);
        if (tag.kind == '\0') break;
        self->line_starts = false;
        if (tag.kind == '#') {
            COP_TRY(skip_comment(self));
        } else if (tag.kind == 'r') {
            self->line_starts = self->source[tag.end - 1] == '\n';
            COP_TRY(take_raw(self));
        } else {
            COP_TRY(cop_jinja_lex_tag(self, tag.kind == '{'));
        }
        self->line_starts = self->source[self->at - 1] == '\n';
    }
    return cop_jinja_lex_add(self, JINJA_END, "", 0);
}

cop_status cop_jinja_lex(jinja_arena *arena, const char *source, size_t length,
                         jinja_token **tokens, size_t *count, cop_error *err)
{
    jinja_lexer self = {.arena = arena, .line = 1, .line_starts = true, .err = err};
    *tokens = NULL;
    *count = 0;
    COP_CHECK(cop_unicode_is_valid(source, length), err, COP_ERR_FORMAT,
              "the template is not valid UTF-8");
    self.length = length;
    COP_TRY(even_out(arena, source, &self.length, &self.source, err));
    cop_status status = lex(&self);
    if (status == COP_OK) {
        *tokens = cop_jinja_take_array(arena, self.count, sizeof **tokens, err);
        if (*tokens == NULL) {
            status = COP_ERR_UNSUPPORTED;
        } else {
            memcpy(*tokens, self.tokens, self.count * sizeof **tokens);
            *count = self.count;
        }
    }
    cop_memory_free(self.tokens);
    return status;
}
