/* What changed between two models: figures of made-up answers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "coppice/report/comparison.h"

#include <math.h>
#include <string.h>

enum { MOST = 12 };

/* Answers as text, one letter each: "F" right and in form, "f" wrong and in form, "N" right
 * without the form, "n" wrong without it, "U" and "u" where no form is wanted. An answer has as
 * many tokens as its place, counted from 1. */
typedef struct made_up {
    bool correct[MOST];
    float rewards[MOST];
    int8_t formed[MOST];
    uint32_t lengths[MOST];
} made_up;

static cop_side make(const char *letters, made_up *room)
{
    for (size_t i = 0; letters[i] != '\0'; i++) {
        const char c = letters[i];
        room->correct[i] = c == 'F' || c == 'N' || c == 'U';
        room->rewards[i] = room->correct[i] ? 1 : 0.25F;
        room->formed[i] = c == 'F' || c == 'f'   ? COP_FORMED
                          : c == 'N' || c == 'n' ? COP_FORMED_NOT
                                                 : COP_FORMED_UNKNOWN;
        room->lengths[i] = (uint32_t)i + 1;
    }
    return (cop_side){room->correct, room->rewards, room->formed, room->lengths};
}

static cop_comparison compare(const char *base, const char *result)
{
    made_up rooms[2];
    cop_comparison got;
    const cop_side sides[2] = {make(base, &rooms[0]), make(result, &rooms[1])};
    assert_int_equal(strlen(base), strlen(result));
    assert_int_equal(cop_comparison_make(&sides[0], &sides[1], strlen(base), 7, &got, NULL),
                     COP_OK);
    return got;
}

static void near(double got, double wanted)
{
    assert_true(fabs(got - wanted) < 1e-6);
}

static void who_was_right_is_counted_in_pairs(void **state)
{
    (void)state;
    const cop_comparison c = compare("FFffffnnNn", "FfFFFFFnnN");
    assert_int_equal(c.base.right, 3);
    assert_int_equal(c.result.right, 7);
    near(c.gain, 0.4);
    assert_int_equal(c.test.gained, 6);
    assert_int_equal(c.test.lost, 2);
    near(c.test.exact, 74.0 / 256); /* 2 (1 + 8 + 28) / 2^8 */
    assert_true(c.gain_95.low < 0 && c.gain_95.high > c.gain);
    near(c.base.reward, 3 * 0.1 + 7 * 0.025);
    near(c.base.tokens, 5.5);
    const cop_comparison back = compare("FfFFFFFnnN", "FFffffnnNn");
    near(back.gain, -0.4);
    assert_int_equal(back.test.lost, 6);
    near(back.test.exact, c.test.exact);
    near(back.gain_95.low, -c.gain_95.high);
}

/* The form alone, and what is in it alone, give the same accuracies. */
static void form_is_told_from_content(void **state)
{
    (void)state;
    const cop_comparison form = compare("nnnnFF", "FFfnFF");
    assert_int_equal(form.fixed.form, 2);
    assert_int_equal(form.fixed.content + form.fixed.other, 0);
    near(cop_comparison_form_share(&form.base), 2.0 / 6);
    near(cop_comparison_form_share(&form.result), 5.0 / 6);
    near(cop_comparison_content_share(&form.base), 1);
    near(cop_comparison_content_share(&form.result), 0.8);
    const cop_comparison content = compare("ffnnFF", "FFnnFF");
    assert_int_equal(content.fixed.content, 2);
    assert_int_equal(content.fixed.form + content.fixed.other, 0);
    near(cop_comparison_form_share(&content.base), cop_comparison_form_share(&content.result));
    near(cop_comparison_content_share(&content.base), 0.5);
    near(content.gain, form.gain);
    const cop_comparison neither =
        compare("nnN", "NnN"); /* right before and after without it */
    assert_int_equal(neither.fixed.other, 1);
    assert_int_equal(neither.base.unformed_right, 1);
    assert_int_equal(neither.result.unformed_right, 2);
    const cop_comparison worse = compare("FFF", "fnF");
    assert_int_equal(worse.broken.content, 1);
    assert_int_equal(worse.broken.form, 1);
    assert_int_equal(worse.fixed.content + worse.fixed.form + worse.fixed.other, 0);
}

