/* Comparison as RandOpt's published reward does it, so that scores can be held beside its own;
 * what it lets pass (any text with the same numbers in it) passes here. */
#include "task/characters.h"
#include "task/math/math.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double tolerance = 1e-9;

/* Digit, comma, three digits: the comma goes. Matches do not overlap, which is why several
 * passes are made over longer numbers. */
static cop_status drop_thousands_commas(cop_text *text, cop_error *err)
{
    enum { WINDOW = 5 }; /* characters: digit, comma, three digits */
    cop_text made = {0};
    cop_status status = COP_OK;
    size_t at = 0;
    while (at < text->length) {
        size_t ends[WINDOW] = {0};
        size_t end = at;
        size_t matched = 0;
        while (matched < WINDOW && end < text->length) {
            uint32_t code = 0;
            const size_t bytes =
                cop_character_decode(text->data + end, text->length - end, &code);
            if (matched == 1 ? code != ',' : cop_character_digit(code) < 0) break;
            end += bytes;
            ends[matched++] = end;
        }
        if (matched == WINDOW) {
            COP_TRY_OUT(cop_text_append(&made, text->data + at, ends[0] - at, err));
            COP_TRY_OUT(cop_text_append(&made, text->data + ends[1], end - ends[1], err));
            at = end;
            continue;
        }
        uint32_t code = 0;
        const size_t bytes = cop_character_decode(text->data + at, text->length - at, &code);
        COP_TRY_OUT(cop_text_append(&made, text->data + at, bytes, err));
        at += bytes;
    }
    const cop_text old = *text;
    *text = made;
    made = old;
out:
    cop_text_free(&made);
    return status;
}

/* Collapses white space within *text. */
static cop_status collapse(cop_text *text, cop_error *err)
{
    cop_text made = {0};
    const cop_status status = cop_characters_append_collapsed(&made, cop_slice_of(text), err);
    if (status == COP_OK) {
        cop_text_free(text);
        *text = made;
        return COP_OK;
    }
    cop_text_free(&made);
    return status;
}

/* Evens out the ways to write the same in LaTeX. */
static cop_status simplify(cop_text *text, cop_error *err)
{
    static const char *const replaced[][2] = {
        {"\\left", ""},
        {"\\right", ""},
        {"\\,", ""},
        {"\\!", ""},
        {"\\;", ""},
        {"\\:", ""},
        {"\\ ", " "},
        {"\\quad", " "},
        {"\\qquad", " "},
        {"\\text{", "{"},
        {"\\mathrm{", "{"},
        {"\\mathbf{", "{"},
        {"\\textbf{", "{"},
        {"\\dfrac", "\\frac"},
        {"\\tfrac", "\\frac"},
        {"^{\\circ}", "^\\circ"},
        {"\xC2\xB0", "^\\circ"},
    };
    enum { COUNT = sizeof replaced / sizeof replaced[0], COMMA_PASSES = 3 };
    for (size_t i = 0; i < COUNT; i++)
        COP_TRY(cop_characters_replace(text, replaced[i][0], replaced[i][1], err));
    for (int pass = 0; pass < COMMA_PASSES; pass++)
        COP_TRY(drop_thousands_commas(text, err));
    return collapse(text, err);
}

/* Texts without LaTeX are compared in lower case. */
static cop_status lower_plain(cop_text *text, cop_error *err)
{
    for (size_t i = 0; i < text->length; i++)
        if (strchr("\\{}^_", text->data[i]) != NULL && text->data[i] != '\0') return COP_OK;
    cop_text made = {0};
    cop_status status = COP_OK;
    for (size_t at = 0; at < text->length;) {
        uint32_t code = 0;
        char bytes[4];
        at += cop_character_decode(text->data + at, text->length - at, &code);
        const size_t size = cop_character_lower(code, bytes);
        COP_TRY_OUT(cop_text_append(&made, bytes, size, err));
    }
    COP_TRY_OUT(cop_text_append(&made, "", 0, err));
    const cop_text old = *text;
    *text = made;
    made = old;
out:
    cop_text_free(&made);
    return status;
}

/* --- numbers --- */

