/* The categories of one stated version of Unicode, whatever PCRE2's is. */
#include "coppice/unicode/unicode.h"
#include "coppice/unicode/unicode_table.h"
#include "tokenizer/pretokenize_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_categories(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        cop_category category;
    } cases[] = {{0, COP_CATEGORY_CC},       {'A', COP_CATEGORY_LU},
                 {'_', COP_CATEGORY_PC},     {0x2fffe, COP_CATEGORY_CN},
                 {0x4e00, COP_CATEGORY_LO},  {0x9fff, COP_CATEGORY_LO},
                 {0xd800, COP_CATEGORY_CS},  {0xe000, COP_CATEGORY_CO},
                 {0x105c0, COP_CATEGORY_LO}, /* Todhri, of Unicode 16 */
                 {0x1e4f0, COP_CATEGORY_ND}, /* Nag Mundari, of Unicode 15 */
                 {0x1fae8, COP_CATEGORY_SO}, /* a face, of Unicode 15 */
                 {0x11de0, COP_CATEGORY_CN}, /* a digit since Unicode 17 */
                 {0x10ffff, COP_CATEGORY_CN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(cop_unicode_category(cases[i].code), cases[i].category);
    assert_int_equal(cop_unicode_category_set("Lu", 2), 1 << COP_CATEGORY_LU);
    assert_int_equal(cop_unicode_category_set("nD", 2), 1 << COP_CATEGORY_ND);
    assert_int_equal(cop_unicode_category_set("Z", 1),
                     1 << COP_CATEGORY_ZL | 1 << COP_CATEGORY_ZP | 1 << COP_CATEGORY_ZS);
    assert_int_equal(cop_unicode_category_set("Han", 3), 0);
    assert_int_equal(cop_unicode_category_set("X", 1), 0);
    assert_true(cop_unicode_is_word(0x105c0) && !cop_unicode_is_word(0x11de0));
}

static void test_changes(void **state)
{
    (void)state;
    const cop_category_set letters = cop_unicode_category_set("L", 1);
    const cop_category_set symbols = cop_unicode_category_set("S", 1);
    assert_false(cop_unicode_has_change("plain \xe4\xb8\xad \xc3\xa9", 12, &letters, 1));
    assert_true(cop_unicode_has_change("a\xf0\x90\x97\x80", 5, &letters, 1)); /* U+105C0 */
    assert_false(cop_unicode_has_change("a\xf0\x90\x97\x80", 5, &symbols, 1));
    assert_true(cop_unicode_has_change("\xf0\x9f\xab\xa8", 4, &symbols, 1)); /* U+1FAE8 */
    assert_false(cop_unicode_has_change("\xf0\x9f\xab\xa8", 4, &letters, 1));
    assert_true(cop_unicode_has_change("\xf0\x91\xb7\xa0", 4, &letters, 1)); /* not assigned */
}

/* The lengths of the pieces that a pattern cuts a text into. */
static void check_cuts(const char *source, const char *text, const char *lengths)
{
    cop_error err = {0};
    cop_pattern *pattern = NULL;
    cop_matcher *matcher = NULL;
    cop_spans spans = {0};
    cop_text got = {0};
    if (cop_pattern_create(source, strlen(source), false, &pattern, &err) != COP_OK)
        fail_msg("%s", err.message);
    assert_int_equal(cop_matcher_create(&matcher, NULL), COP_OK);
    assert_int_equal(cop_pattern_find(pattern, matcher, text, strlen(text), &spans, NULL),
                     COP_OK);
    for (size_t i = 0; i < spans.count; i++)
        assert_int_equal(cop_text_format(&got, NULL, "%s%zu", spans.data[i].match ? "" : "-",
                                         spans.data[i].end - spans.data[i].start),
                         COP_OK);
    assert_string_equal(got.data, lengths);
    cop_text_free(&got);
    cop_spans_free(&spans);
    cop_matcher_destroy(&matcher);
    cop_pattern_destroy(&pattern);
}

static void test_patterns(void **state)
{
    (void)state;
    static const char todhri[] = "a\xf0\x90\x97\x80 1"; /* a letter */
    static const char mundari[] = "a\xf0\x9e\x93\xb0"
                                  "1 "; /* a digit */
    static const char unassigned[] = "a\xf0\x91\xb7\xa0"
                                     "1"; /* neither */
    check_cuts("\\p{L}+", todhri, "5-2");
    check_cuts("[\\p{L}]+", todhri, "5-2");
    check_cuts("\\P{L}+", todhri, "-52");
    check_cuts("[\\P{L}]+", todhri, "-52");
    check_cuts("[^\\p{L}]+", todhri, "-52");
    check_cuts("\\p{Lo}", todhri, "-14-2");
    check_cuts("\\w+", todhri, "5-11");
    check_cuts("\\W+", todhri, "-51-1");
    check_cuts("\\p{N}+", mundari, "-15-1");
    check_cuts("\\d+", mundari, "-15-1");
    check_cuts("[\\d]+", mundari, "-15-1");
    check_cuts("\\D+", mundari, "1-51");
    check_cuts("[\\D]+", mundari, "1-51");
    check_cuts("\\p{N}+", unassigned, "-51");
    check_cuts("\\p{L}+", unassigned, "1-5");
    check_cuts("\\p{C}+", unassigned, "-14-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_categories),
                                       cmocka_unit_test(test_changes),
                                       cmocka_unit_test(test_patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
