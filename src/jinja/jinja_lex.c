/* Cutting a template into tokens, as jinja2's lexer does with trim_blocks and lstrip_blocks. */
#include "coppice/base/memory.h"
#include "coppice/unicode/unicode.h"
#include "coppice/unicode/unicode_table.h"
#include "jinja/jinja_characters.h"
#include "jinja/jinja_tree.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BRACKETS = 200 };

typedef struct lexer {
    jinja_arena *arena;
    const char *source; /* [length], valid UTF-8, lines ended by \n */
    size_t length, at;
    int line;
    bool line_starts;    /* what was taken last ended with a line */
    jinja_token *tokens; /* [count], owned until they lie in the arena */
    size_t count, capacity;
    cop_error *err;
} lexer;

/* A tag's opening. */
typedef struct opening {
    size_t start, end; /* from its brace to behind its sign */
    char kind;         /* '%', '{', '#', 'r' for raw, '\0' at the end of the template */
    char sign;         /* '-', '+', '\0' */
} opening;

/* Behind the white space at `at`. */
static size_t space_end(const lexer *self, size_t at)
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
static size_t space_before(const lexer *self, size_t start, size_t end)
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

static bool sees(const lexer *self, size_t at, const char *text)
{
    const size_t length = strlen(text);
    return at <= self->length && length <= self->length - at &&
           memcmp(self->source + at, text, length) == 0;
}

/* COP_ERR_FORMAT, with the line. */
static cop_status fail(const lexer *self, const char *what)
{
    return cop_error_set(self->err, COP_ERR_FORMAT, "line %d: %s", self->line, what);
}

/* Goes on to `to`, counting lines. */
static void move_to(lexer *self, size_t to)
{
    for (; self->at < to; self->at++) {
        if (self->source[self->at] == '\n') self->line++;
    }
}

static cop_status add(lexer *self, jinja_token_kind kind, const char *text, size_t length)
{
    COP_GROW(self->tokens, self->capacity, self->count + 1, self->err);
    self->tokens[self->count++] =
        (jinja_token){.kind = kind, .line = self->line, .text = {text, length}};
    return COP_OK;
}

/* --- tags --- */

static char sign_at(const lexer *self, size_t at)
{
    if (at >= self->length) return '\0';
    const char c = self->source[at];
    return c == '-' || c == '+' ? c : '\0';
}

/* Behind the end of a block or comment at `at`, whose mark is "%}" or "#}", with
 * the white space that it takes; 0 if none is. */
static size_t block_end(const lexer *self, size_t at, const char *mark)
{
    if (sign_at(self, at) == '+' && sees(self, at + 1, mark)) return at + 3;
    if (sign_at(self, at) == '-' && sees(self, at + 1, mark)) return space_end(self, at + 3);
    if (!sees(self, at, mark)) return 0;
    return at + 2 + sees(self, at + 2, "\n");
}

