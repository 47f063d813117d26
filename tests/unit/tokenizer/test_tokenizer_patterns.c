/* Splitting patterns: what they match is what Oniguruma matches, and what cannot be kept alike
 * is refused. */
#include "unit/tokenizer/tokenizer_support.h"

#include "tokenizer/pretokenize_pattern.h"

static void check_pieces(const json_t *row, const cop_pattern *pattern, cop_matcher *matcher)
{
    const json_t *const pieces = json_object_get(row, "pieces");
    const json_t *const text = json_object_get(row, "text");
    cop_spans spans = {0};
    size_t found = 0;
    assert_int_equal(cop_pattern_find(pattern, matcher, json_string_value(text),
                                      json_string_length(text), &spans, NULL),
                     COP_OK);
    for (size_t i = 0; i < spans.count; i++) {
        const cop_span span = spans.data[i];
        if (span.start == span.end) continue;
        const json_t *const wanted = json_array_get(pieces, found++);
        if (json_string_length(wanted) != span.end - span.start ||
            memcmp(json_string_value(text) + span.start, json_string_value(wanted),
                   span.end - span.start) != 0) {
            fail_msg("%s on \"%s\": piece %zu differs",
                     json_string_value(json_object_get(row, "pattern")),
                     json_string_value(text), found);
        }
    }
    assert_int_equal(found, json_array_size(pieces));
    cop_spans_free(&spans);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *const rows = load_json("tests/data/tokenizers/patterns.json");
    cop_matcher *matcher = NULL;
    assert_int_equal(cop_matcher_create(&matcher, NULL), COP_OK);
    size_t refused = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *const row = json_array_get(rows, i);
        const json_t *const source = json_object_get(row, "pattern");
        cop_error err = {0};
        cop_pattern *pattern = NULL;
        const cop_status status = cop_pattern_create(
            json_string_value(source), json_string_length(source), false, &pattern, &err);
        if (status == COP_OK) {
            check_pieces(row, pattern, matcher);
        } else {
            assert_int_equal(status, COP_ERR_UNSUPPORTED);
            assert_null(pattern);
            refused++;
        }
        cop_pattern_destroy(&pattern);
    }
    assert_true(json_array_size(rows) > 100);
    assert_true(refused < json_array_size(rows) / 4);
    cop_matcher_destroy(&matcher);
    json_decref(rows);
}

static void test_translation(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"a|b", "a|b"},
        {"(a)(?:b)", "(?:a)(?:b)"},
        {"\\p{L}+\\P{Lu}\\p{^n}", "\\p{L}+\\P{Lu}\\P{N}"},
        {"\\p{Han}", "\\p{sc:Han}"},
        {"\\d{1,3}+", "(?:\\d{1,3})+"},
        {"x(ab){2}+y", "x(?:(?:ab){2,2})+y"},
        {"a{,4}?", "a{0,4}?"},
        {"a{b{1", "a\\{b\\{1"},
        {"\\u00e9\\x{1F600}\\x41", "\\x{e9}\\x{1f600}\\x{41}"},
        {"[a-c\\d-]", "[a-c\\d\\-]"},
        {"\\v\\n", "\\x0b\\n"},
        {"(?i:'s)|(?-i:x)", "(?i:'s)|(?-i:x)"},
        {"(?i)a", "(?i)a"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        cop_text out = {0};
        cop_error err = {0};
        cop_pattern_sets sets = {0};
        if (cop_pattern_translate(pairs[i][0], strlen(pairs[i][0]), false, &sets, &out, &err) !=
            COP_OK) {
            fail_msg("%s: %s", pairs[i][0], err.message);
        }
        assert_string_equal(out.data, pairs[i][1]);
        cop_text_free(&out);
    }
}

