/* Encoding and decoding against golden cases: small tokenizers of each family, and variants of
 * two of them in what a tokenizer file may say. */
#include "unit/tokenizer/tokenizer_support.h"

static void check_folder(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "tests/data/tokenizers/%s/tokenizer.json", name);
    cop_tokenizer *tokenizer = load_tokenizer(path);
    (void)snprintf(path, sizeof path, "tests/data/tokenizers/%s/golden.json", name);
    check_file(path, tokenizer);
    cop_tokenizer_destroy(&tokenizer);
    cop_tokenizer_destroy(&tokenizer); /* twice is harmless */
}

static void test_gpt2(void **state)
{
    (void)state;
    check_folder("gpt2");
}

static void test_smollm(void **state)
{
    (void)state;
    check_folder("smollm");
}

static void test_qwen2(void **state)
{
    (void)state;
    check_folder("qwen2");
}

static void test_llama3(void **state)
{
    (void)state;
    check_folder("llama3");
}

static void test_tiny(void **state)
{
    (void)state;
    check_folder("tiny");
}

/* A file of one tokenizer and its variants: "parts" replace members of the file, "model"
 * members of its model. */
static void check_variants(const char *path)
{
    json_t *const file = load_json(path);
    const json_t *const variants = json_object_get(file, "variants");
    assert_true(json_array_size(variants) > 10);
    for (size_t i = 0; i < json_array_size(variants); i++) {
        const json_t *const variant = json_array_get(variants, i);
        const char *const name = json_string_value(json_object_get(variant, "name"));
        json_t *const json = json_deep_copy(json_object_get(file, "tokenizer"));
        assert_int_equal(json_object_update(json, json_object_get(variant, "parts")), 0);
        assert_int_equal(json_object_update(json_object_get(json, "model"),
                                            json_object_get(variant, "model")),
                         0);
        cop_tokenizer *tokenizer = make_tokenizer(json, name);
        const json_t *const cases = json_object_get(variant, "cases");
        assert_true(json_array_size(cases) > 10);
        for (size_t k = 0; k < json_array_size(cases); k++)
            check_case(json_array_get(cases, k), tokenizer, "ids_with_special", name);
        cop_tokenizer_destroy(&tokenizer);
        json_decref(json);
    }
    json_decref(file);
}

static void test_byte_level_variants(void **state)
{
    (void)state;
    check_variants("tests/data/tokenizers/bytelevel.json");
}

static void test_sentencepiece_variants(void **state)
{
    (void)state;
    check_variants("tests/data/tokenizers/sentencepiece.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_smollm),
        cmocka_unit_test(test_qwen2),
        cmocka_unit_test(test_llama3),
        cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_byte_level_variants),
        cmocka_unit_test(test_sentencepiece_variants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
