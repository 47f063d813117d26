/* UTF-8, character classes and normalisation. */
#include "unit/tokenizer/tokenizer_support.h"

#include "coppice/unicode/unicode.h"
#include "coppice/unicode/unicode_table.h"

static void check_repair(const char *bytes, size_t length, const char *wanted)
{
    cop_text out = {0};
    assert_int_equal(cop_unicode_repair(&out, bytes, length, NULL), COP_OK);
    assert_string_equal(out.data == NULL ? "" : out.data, wanted);
    assert_int_equal(cop_unicode_is_valid(bytes, length), strcmp(bytes, wanted) == 0);
    cop_text_free(&out);
}

#define BAD "\xEF\xBF\xBD"

/* One U+FFFD for each maximal part (Unicode, tables 3-8 to 3-11). */
static void test_repair(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80",
         "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"},
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A"},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A"},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", BAD BAD BAD BAD BAD "A" BAD BAD "B"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", BAD BAD BAD BAD "A"},
        {"\xE2\x82", BAD},
        {"\xF0\x9F\x98", BAD},
        {"12345678\x80", "12345678" BAD},
        {"\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80",
         "\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_repair(rows[i][0], strlen(rows[i][0]), rows[i][1]);
}

static void test_codes(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code += code < 0x900 ? 1 : 61) {
        if (code >= 0xD800 && code < 0xE000) continue;
        char bytes[4];
        uint32_t back = 0;
        const size_t length = cop_unicode_encode(code, bytes);
        assert_true(cop_unicode_is_valid(bytes, length));
        assert_int_equal(cop_unicode_decode(bytes, length, &back), length);
        assert_int_equal(back, code);
        assert_int_equal(cop_unicode_previous(bytes, length), 0);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    size_t known = 0;
    for (uint32_t byte = 0; byte < 256; byte++)
        assert_int_equal(cop_unicode_to_byte(cop_unicode_of_byte((uint8_t)byte)), byte);
    for (uint32_t code = 0; code < 0x1000; code++)
        known += cop_unicode_to_byte(code) >= 0;
    assert_int_equal(known, 256);
    assert_int_equal(cop_unicode_of_byte(' '), 0x120);
    assert_int_equal(cop_unicode_of_byte('\n'), 0x10A);
    assert_int_equal(cop_unicode_of_byte(0xAD), 0x143);
    assert_int_equal(cop_unicode_of_byte('a'), 'a');
}

static void test_classes(void **state)
{
    (void)state;
    static const uint32_t spaces[] = {9, 13, 32, 0x85, 0xA0, 0x1680, 0x2003, 0x2029, 0x3000};
    static const uint32_t others[] = {8, 0x1C, 0x180E, 0x200B, 0xFEFF, 'a'};
    static const uint32_t words[] = {'a',    '_',    '7',    0xE9,  0x301,
                                     0x2165, 0x24B6, 0x200D, 0x4E00};
    static const uint32_t signs[] = {' ', '-', 0xB2, 0x2460, 0x20AC, 0x1F600};
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        assert_true(cop_unicode_is_space(spaces[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(cop_unicode_is_space(others[i]));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_true(cop_unicode_is_word(words[i]));
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        assert_false(cop_unicode_is_word(signs[i]));
}

static void check_form(cop_unicode_form form, const char *text, const char *wanted)
{
    cop_text out = {0};
    assert_int_equal(cop_unicode_normalize(form, text, strlen(text), &out, NULL), COP_OK);
    assert_string_equal(out.data, wanted);
    cop_text_free(&out);
}

static void test_forms(void **state)
{
    (void)state;
    check_form(COP_UNICODE_NFC, "", "");
    check_form(COP_UNICODE_NFC, "ascii \xC3\xA9", "ascii \xC3\xA9");
    check_form(COP_UNICODE_NFC, "e\xCC\x81", "\xC3\xA9");
    check_form(COP_UNICODE_NFD, "\xC3\xA9", "e\xCC\x81");
    check_form(COP_UNICODE_NFC, "\xEF\xAC\x81", "\xEF\xAC\x81");
    check_form(COP_UNICODE_NFKC, "\xEF\xAC\x81", "fi");
    check_form(COP_UNICODE_NFKD, "\xEF\xAC\x81\xC3\xA9", "fie\xCC\x81");
    /* Marks in canonical order, equals as they stand. */
    check_form(COP_UNICODE_NFD, "q\xCC\x81\xCC\x96\xCC\x80\xCC\xA7",
               "q\xCC\xA7\xCC\x96\xCC\x81\xCC\x80");
    /* Hangul, and a composition that is excluded. */
    check_form(COP_UNICODE_NFC, "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C");
    check_form(COP_UNICODE_NFC, "\xE0\xA5\x98", "\xE0\xA4\x95\xE0\xA4\xBC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair), cmocka_unit_test(test_codes),
        cmocka_unit_test(test_bytes),  cmocka_unit_test(test_classes),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
