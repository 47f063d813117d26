/* Tokens and flags of the files beside tokenizer.json, against what transformers 5.24 makes of
 * them: drawn files, their conflicts included. */
#include "tokenizer/tokenizer_side.h"
#include "unit/tokenizer/tokenizer_support.h"

#define BASE "tests/data/faults/09b-eos-token/model/tokenizer.json"

static cop_status parse_side(const char *config, const char *map, const char *added,
                             cop_tokenizer **tokenizer, cop_error *err)
{
    cop_tokenizer_side side = {.config = config == NULL ? NULL : parse_json(config),
                               .special_map = map == NULL ? NULL : parse_json(map),
                               .added = added == NULL ? NULL : parse_json(added)};
    json_t *const json = load_json(BASE);
    char *const text = json_dumps(json, 0);
    const cop_status status = cop_tokenizer_parse(text, strlen(text), &side, tokenizer, err);
    free(text);
    json_decref(json);
    cop_tokenizer_side_free(&side);
    return status;
}

static cop_tokenizer *make_case(const json_t *item)
{
    const json_t *const files = json_object_get(item, "files");
    cop_tokenizer_side side = {
        .config = json_deep_copy(json_object_get(files, "tokenizer_config.json")),
        .special_map = json_deep_copy(json_object_get(files, "special_tokens_map.json")),
        .added = json_deep_copy(json_object_get(files, "added_tokens.json"))};
    json_t *const json = load_json(BASE);
    json_object_set(json, "added_tokens", json_object_get(item, "added_tokens"));
    json_object_set(json, "normalizer", json_object_get(item, "normalizer"));
    char *const text = json_dumps(json, 0);
    cop_error err = {0};
    cop_tokenizer *tokenizer = NULL;
    if (cop_tokenizer_parse(text, strlen(text), &side, &tokenizer, &err) != COP_OK)
        fail_msg("%s", err.message);
    free(text);
    json_decref(json);
    cop_tokenizer_side_free(&side);
    return tokenizer;
}

static void test_golden(void **state)
{
    (void)state;
    json_t *const golden = load_json("tests/data/tokenizers/side.json");
    const json_t *const texts = json_object_get(golden, "texts");
    const json_t *const cases = json_object_get(golden, "cases");
    assert_true(json_array_size(cases) >= 40);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *const item = json_array_get(cases, i);
        char *const name = json_dumps(json_object_get(item, "files"), 0);
        cop_tokenizer *tokenizer = make_case(item);
        for (size_t k = 0; k < json_array_size(texts); k++) {
            const json_t *const ids = json_array_get(json_object_get(item, "ids"), k);
            check_ids(ids, tokenizer, json_array_get(texts, k), false, name);
            check_text(json_array_get(json_object_get(item, "decoded"), k), tokenizer, ids,
                       false, name);
            check_text(json_array_get(json_object_get(item, "skipped"), k), tokenizer, ids,
                       true, name);
        }
        cop_tokenizer_destroy(&tokenizer);
        free(name);
    }
    json_decref(golden);
}

static int32_t id_of(const char *config, const char *map, const char *added,
                     const char *content)
{
    cop_error err = {0};
    cop_tokenizer *tokenizer = NULL;
    if (parse_side(config, map, added, &tokenizer, &err) != COP_OK) fail_msg("%s", err.message);
    const int32_t id = cop_tokenizer_find(tokenizer, content);
    cop_tokenizer_destroy(&tokenizer);
    return id;
}

/* The base has 0 .. 255 for bytes, 256 <s> and 257 </s>. */
static void test_ids(void **state)
{
    (void)state;
    static const char decoder[] = "{\"added_tokens_decoder\":{\"900\":{\"content\":\"<b>\"},"
                                  "\"300\":{\"content\":\"<a>\"}}}";
    assert_int_equal(id_of(NULL, NULL, NULL, "<a>"), -1);
    assert_int_equal(id_of(decoder, NULL, NULL, "<a>"), 258);
    assert_int_equal(id_of(decoder, NULL, NULL, "<b>"), 259);
    assert_int_equal(id_of(decoder, NULL, "{\"<c>\":258}", "<c>"), -1);
    assert_int_equal(id_of("{}", NULL, "{\"<c>\":300,\"<d>\":299}", "<c>"), 259);
    assert_int_equal(
        id_of(NULL, "{\"pad_token\":\"<p>\",\"bos_token\":{\"content\":\"<q>\"}}", NULL, "<p>"),
        259);
    assert_int_equal(
        id_of("{\"image_token\":\"<i>\",\"add_bos_token\":true}", NULL, NULL, "<i>"), 258);
    assert_int_equal(id_of("{\"bos_token\":null,\"eos_token\":\"A\"}", NULL, NULL, "A"), 65);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const configs[] = {
        "{\"bos_token\":7}",
        "{\"bos_token\":{\"lstrip\":true}}",
        "{\"added_tokens_decoder\":[]}",
        "{\"added_tokens_decoder\":{\"x\":{\"content\":\"<a>\"}}}",
        "{\"added_tokens_decoder\":{\"258\":\"<a>\"}}",
        "{\"added_tokens_decoder\":{\"258\":{\"content\":\"<a>\",\"lstrip\":1}}}",
        "{\"additional_special_tokens\":[7]}"};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        cop_error err = {0};
        cop_tokenizer *tokenizer = NULL;
        if (parse_side(configs[i], NULL, NULL, &tokenizer, &err) != COP_ERR_FORMAT)
            fail_msg("%s is taken", configs[i]);
    }
    cop_error err = {0};
    cop_tokenizer *tokenizer = NULL;
    assert_int_equal(parse_side(NULL, NULL, "{\"<a>\":\"258\"}", &tokenizer, &err),
                     COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "<a>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
                                       cmocka_unit_test(test_ids),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
