/* From text to tokens: LaTeX, plain text and the characters of Unicode that stand for it. */
#include "task/math/strict.h"

#include "task/characters.h"
#include "task/math/strict_words.h"

#include <string.h>

/* The name of a variable: its FNV-1a hash. */
static uint32_t hash_name(cop_slice name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.length; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 16777619u;
    return hash;
}

/* --- tokens --- */

typedef struct lexer {
    cop_slice left; /* of the source */
    cop_strict_token *tokens;
    size_t count;
    size_t depth; /* of parentheses, in which a comma parts things */
    bool spaced;
    bool full;
} lexer;

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const lexer *l, size_t ahead)
{
    return ahead < l->left.length ? l->left.data[ahead] : '\0';
}

static cop_slice take(lexer *l, size_t length)
{
    const cop_slice taken = {l->left.data, length};
    l->left = (cop_slice){l->left.data + length, l->left.length - length};
    return taken;
}

/* Tokens of the end, so that a reader may look ahead. */
enum { AFTER = 5 };

static void add(lexer *l, cop_strict_token token)
{
    if (l->count + AFTER >= COP_STRICT_MOST_TOKENS) {
        l->full = true;
        return;
    }
    token.spaced = l->spaced;
    l->spaced = false;
    l->tokens[l->count++] = token;
}

static void add_code(lexer *l, cop_strict_code code, char detail, size_t bytes)
{
    add(l, (cop_strict_token){.code = code, .detail = detail, .text = take(l, bytes)});
}

static void add_entry(lexer *l, const cop_strict_entry *found, cop_slice word)
{
    if (found->code == COP_STRICT_END) {
        l->spaced = true;
        return;
    }
    add(l, (cop_strict_token){.code = found->code,
                              .detail = found->detail,
                              .text = word,
                              .name = (uint32_t)found->name});
    if (found->code == COP_STRICT_OPEN) l->depth++;
    if (found->code == COP_STRICT_CLOSE && l->depth > 0) l->depth--;
}

static void add_letter(lexer *l, cop_slice letter)
{
    const bool e = cop_slice_is(letter, "e");
    const bool i = cop_slice_is(letter, "i");
    cop_strict_token token = {.code = e || i ? COP_STRICT_CONSTANT : COP_STRICT_NAME,
                              .text = letter};
    token.name = e ? COP_STRICT_E : i ? COP_STRICT_I : hash_name(letter);
    add(l, token);
}

/* Bytes of what parts groups of three digits, with three digits behind it; 0 for none. */
static size_t match_separator(const lexer *l, size_t at)
{
    static const char *const separators[] = {"{,}", ",\\!", ",", "\\,"};
    for (size_t i = 0; i < sizeof separators / sizeof separators[0]; i++) {
        const size_t size = strlen(separators[i]);
        if (at + size > l->left.length || memcmp(l->left.data + at, separators[i], size) != 0)
            continue;
        if (size == 1 && l->depth > 0) return 0;
        size_t end = at + size;
        while (size > 1 && peek(l, end) == ' ')
            end++;
        const bool group = is_digit(peek(l, end)) && is_digit(peek(l, end + 1)) &&
                           is_digit(peek(l, end + 2)) && !is_digit(peek(l, end + 3));
        return group ? end - at : 0;
    }
    return 0;
}

/* Digits with separators, a point and an exponent. */
static void add_number(lexer *l)
{
    size_t at = 0;
    while (is_digit(peek(l, at)))
        at++;
    if (at >= 1 && at <= 3 && peek(l, 0) != '0') {
        for (size_t size = match_separator(l, at); size > 0; size = match_separator(l, at))
            at += size + 3;
    }
    /* A full stop at the end is no point: \frac12. takes digits one by one. */
    if (peek(l, at) == '.' &&
        (is_digit(peek(l, at + 1)) || (at > 0 && at + 1 < l->left.length))) {
        at++;
        while (is_digit(peek(l, at)))
            at++;
    }
    if (peek(l, at) == 'e' || peek(l, at) == 'E') {
        const size_t sign = peek(l, at + 1) == '-' || peek(l, at + 1) == '+';
        if (is_digit(peek(l, at + 1 + sign))) {
            at += 2 + sign;
            while (is_digit(peek(l, at)))
                at++;
        }
    }
    add_code(l, COP_STRICT_NUMBER, 0, at);
}

