/* The interface: looking tokens up, invalid bytes, ids that do not exist, lists that grow, many
 * threads on one tokenizer. */
#include "unit/tokenizer/tokenizer_support.h"

#include <pthread.h>

static const char small[] =
    "{\"added_tokens\":[{\"id\":4,\"content\":\"<s>\",\"special\":true},"
    "{\"id\":5,\"content\":\"<x>\",\"special\":false},{\"id\":6,\"content\":\"\"}],"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
    "{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],"
    "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[4],\"tokens\":[\"<s>\"]}}},"
    "\"decoder\":{\"type\":\"ByteLevel\"},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\\u00e9\":3},"
    "\"merges\":[[\"a\",\"b\"]]}}";

static cop_tokenizer *make_small(void)
{
    json_t *const json = parse_json(small);
    cop_tokenizer *const tokenizer = make_tokenizer(json, "small");
    json_decref(json);
    return tokenizer;
}

static void test_lookup(void **state)
{
    (void)state;
    cop_tokenizer *tokenizer = make_small();
    assert_int_equal(cop_tokenizer_size(tokenizer), 6);
    assert_int_equal(cop_tokenizer_find(tokenizer, "ab"), 2);
    assert_int_equal(cop_tokenizer_find(tokenizer, "<s>"), 4);
    assert_int_equal(cop_tokenizer_find(tokenizer, "<x>"), 5);
    assert_int_equal(cop_tokenizer_find(tokenizer, "<x"), -1);
    assert_int_equal(cop_tokenizer_find(tokenizer, "<x>>"), -1);
    assert_int_equal(cop_tokenizer_find(tokenizer, ""), -1);
    cop_tokenizer_destroy(&tokenizer);
    assert_null(tokenizer);
}

static void check_encoding(const cop_tokenizer *tokenizer, const char *text, bool special,
                           const int32_t *wanted, size_t count)
{
    cop_ids ids = encode(tokenizer, text, strlen(text), special);
    assert_int_equal(ids.count, count);
    if (count > 0) assert_memory_equal(ids.data, wanted, count * sizeof *wanted);
    cop_ids_free(&ids);
}

static void test_encode(void **state)
{
    (void)state;
    cop_tokenizer *tokenizer = make_small();
    check_encoding(tokenizer, "", false, NULL, 0);
    check_encoding(tokenizer, "", true, (const int32_t[]){4}, 1);
    check_encoding(tokenizer, "ab<x>ba<s>", true, (const int32_t[]){4, 2, 5, 1, 0, 4}, 6);
    /* 0xE9 begins a character that does not come: what is encoded is U+FFFD, of which the
     * vocabulary has no byte. */
    check_encoding(tokenizer, "a\xE9", false, (const int32_t[]){0}, 1);
    cop_tokenizer_destroy(&tokenizer);
}

static void test_appends(void **state)
{
    (void)state;
    cop_tokenizer *tokenizer = make_small();
    cop_ids ids = {0};
    cop_text text = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(cop_tokenizer_encode(tokenizer, "ab", 2, false, &ids, NULL), COP_OK);
    assert_int_equal(ids.count, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            cop_tokenizer_decode(tokenizer, ids.data, ids.count, false, &text, NULL), COP_OK);
    }
    assert_string_equal(text.data, "abababababab");
    cop_ids_free(&ids);
    assert_null(ids.data);
    cop_ids_free(&ids);
    cop_text_free(&text);
    cop_tokenizer_destroy(&tokenizer);
}

static void test_decode(void **state)
{
    (void)state;
    static const int32_t ids[] = {4, 2, 3, 5, 3};
    cop_tokenizer *tokenizer = make_small();
    cop_text text = {0};
    assert_int_equal(cop_tokenizer_decode(tokenizer, ids, 5, false, &text, NULL), COP_OK);
    assert_string_equal(text.data, "<s>ab\xEF\xBF\xBD<x>\xEF\xBF\xBD");
    cop_text_clear(&text);
    assert_int_equal(cop_tokenizer_decode(tokenizer, ids, 5, true, &text, NULL), COP_OK);
    assert_string_equal(text.data, "ab\xEF\xBF\xBD<x>\xEF\xBF\xBD");
    cop_text_clear(&text);
    assert_int_equal(cop_tokenizer_decode(tokenizer, ids, 0, false, &text, NULL), COP_OK);
    assert_int_equal(text.length, 0);
    /* Ids that no token has are left out wherever they are. */
    static const int32_t nameless[] = {6, 4, -1, 2, INT32_MAX, INT32_MIN};
    assert_int_equal(cop_tokenizer_decode(tokenizer, nameless, 6, false, &text, NULL), COP_OK);
    assert_string_equal(text.data, "<s>ab");
    for (size_t i = 0; i < sizeof nameless / sizeof *nameless; i++)
        assert_int_equal(cop_tokenizer_has_text(tokenizer, nameless[i]), i == 1 || i == 3);
    cop_text_clear(&text);
    assert_int_equal(cop_tokenizer_decode(tokenizer, nameless, 1, false, &text, NULL), COP_OK);
    assert_int_equal(text.length, 0);
    cop_text_free(&text);
    cop_tokenizer_destroy(&tokenizer);
}

