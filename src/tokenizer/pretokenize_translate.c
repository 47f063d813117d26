/* Oniguruma's regular expressions (Ruby's syntax) as PCRE2 ones. What both read alike is
 * copied; what they read differently is spelt out (\s, \w, \v, \uHHHH, scripts, {n,m}+); the
 * rest is refused by name. ^ and $ stand at every line, which the compiling options say. */
#include "coppice/unicode/unicode.h"
#include "tokenizer/pretokenize_pattern.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_SOURCE = 65536 };
static const size_t no_atom = SIZE_MAX;

/* White_Space: PCRE2's own \s has U+180E besides. */
#define SPACES                                                                              \
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}" \
    "\\x{205f}\\x{3000}"
#define NOT_SPACES                                                                           \
    "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}" \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"           \
    "\\x{3001}-\\x{10ffff}"
#define WORDS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
/* What is alphabetic besides letters, letter numbers and marks: letters in circles and squares.
 */
#define SYMBOLS \
    "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
/* Outside a class Oniguruma counts Latin-1's superscripts and fractions among them. */
#define LONE "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

typedef struct open_group {
    size_t start; /* in the translation */
    bool fold;    /* what holds again after it */
    bool looks;   /* (?= and the like, which cannot be repeated */
} open_group;

typedef struct translator {
    const char *at;
    const char *end;
    cop_text *out;
    cop_error *err;
    bool fold;  /* letters match in either case */
    bool spelt; /* categories are written out */
    cop_pattern_sets *sets;
    size_t atom; /* where the item that a quantifier would repeat starts, no_atom: none */
    char before; /* the ASCII letter just before, lower case; 0: none */
    open_group groups[MAX_DEPTH];
    size_t depth;
} translator;

static cop_status refuse(const translator *self, const char *what)
{
    return cop_error_set(self->err, COP_ERR_UNSUPPORTED, "%s is not supported in patterns",
                         what);
}

static cop_status emit(const translator *self, const char *text)
{
    return cop_text_append(self->out, text, strlen(text), self->err);
}

static cop_status emit_code(const translator *self, unsigned long code)
{
    return cop_text_format(self->out, self->err, "\\x{%lx}", code);
}

static char peek(const translator *self, size_t ahead)
{
    return (size_t)(self->end - self->at) > ahead ? self->at[ahead] : '\0';
}

static bool starts_with(const translator *self, const char *text)
{
    const size_t length = strlen(text);
    return (size_t)(self->end - self->at) >= length && memcmp(self->at, text, length) == 0;
}

/* Pairs of letters that Oniguruma also finds as one character when case is ignored. */
static bool folds_to_one(char first, char second)
{
    return (first == 'f' && (second == 'f' || second == 'i' || second == 'l')) ||
           (first == 's' && (second == 's' || second == 't'));
}

/* Copies one literal character. */
static cop_status copy_character(translator *self, bool in_class)
{
    uint32_t code = 0;
    const size_t bytes = cop_unicode_decode(self->at, (size_t)(self->end - self->at), &code);
    const char lower = code < 0x80 && isalpha((int)code) ? (char)tolower((int)code) : '\0';
    if (self->fold && code >= 0x80) return refuse(self, "a non-ASCII character in (?i:...)");
    if (self->fold && !in_class && folds_to_one(self->before, lower)) {
        return refuse(self, "a pair of letters that has a ligature in (?i:...)");
    }
    if (!in_class) {
        self->before = lower;
        self->atom = self->out->length;
    }
    const char *const start = self->at;
    self->at += bytes;
    if (code == 0) return emit(self, "\\x00");
    return cop_text_append(self->out, start, bytes, self->err);
}