static void test_refused(void **state)
{
    (void)state;
    /* The pattern, and what the message must name. */
    static const char *const rows[][2] = {
        {"\\h", "\\h"},
        {"\\R", "\\R"},
        {"\\bfoo", "\\b"},
        {"(a)\\1", "\\1"},
        {"[[:alpha:]]", "'['"},
        {"[a&&b]", "'&&'"},
        {"[]a]", "']'"},
        {"[a", "without its ']'"},
        {"[a-\\d]", "ends in a set"},
        {"[\\W]", "\\W in a class"},
        {"(?<n>a)", "(?<n"},
        {"(?m:.)", "(?m:"},
        {"(?#x)a", "(?#x"},
        {"a(?i)b|c", "(?i)"},
        {"(*FAIL)", "(*FA"},
        {"(a", "without its ')'"},
        {"a)", "without its '('"},
        {"*a", "quantifier"},
        {"^*", "quantifier"},
        {"(?=a)+", "quantifier"},
        {"a{2}{3}", "quantifier"},
        {"a{2}?", "{n}?"},
        {"a{3,1}", "interval"},
        {"a{99999}", "interval"},
        {"\\xe3\\x81", "byte"},
        {"\\u12", "malformed"},
        {"\\pL", "\\p without braces"},
        {"\\p{Nonsense}", "Nonsense"},
        {"(?i:ss)", "ligature"},
        {"(?i:\xC3\xA9)", "non-ASCII"},
        {"(?i:\\p{Lu})", "kind of letter"},
        {"\\", "backslash"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cop_pattern *pattern = NULL;
        cop_error err = {0};
        const cop_status status =
            cop_pattern_create(rows[i][0], strlen(rows[i][0]), false, &pattern, &err);
        if (status != COP_ERR_UNSUPPORTED) fail_msg("%s: status %d", rows[i][0], (int)status);
        if (strstr(err.message, rows[i][1]) == NULL || strstr(err.message, "pattern") == NULL) {
            fail_msg("%s: \"%s\" does not name %s", rows[i][0], err.message, rows[i][1]);
        }
        assert_null(pattern);
    }
}

static void test_deep_nesting(void **state)
{
    (void)state;
    cop_text source = {0};
    for (int i = 0; i < 1000; i++)
        assert_int_equal(cop_text_append(&source, "(", 1, NULL), COP_OK);
    cop_pattern *pattern = NULL;
    assert_int_equal(cop_pattern_create(source.data, source.length, false, &pattern, NULL),
                     COP_ERR_UNSUPPORTED);
    assert_null(pattern);
    cop_text_free(&source);
}

/* Backtracking without end is an error that names the pattern. */
static void test_match_limit(void **state)
{
    (void)state;
    static const char source[] = "(a+)+(a+)+(a+)+(a+)+b";
    char text[65];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cop_pattern *pattern = NULL;
    cop_matcher *matcher = NULL;
    cop_spans spans = {0};
    cop_error err = {0};
    assert_int_equal(cop_pattern_create(source, strlen(source), false, &pattern, &err), COP_OK);
    assert_int_equal(cop_matcher_create(&matcher, &err), COP_OK);
    /* A 'b' out of reach: without any the search would end at once. */
    memcpy(text + sizeof text - 3, "cb", 2);
    assert_int_equal(cop_pattern_find(pattern, matcher, text, sizeof text - 1, &spans, &err),
                     COP_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, source));
    cop_spans_free(&spans);
    cop_pattern_destroy(&pattern);
    cop_matcher_destroy(&matcher);
}

static void test_literal(void **state)
{
    (void)state;
    cop_pattern *pattern = NULL;
    cop_matcher *matcher = NULL;
    cop_text out = {0};
    cop_text with = {0};
    assert_int_equal(cop_text_append(&with, "-", 1, NULL), COP_OK);
    assert_int_equal(cop_pattern_create(".*", 2, true, &pattern, NULL), COP_OK);
    assert_int_equal(cop_matcher_create(&matcher, NULL), COP_OK);
    assert_int_equal(cop_pattern_replace(pattern, matcher, "a.*b.*", 6, &with, &out, NULL),
                     COP_OK);
    assert_string_equal(out.data, "a-b-");
    cop_text_free(&out);
    cop_text_free(&with);
    cop_pattern_destroy(&pattern);
    cop_matcher_destroy(&matcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),      cmocka_unit_test(test_translation),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_match_limit), cmocka_unit_test(test_literal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