static char peek(const lexer *self, size_t at)
{
    return at < self->length ? self->source[at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Behind digits that single underscores may part. */
static size_t digits_end(const lexer *self, size_t at)
{
    while (is_digit(peek(self, at)) || (peek(self, at) == '_' && is_digit(peek(self, at + 1)) &&
                                        at > 0 && is_digit(peek(self, at - 1))))
        at++;
    return at;
}

/* Behind a number with a fraction or an exponent; 0 if none is here. */
static size_t real_end(const lexer *self)
{
    if (!is_digit(peek(self, self->at))) return 0;
    if (self->at > 0 && self->source[self->at - 1] == '.') return 0;
    size_t end = digits_end(self, self->at);
    bool is_real = false;
    if (peek(self, end) == '.' && is_digit(peek(self, end + 1))) {
        end = digits_end(self, end + 1);
        is_real = true;
    }
    if (peek(self, end) == 'e' || peek(self, end) == 'E') {
        const char sign = peek(self, end + 1);
        const size_t digits = end + 1 + (sign == '+' || sign == '-');
        if (is_digit(peek(self, digits))) return digits_end(self, digits);
    }
    return is_real ? end : 0;
}

/* Behind an integer, and its base. */
static size_t integer_end(const lexer *self, int *base)
{
    size_t at = self->at;
    const char mark = (char)tolower((unsigned char)peek(self, at + 1));
    *base = peek(self, at) != '0' ? 10
            : mark == 'x'         ? 16
            : mark == 'o'         ? 8
            : mark == 'b'         ? 2
                                  : 10;
    if (*base == 10) {
        if (peek(self, at) != '0') return digits_end(self, at);
        while (peek(self, at) == '0' || (peek(self, at) == '_' && peek(self, at + 1) == '0'))
            at++;
        return at;
    }
    at += 2;
    for (;;) {
        const size_t digit = at + (peek(self, at) == '_');
        const char text[2] = {peek(self, digit), '\0'};
        char *end = NULL;
        if (text[0] == '\0' || isspace((unsigned char)text[0]) || text[0] == '+' ||
            text[0] == '-')
            break;
        (void)strtol(text, &end, *base);
        if (end == text) break;
        at = digit + 1;
    }
    if (at > self->at + 2) return at;
    *base = 10; /* "0x" alone is a zero and a name */
    return self->at + 1;
}

static cop_status take_number(lexer *self)
{
    int base = 10;
    const size_t real = real_end(self);
    const size_t end = real != 0 ? real : integer_end(self, &base);
    char digits[64];
    size_t length = 0;
    for (size_t i = self->at; i < end; i++) {
        if (self->source[i] == '_') continue;
        if (length + 1 == sizeof digits) return fail(self, "a number is too long");
        digits[length++] = self->source[i];
    }
    digits[length] = '\0';
    COP_TRY(add(self, real != 0 ? JINJA_REAL : JINJA_INTEGER, self->source + self->at,
                end - self->at));
    jinja_token *const token = &self->tokens[self->count - 1];
    errno = 0;
    if (real != 0) {
        token->real = strtod(digits, NULL);
    } else {
        token->integer = strtoll(digits + (base != 10 ? 2 : 0), NULL, base);
        if (errno == ERANGE)
            return cop_error_set(self->err, COP_ERR_UNSUPPORTED,
                                 "line %d: an integer of more than 64 bits is not supported",
                                 self->line);
    }
    move_to(self, end);
    return COP_OK;
}

/* The value of the digits [1 .. most] in `base` at *at, past which it goes; -1: none. */
static int64_t take_digits(const lexer *self, size_t *at, int base, int least, int most)
{
    int64_t value = 0;
    int count = 0;
    for (; count < most; count++) {
        const char c = peek(self, *at);
        int digit = 16;
        if (is_digit(c)) digit = c - '0';
        if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
        if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
        if (digit >= base) break;
        value = value * base + digit;
        (*at)++;
    }
    return count >= least ? value : -1;
}

/* Undoes the escape at *at (behind the backslash) into out; returns the bytes, -1 on a mistake.
 */
static int unescape(const lexer *self, size_t *at, char out[8])
{
    static const char letters[] = "ntrabfv\\'\"";
    static const char meant[] = "\n\t\r\a\b\f\v\\'\"";
    const char c = peek(self, *at);
    const char *const found = c == '\0' ? NULL : strchr(letters, c);
    int64_t code = -1;
    if (found != NULL) {
        (*at)++;
        out[0] = meant[found - letters];
        return 1;
    }
    if (c == '\n') {
        (*at)++;
        return 0;
    }
    if (c >= '0' && c <= '7') {
        code = take_digits(self, at, 8, 1, 3);
    } else if (c == 'x' || c == 'u' || c == 'U') {
        const int digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        (*at)++;
        code = take_digits(self, at, 16, digits, digits);
    } else if (c == 'N') {
        return -1;
    } else {
        out[0] = '\\'; /* an escape that means nothing stays */
        return 1;
    }
    if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return -1;
    return (int)cop_unicode_encode((uint32_t)code, out);
}

static cop_status take_string(lexer *self)
{
    const char quote = self->source[self->at];
    size_t end = self->at + 1;
    while (end < self->length && self->source[end] != quote)
        end += self->source[end] == '\\' ? 2 : 1;
    if (end >= self->length) return fail(self, "a string has no end");
    char *const text = cop_jinja_take(self->arena, end - self->at, self->err);
    if (text == NULL) return COP_ERR_UNSUPPORTED;
    size_t length = 0;
    for (size_t i = self->at + 1; i < end;) {
        if (self->source[i] != '\\') {
            text[length++] = self->source[i++];
            continue;
        }
        char out[8];
        i++;
        const int bytes = unescape(self, &i, out);
        if (bytes < 0) return fail(self, "a string has an escape of no character, or \\N{}");
        memcpy(text + length, out, (size_t)bytes);
        length += (size_t)bytes;
    }
    COP_TRY(add(self, JINJA_STRING, text, length));
    move_to(self, end + 1);
    return COP_OK;
}

/* Behind the name here; self->at if there is none. */
static size_t name_end(const lexer *self)
{
    size_t at = self->at;
    uint32_t code = 0;
    while (at < self->length) {
        const size_t bytes = cop_unicode_decode(self->source + at, self->length - at, &code);
        if (!cop_unicode_is_word(code)) break;
        at += bytes;
    }
    return at;
}

/* Longer ones first. */
static const struct {
    const char *text;
    jinja_token_kind kind;
} operators[] = {
    {"//", JINJA_FLOOR_DIVIDE}, {"**", JINJA_POWER},         {"==", JINJA_EQUAL},
    {"!=", JINJA_NOT_EQUAL},    {">=", JINJA_GREATER_EQUAL}, {"<=", JINJA_LESS_EQUAL},
    {"+", JINJA_ADD},           {"-", JINJA_SUBTRACT},       {"/", JINJA_DIVIDE},
    {"*", JINJA_MULTIPLY},      {"%", JINJA_MODULO},         {"~", JINJA_TILDE},
    {"[", JINJA_LEFT_BRACKET},  {"]", JINJA_RIGHT_BRACKET},  {"(", JINJA_LEFT_PAREN},
    {")", JINJA_RIGHT_PAREN},   {"{", JINJA_LEFT_BRACE},     {"}", JINJA_RIGHT_BRACE},
    {">", JINJA_GREATER},       {"<", JINJA_LESS},           {"=", JINJA_ASSIGN},
    {".", JINJA_DOT},           {":", JINJA_COLON},          {"|", JINJA_PIPE},
    {",", JINJA_COMMA},         {";", JINJA_SEMICOLON}};

static cop_status take_operator(lexer *self, char *brackets, size_t *open)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        const char *const text = operators[i].text;
        if (!sees(self, self->at, text)) continue;
        if (strchr("([{", text[0]) != NULL) {
            if (*open == MAX_BRACKETS) return fail(self, "brackets are nested too deeply");
            brackets[(*open)++] = text[0];
        } else if (strchr(")]}", text[0]) != NULL) {
            const char wanted = text[0] == ')' ? '(' : text[0] == ']' ? '[' : '{';
            if (*open == 0 || brackets[--*open] != wanted)
                return fail(self, "a bracket closes what is not open");
        }
        COP_TRY(add(self, operators[i].kind, self->source + self->at, strlen(text)));
        move_to(self, self->at + strlen(text));
        return COP_OK;
    }
    return fail(self, "a tag has a character that means nothing there");
}

