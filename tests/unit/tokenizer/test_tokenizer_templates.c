/* Post-processors against what the tokenizers library makes of them: templates in sequence,
 * those that repeat the text or leave it out, with and without special tokens
 * (tests/data/tokenizers/make_templates.py). */
#include "unit/tokenizer/tokenizer_support.h"

static const char base[] =
    "{\"added_tokens\":[{\"id\":2,\"content\":\"<s>\",\"special\":true},"
    "{\"id\":3,\"content\":\"</s>\",\"special\":true}],"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}}";

static void check_variant(const cop_tokenizer *tokenizer, const json_t *expected, bool special,
                          const char *name)
{
    static const char *const texts[] = {"ab", ""};
    for (size_t i = 0; i < 2; i++) {
        if (!json_is_null(expected)) {
            json_t *const text = json_string(texts[i]);
            check_ids(json_array_get(expected, i), tokenizer, text, special, name);
            json_decref(text);
            continue;
        }
        cop_error err = {0};
        cop_ids ids = {0};
        assert_int_equal(
            cop_tokenizer_encode(tokenizer, texts[i], strlen(texts[i]), special, &ids, &err),
            COP_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "neither one nor two parts"));
        assert_int_equal(ids.count, 0);
    }
}

static void test_golden(void **state)
{
    (void)state;
    json_t *const cases = load_json("tests/data/tokenizers/templates.json");
    size_t refused = 0;
    size_t half = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *const item = json_array_get(cases, i);
        const json_t *const plain = json_object_get(item, "plain");
        const json_t *const special = json_object_get(item, "special");
        json_t *const processor = json_object_get(item, "post_processor");
        char *const name = json_dumps(processor, JSON_COMPACT);
        json_t *const json = parse_json(base);
        json_object_set(json, "post_processor", processor);
        cop_error err = {0};
        cop_tokenizer *tokenizer = NULL;
        const cop_status status = parse_tokenizer(json, &tokenizer, &err);
        if (json_is_null(plain) && json_is_null(special)) {
            assert_int_equal(status, COP_ERR_UNSUPPORTED);
            refused++;
        } else {
            if (status != COP_OK) fail_msg("%s: %s", name, err.message);
            check_variant(tokenizer, plain, false, name);
            check_variant(tokenizer, special, true, name);
            half += json_is_null(plain) || json_is_null(special);
        }
        cop_tokenizer_destroy(&tokenizer);
        json_decref(json);
        free(name);
    }
    assert_true(json_array_size(cases) >= 80 && refused > 0 && half > 0);
    json_decref(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
