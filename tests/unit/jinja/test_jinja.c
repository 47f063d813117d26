/* Templates as jinja2 renders them (tests/data/make_jinja.py), and what is refused how. */
#include "coppice/jinja/jinja.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

/* 28 November 2026, as in the golden file. */
static const struct tm now = {
    .tm_year = 126, .tm_mon = 10, .tm_mday = 28, .tm_wday = 6, .tm_yday = 331, .tm_isdst = -1};

static cop_status render(const char *source, size_t length, json_t *variables, cop_text *out,
                         cop_error *err)
{
    cop_jinja *template = NULL;
    cop_status status = cop_jinja_parse(source, length, &template, err);
    if (status == COP_OK) status = cop_jinja_render(template, variables, &now, out, err);
    cop_jinja_destroy(&template);
    return status;
}

static void check_case(const json_t *item, json_t *variables)
{
    const json_t *const source = json_object_get(item, "template");
    const json_t *const wanted = json_object_get(item, "text");
    cop_text out = {0};
    cop_error err = {0};
    const cop_status status =
        render(json_string_value(source), json_string_length(source), variables, &out, &err);
    if (wanted == NULL) {
        if (status == COP_OK) fail_msg("%s: taken", json_string_value(source));
        assert_int_equal(strncmp(err.message, "line ", 5), 0);
        assert_int_equal(out.length, 0);
    } else {
        if (status != COP_OK) fail_msg("%s: %s", json_string_value(source), err.message);
        if (out.length != json_string_length(wanted) ||
            memcmp(out.data, json_string_value(wanted), out.length) != 0)
            fail_msg("%s:\n  %s\nis not\n  %s", json_string_value(source), out.data,
                     json_string_value(wanted));
    }
    cop_text_free(&out);
}

static void test_golden(void **state)
{
    (void)state;
    json_error_t where;
    json_t *const file = json_load_file("tests/data/jinja.json", JSON_ALLOW_NUL, &where);
    assert_non_null(file);
    const json_t *const cases = json_object_get(file, "cases");
    assert_true(json_array_size(cases) > 100);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i), json_object_get(file, "variables"));
    json_decref(file);
}

static void check_refused(const char *source, cop_status wanted, const char *named)
{
    json_t *const variables = json_pack("{s:s, s:[i,i]}", "s", "text", "l", 1, 2);
    cop_text out = {0};
    cop_error err = {0};
    assert_int_equal(render(source, strlen(source), variables, &out, &err), wanted);
    assert_int_equal(err.status, wanted);
    if (strstr(err.message, named) == NULL) fail_msg("\"%s\" lacks %s", err.message, named);
    assert_int_equal(out.length, 0);
    json_decref(variables);
}

/* What is not known is named, with its line, and only where it is reached. */
static void test_unknown(void **state)
{
    (void)state;
    check_refused("a\n{{ s|groupby('x') }}", COP_ERR_UNSUPPORTED,
                  "line 2: the filter \"groupby\"");
    check_refused("{{ s is odder }}", COP_ERR_UNSUPPORTED, "line 1: the test \"odder\"");
    check_refused("\n\n{% include 'x' %}", COP_ERR_UNSUPPORTED,
                  "line 3: the tag {% include %}");
    check_refused("{{ s.zfill(3) }}", COP_ERR_UNSUPPORTED, "\"zfill\"");
    check_refused("{{ l.append(3) }}", COP_ERR_UNSUPPORTED, "\"append\"");
    check_refused("{{ cycler(1) }}", COP_ERR_UNSUPPORTED, "\"cycler\"");
    check_refused("{{ (s|safe) + 'a' }}", COP_ERR_UNSUPPORTED, "\"safe\"");
    check_refused("{% for x in l recursive %}{% endfor %}", COP_ERR_UNSUPPORTED, "recursive");
    check_refused("{{ strftime_now('%s') }}", COP_ERR_UNSUPPORTED, "%s");
    check_refused("{{ 9223372036854775807 + 1 }}", COP_ERR_UNSUPPORTED, "64 bits");
    check_refused("{{ '\xC3\x9F'|upper }}", COP_ERR_UNSUPPORTED, "U+00DF");
    json_t *const variables = json_object();
    cop_text out = {0};
    const char unreached[] = "a{% if x %}{{ s|groupby('x') }}{% endif %}b";
    assert_int_equal(render(unreached, sizeof unreached - 1, variables, &out, NULL), COP_OK);
    assert_string_equal(out.data, "ab");
    cop_text_free(&out);
    json_decref(variables);
}

static void test_mistakes(void **state)
{
    (void)state;
    check_refused("{{ raise_exception('not so') }}", COP_ERR_FORMAT, "not so");
    check_refused("{{ x.y }}", COP_ERR_FORMAT, "\"x\" is undefined");
    check_refused("{{ 'a' + 1 }}", COP_ERR_FORMAT, "+ cannot stand between string and integer");
    check_refused("a\nb{% if s %}\nc", COP_ERR_FORMAT, "without {% endif %}");
    check_refused("{{ s ", COP_ERR_FORMAT, "a tag has no end");
    check_refused("{{ ) }}", COP_ERR_FORMAT, "bracket");
    check_refused("\xFF", COP_ERR_FORMAT, "UTF-8");
}

/* Templates of strangers come to an end. */
static void test_bounds(void **state)
{
    (void)state;
    cop_text deep = {0};
    for (int i = 0; i < 5000; i++)
        assert_int_equal(cop_text_append(&deep, i == 0 ? "{{ -" : "-", i == 0 ? 4 : 1, NULL),
                         COP_OK);
    assert_int_equal(cop_text_append(&deep, "1 }}", 4, NULL), COP_OK);
    check_refused(deep.data, COP_ERR_UNSUPPORTED, "levels of nesting");
    cop_text_clear(&deep);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(cop_text_append(&deep, i == 0 ? "{{ s" : "+s", i == 0 ? 4 : 2, NULL),
                         COP_OK);
    assert_int_equal(cop_text_append(&deep, " }}", 3, NULL), COP_OK);
    check_refused(deep.data, COP_ERR_UNSUPPORTED, "levels inside each other");
    cop_text_free(&deep);
    check_refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", COP_ERR_UNSUPPORTED,
                  "levels inside each other");
    check_refused("{{ s * 1000000000000 }}", COP_ERR_UNSUPPORTED, "the template");
    check_refused("{{ l * 4611686018427387904 }}", COP_ERR_UNSUPPORTED, "the template");
    check_refused(
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
        COP_ERR_UNSUPPORTED, "the template");
    check_refused(
        "{% set ns = namespace(l=[]) %}{% for a in range(90000) %}{% set ns.l = [ns.l] "
        "%}{% endfor %}{{ ns.l }}",
        COP_ERR_UNSUPPORTED, "levels inside each other");
}

static void test_reads(void **state)
{
    (void)state;
    cop_jinja *template = NULL;
    const char source[] = "strftime_now {{ a + 'strftime_now' }}{{ b.c }}";
    assert_int_equal(cop_jinja_parse(source, sizeof source - 1, &template, NULL), COP_OK);
    assert_true(cop_jinja_reads(template, "a"));
    assert_false(cop_jinja_reads(template, "strftime_now"));
    cop_jinja_destroy(&template);
    cop_jinja_destroy(&template);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),   cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
