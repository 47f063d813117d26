/* Growing texts, and distances between words. */
#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15U;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static void test_append(void **state)
{
    (void)state;
    cop_text text = {0};
    assert_int_equal(cop_text_append(&text, NULL, 0, NULL), COP_OK);
    assert_string_equal(text.data, "");
    assert_int_equal(cop_text_append(&text, "a\0b", 3, NULL), COP_OK);
    assert_int_equal(text.length, 3);
    assert_memory_equal(text.data, "a\0b", 4);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(cop_text_append(&text, "xyz", 3, NULL), COP_OK);
    assert_int_equal(text.length, 30003);
    assert_true(text.capacity > text.length);
    assert_string_equal(text.data + 29997, "xyzxyz");
    const size_t capacity = text.capacity;
    cop_text_clear(&text);
    assert_int_equal(text.length, 0);
    assert_string_equal(text.data, "");
    assert_int_equal(text.capacity, capacity);
    cop_text_free(&text);
    assert_null(text.data);
    assert_int_equal(text.capacity, 0);
    cop_text_free(&text);
    cop_text_clear(&text);
}

static void test_format(void **state)
{
    (void)state;
    cop_text text = {0};
    assert_int_equal(cop_text_format(&text, NULL, "%s", ""), COP_OK);
    assert_string_equal(text.data, "");
    char wanted[5000] = "";
    for (int i = 0; i < 200; i++) {
        assert_int_equal(cop_text_format(&text, NULL, "%d-%s|", i, "abcdefghijk"), COP_OK);
        (void)snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%d-%s|", i,
                       "abcdefghijk");
        assert_string_equal(text.data, wanted);
        assert_int_equal(text.length, strlen(wanted));
    }
    cop_text_free(&text);
}

static void test_too_long(void **state)
{
    (void)state;
    cop_text text = {0};
    cop_error err = {0};
    assert_int_equal(cop_text_append(&text, "abc", 3, NULL), COP_OK);
    assert_int_equal(cop_text_append(&text, "x", SIZE_MAX, &err), COP_ERR_MEMORY);
    assert_int_equal(err.status, COP_ERR_MEMORY);
    assert_int_equal(cop_text_append(&text, "x", SIZE_MAX - 5, &err), COP_ERR_MEMORY);
    assert_int_equal(cop_text_append(&text, "x", SIZE_MAX / 2, &err), COP_ERR_MEMORY);
    assert_string_equal(text.data, "abc");
    assert_int_equal(text.length, 3);
    cop_text_free(&text);
}

/* By the definition; for short words. */
static size_t distance_by_definition(const char *a, const char *b)
{
    if (*a == '\0') return strlen(b);
    if (*b == '\0') return strlen(a);
    size_t best = distance_by_definition(a + 1, b + 1) + ((*a | 32) != (*b | 32));
    const size_t without_a = distance_by_definition(a + 1, b) + 1;
    const size_t without_b = distance_by_definition(a, b + 1) + 1;
    if (without_a < best) best = without_a;
    return without_b < best ? without_b : best;
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(cop_text_distance("", ""), 0);
    assert_int_equal(cop_text_distance("abc", ""), 3);
    assert_int_equal(cop_text_distance("kitten", "sitting"), 3);
    assert_int_equal(cop_text_distance("sigma", "SIGMA"), 0);
    assert_int_equal(cop_text_distance("sgima", "sigma"), 2);
    uint64_t seed = 3;
    for (int i = 0; i < 3000; i++) {
        char words[2][8];
        for (int w = 0; w < 2; w++) {
            const size_t length = next_random(&seed) % 7;
            for (size_t j = 0; j < length; j++)
                words[w][j] = "abAB"[next_random(&seed) % 4];
            words[w][length] = '\0';
        }
        const size_t wanted = distance_by_definition(words[0], words[1]);
        assert_int_equal(cop_text_distance(words[0], words[1]), wanted);
        assert_int_equal(cop_text_distance(words[1], words[0]), wanted);
    }
    char longest[65];
    memset(longest, 'a', 64);
    longest[64] = '\0';
    assert_int_equal(cop_text_distance(longest, longest), 0);
    char longer[200];
    memset(longer, 'a', 199);
    longer[199] = '\0';
    assert_int_equal(cop_text_distance(longer, "a"), 199);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const words[] = {"size", "sigma", "seed", "scope"};
    assert_string_equal(cop_text_nearest("sgima", words, 4), "sigma");
    assert_string_equal(cop_text_nearest("SEED", words, 4), "seed");
    assert_string_equal(cop_text_nearest("seeds", words, 4), "seed");
    assert_null(cop_text_nearest("temperature", words, 4));
    assert_null(cop_text_nearest("", words, 4));
    assert_null(cop_text_nearest("sigma", words, 0));
    assert_null(cop_text_nearest("x", words, 4));
}

static void test_word(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"runs/demo", "runs/demo"},
        {"gate.z=-1.5e+3", "gate.z=-1.5e+3"},
        {"my runs/a", "'my runs/a'"},
        {"", "''"},
        {"a=\"$b\"", "'a=\"$b\"'"},
        {"what's", "'what'\\''s'"},
        {"~/x", "'~/x'"},
        {"d\xc3\xa4", "'d\xc3\xa4'"},
        {"[1, 2]", "'[1, 2]'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cop_text text = {0};
        assert_int_equal(cop_text_append_word(&text, cases[i][0], NULL), COP_OK);
        assert_string_equal(text.data, cases[i][1]);
        cop_text_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),   cmocka_unit_test(test_format),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_distance),
        cmocka_unit_test(test_nearest),  cmocka_unit_test(test_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
