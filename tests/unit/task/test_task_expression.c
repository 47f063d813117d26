/* Evaluating expressions: what is accepted, what it is worth, what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "task/expression.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 1 << 16 };

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"1", 1},
        {" 1 ", 1},
        {"1\n", 1},
        {"0", 0},
        {"00", 0},
        {"1+2*3", 7},
        {"(1+2)*3", 9},
        {"10-4-3", 3},
        {"100/5/2", 10},
        {"7/2", 3.5},
        {"1/3*3", 1},
        {"-5+8", 3},
        {"- - 5", 5},
        {"+-+5", -5},
        {"2*-3", -6},
        {"2 - - 3", 5},
        {"-(2+3)", -5},
        {"((((7))))", 7},
        {"9223372036854775807", 9223372036854775807.0},
        {"9223372036854775807 + 1 - 1", 9223372036854775808.0},
        {"4611686018427387904*2*2", 18446744073709551616.0},
        {"9007199254740993 - 9007199254740992", 1},
        {"100000000000000000000", 1e20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value;
        if (!cop_expression_evaluate(cases[i].text, strlen(cases[i].text), &value))
            fail_msg("refused: %s", cases[i].text);
        if (value != cases[i].value) fail_msg("%s = %.17g", cases[i].text, value);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",     " ",    "\n",   "1 2",         "(1)(2)", "1(2)",  "(1) 2",   "1+",
        "*1",   "1**2", "1//2", "1* *2",       "1/ /2",  "()",    "(",       ")",
        "(1",   "1)",   "01",   "007",         "0 1",    "1/0",   "1/(2-2)", "0/0",
        "1+()", "1 + ", "1.5",  "1\n+2",       "\n1",    "1\n\n", "a",       "1,2",
        "1=1",  "--",   "+",    "1/(1/3-1/3)", "1_0",    "0x10",  "1e3",     "1\t+ 2",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 5.0;
        if (cop_expression_evaluate(cases[i], strlen(cases[i]), &value))
            fail_msg("accepted: \"%s\" = %.17g", cases[i], value);
        assert_true(value == 0.0);
    }
    double value;
    assert_false(cop_expression_evaluate("1\0+1", 4, &value));
}

static void fill(char *text, size_t *length, char c, size_t count)
{
    assert_true(*length + count <= TEXT_BYTES);
    memset(text + *length, c, count);
    *length += count;
}

static void test_depth(void **state)
{
    (void)state;
    static char text[TEXT_BYTES];
    for (size_t depth = 198; depth <= 203; depth++) {
        size_t length = 0;
        double value;
        fill(text, &length, '(', depth);
        fill(text, &length, '1', 1);
        fill(text, &length, ')', depth);
        assert_int_equal(cop_expression_evaluate(text, length, &value), depth <= 200);
    }
    double value; /* neither of these may use up the stack */
    memset(text, '(', TEXT_BYTES);
    assert_false(cop_expression_evaluate(text, TEXT_BYTES, &value));
    memset(text, '-', TEXT_BYTES);
    assert_false(cop_expression_evaluate(text, TEXT_BYTES, &value));
    text[TEXT_BYTES - 1] = '7';
    assert_true(cop_expression_evaluate(text, TEXT_BYTES, &value) && value == -7.0);
    memset(text, '9', TEXT_BYTES);
    assert_true(cop_expression_evaluate(text, TEXT_BYTES, &value) && isinf(value));
}

/* A random expression, written out and evaluated on the way in exact integers or binary64. */
typedef struct builder {
    uint64_t random;
    char text[4096];
    size_t length;
    bool valid; /* no division by zero so far */
} builder;

static uint32_t draw(builder *b, uint32_t below)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(b->random >> 33) % below;
}

static void put(builder *b, const char *text)
{
    while (draw(b, 4) == 0)
        b->text[b->length++] = ' ';
    const size_t more = strlen(text);
    assert_true(b->length + more + 64 < sizeof b->text);
    memcpy(b->text + b->length, text, more);
    b->length += more;
}

/* Binary operations are written in parentheses, or without where precedence says the same:
 * level 0 is a sum, 1 a product, 2 a factor. */
static double build(builder *b, unsigned depth, unsigned level)
{
    const uint32_t kind = depth == 0 ? 0 : draw(b, 5);
    if (kind == 0) {
        char digits[16];
        const uint32_t value = draw(b, 100);
        (void)snprintf(digits, sizeof digits, "%u", value);
        put(b, digits);
        return value;
    }
    if (kind == 1) {
        put(b, "-");
        return -build(b, depth - 1, 2);
    }
    const char op = "+-*/"[draw(b, 4)];
    const unsigned own = op == '+' || op == '-' ? 0 : 1;
    const bool wrap = own < level || draw(b, 2) == 0;
    const char symbol[2] = {op, '\0'};
    if (wrap) put(b, "(");
    const double left = build(b, depth - 1, own);
    put(b, symbol);
    const double right = build(b, depth - 1, own + 1);
    if (wrap) put(b, ")");
    b->valid = b->valid && !(op == '/' && right == 0.0);
    return op == '+'   ? left + right
           : op == '-' ? left - right
           : op == '*' ? left * right
                       : left / right;
}

static void test_random_expressions(void **state)
{
    (void)state;
    builder b = {.random = 1};
    size_t accepted = 0;
    for (int round = 0; round < 20000; round++) {
        b.length = 0;
        b.valid = true;
        const double want = build(&b, 1 + (unsigned)round % 6, 0);
        double value;
        const bool ok = cop_expression_evaluate(b.text, b.length, &value);
        b.text[b.length] = '\0';
        if (ok != b.valid) fail_msg("%s: %s", ok ? "accepted" : "refused", b.text);
        /* Integers beyond 2^53 are exact here and rounded in `want`. */
        if (ok && fabs(value - want) > 1e-12 * fabs(want))
            fail_msg("%s = %.17g", b.text, value);
        accepted += ok;
    }
    assert_true(accepted > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_random_expressions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