/* Behind the tag's end here, 0 if it goes on. */
static size_t tag_end(const lexer *self, bool output)
{
    if (!output) return block_end(self, self->at, "%}");
    if (sees(self, self->at, "-}}")) return space_end(self, self->at + 3);
    return sees(self, self->at, "}}") ? self->at + 2 : 0;
}

/* The tokens of a tag, from behind its opening to behind its end. */
static cop_status lex_tag(lexer *self, bool output)
{
    char brackets[MAX_BRACKETS];
    size_t open = 0;
    COP_TRY(add(self, output ? JINJA_OUTPUT_BEGIN : JINJA_BLOCK_BEGIN, "", 0));
    while (self->at < self->length) {
        const size_t end = open == 0 ? tag_end(self, output) : 0;
        if (end != 0) {
            COP_TRY(add(self, output ? JINJA_OUTPUT_END : JINJA_BLOCK_END, "", 0));
            move_to(self, end);
            return COP_OK;
        }
        const size_t space = space_end(self, self->at);
        if (space > self->at) {
            move_to(self, space);
            continue;
        }
        const char c = self->source[self->at];
        if (is_digit(c)) {
            COP_TRY(take_number(self));
        } else if (c == '\'' || c == '"') {
            COP_TRY(take_string(self));
        } else if (name_end(self) > self->at) {
            const size_t name = name_end(self);
            COP_TRY(add(self, JINJA_WORD, self->source + self->at, name - self->at));
            move_to(self, name);
        } else {
            COP_TRY(take_operator(self, brackets, &open));
        }
    }
    return fail(self, "a tag has no end");
}