/* What {...} holds at *at, without braces inside; *at moves behind it. */
static bool take_braces(cop_slice *at, cop_slice *content)
{
    if (at->length == 0 || at->data[0] != '{') return false;
    size_t length = 0;
    while (1 + length < at->length && at->data[1 + length] != '{' &&
           at->data[1 + length] != '}')
        length++;
    if (length == 0 || 1 + length == at->length || at->data[1 + length] != '}') return false;
    *content = (cop_slice){at->data + 1, length};
    *at = (cop_slice){at->data + length + 2, at->length - length - 2};
    return true;
}

/* The value of a number or of the fraction that a text begins with; *whole: nothing follows. */
static bool parse_value(cop_slice text, double *value, bool *whole)
{
    static const char word[] = "\\frac";
    cop_slice at = cop_slice_strip(text);
    cop_slice above, below;
    if (at.length >= strlen(word) && memcmp(at.data, word, strlen(word)) == 0) {
        at = (cop_slice){at.data + strlen(word), at.length - strlen(word)};
        if (take_braces(&at, &above) && take_braces(&at, &below)) {
            double numerator, denominator;
            if (!cop_characters_to_number(above, &numerator) ||
                !cop_characters_to_number(below, &denominator) || denominator == 0.0)
                return false;
            *value = numerator / denominator;
            *whole = at.length == 0;
            return true;
        }
    }
    *whole = true;
    return cop_characters_to_number(text, value);
}

/* Where the digits at `at` end. */
static size_t skip_digits(cop_slice text, size_t at)
{
    while (at < text.length) {
        uint32_t code = 0;
        const size_t bytes = cop_character_decode(text.data + at, text.length - at, &code);
        if (cop_character_digit(code) < 0) break;
        at += bytes;
    }
    return at;
}

/* The next number in a text without spaces, at *at or later; *at moves behind it. */
static bool next_number(cop_slice text, size_t *at, cop_slice *number)
{
    for (size_t from = *at; from < text.length;) {
        const size_t digits = from + (text.data[from] == '-');
        size_t end = skip_digits(text, digits);
        if (end > digits) {
            if (end < text.length && text.data[end] == '.') end = skip_digits(text, end + 1);
            *number = (cop_slice){text.data + from, end - from};
            *at = end;
            return true;
        }
        uint32_t code = 0;
        from += cop_character_decode(text.data + from, text.length - from, &code);
    }
    *at = text.length;
    return false;
}

/* Whether two texts have the same numbers in the same order, at least one. */
static bool has_same_numbers(cop_slice a, cop_slice b)
{
    size_t at_a = 0;
    size_t at_b = 0;
    for (size_t count = 0;; count++) {
        cop_slice number_a, number_b;
        double value_a = 0;
        double value_b = 0;
        const bool more_a = next_number(a, &at_a, &number_a);
        const bool more_b = next_number(b, &at_b, &number_b);
        if (!more_a || !more_b) return more_a == more_b && count > 0;
        if (!cop_characters_to_number(number_a, &value_a) ||
            !cop_characters_to_number(number_b, &value_b) ||
            !(fabs(value_a - value_b) < tolerance))
            return false;
    }
}

/* --- comparison --- */

/* An answer in the forms that it is compared in. */
typedef struct forms {
    cop_text plain;    /* white space collapsed, then dropped */
    cop_text simple;   /* LaTeX evened out */
    cop_text squeezed; /* that without spaces */
    cop_text lowered;  /* that in lower case where it has no LaTeX */
} forms;

static void free_forms(forms *f)
{
    cop_text_free(&f->plain);
    cop_text_free(&f->simple);
    cop_text_free(&f->squeezed);
    cop_text_free(&f->lowered);
}

static cop_status copy(cop_text *to, const cop_text *from, cop_error *err)
{
    return cop_text_append(to, from->data, from->length, err);
}

static cop_status make_forms(cop_slice text, forms *f, cop_error *err)
{
    COP_TRY(cop_characters_append_collapsed(&f->plain, text, err));
    COP_TRY(copy(&f->simple, &f->plain, err));
    COP_TRY(simplify(&f->simple, err));
    COP_TRY(copy(&f->squeezed, &f->simple, err));
    COP_TRY(cop_characters_replace(&f->plain, " ", "", err));
    COP_TRY(cop_characters_replace(&f->squeezed, " ", "", err));
    COP_TRY(copy(&f->lowered, &f->squeezed, err));
    return lower_plain(&f->lowered, err);
}