static cop_text print(const cop_comparison *c, const cop_agreement *agreement)
{
    cop_text text = {0};
    assert_int_equal(cop_comparison_print(c, agreement, &text, NULL), COP_OK);
    return text;
}

static void without_forms_none_are_shown(void **state)
{
    (void)state;
    const cop_comparison c = compare("uuU", "UuU");
    assert_int_equal(c.base.judged, 0);
    assert_true(isnan(cop_comparison_form_share(&c.base)));
    assert_int_equal(c.fixed.other, 1);
    cop_text text = print(&c, NULL);
    assert_non_null(strstr(text.data, "no form"));
    assert_null(strstr(text.data, "of 1 fixed"));
    assert_null(strstr(text.data, "off task"));
    cop_text_free(&text);
    json_t *const json = cop_comparison_json(&c, NULL);
    assert_non_null(json);
    assert_true(json_is_null(json_object_get(json_object_get(json, "base"), "form_share")));
    assert_true(json_is_null(json_object_get(json, "off_task")));
    assert_int_equal(json_integer_value(json_object_get(json, "fixed")), 1);
    json_decref(json);
    const cop_comparison with = compare("nf", "FF");
    text = print(&with, NULL);
    assert_null(strstr(text.data, "no form"));
    assert_non_null(strstr(text.data, "of 2 fixed: in 1 "));
    assert_null(strstr(text.data, "of 0 broken"));
    cop_text_free(&text);
}

/* Nothing in the form: its content has no share, rather than one of zero. */
static void what_is_not_there_has_no_share(void **state)
{
    (void)state;
    const cop_comparison c = compare("nn", "ff");
    near(cop_comparison_form_share(&c.base), 0);
    assert_true(isnan(cop_comparison_content_share(&c.base)));
    near(cop_comparison_content_share(&c.result), 0);
    near(c.test.exact, 1);
    json_t *const json = cop_comparison_json(&c, NULL);
    assert_true(json_is_null(json_object_get(json_object_get(json, "base"), "content_share")));
    assert_true(
        json_is_real(json_object_get(json_object_get(json, "result"), "content_share")));
    json_decref(json);
}

static void agreement_is_of_texts_and_of_their_beginnings(void **state)
{
    (void)state;
    static const int32_t a[] = {5, 6, 7};
    static const int32_t b[] = {5, 6, 8, 9};
    assert_int_equal(cop_agreement_prefix(a, 3, b, 4), 2);
    assert_int_equal(cop_agreement_prefix(a, 2, b, 4), 2); /* ends first */
    assert_int_equal(cop_agreement_prefix(a, 3, a, 3), 3);
    assert_int_equal(cop_agreement_prefix(a + 2, 1, b, 4), 0);
    assert_int_equal(cop_agreement_prefix(a, 0, b, 4), 0);
    cop_agreement agreement = {0};
    const cop_comparison c = compare("f", "f");
    cop_agreement_add(&agreement, true, 3, 3);
    cop_agreement_add(&agreement, false, 0, 5);
    cop_text text = print(&c, &agreement);
    assert_non_null(strstr(text.data, "2 prompts: 0.500 of the answers identical (1)"));
    assert_non_null(strstr(text.data, "first 1.5 tokens of 4.0"));
    cop_text_free(&text);
    agreement.other_words = true;
    text = print(&c, &agreement);
    assert_non_null(strstr(text.data, "tokenizers differ"));
    assert_null(strstr(text.data, "1.5 tokens"));
    cop_text_free(&text);
    json_t *const json = cop_comparison_json(&c, &agreement);
    const json_t *const off = json_object_get(json, "off_task");
    assert_true(json_is_null(json_object_get(off, "common_prefix_tokens")));
    near(json_real_value(json_object_get(off, "identical_share")), 0.5);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_right_is_counted_in_pairs),
        cmocka_unit_test(form_is_told_from_content),
        cmocka_unit_test(without_forms_none_are_shown),
        cmocka_unit_test(what_is_not_there_has_no_share),
        cmocka_unit_test(agreement_is_of_texts_and_of_their_beginnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
