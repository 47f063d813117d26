/* Words of mathematics: commands of LaTeX, functions, units, and characters of Unicode. */
#include "task/math/strict_words.h"

#include "task/characters.h"

#include <string.h>

/* --- Unicode --- */

cop_status cop_strict_translate(cop_slice answer, cop_text *source, cop_error *err)
{
    static const struct {
        uint32_t code;
        const char *text;
    } known[] = {
        {0x3C0, "\\pi "},
        {0x221A, "\\sqrt "},
        {0x221E, "\\infty "},
        {0x2264, "\\le "},
        {0x2265, "\\ge "},
        {0x2260, "\\ne "},
        {0x2212, "-"},
        {0x2013, "-"},
        {0xD7, "\\times "},
        {0xB7, "\\cdot "},
        {0x22C5, "\\cdot "},
        {0xF7, "\\div "},
        {0xB0, "\\degree "},
        {0x222A, "\\cup "},
        {0x2208, "\\in "},
        {0xB1, "\\pm "},
        {0x2213, "\\mp "},
        {0x2205, "\\emptyset "},
        {0x211D, "\\mathbb{R}"},
        {0x3B8, "\\theta "},
        {0xB2, "^2"},
        {0xB3, "^3"},
        {0xBD, "\\frac{1}{2}"},
        {0xBC, "\\frac{1}{4}"},
        {0xBE, "\\frac{3}{4}"},
        {0x3B1, "\\alpha "},
        {0x3B2, "\\beta "},
        {0x3BB, "\\lambda "},
    };
    for (size_t at = 0; at < answer.length;) {
        uint32_t code = 0;
        const char *const from = answer.data + at;
        const size_t bytes = cop_character_decode(from, answer.length - at, &code);
        const int digit = cop_character_digit(code);
        const char *put = NULL;
        char ascii[2] = {0};
        at += bytes;
        if (code >= 0x80 && digit >= 0) {
            ascii[0] = (char)('0' + digit);
            put = ascii;
        }
        if (code >= 0x80 && cop_character_is_space(code)) put = " ";
        for (size_t i = 0; put == NULL && i < sizeof known / sizeof known[0]; i++)
            if (known[i].code == code) put = known[i].text;
        COP_TRY(put != NULL ? cop_text_append(source, put, strlen(put), err)
                            : cop_text_append(source, from, bytes, err));
    }
    return cop_text_append(source, "", 0, err);
}

/* --- words --- */

/* After a backslash. COP_STRICT_END: means nothing here. */
static const cop_strict_entry commands[] = {
    {"frac", COP_STRICT_FRACTION, 0, 0},
    {"dfrac", COP_STRICT_FRACTION, 0, 0},
    {"tfrac", COP_STRICT_FRACTION, 0, 0},
    {"cfrac", COP_STRICT_FRACTION, 0, 0},
    {"binom", COP_STRICT_BINOMIAL, 0, 0},
    {"dbinom", COP_STRICT_BINOMIAL, 0, 0},
    {"tbinom", COP_STRICT_BINOMIAL, 0, 0},
    {"sqrt", COP_STRICT_ROOT, 0, 0},
    {"overline", COP_STRICT_OVERLINE, 0, 0},
    {"pi", COP_STRICT_CONSTANT, 0, COP_STRICT_PI},
    {"infty", COP_STRICT_CONSTANT, 0, COP_STRICT_INFINITY},
    {"infinity", COP_STRICT_CONSTANT, 0, COP_STRICT_INFINITY},
    {"times", COP_STRICT_TIMES, 0, 0},
    {"cdot", COP_STRICT_TIMES, 0, 0},
    {"ast", COP_STRICT_TIMES, 0, 0},
    {"div", COP_STRICT_DIVIDE, 0, 0},
    {"pm", COP_STRICT_PLUS_MINUS, 0, 0},
    {"mp", COP_STRICT_MINUS_PLUS, 0, 0},
    {"degree", COP_STRICT_DEGREE, 0, 0},
    {"circ", COP_STRICT_DEGREE, 0, 0},
    {"cup", COP_STRICT_UNION, 0, 0},
    {"in", COP_STRICT_IN, 0, 0},
    {"le", COP_STRICT_RELATION, 'l', 0},
    {"leq", COP_STRICT_RELATION, 'l', 0},
    {"leqslant", COP_STRICT_RELATION, 'l', 0},
    {"ge", COP_STRICT_RELATION, 'g', 0},
    {"geq", COP_STRICT_RELATION, 'g', 0},
    {"geqslant", COP_STRICT_RELATION, 'g', 0},
    {"lt", COP_STRICT_RELATION, '<', 0},
    {"gt", COP_STRICT_RELATION, '>', 0},
    {"ne", COP_STRICT_RELATION, '!', 0},
    {"neq", COP_STRICT_RELATION, '!', 0},
    {"emptyset", COP_STRICT_EMPTY, 0, 0},
    {"varnothing", COP_STRICT_EMPTY, 0, 0},
    {"lfloor", COP_STRICT_OPEN, 'f', 0},
    {"rfloor", COP_STRICT_CLOSE, 'f', 0},
    {"lceil", COP_STRICT_OPEN, 'c', 0},
    {"rceil", COP_STRICT_CLOSE, 'c', 0},
    {"lbrace", COP_STRICT_OPEN, '{', 0},
    {"rbrace", COP_STRICT_CLOSE, '}', 0},
    {"vert", COP_STRICT_BAR, 0, 0},
    {"lvert", COP_STRICT_BAR, 0, 0},
    {"rvert", COP_STRICT_BAR, 0, 0},
    {"left", COP_STRICT_END, 0, 0},
    {"right", COP_STRICT_END, 0, 0},
    {"big", COP_STRICT_END, 0, 0},
    {"Big", COP_STRICT_END, 0, 0},
    {"bigl", COP_STRICT_END, 0, 0},
    {"bigr", COP_STRICT_END, 0, 0},
    {"quad", COP_STRICT_END, 0, 0},
    {"qquad", COP_STRICT_END, 0, 0},
    {"displaystyle", COP_STRICT_END, 0, 0},
    {"limits", COP_STRICT_END, 0, 0},
    {"mathbf", COP_STRICT_END, 0, 0},
    {"mathit", COP_STRICT_END, 0, 0},
    {"boldsymbol", COP_STRICT_END, 0, 0},
    {"vec", COP_STRICT_END, 0, 0},
    {"boxed", COP_STRICT_END, 0, 0},
};