static bool is_same(const cop_text *a, const cop_text *b)
{
    return cop_slice_equal(cop_slice_of(a), cop_slice_of(b));
}

static bool is_equal(const forms *a, const forms *b)
{
    double value_a = 0;
    double value_b = 0;
    bool whole = false; /* the published function does not ask */
    if (is_same(&a->plain, &b->plain) || is_same(&a->squeezed, &b->squeezed) ||
        is_same(&a->lowered, &b->lowered))
        return true;
    if (parse_value(cop_slice_of(&a->simple), &value_a, &whole) &&
        parse_value(cop_slice_of(&b->simple), &value_b, &whole) &&
        fabs(value_a - value_b) < tolerance)
        return true;
    return has_same_numbers(cop_slice_of(&a->squeezed), cop_slice_of(&b->squeezed));
}

cop_status cop_math_is_equal(cop_slice answer, cop_slice reference, bool *equal, cop_error *err)
{
    forms a = {0};
    forms b = {0};
    cop_status status = COP_OK;
    *equal = false;
    COP_TRY_OUT(make_forms(answer, &a, err));
    COP_TRY_OUT(make_forms(reference, &b, err));
    *equal = is_equal(&a, &b);
out:
    free_forms(&a);
    free_forms(&b);
    return status;
}

/* --- the common form --- */

/* Appends a number to nine decimals, without zeros at the end; those beyond binary64's exact
 * integers as they are written. */
static cop_status append_number(cop_text *form, cop_slice number, double value, cop_error *err)
{
    static const double exact = 1e15;
    if (!(fabs(value) < exact)) return cop_text_append(form, number.data, number.length, err);
    char digits[40];
    (void)snprintf(digits, sizeof digits, "%.9f", value);
    size_t length = strlen(digits);
    while (digits[length - 1] == '0')
        length--;
    if (digits[length - 1] == '.') length--;
    digits[length] = '\0';
    const char *const shown = strcmp(digits, "-0") == 0 ? "0" : digits;
    return cop_text_append(form, shown, strlen(shown), err);
}

/* Appends text with every decimal number in its shortest form. */
static cop_status append_with_numbers(cop_text *form, cop_slice text, cop_error *err)
{
    size_t at = 0;
    size_t done = 0;
    cop_slice number;
    while (next_number(text, &at, &number)) {
        const size_t start = (size_t)(number.data - text.data);
        double value = 0;
        COP_TRY(cop_text_append(form, text.data + done, start - done, err));
        if (cop_characters_to_number(number, &value)) {
            COP_TRY(append_number(form, number, value, err));
        } else {
            COP_TRY(cop_text_append(form, number.data, number.length, err));
        }
        done = at;
    }
    return cop_text_append(form, text.data + done, text.length - done, err);
}

/* Without "x=" before it. */
static cop_slice drop_variable(cop_slice text)
{
    const bool letter = text.length > 2 && ((text.data[0] >= 'a' && text.data[0] <= 'z') ||
                                            (text.data[0] >= 'A' && text.data[0] <= 'Z'));
    if (!letter || text.data[1] != '=') return text;
    return (cop_slice){text.data + 2, text.length - 2};
}

cop_status cop_math_canonical(cop_slice answer, cop_text *form, cop_error *err)
{
    static const char *const dropped[] = {"\\$", "$", "^\\circ", "\\%", "%"};
    forms f = {0};
    double value = 0;
    bool whole = false;
    cop_status status = COP_OK;
    COP_TRY_OUT(make_forms(answer, &f, err));
    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++)
        COP_TRY_OUT(cop_characters_replace(&f.squeezed, dropped[i], "", err));
    COP_TRY_OUT(lower_plain(&f.squeezed, err));
    const cop_slice text = drop_variable(cop_slice_of(&f.squeezed));
    /* An underscore is a subscript here, not Python's grouping of digits. */
    const bool subscript = text.length > 0 && memchr(text.data, '_', text.length) != NULL;
    if (!subscript && parse_value(text, &value, &whole) && whole) {
        COP_TRY_OUT(append_number(form, text, value, err));
    } else {
        COP_TRY_OUT(append_with_numbers(form, text, err));
    }
    COP_TRY_OUT(cop_text_append(form, "", 0, err));
out:
    free_forms(&f);
    return status;
}