/* \xHH, \x{H...} or \uHHHH; `at` is at the letter. */
static cop_status translate_code(translator *self)
{
    const bool wide = *self->at == 'u';
    const bool braces = !wide && peek(self, 1) == '{';
    const char *digit = self->at + (braces ? 2 : 1);
    const size_t most = wide ? 4 : braces ? 6 : 2;
    unsigned long code = 0;
    size_t count = 0;
    for (; digit < self->end && count < most && isxdigit((unsigned char)*digit);
         digit++, count++) {
        const char c = (char)tolower((unsigned char)*digit);
        code = code * 16 + (unsigned long)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    const bool closed = !braces || (digit < self->end && *digit == '}');
    if (count == 0 || (wide && count != 4) || !closed)
        return refuse(self, "a malformed \\x or \\u");
    if (!wide && !braces && code >= 0x80) return refuse(self, "a byte \\x80 to \\xff");
    if (self->fold) return refuse(self, "\\x or \\u in (?i:...)");
    self->at = digit + (braces ? 1 : 0);
    return emit_code(self, code);
}

/* One range of a class; no text has surrogates, and PCRE2 takes none. */
static cop_status emit_range(const translator *self, uint32_t first, uint32_t last)
{
    if (first >= 0xD800 && first <= 0xDFFF) first = 0xE000;
    if (last >= 0xD800 && last <= 0xDFFF) last = 0xD7FF;
    if (first > last) return COP_OK;
    return cop_text_format(self->out, self->err, "\\x{%x}-\\x{%x}", (unsigned)first,
                           (unsigned)last);
}

/* The code points of the categories as ranges of a class. */
static cop_status emit_categories(const translator *self, cop_category_set set)
{
    bool inside = false;
    uint32_t first = 0;
    for (size_t i = 0; i < cop_unicode_run_count; i++) {
        const cop_unicode_run run = cop_unicode_runs[i];
        const bool belongs = (set >> run.category & 1) != 0;
        if (belongs && !inside) first = run.first;
        if (!belongs && inside) COP_TRY(emit_range(self, first, run.first - 1));
        inside = belongs;
    }
    return inside ? emit_range(self, first, 0x10FFFF) : COP_OK;
}

/* A set of categories: spelt out, or as `plain`, which PCRE2 reads by its own version of
 * Unicode. Under (?i) always so: a range would take in the other case of its letters. */
static cop_status emit_set(translator *self, cop_category_set set, bool negated, bool in_class,
                           const char *plain, const char *besides)
{
    cop_pattern_sets *const sets = self->sets;
    size_t i = 0;
    while (i < sets->count && sets->data[i] != set)
        i++;
    if (i == COP_PATTERN_SETS) return refuse(self, "so many kinds of characters");
    sets->data[i] = set;
    if (i == sets->count) sets->count++;
    if (!self->spelt || self->fold) return emit(self, plain);
    const cop_category_set every = ((cop_category_set)1 << COP_CATEGORY_COUNT) - 1;
    if (!in_class) COP_TRY(emit(self, negated ? "[^" : "["));
    COP_TRY(emit_categories(self, negated && in_class ? every & ~set : set));
    COP_TRY(emit(self, besides));
    return in_class ? COP_OK : emit(self, "]");
}

static cop_status emit_words(translator *self, bool negated, bool in_class)
{
    const cop_category_set set =
        cop_unicode_category_set("L", 1) | cop_unicode_category_set("M", 1) |
        cop_unicode_category_set("Nl", 2) | cop_unicode_category_set("Nd", 2) |
        cop_unicode_category_set("Pc", 2);
    if (in_class) return emit_set(self, set, false, true, WORDS, SYMBOLS);
    return emit_set(self, set, negated, false,
                    negated ? "[^" WORDS LONE "]" : "[" WORDS LONE "]", SYMBOLS LONE);
}

/* \p{Name}, \p{^Name}, \P{Name}: a general category or a script; `at` is at the letter. */
static cop_status translate_property(translator *self, bool in_class)
{
    bool negated = *self->at == 'P';
    if (peek(self, 1) != '{') return refuse(self, "\\p without braces");
    self->at += 2;
    if (peek(self, 0) == '^') {
        negated = !negated;
        self->at++;
    }
    const char *const name = self->at;
    while (self->at < self->end && (isalpha((unsigned char)*self->at) || *self->at == '_'))
        self->at++;
    const size_t length = (size_t)(self->at - name);
    if (peek(self, 0) != '}' || length == 0 || length > 32)
        return refuse(self, "a malformed \\p");
    self->at++;
    const char sign = negated ? 'P' : 'p';
    const cop_category_set set = cop_unicode_category_set(name, length);
    if (set == 0) {
        return cop_text_format(self->out, self->err, "\\%c{sc:%.*s}", sign, (int)length, name);
    }
    const char second = length == 2 ? (char)tolower((unsigned char)name[1]) : '\0';
    if (self->fold && second != '\0') return refuse(self, "a kind of letter in (?i:...)");
    char plain[8];
    (void)snprintf(plain, sizeof plain, "\\%c{%c%.*s}", sign, toupper((unsigned char)name[0]),
                   length == 2 ? 1 : 0, &second);
    return emit_set(self, set, negated, in_class, plain, "");
}

/* An escape, `at` behind the backslash. *is_set: it is a set of characters. */
static cop_status translate_escape(translator *self, bool in_class, bool *is_set)
{
    const char c = peek(self, 0);
    *is_set = c != '\0' && strchr("sSwWdDpP", c) != NULL;
    if (c == 'p' || c == 'P') return translate_property(self, in_class);
    if (c == 'x' || c == 'u') return translate_code(self);
    if (self->at == self->end) return refuse(self, "a backslash at the end");
    if ((uint8_t)c >= 0x80) return copy_character(self, in_class);
    self->at++;
    switch (c) {
    case 's':
        return emit(self, in_class ? SPACES : "[" SPACES "]");
    case 'S':
        return emit(self, in_class ? NOT_SPACES : "[^" SPACES "]");
    case 'w':
        return emit_words(self, false, in_class);
    case 'W':
        return in_class ? refuse(self, "\\W in a class") : emit_words(self, true, false);
    case 'v':
        return emit(self, "\\x0b");
    case 'd':
    case 'D':
        return emit_set(self, cop_unicode_category_set("Nd", 2), c == 'D', in_class,
                        c == 'D' ? "\\D" : "\\d", "");
    case 'n':
    case 't':
    case 'r':
    case 'f':
    case 'a':
    case 'e':
        return cop_text_format(self->out, self->err, "\\%c", c);
    default:
        break;
    }
    if (!in_class && (c == 'A' || c == 'z' || c == 'Z')) {
        return cop_text_format(self->out, self->err, "\\%c", c);
    }
    if (isalnum((unsigned char)c) || iscntrl((unsigned char)c)) {
        const char name[] = {'\\', c, '\0'};
        return refuse(self, iscntrl((unsigned char)c) ? "an escaped control character" : name);
    }
    return cop_text_format(self->out, self->err, "\\%c", c);
}

/* One member of a class, not a '-'. */
static cop_status translate_member(translator *self, bool *is_set)
{
    *is_set = false;
    const char c = *self->at;
    if (c == '[') return refuse(self, "'[' within a class");
    if (c == '&' && peek(self, 1) == '&') return refuse(self, "'&&' within a class");
    if (c != '\\') return copy_character(self, true);
    self->at++;
    return translate_escape(self, true, is_set);
}

/* A member, or a range of two; a '-' that makes no range is a literal. */
static cop_status translate_range(translator *self)
{
    bool is_set = false;
    if (*self->at == '-') {
        self->at++;
        return emit(self, "\\-");
    }
    COP_TRY(translate_member(self, &is_set));
    if (is_set || peek(self, 0) != '-' || peek(self, 1) == ']' || peek(self, 1) == '\0') {
        return COP_OK;
    }
    self->at++;
    COP_TRY(emit(self, "-"));
    COP_TRY(translate_member(self, &is_set));
    return is_set ? refuse(self, "a range that ends in a set") : COP_OK;
}

static cop_status translate_class(translator *self)
{
    self->atom = self->out->length;
    self->at++;
    COP_TRY(emit(self, "["));
    if (peek(self, 0) == '^') {
        self->at++;
        COP_TRY(emit(self, "^"));
    }
    if (peek(self, 0) == ']') return refuse(self, "']' at the start of a class");
    while (self->at < self->end && *self->at != ']')
        COP_TRY(translate_range(self));
    if (self->at == self->end) return refuse(self, "a class without its ']'");
    self->at++;
    return emit(self, "]");
}

static cop_status open_one(translator *self)
{
    /* Spelling in Oniguruma -> in PCRE2; nothing reads captures. */
    static const struct opening {
        const char *source;
        const char *target;
        int fold; /* 1: letters match in either case within, 0: not, -1: as outside */
    } openings[] = {{"(?:", "(?:", -1},   {"(?=", "(?=", -1},    {"(?!", "(?!", -1},
                    {"(?<=", "(?<=", -1}, {"(?<!", "(?<!", -1},  {"(?>", "(?>", -1},
                    {"(?i:", "(?i:", 1},  {"(?-i:", "(?-i:", 0}, {"(?", NULL, -1},
                    {"(*", NULL, -1},     {"(", "(?:", -1}};
    const struct opening *found = openings;
    while (!starts_with(self, found->source))
        found++;
    if (found->target == NULL) {
        char name[5] = {0};
        const size_t left = (size_t)(self->end - self->at);
        memcpy(name, self->at, left < 4 ? left : 4);
        for (char *c = name; *c != '\0'; c++)
            if (!isprint((unsigned char)*c)) *c = '?';
        return refuse(self, name);
    }
    if (self->depth == MAX_DEPTH) return refuse(self, "nesting deeper than 64 groups");
    self->groups[self->depth++] = (open_group){.start = self->out->length,
                                               .fold = self->fold,
                                               .looks = strpbrk(found->target, "=!") != NULL};
    if (found->fold >= 0) self->fold = found->fold == 1;
    self->atom = no_atom;
    self->at += strlen(found->source);
    return emit(self, found->target);
}

static cop_status close_one(translator *self)
{
    if (self->depth == 0) return refuse(self, "a ')' without its '('");
    const open_group group = self->groups[--self->depth];
    self->fold = group.fold;
    self->atom = group.looks ? no_atom : group.start;
    self->at++;
    return emit(self, ")");
}

/* Reads {n}, {n,}, {,m} or {n,m}. \return the bytes, 0 if it is none and so a literal. */
static size_t read_interval(const translator *self, unsigned *least, unsigned *most,
                            bool *exact)
{
    enum { LARGEST = 60000 };
    const char *c = self->at + 1;
    unsigned value[2] = {0, LARGEST};
    size_t digits[2] = {0, 0};
    size_t side = 0;
    for (; c < self->end && *c != '}'; c++) {
        if (*c == ',' && side == 0) {
            side = 1;
        } else if (isdigit((unsigned char)*c) && digits[side] < 5) {
            value[side] = (digits[side]++ == 0 ? 0 : value[side] * 10) + (unsigned)(*c - '0');
        } else {
            return 0;
        }
    }
    if (c == self->end || digits[0] + digits[1] == 0) return 0;
    *exact = side == 0;
    *least = value[0];
    *most = *exact ? value[0] : digits[1] == 0 ? UINT32_MAX : value[1];
    return (size_t)(c - self->at) + 1;
}

/* Puts "(?:" before the last item: in Ruby's syntax the '+' of X{n,m}+ repeats, it does not
 * make the interval possessive. */
static cop_status wrap_atom(translator *self)
{
    static const char opening[3] = {'(', '?', ':'};
    COP_TRY(cop_text_append(self->out, opening, sizeof opening, self->err));
    char *const atom = self->out->data + self->atom;
    memmove(atom + sizeof opening, atom, self->out->length - sizeof opening - self->atom);
    memcpy(atom, opening, sizeof opening);
    return COP_OK;
}

static cop_status translate_interval(translator *self)
{
    unsigned least = 0;
    unsigned most = 0;
    bool exact = false;
    const size_t bytes = read_interval(self, &least, &most, &exact);
    if (bytes == 0) {
        self->atom = self->out->length;
        self->at++;
        return emit(self, "\\{");
    }
    if (self->atom == no_atom) return refuse(self, "a quantifier without an item");
    if (most < least || (most != UINT32_MAX && most > 60000)) {
        return refuse(self, "an interval that is empty or over 60000");
    }
    self->at += bytes;
    const char after = peek(self, 0);
    if (after == '?' && exact) return refuse(self, "{n}?");
    if (after == '+') COP_TRY(wrap_atom(self));
    COP_TRY(cop_text_format(self->out, self->err, "{%u,", least));
    if (most != UINT32_MAX) COP_TRY(cop_text_format(self->out, self->err, "%u", most));
    self->atom = no_atom;
    if (after == '+' || after == '?') self->at++;
    return emit(self, after == '+' ? "})+" : after == '?' ? "}?" : "}");
}

/* * + ? with a following ? (reluctant) or + (possessive), which mean the same to both. */
static cop_status translate_quantifier(translator *self)
{
    if (self->atom == no_atom) return refuse(self, "a quantifier without an item");
    const char c = *self->at++;
    COP_TRY(cop_text_append(self->out, &c, 1, self->err));
    self->atom = no_atom;
    const char mode = peek(self, 0);
    if (mode != '?' && mode != '+') return COP_OK;
    self->at++;
    return cop_text_append(self->out, &mode, 1, self->err);
}

static cop_status translate_item(translator *self)
{
    const char c = *self->at;
    const bool literal = strchr("\\[(){*+?|^$.", c) == NULL || c == '\0';
    if (literal) return copy_character(self, false);
    self->before = '\0';
    switch (c) {
    case '\\': {
        bool is_set = false;
        const size_t start = self->out->length;
        self->at++;
        COP_TRY(translate_escape(self, false, &is_set));
        self->atom = start;
        return COP_OK;
    }
    case '[':
        return translate_class(self);
    case '(':
        return open_one(self);
    case ')':
        return close_one(self);
    case '{':
        return translate_interval(self);
    case '*':
    case '+':
    case '?':
        return translate_quantifier(self);
    default:
        self->atom = c == '.' ? self->out->length : no_atom;
        self->at++;
        return cop_text_append(self->out, &c, 1, self->err);
    }
}

cop_status cop_pattern_translate(const char *source, size_t length, bool spelt,
                                 cop_pattern_sets *sets, cop_text *out, cop_error *err)
{
    translator self = {.at = source,
                       .end = source + length,
                       .out = out,
                       .err = err,
                       .spelt = spelt,
                       .sets = sets,
                       .atom = no_atom};
    if (length > MAX_SOURCE) return refuse(&self, "a text of over 65536 bytes");
    if (starts_with(&self, "(?i)")) {
        self.fold = true;
        self.at += 4;
        COP_TRY(emit(&self, "(?i)"));
    }
    while (self.at < self.end)
        COP_TRY(translate_item(&self));
    if (self.depth > 0) return refuse(&self, "a '(' without its ')'");
    return cop_text_append(out, "", 0, err);
}
