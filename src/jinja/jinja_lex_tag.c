/* The tokens inside a tag. */
#include "coppice/unicode/unicode.h"
#include "jinja/jinja_lex.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char peek(const jinja_lexer *self, size_t at)
{
    return at < self->length ? self->source[at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Behind digits that single underscores may part. */
static size_t digits_end(const jinja_lexer *self, size_t at)
{
    while (is_digit(peek(self, at)) || (peek(self, at) == '_' && is_digit(peek(self, at + 1)) &&
                                        at > 0 && is_digit(peek(self, at - 1))))
        at++;
    return at;
}

/* Behind a number with a fraction or an exponent; 0 if none is here. */
static size_t real_end(const jinja_lexer *self)
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
static size_t integer_end(const jinja_lexer *self, int *base)
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

static cop_status take_number(jinja_lexer *self)
{
    int base = 10;
    const size_t real = real_end(self);
    const size_t end = real != 0 ? real : integer_end(self, &base);
    char digits[64];
    size_t length = 0;
    for (size_t i = self->at; i < end; i++) {
        if (self->source[i] == '_') continue;
        if (length + 1 == sizeof digits)
            return cop_jinja_lex_fail(self, "a number is too long");
        digits[length++] = self->source[i];
    }
    digits[length] = '\0';
    COP_TRY(cop_jinja_lex_add(self, real != 0 ? JINJA_REAL : JINJA_INTEGER,
                              self->source + self->at, end - self->at));
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
    cop_jinja_lex_move(self, end);
    return COP_OK;
}

/* The value of the digits [1 .. most] in `base` at *at, past which it goes; -1: none. */
static int64_t take_digits(const jinja_lexer *self, size_t *at, int base, int least, int most)
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
static int unescape(const jinja_lexer *self, size_t *at, char out[8])
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

static cop_status take_string(jinja_lexer *self)
{
    const char quote = self->source[self->at];
    size_t end = self->at + 1;
    while (end < self->length && self->source[end] != quote)
        end += self->source[end] == '\\' ? 2 : 1;
    if (end >= self->length) return cop_jinja_lex_fail(self, "a string has no end");
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
        if (bytes < 0)
            return cop_jinja_lex_fail(self, "a string has an escape of no character, or \\N{}");
        memcpy(text + length, out, (size_t)bytes);
        length += (size_t)bytes;
    }
    COP_TRY(cop_jinja_lex_add(self, JINJA_STRING, text, length));
    cop_jinja_lex_move(self, end + 1);
    return COP_OK;
}

/* Behind the name here; self->at if there is none. */
static size_t name_end(const jinja_lexer *self)
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

static cop_status take_operator(jinja_lexer *self, char *brackets, size_t *open)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        const char *const text = operators[i].text;
        if (!cop_jinja_lex_sees(self, self->at, text)) continue;
        if (strchr("([{", text[0]) != NULL) {
            if (*open == JINJA_MAX_BRACKETS)
                return cop_jinja_lex_fail(self, "brackets are nested too deeply");
            brackets[(*open)++] = text[0];
        } else if (strchr(")]}", text[0]) != NULL) {
            const char wanted = text[0] == ')' ? '(' : text[0] == ']' ? '[' : '{';
            if (*open == 0 || brackets[--*open] != wanted)
                return cop_jinja_lex_fail(self, "a bracket closes what is not open");
        }
        COP_TRY(
            cop_jinja_lex_add(self, operators[i].kind, self->source + self->at, strlen(text)));
        cop_jinja_lex_move(self, self->at + strlen(text));
        return COP_OK;
    }
    return cop_jinja_lex_fail(self, "a tag has a character that means nothing there");
}

/* Behind the tag's end here, 0 if it goes on. */
static size_t tag_end(const jinja_lexer *self, bool output)
{
    if (!output) return cop_jinja_lex_end(self, self->at, "%}");
    if (cop_jinja_lex_sees(self, self->at, "-}}"))
        return cop_jinja_lex_space(self, self->at + 3);
    return cop_jinja_lex_sees(self, self->at, "}}") ? self->at + 2 : 0;
}

cop_status cop_jinja_lex_tag(jinja_lexer *self, bool output)
{
    char brackets[JINJA_MAX_BRACKETS];
    size_t open = 0;
    COP_TRY(cop_jinja_lex_add(self, output ? JINJA_OUTPUT_BEGIN : JINJA_BLOCK_BEGIN, "", 0));
    while (self->at < self->length) {
        const size_t end = open == 0 ? tag_end(self, output) : 0;
        if (end != 0) {
            COP_TRY(
                cop_jinja_lex_add(self, output ? JINJA_OUTPUT_END : JINJA_BLOCK_END, "", 0));
            cop_jinja_lex_move(self, end);
            return COP_OK;
        }
        const size_t space = cop_jinja_lex_space(self, self->at);
        if (space > self->at) {
            cop_jinja_lex_move(self, space);
            continue;
        }
        const char c = self->source[self->at];
        if (is_digit(c)) {
            COP_TRY(take_number(self));
        } else if (c == '\'' || c == '"') {
            COP_TRY(take_string(self));
        } else if (name_end(self) > self->at) {
            const size_t name = name_end(self);
            COP_TRY(
                cop_jinja_lex_add(self, JINJA_WORD, self->source + self->at, name - self->at));
            cop_jinja_lex_move(self, name);
        } else {
            COP_TRY(take_operator(self, brackets, &open));
        }
    }
    return cop_jinja_lex_fail(self, "a tag has no end");
}