/* A run of letters: a function, a unit, a word that is no expression, or variables. */
static void add_letters(lexer *l)
{
    enum { SHORTEST_WORD = 4 };
    size_t length = 0;
    while (is_letter(peek(l, length)))
        length++;
    const cop_slice word = {l->left.data, length};
    const cop_strict_entry *const found = cop_strict_find_word(word);
    if (found != NULL) {
        add_entry(l, found, take(l, length));
        return;
    }
    if (length > 1 && cop_strict_is_unit(word)) {
        add_code(l, COP_STRICT_UNIT, 0, length);
        return;
    }
    if (length >= SHORTEST_WORD) {
        add_code(l, COP_STRICT_UNKNOWN, 0, length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        add_letter(l, take(l, 1));
}

/* What {...} behind a command holds, without braces inside; .data NULL for none. */
static cop_slice take_group(lexer *l)
{
    size_t open = 0;
    while (peek(l, open) == ' ')
        open++;
    size_t end = open + 1;
    if (peek(l, open) != '{') return (cop_slice){0};
    while (end < l->left.length && l->left.data[end] != '}' && l->left.data[end] != '{')
        end++;
    if (peek(l, end) != '}') return (cop_slice){0};
    const cop_slice group = {l->left.data + open + 1, end - open - 1};
    (void)take(l, end + 1);
    return group;
}

/* A function's or a constant's name in \mathrm{...} or the like; a second is a unit there, a
 * secant only in \operatorname{sec}. */
static bool add_upright(lexer *l, cop_slice command, cop_slice text)
{
    const cop_strict_entry *const found = cop_strict_find_word(text);
    if (cop_slice_is(text, "e") || cop_slice_is(text, "i")) {
        add_letter(l, text);
        return true;
    }
    if (found == NULL || (cop_slice_is(text, "sec") && !cop_slice_is(command, "operatorname")))
        return false;
    add_entry(l, found, text);
    return true;
}

/* \text{...}: "and" and "or" part things, a function is one, a number is a number, the rest is
 * a unit. */
static void add_words(lexer *l, cop_slice command)
{
    cop_slice before = l->left;
    const cop_slice group = take_group(l);
    if (group.data == NULL) {
        l->left = before;
        add_code(l, COP_STRICT_UNKNOWN, 0, 0);
        return;
    }
    const cop_slice text = cop_slice_strip(group);
    bool letters = false;
    for (size_t i = 0; i < text.length; i++)
        letters = letters || is_letter(text.data[i]);
    if (text.length == 0) {
        l->spaced = true;
    } else if (cop_slice_is(text, ",")) {
        add(l, (cop_strict_token){.code = COP_STRICT_COMMA, .text = text});
    } else if (letters) {
        if (!add_upright(l, command, text))
            add(l, (cop_strict_token){.code = COP_STRICT_UNIT, .text = text});
    } else { /* as if it were not there */
        l->left = (cop_slice){group.data, before.length - (size_t)(group.data - before.data)};
        add(l, (cop_strict_token){.code = COP_STRICT_BRACE, .text = text});
    }
}

static void add_environment(lexer *l, cop_strict_code code)
{
    static const char *const matrices[] = {"pmatrix", "bmatrix", "matrix", "array", "Bmatrix"};
    const cop_slice name = take_group(l);
    const bool known =
        name.data != NULL &&
        cop_strict_is_among(matrices, sizeof matrices / sizeof matrices[0], name);
    add(l, (cop_strict_token){.code = known ? code : COP_STRICT_UNKNOWN, .text = name});
    if (known && code == COP_STRICT_BEGIN && cop_slice_is(name, "array")) (void)take_group(l);
}

static void add_command(lexer *l)
{
    static const char *const texts[] = {"text",   "mbox", "mathrm",       "textbf",
                                        "textit", "rm",   "operatorname", "textrm"};
    size_t length = 0;
    while (is_letter(peek(l, length)))
        length++;
    const cop_slice word = take(l, length);
    const cop_strict_entry *const found = cop_strict_find_command(word);
    if (found != NULL) {
        add_entry(l, found, word);
        return;
    }
    if (cop_strict_is_among(texts, sizeof texts / sizeof texts[0], word)) {
        add_words(l, word);
    } else if (cop_slice_is(word, "begin")) {
        add_environment(l, COP_STRICT_BEGIN);
    } else if (cop_slice_is(word, "end")) {
        add_environment(l, COP_STRICT_FINISH);
    } else if (cop_slice_is(word, "mathbb")) {
        const cop_slice name = take_group(l);
        const bool reals = name.data != NULL && cop_slice_is(name, "R");
        add(l, (cop_strict_token){.code = reals ? COP_STRICT_REALS : COP_STRICT_UNKNOWN});
    } else {
        const bool known = cop_strict_is_greek(word);
        add(l, (cop_strict_token){.code = known ? COP_STRICT_NAME : COP_STRICT_UNKNOWN,
                                  .text = word,
                                  .name = hash_name(word)});
    }
}

/* A backslash with something else than a letter. */
static void add_escape(lexer *l)
{
    switch (peek(l, 0)) {
    case '\\':
        add_code(l, COP_STRICT_ROW, 0, 1);
        break;
    case '{':
        l->depth++;
        add_code(l, COP_STRICT_OPEN, '{', 1);
        break;
    case '}':
        if (l->depth > 0) l->depth--;
        add_code(l, COP_STRICT_CLOSE, '}', 1);
        break;
    case '%':
        add_code(l, COP_STRICT_PERCENT, 0, 1);
        break;
    case '|':
        add_code(l, COP_STRICT_BAR, 0, 1);
        break;
    default: /* spaces, \$, \( and the like */
        l->spaced = true;
        if (l->left.length > 0) (void)take(l, 1);
    }
}

static const struct {
    const char *text;
    cop_strict_code code;
    char detail;
} signs[] = {
    {"<=", COP_STRICT_RELATION, 'l'}, {">=", COP_STRICT_RELATION, 'g'},
    {"!=", COP_STRICT_RELATION, '!'}, {"**", COP_STRICT_POWER, 0},
    {"+", COP_STRICT_PLUS, 0},        {"-", COP_STRICT_MINUS, 0},
    {"*", COP_STRICT_TIMES, 0},       {"/", COP_STRICT_DIVIDE, 0},
    {"^", COP_STRICT_POWER, 0},       {"_", COP_STRICT_BELOW, 0},
    {"!", COP_STRICT_FACTORIAL, 0},   {"%", COP_STRICT_PERCENT, 0},
    {",", COP_STRICT_COMMA, 0},       {";", COP_STRICT_COMMA, 0},
    {"(", COP_STRICT_OPEN, '('},      {"[", COP_STRICT_OPEN, '['},
    {")", COP_STRICT_CLOSE, ')'},     {"]", COP_STRICT_CLOSE, ']'},
    {"{", COP_STRICT_BRACE, 0},       {"}", COP_STRICT_UNBRACE, 0},
    {"|", COP_STRICT_BAR, 0},         {"=", COP_STRICT_RELATION, '='},
    {"<", COP_STRICT_RELATION, '<'},  {">", COP_STRICT_RELATION, '>'},
    {"&", COP_STRICT_CELL, 0},
};

static void add_sign(lexer *l)
{
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        const size_t size = strlen(signs[i].text);
        if (size > l->left.length || memcmp(l->left.data, signs[i].text, size) != 0) continue;
        if (signs[i].code == COP_STRICT_OPEN) l->depth++;
        if (signs[i].code == COP_STRICT_CLOSE && l->depth > 0) l->depth--;
        add_code(l, signs[i].code, signs[i].detail, size);
        return;
    }
    add_code(l, COP_STRICT_UNKNOWN, 0, 1);
}

static void add_next(lexer *l)
{
    const char c = peek(l, 0);
    const bool last_stop = c == '.' && l->left.length == 1;
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '$' || c == '~' || last_stop) {
        l->spaced = true;
        (void)take(l, 1);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(l, 1)))) {
        add_number(l);
    } else if (is_letter(c)) {
        add_letters(l);
    } else if (c == '\\') {
        (void)take(l, 1);
        if (is_letter(peek(l, 0))) {
            add_command(l);
        } else {
            add_escape(l);
        }
    } else {
        add_sign(l);
    }
}

bool cop_strict_cut(cop_slice source, cop_strict_token tokens[COP_STRICT_MOST_TOKENS])
{
    lexer l = {.left = source, .tokens = tokens};
    while (l.left.length > 0 && !l.full)
        add_next(&l);
    for (size_t i = 0; i < AFTER; i++)
        tokens[l.count + i] = (cop_strict_token){.code = COP_STRICT_END};
    return !l.full;
}
