/* The program in a response. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "task/program/program.h"

#include <stdlib.h>
#include <string.h>

/* `tests` NULL: unknown. */
static void check_for(const char *tests, const char *response, const char *program)
{
    /* The copy has no NUL after it: reading beyond the length is found by the sanitizers. */
    const size_t length = strlen(response);
    char *const copy = malloc(length + 1);
    assert_non_null(copy);
    memcpy(copy, response, length);
    char *const exact = realloc(copy, length > 0 ? length : 1);
    assert_non_null(exact);
    const cop_slice users = {tests, tests != NULL ? strlen(tests) : 0};
    cop_text found = {0};
    assert_int_equal(cop_program_find((cop_slice){exact, length}, users, &found, NULL), COP_OK);
    const char *const text = found.length > 0 ? found.data : "";
    if (strcmp(text, program) != 0)
        fail_msg("in \"%s\": \"%s\" instead of \"%s\"", response, text, program);
    cop_text_free(&found);
    free(exact);
}

static void check(const char *response, const char *program)
{
    check_for(NULL, response, program);
}

/* As the published reward finds them. */
static void test_golden(void **state)
{
    (void)state;
    json_error_t error;
    json_t *const root = json_load_file("tests/data/rewards.json", 0, &error);
    if (root == NULL) fail_msg("tests/data/rewards.json:%d: %s", error.line, error.text);
    const json_t *const cases = json_object_get(root, "code_extract");
    assert_true(json_array_size(cases) > 5);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *const one = json_array_get(cases, i);
        check(json_string_value(json_object_get(one, "response")),
              json_string_value(json_object_get(one, "code")));
    }
    json_decref(root);
}

static void test_answers(void **state)
{
    (void)state;
    check("<answer>x</answer>", "x");
    check("<answer> \n x\n\t</answer>", "x");
    check("<answer>\xc2\xa0x\xe3\x80\x80</answer>", "x");
    check("<answer>a</answer><answer>b", "a");
    check("<answer>a <answer>b</answer> c</answer>", "a <answer>b");
    check("```python\na\n``` <answer></answer>", "");
    check("<answer>", "");
    check("</answer>a<answer>", "");
}

static void test_fences(void **state)
{
    (void)state;
    check("```python\ndef f():\n    pass\n```\nDone.", "def f():\n    pass");
    check("```\na\n```\n```python\nb\n```\n```\nc\n```", "b");
    check("```\na\n```\n```\nb\n```", "b");
    check("```python\nx", "");
    check("``````", "");
    check("```python```", "");
}

static void test_marks(void **state)
{
    (void)state;
    check("[BEGIN]\nx = 1\n[DONE]\n[BEGIN]\ny\n[DONE]", "x = 1");
    check("x = 1\n[DONE] and so on", "x = 1");
    check("[BEGIN] x = 1", "x = 1");
    check("[BEGIN]\n```python\nx = 1\n```\n[DONE]", "x = 1");
}

static void test_bare(void **state)
{
    (void)state;
    check("def f(x):\n    return x\n", "def f(x):\n    return x");
    check("import math\ndef f(x): return x", "import math\ndef f(x): return x");
    check("I would def initely return x", "");
    check("  def f(x): return x", "def f(x): return x");
    check("x = 1", "");
    check("", "");
}

static const char tests_of_f[] = "assert f(3) == 3";

/* What the tests call decides between blocks, places and marks that prose mentions. */
static void test_names(void **state)
{
    (void)state;
    check_for(tests_of_f,
              "```\ndef g(): pass\n```\n```\ndef f(x): pass\n```\n```\ndef h(): pass\n```",
              "def f(x): pass");
    check_for(tests_of_f,
              "<answer>\n```py\ndef f(x): pass\n```\n</answer> in <answer>, </answer>",
              "def f(x): pass");
    check_for(tests_of_f, "<answer>g = 1</answer>\n~~~\nf = g\n~~~", "f = g");
    check_for(tests_of_f, "<answer>class C:\n  def f(self): pass</answer>",
              "class C:\n  def f(self): pass");
    check_for(tests_of_f, "```\ndef f(x):\n  return 1\n```\n```\ndef f(x):\n  return 2\n```",
              "def f(x):\n  return 2");
    check_for(tests_of_f, "<answer>f(3)</answer>", "f(3)");
    check_for(tests_of_f, "assert f(3) == 3", "");
}

/* Blocks that the program needs come along, in their order; others do not. */
static void test_needed_blocks(void **state)
{
    (void)state;
    check_for(
        tests_of_f,
        "```\nimport math\n```\n```\ndef f(x): return g(x)\n```\n```\ndef g(x): return x\n```",
        "import math\n\ndef f(x): return g(x)\n\ndef g(x): return x");
    check_for(tests_of_f, "```\nLIMIT = 3\n```\n```\ndef f(x): return LIMIT\n```",
              "LIMIT = 3\n\ndef f(x): return LIMIT");
    check_for(tests_of_f, "```\ndef f(x):\n    r = x\n    return r\n```\n```\nr = f(3)\n```",
              "def f(x):\n    r = x\n    return r");
    check_for(tests_of_f, "```\ndef old(x): pass\n```\n```\ndef f(x): return x\n```",
              "def f(x): return x");
    check_for("assert f(g(1)) == 1", "```\ndef f(x): pass\n```\n```\ndef g(x): pass\n```",
              "def f(x): pass\n\ndef g(x): pass");
}

static void test_shapes_of_fences(void **state)
{
    (void)state;
    check_for(tests_of_f, "1. ```python\n   def f(x):\n       pass\n   ```",
              "def f(x):\n    pass");
    check_for(tests_of_f, "~~~~py\ndef f(x): pass\n~~~\n~~~~", "def f(x): pass\n~~~");
    check_for(tests_of_f, "```python\ndef f(x): pass", "def f(x): pass");
    check_for(tests_of_f, "```python\ndef f(x): pass```", "def f(x): pass");
    check_for(tests_of_f, "```python\r\ndef f(x):\r\n  pass\r\n```\r\n", "def f(x):\r\n  pass");
    check_for(tests_of_f, "```\n>>> def f(x):\n...     pass\n...\n>>> f(3)\n3\n```",
              "def f(x):\n    pass\n\nf(3)");
    check_for(tests_of_f, "```py\ndef f(x): pass\n```\n```ruby\ndef f(x)\nend\n```",
              "def f(x): pass");
    check_for(tests_of_f, "> ```py\n> def f(x):\n>     pass\n> ```", "def f(x):\n    pass");
}

static void test_prose(void **state)
{
    (void)state;
    check_for(tests_of_f,
              "Here:\ndef f(x):\n\n    return x\nFor example, it is short.\nNote: so.",
              "def f(x):\n\n    return x");
    check_for(tests_of_f,
              "def f(x):\n    \"\"\"Says\nsomething.\n\"\"\"\n    return (x +\n1)\n\nDone.",
              "def f(x):\n    \"\"\"Says\nsomething.\n\"\"\"\n    return (x +\n1)");
    check_for(tests_of_f, "import math\nThe import is used:\ndef f(x): return x",
              "import math\n\ndef f(x): return x");
    check_for(tests_of_f, "class f is what I define, and def f (the one) too.", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_fences),        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_bare),          cmocka_unit_test(test_names),
        cmocka_unit_test(test_needed_blocks), cmocka_unit_test(test_shapes_of_fences),
        cmocka_unit_test(test_prose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