/* With a backslash or without. */
static const cop_strict_entry functions[] = {
    {"sin", COP_STRICT_FUNCTION, 0, COP_STRICT_SIN},
    {"cos", COP_STRICT_FUNCTION, 0, COP_STRICT_COS},
    {"tan", COP_STRICT_FUNCTION, 0, COP_STRICT_TAN},
    {"cot", COP_STRICT_FUNCTION, 0, COP_STRICT_COT},
    {"sec", COP_STRICT_FUNCTION, 0, COP_STRICT_SEC},
    {"csc", COP_STRICT_FUNCTION, 0, COP_STRICT_CSC},
    {"arcsin", COP_STRICT_FUNCTION, 0, COP_STRICT_ASIN},
    {"arccos", COP_STRICT_FUNCTION, 0, COP_STRICT_ACOS},
    {"arctan", COP_STRICT_FUNCTION, 0, COP_STRICT_ATAN},
    {"asin", COP_STRICT_FUNCTION, 0, COP_STRICT_ASIN},
    {"acos", COP_STRICT_FUNCTION, 0, COP_STRICT_ACOS},
    {"atan", COP_STRICT_FUNCTION, 0, COP_STRICT_ATAN},
    {"sinh", COP_STRICT_FUNCTION, 0, COP_STRICT_SINH},
    {"cosh", COP_STRICT_FUNCTION, 0, COP_STRICT_COSH},
    {"tanh", COP_STRICT_FUNCTION, 0, COP_STRICT_TANH},
    {"ln", COP_STRICT_FUNCTION, 0, COP_STRICT_LN},
    {"log", COP_STRICT_FUNCTION, 0, COP_STRICT_LOG},
    {"lg", COP_STRICT_FUNCTION, 0, COP_STRICT_LOG},
    {"exp", COP_STRICT_FUNCTION, 0, COP_STRICT_EXP},
};

/* Without a backslash only. */
static const cop_strict_entry plain_words[] = {
    {"sqrt", COP_STRICT_ROOT, 0, 0},
    {"pi", COP_STRICT_CONSTANT, 0, COP_STRICT_PI},
    {"inf", COP_STRICT_CONSTANT, 0, COP_STRICT_INFINITY},
    {"infinity", COP_STRICT_CONSTANT, 0, COP_STRICT_INFINITY},
    {"and", COP_STRICT_COMMA, 0, 0},
    {"or", COP_STRICT_COMMA, 0, 0},
    {"percent", COP_STRICT_PERCENT, 0, 0},
};

static const char *const units[] = {
    "cm",      "mm",      "km",     "kg",    "mi",     "ft",      "mph",     "inch",
    "inches",  "feet",    "foot",   "yard",  "yards",  "mile",    "miles",   "meter",
    "meters",  "metre",   "metres", "cents", "cent",   "dollar",  "dollars", "degree",
    "degrees", "radians", "hour",   "hours", "minute", "minutes", "second",  "seconds",
    "day",     "days",    "week",   "weeks", "month",  "months",  "year",    "years",
    "unit",    "units",   "square", "cubic", "sq",     "cu",      "gallons", "liters",
    "grams",   "pounds",  "people", "ways",  "points", "times",   "per",     "students",
};

static const char *const greek[] = {"alpha",  "beta",  "gamma", "delta", "epsilon", "theta",
                                    "lambda", "mu",    "nu",    "phi",   "varphi",  "psi",
                                    "rho",    "sigma", "tau",   "omega", "ell",     "xi"};

static const cop_strict_entry *find_entry(const cop_strict_entry *table, size_t count,
                                          cop_slice word)
{
    for (size_t i = 0; i < count; i++)
        if (cop_slice_is(word, table[i].word)) return &table[i];
    return NULL;
}

bool cop_strict_is_among(const char *const *words, size_t count, cop_slice word)
{
    for (size_t i = 0; i < count; i++)
        if (cop_slice_is(word, words[i])) return true;
    return false;
}

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

const cop_strict_entry *cop_strict_find_command(cop_slice word)
{
    const cop_strict_entry *const found = find_entry(functions, COUNT(functions), word);
    return found != NULL ? found : find_entry(commands, COUNT(commands), word);
}

const cop_strict_entry *cop_strict_find_word(cop_slice word)
{
    const cop_strict_entry *const found = find_entry(functions, COUNT(functions), word);
    return found != NULL ? found : find_entry(plain_words, COUNT(plain_words), word);
}

bool cop_strict_is_unit(cop_slice word)
{
    return cop_strict_is_among(units, COUNT(units), word);
}

bool cop_strict_is_greek(cop_slice word)
{
    return cop_strict_is_among(greek, COUNT(greek), word);
}
