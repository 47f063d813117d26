/* The files beside a model's weights: what counts of them, and what is said of differences. */
#include "unit/formats_support.h"

#include "coppice/recipe/identity.h"

static cop_identity read_ok(const char *directory, bool own_template)
{
    cop_identity identity;
    cop_error err = {0};
    if (cop_identity_read(directory, own_template, &identity, &err) != COP_OK)
        fail_msg("%s", err.message);
    return identity;
}

static cop_status compare(const cop_identity *a, const cop_identity *b, const char *accepted,
                          cop_error *err)
{
    *err = (cop_error){0};
    return cop_identity_check(a, b, &accepted, accepted == NULL ? 0 : 1, "r.json", "restore it",
                              err);
}

/* Writes `text` as file `name`, and tells whether the directory is still the same model. */
static bool stays(const char *directory, const char *name, const char *text,
                  const char *differs)
{
    cop_error err;
    const cop_identity before = read_ok(directory, true);
    write_text(directory, name, text);
    const cop_identity after = read_ok(directory, true);
    const cop_status status = compare(&before, &after, NULL, &err);
    if (status == COP_OK) return true;
    assert_int_equal(status, COP_ERR_MISMATCH);
    if (strstr(err.message, differs) == NULL) fail_msg("%s", err.message);
    assert_int_equal(compare(&before, &after, differs, &err), COP_OK);
    assert_int_equal(compare(&before, &after, "nothing", &err), COP_ERR_MISMATCH);
    return false;
}

static void test_what_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *first, *second;
        bool same;
    } cases[] = {
        {"config.json", "{\"rope_theta\":1e4,\"x\":1}", "{\"x\":1, \"rope_theta\": 10000}",
         true},
        {"config.json", "{\"x\":1,\"torch_dtype\":\"bfloat16\"}",
         "{\"x\":1,\"transformers_version\":\"5.24.0\"}", true},
        {"config.json", "{\"rope_theta\":10000}", "{\"rope_theta\":10001}", false},
        {"config.json", "{\"x\":18446744073709551615}", "{\"x\":1.8446744073709552e19}", true},
        {"config.json", "{\"a\":\"\\u0000\"}", "{\"a\":\"\\u0000b\"}", false},
        {"config.json", "no json", "none either", false},
        {"generation_config.json", "{\"top_p\":0.8}", "{\"temperature\":0.7}", true},
        {"generation_config.json", "{\"eos_token_id\":1}", "{\"eos_token_id\":[1,2]}", false},
        {"generation_config.json", "{}", "{\"repetition_penalty\":1.1}", false},
        {"tokenizer.json", "{\"a\":[1,2]}", "{\"a\" : [ 1 , 2 ]}\n", true},
        {"tokenizer.json", "{\"a\":[1,2]}", "{\"a\":[2,1]}", false},
        {"tokenizer_config.json", "{\"bos_token\":\"a\"}",
         "{\"bos_token\":\"a\",\"model_max_length\":1000000000000000019884624838656}", true},
        {"tokenizer_config.json", "{\"bos_token\":\"a\"}", "{\"bos_token\":\"b\"}", false},
        {"added_tokens.json", "{\"a\":1}", "{\"a\":2}", false},
        {"special_tokens_map.json", "{\"eos_token\":\"a\"}", "{\"eos_token\":\"b\"}", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *const root = scratch_make();
        write_text(root, cases[i].name, cases[i].first);
        if (stays(root, cases[i].name, cases[i].second, cases[i].name) != cases[i].same)
            fail_msg("%s: %s, then %s", cases[i].name, cases[i].first, cases[i].second);
        scratch_remove(root);
    }
}

/* Its text counts, wherever it stands; a family named by the user takes its place. */
static void test_template(void **state)
{
    (void)state;
    char *const root = scratch_make();
    static const char *const name = "tokenizer_config.json";
    write_text(root, name, "{}");
    assert_false(stays(root, name, "{\"chat_template\":\"one\"}", "chat_template"));
    write_text(root, "chat_template.jinja", "one");
    const cop_identity moved = read_ok(root, true);
    assert_true(stays(root, name, "{\"chat_template\":\"other\"}", ""));
    assert_false(stays(root, "chat_template.jinja", "two", "chat_template"));
    assert_true(stays(root, "chat_template.jinja", "two", ""));
    cop_error err;
    const cop_identity before = read_ok(root, false);
    assert_string_equal(before.digest[cop_identity_find("chat_template")], "");
    write_text(root, "chat_template.jinja", "three");
    const cop_identity after = read_ok(root, true);
    assert_int_equal(compare(&before, &after, NULL, &err), COP_OK);
    char *const jinja = path_in(root, "chat_template.jinja");
    assert_int_equal(unlink(jinja), 0);
    cop_memory_free(jinja);
    write_text(root, name, "{\"chat_template\":\"one\"}");
    const cop_identity back = read_ok(root, true);
    assert_int_equal(compare(&moved, &back, NULL, &err), COP_OK);
    assert_true(stays(root, name,
                      "{\"chat_template\":[{\"name\":\"tool\",\"template\":\"x\"},"
                      "{\"name\":\"default\",\"template\":\"one\"}]}",
                      ""));
    assert_false(stays(root, name, "{\"chat_template\":null}", "chat_template"));
    scratch_remove(root);
}

/* Files that come and go are told so; all that differ are named at once. */
static void test_message(void **state)
{
    (void)state;
    char *const root = scratch_make();
    write_text(root, "config.json", "{}");
    const cop_identity before = read_ok(root, true);
    assert_true(cop_identity_is_known(&before));
    write_text(root, "config.json", "{\"x\":1}");
    write_text(root, "tokenizer.json", "{}");
    const cop_identity after = read_ok(root, true);
    cop_error err;
    assert_int_equal(compare(&before, &after, NULL, &err), COP_ERR_MISMATCH);
    assert_non_null(
        strstr(err.message, "r.json belongs to a model with other files: config.json"));
    assert_non_null(strstr(err.message, "tokenizer.json: there was none, now there is one"));
    assert_non_null(strstr(err.message, "; restore it"));
    assert_int_equal(compare(&after, &before, NULL, &err), COP_ERR_MISMATCH);
    assert_non_null(strstr(err.message, "tokenizer.json: is missing now"));
    const cop_identity unknown = {0};
    assert_false(cop_identity_is_known(&unknown));
    assert_int_equal(compare(&unknown, &after, NULL, &err), COP_OK);
    assert_int_equal(cop_identity_find("other"), COP_IDENTITY_FILES);
    scratch_remove(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_counts),
                                       cmocka_unit_test(test_template),
                                       cmocka_unit_test(test_message)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