/* --- text between tags --- */

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

/* Behind "{% raw %}" if that is what begins at `at`; 0 if not. */
static size_t raw_end(const lexer *self, size_t at)
{
    size_t place = at + 2;
    place += sign_at(self, place) != '\0';
    place = space_end(self, place);
    if (!sees(self, place, "raw")) return 0;
    place = space_end(self, place + 3);
    if (sees(self, place, "-%}")) return space_end(self, place + 3);
    return sees(self, place, "%}") ? place + 2 : 0;
}

static opening find_opening(const lexer *self)
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
static cop_status add_data(lexer *self, size_t end, const opening *tag)
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
    return kept > start ? add(self, JINJA_DATA, self->source + start, kept - start) : COP_OK;
}

static cop_status skip_comment(lexer *self)
{
    for (size_t i = self->at; i < self->length; i++) {
        const size_t end = block_end(self, i, "#}");
        if (end == 0) continue;
        move_to(self, end);
        return COP_OK;
    }
    if (self->at == self->length) return COP_OK; /* as jinja2 has it */
    return fail(self, "the comment has no end");
}

static cop_status take_raw(lexer *self)
{
    for (size_t i = self->at; i + 1 < self->length; i++) {
        if (!sees(self, i, "{%")) continue;
        const char sign = sign_at(self, i + 2);
        size_t place = space_end(self, i + 2 + (sign != '\0'));
        if (!sees(self, place, "endraw")) continue;
        place = space_end(self, place + 6);
        const size_t end = block_end(self, place, "%}");
        if (end == 0) continue;
        const opening tag = {i, end, 'r', sign};
        COP_TRY(add_data(self, i, &tag));
        move_to(self, end);
        return COP_OK;
    }
    if (self->at == self->length) return COP_OK; /* as jinja2 has it */
    return fail(self, "{% raw %} has no {% endraw %}");
}

static cop_status lex(lexer *self)
{
    while (self->at < self->length) {
        const opening tag = find_opening(self);
        COP_TRY(add_data(self, tag.start, &tag));
        move_to(self, tag.end);
        if (tag.kind == '\0') break;
        self->line_starts = false;
        if (tag.kind == '#') {
            COP_TRY(skip_comment(self));
        } else if (tag.kind == 'r') {
            self->line_starts = self->source[tag.end - 1] == '\n';
            COP_TRY(take_raw(self));
        } else {
            COP_TRY(lex_tag(self, tag.kind == '{'));
        }
        self->line_starts = self->source[self->at - 1] == '\n';
    }
    return add(self, JINJA_END, "", 0);
}

cop_status cop_jinja_lex(jinja_arena *arena, const char *source, size_t length,
                         jinja_token **tokens, size_t *count, cop_error *err)
{
    lexer self = {.arena = arena, .line = 1, .line_starts = true, .err = err};
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