/* Contents have the vocabulary's ids or the next ones, whatever the file says of them; one that
 * is listed again takes the later flags, but stays special. */
static void test_added_ids(void **state)
{
    (void)state;
    json_t *const json = parse_json(
        "{\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[]},\"added_tokens\":["
        "{\"id\":100,\"content\":\"<x>\",\"special\":true},"
        "{\"id\":7,\"content\":\"<y>\"},{\"id\":9,\"content\":\"ab\"},"
        "{\"id\":100,\"content\":\"<x>\",\"special\":false,\"rstrip\":true}]}");
    cop_tokenizer *tokenizer = make_tokenizer(json, "added ids");
    cop_text text = {0};
    assert_int_equal(cop_tokenizer_size(tokenizer), 5);
    check_encoding(tokenizer, "<x>  <y>ab", false, (const int32_t[]){3, 4, 2}, 3);
    assert_int_equal(
        cop_tokenizer_decode(tokenizer, (const int32_t[]){3, 2}, 2, true, &text, NULL), COP_OK);
    assert_string_equal(text.data, "ab");
    cop_text_free(&text);
    cop_tokenizer_destroy(&tokenizer);
    json_decref(json);
}

/* A gap in the ids is no token: nothing comes of it. */
static void test_gap(void **state)
{
    (void)state;
    json_t *const json =
        parse_json("{\"model\":{\"vocab\":{\"a\":0,\"b\":7},\"merges\":[]},\"decoder\":"
                   "{\"type\":\"Fuse\"}}");
    cop_tokenizer *tokenizer = make_tokenizer(json, "gap");
    static const int32_t ids[] = {0, 3, 7};
    cop_text text = {0};
    assert_int_equal(cop_tokenizer_size(tokenizer), 8);
    assert_int_equal(cop_tokenizer_decode(tokenizer, ids, 3, false, &text, NULL), COP_OK);
    assert_string_equal(text.data, "ab");
    cop_text_free(&text);
    cop_tokenizer_destroy(&tokenizer);
    json_decref(json);
}

/* Normalizers and decoders that multiply what they get, in one step and in many. */
static void test_growth(void **state)
{
    (void)state;
    json_t *const json = parse_json("{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}");
    json_t *const steps = json_array();
    for (int i = 0; i < 40; i++)
        json_array_append_new(steps, parse_json("{\"type\":\"Replace\",\"pattern\":{\"String\":"
                                                "\"a\"},\"content\":\"aa\"}"));
    json_object_set_new(json, "normalizer",
                        json_pack("{s:s,s:O}", "type", "Sequence", "normalizers", steps));
    json_object_set_new(json, "decoder",
                        json_pack("{s:s,s:o}", "type", "Sequence", "decoders", steps));
    cop_tokenizer *tokenizer = make_tokenizer(json, "growing");
    cop_error err = {0};
    cop_ids ids = {0};
    cop_text text = {0};
    const int32_t one = 0;
    assert_int_equal(cop_tokenizer_encode(tokenizer, "a", 1, false, &ids, &err),
                     COP_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "over 65600 bytes"));
    assert_int_equal(cop_tokenizer_decode(tokenizer, &one, 1, false, &text, &err),
                     COP_ERR_UNSUPPORTED);
    assert_int_equal(cop_tokenizer_encode(tokenizer, "b", 1, false, &ids, NULL), COP_OK);
    cop_ids_free(&ids);
    cop_text_free(&text);
    cop_tokenizer_destroy(&tokenizer);
    json_decref(json);
}

/* --- threads --- */

typedef struct worker {
    const cop_tokenizer *tokenizer;
    const json_t *cases;
    size_t wrong;
} worker;

static void *encode_all(void *context)
{
    worker *const self = context;
    for (size_t i = 0; i < json_array_size(self->cases); i++) {
        const json_t *const item = json_array_get(self->cases, i);
        const json_t *const text = json_object_get(item, "text");
        const json_t *const wanted = json_object_get(item, "ids");
        cop_ids ids = {0};
        if (cop_tokenizer_encode(self->tokenizer, json_string_value(text),
                                 json_string_length(text), false, &ids, NULL) != COP_OK ||
            ids.count != json_array_size(wanted)) {
            self->wrong++;
        }
        for (size_t k = 0; k < ids.count && k < json_array_size(wanted); k++)
            self->wrong += ids.data[k] != json_integer_value(json_array_get(wanted, k));
        cop_ids_free(&ids);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    cop_tokenizer *tokenizer = load_tokenizer("tests/data/tokenizers/qwen2/tokenizer.json");
    json_t *const cases = load_json("tests/data/tokenizers/qwen2/golden.json");
    pthread_t threads[THREADS];
    worker workers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.tokenizer = tokenizer, .cases = cases};
        assert_int_equal(pthread_create(&threads[i], NULL, encode_all, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
    json_decref(cases);
    cop_tokenizer_destroy(&tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup),  cmocka_unit_test(test_encode),
        cmocka_unit_test(test_appends), cmocka_unit_test(test_decode),
        cmocka_unit_test(test_gap),     cmocka_unit_test(test_added_ids),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
