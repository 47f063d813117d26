/* What a tokenizer file may not say: every refusal has its status and names what is wrong. */
#include "unit/tokenizer/tokenizer_support.h"

#include "coppice/base/memory.h"

#include <stdio.h>
#include <unistd.h>

/* A sound file, of which each case changes one member. */
static const char sound[] =
    "{\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true}],"
    "\"normalizer\":null,\"pre_tokenizer\":null,\"post_processor\":null,\"decoder\":null,"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}}";

typedef struct refusal {
    const char *key;   /* of the file, or with a dot of the model */
    const char *value; /* in JSON */
    cop_status status;
    const char *named; /* in the message */
} refusal;

static void check_refusal(const refusal *row)
{
    json_t *const json = parse_json(sound);
    json_t *const value = json_loads(row->value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    const bool in_model = row->key[0] == '.';
    json_object_set_new(in_model ? json_object_get(json, "model") : json,
                        row->key + (in_model ? 1 : 0), value);
    cop_error err = {0};
    cop_tokenizer *tokenizer = NULL;
    const cop_status status = parse_tokenizer(json, &tokenizer, &err);
    if (status != row->status || strstr(err.message, row->named) == NULL) {
        fail_msg("%s: %s: %s \"%s\"", row->key, row->value, cop_status_name(status),
                 err.message);
    }
    assert_null(tokenizer);
    json_decref(json);
}

static void check_refusals(const refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_refusal(&rows[i]);
}

static void test_sound(void **state)
{
    (void)state;
    json_t *const json = parse_json(sound);
    cop_tokenizer *tokenizer = make_tokenizer(json, "sound");
    cop_tokenizer_destroy(&tokenizer);
    json_decref(json);
}

static void test_model(void **state)
{
    (void)state;
    static const refusal rows[] = {
        {".type", "\"Unigram\"", COP_ERR_UNSUPPORTED, "Unigram"},
        {".type", "\"WordPiece\"", COP_ERR_UNSUPPORTED, "WordPiece"},
        {".type", "7", COP_ERR_UNSUPPORTED, "model"},
        {".dropout", "0.1", COP_ERR_UNSUPPORTED, "dropout"},
        {".continuing_subword_prefix", "\"##\"", COP_ERR_UNSUPPORTED,
         "continuing_subword_prefix"},
        {".end_of_word_suffix", "\"</w>\"", COP_ERR_UNSUPPORTED, "end_of_word_suffix"},
        {".byte_fallback", "1", COP_ERR_FORMAT, "byte_fallback"},
        {".unk_token", "5", COP_ERR_FORMAT, "unk_token"},
        {"model", "null", COP_ERR_FORMAT, "model"},
        {"model", "[]", COP_ERR_FORMAT, "model"},
        {"model", "{}", COP_ERR_FORMAT, "merges"},
        {"model", "{\"type\":\"BPE\"}", COP_ERR_FORMAT, "vocab"},
        {"model", "{\"type\":\"BPE\",\"vocab\":{}}", COP_ERR_FORMAT, "merges"},
    };
    check_refusals(rows, sizeof rows / sizeof *rows);
}

static void test_vocabulary(void **state)
{
    (void)state;
    static const refusal rows[] = {
        {".vocab", "[]", COP_ERR_FORMAT, "object"},
        {".vocab", "null", COP_ERR_FORMAT, "object"},
        {".vocab", "{\"a\":0,\"b\":0,\"ab\":1}", COP_ERR_FORMAT, "\"a\" and \"b\""},
        {".vocab", "{\"a\":-1,\"b\":0,\"ab\":1}", COP_ERR_FORMAT, "\"a\""},
        {".vocab", "{\"a\":4194304,\"b\":0,\"ab\":1}", COP_ERR_FORMAT, "4194303"},
        {".vocab", "{\"a\":99999999999999999,\"b\":0,\"ab\":1}", COP_ERR_FORMAT, "4194303"},
        {".vocab", "{\"a\":1.5,\"b\":0,\"ab\":1}", COP_ERR_FORMAT, "\"a\""},
        {".vocab", "{\"a\":\"0\",\"b\":0,\"ab\":1}", COP_ERR_FORMAT, "\"a\""},
        {".vocab", "{\"a\":null,\"b\":0,\"ab\":1}", COP_ERR_FORMAT, "\"a\""},
        {".merges", "{}", COP_ERR_FORMAT, "list"},
        {".merges", "[\"a c\"]", COP_ERR_FORMAT, "\"c\""},
        {".merges", "[\"c a\"]", COP_ERR_FORMAT, "\"c\""},
        {".merges", "[\"b a\"]", COP_ERR_FORMAT, "\"ba\""},
        {".merges", "[\"a b\",\"ab\"]", COP_ERR_FORMAT, "merge 2"},
        {".merges", "[\"a b c\"]", COP_ERR_FORMAT, "merge 1"},
        {".merges", "[[\"a\"]]", COP_ERR_FORMAT, "merge 1"},
        {".merges", "[[\"a\",\"b\",\"c\"]]", COP_ERR_FORMAT, "merge 1"},
        {".merges", "[[\"a\",1]]", COP_ERR_FORMAT, "string"},
        {".merges", "[7]", COP_ERR_FORMAT, "string"},
        {".merges", "[\"\"]", COP_ERR_FORMAT, "merge 1"},
    };
    check_refusals(rows, sizeof rows / sizeof *rows);
}

#define TOKEN(id, content) "{\"id\":" id ",\"content\":" content ",\"special\":true}"

static void test_added(void **state)
{
    (void)state;
    static const refusal rows[] = {
        {"added_tokens", "{}", COP_ERR_FORMAT, "added_tokens"},
        {"added_tokens", "[7]", COP_ERR_FORMAT, "content"},
        {"added_tokens", "[" TOKEN("3", "7") "]", COP_ERR_FORMAT, "content"},
        {"added_tokens", "[" TOKEN("-3", "\"x\"") "]", COP_ERR_FORMAT, "\"id\""},
        {"added_tokens", "[" TOKEN("4194304", "\"x\"") "]", COP_ERR_FORMAT, "\"id\""},
        {"added_tokens", "[" TOKEN("3.0", "\"x\"") "]", COP_ERR_FORMAT, "\"id\""},
        {"added_tokens", "[" TOKEN("3", "\"x\"") "," TOKEN("3", "\"y\"") "]", COP_ERR_FORMAT,
         "\"y\" has the id 3 of another one"},
        {".vocab", "{\"a\":0,\"b\":1,\"ab\":3}", COP_ERR_FORMAT, "belongs to \"ab\""},
        {"added_tokens", "[{\"id\":3,\"content\":\"x\",\"lstrip\":\"yes\"}]", COP_ERR_FORMAT,
         "lstrip"},
    };
    check_refusals(rows, sizeof rows / sizeof *rows);
}

static void test_parts(void **state)
{
    (void)state;
    static const refusal rows[] = {
        {"normalizer", "{\"type\":\"Lowercase\"}", COP_ERR_UNSUPPORTED, "Lowercase"},
        {"normalizer", "{\"type\":\"Precompiled\"}", COP_ERR_UNSUPPORTED, "Precompiled"},
        {"normalizer", "{}", COP_ERR_FORMAT, "type"},
        {"normalizer", "{\"type\":\"Sequence\"}", COP_ERR_FORMAT, "normalizers"},
        {"normalizer", "{\"type\":\"Prepend\"}", COP_ERR_FORMAT, "prepend"},
        {"normalizer", "{\"type\":\"Replace\",\"content\":\"\"}", COP_ERR_FORMAT, "pattern"},
        {"normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"\"}",
         COP_ERR_UNSUPPORTED, "\"(\""},
        {"pre_tokenizer", "{\"type\":\"BertPreTokenizer\"}", COP_ERR_UNSUPPORTED,
         "BertPreTokenizer"},
        {"pre_tokenizer", "{\"type\":\"Whitespace\"}", COP_ERR_UNSUPPORTED, "Whitespace"},
        {"pre_tokenizer", "[]", COP_ERR_FORMAT, "pre_tokenizer"},
        {"pre_tokenizer",
         "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},"
         "{\"type\":\"Digits\"}]}",
         COP_ERR_UNSUPPORTED, "after ByteLevel"},
        {"pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"}}", COP_ERR_FORMAT,
         "behavior"},
        {"pre_tokenizer",
         "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Odd\"}",
         COP_ERR_UNSUPPORTED, "Odd"},
        {"pre_tokenizer", "{\"type\":\"Split\",\"pattern\":\"a\",\"behavior\":\"Removed\"}",
         COP_ERR_FORMAT, "pattern"},
        {"pre_tokenizer", "{\"type\":\"Metaspace\"}", COP_ERR_FORMAT, "replacement"},
        {"pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"__\"}", COP_ERR_FORMAT,
         "one character"},
        {"pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"\\u0000\"}",
         COP_ERR_FORMAT, "NUL"},
        {"pre_tokenizer",
         "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"often\"}",
         COP_ERR_FORMAT, "prepend_scheme"},
        {"decoder", "{\"type\":\"WordPiece\"}", COP_ERR_UNSUPPORTED, "WordPiece"},
        {"decoder", "{\"type\":\"Strip\",\"content\":\" \",\"start\":-1,\"stop\":0}",
         COP_ERR_FORMAT, "start"},
        {"decoder", "{\"type\":\"Strip\",\"content\":\"\",\"start\":1,\"stop\":0}",
         COP_ERR_FORMAT, "content"},
        {"post_processor", "{\"type\":\"RobertaProcessing\"}", COP_ERR_UNSUPPORTED,
         "RobertaProcessing"},
        {"post_processor", "{\"type\":\"TemplateProcessing\"}", COP_ERR_FORMAT, "single"},
        {"post_processor",
         "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}}]}",
         COP_ERR_FORMAT, "<s>"},
        {"post_processor",
         "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],"
         "\"special_tokens\":{\"x\":{\"ids\":[4]}}}",
         COP_ERR_FORMAT, "does not exist"},
        {"post_processor",
         "{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}]}",
         COP_ERR_FORMAT, "Sequence \"A\""},
    };
    check_refusals(rows, sizeof rows / sizeof *rows);
}

/* Wraps `inner` in as many sequences. */
static json_t *nest(json_t *inner, const char *key, int depth)
{
    for (int i = 0; i < depth; i++)
        inner = json_pack("{s:s,s:[o]}", "type", "Sequence", key, inner);
    return inner;
}

static void test_nesting(void **state)
{
    (void)state;
    static const char *const parts[][3] = {{"normalizer", "normalizers", "NFC"},
                                           {"pre_tokenizer", "pretokenizers", "ByteLevel"},
                                           {"post_processor", "processors", "ByteLevel"},
                                           {"decoder", "decoders", "Fuse"}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_t *const json = parse_json(sound);
        cop_error err = {0};
        cop_tokenizer *tokenizer = NULL;
        json_t *const part = nest(json_pack("{s:s}", "type", parts[i][2]), parts[i][1], 500);
        json_object_set_new(json, parts[i][0], part);
        assert_int_equal(parse_tokenizer(json, &tokenizer, &err), COP_ERR_FORMAT);
        assert_non_null(strstr(err.message, "nested"));
        json_object_set_new(json, parts[i][0],
                            nest(json_pack("{s:s}", "type", parts[i][2]), parts[i][1], 10));
        assert_int_equal(parse_tokenizer(json, &tokenizer, &err), COP_OK);
        cop_tokenizer_destroy(&tokenizer);
        json_decref(json);
    }
}

/* A template that repeats the text beyond all bounds. */
static void test_growing_templates(void **state)
{
    (void)state;
    json_t *const json = parse_json(sound);
    json_t *const list = json_array();
    for (int i = 0; i < 1025; i++)
        json_array_append_new(list, parse_json("{\"Sequence\":{\"id\":\"A\"}}"));
    json_object_set_new(json, "post_processor",
                        json_pack("{s:s,s:o}", "type", "TemplateProcessing", "single", list));
    cop_error err = {0};
    cop_tokenizer *tokenizer = NULL;
    assert_int_equal(parse_tokenizer(json, &tokenizer, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "1024"));
    json_decref(json);
}

/* Texts that are not the JSON of a tokenizer. */
static void test_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "[]",
        "7",
        "null",
        "{\"model\":",
        "{\"model\":{\"vocab\":{\"a\":0",
        "{\"model\":{\"vocab\":{\"a\":0},\"merges\":[}}",
        "{\"model\":{\"vocab\":{\"a\":0,},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"a\" 0},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"\\ud800\":0},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"\\ud800\\u0041\":0},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"\\x\":0},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"a\nb\":0},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"a\":00},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"a\":1e2},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"a\":0},\"vocab\":{\"b\":0},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{},\"merges\":[]},\"model\":{\"vocab\":{},\"merges\":[]}}",
        "{\"model\":{\"vocab\":{\"\xFF\":0},\"merges\":[]}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cop_error err = {0};
        cop_tokenizer *tokenizer = NULL;
        if (cop_tokenizer_parse(texts[i], strlen(texts[i]), NULL, &tokenizer, &err) !=
            COP_ERR_FORMAT) {
            fail_msg("%s is taken", texts[i]);
        }
        assert_true(err.message[0] != '\0');
        assert_null(tokenizer);
    }
}

static void test_escapes(void **state)
{
    (void)state;
    static const char text[] =
        " {\"model\" : { \"merges\" : [ \"\\u0061 \\ud83d\\ude00\" , [\"\\\"\",\"\\\\\"] ] ,"
        "\"vocab\" : { \"a\":0, \"\\uD83D\\uDE00\" :1,\"a\\ud83d\\ude00\":2,\"\\\"\":3,"
        "\"\\\\\":4,\"\\\"\\\\\":5,\"\\/\\b\\f\\n\\r\\t\":6 , \"]}\":7 } } } ";
    cop_error err = {0};
    cop_tokenizer *tokenizer = NULL;
    assert_int_equal(cop_tokenizer_parse(text, strlen(text), NULL, &tokenizer, &err), COP_OK);
    assert_int_equal(cop_tokenizer_find(tokenizer, "a\xF0\x9F\x98\x80"), 2);
    assert_int_equal(cop_tokenizer_find(tokenizer, "\"\\"), 5);
    assert_int_equal(cop_tokenizer_find(tokenizer, "/\b\f\n\r\t"), 6);
    assert_int_equal(cop_tokenizer_find(tokenizer, "]}"), 7);
    cop_tokenizer_destroy(&tokenizer);
}

static void test_files(void **state)
{
    (void)state;
    cop_error err = {0};
    cop_tokenizer *tokenizer = NULL;
    assert_int_equal(cop_tokenizer_load("/nonexistent/tokenizer.json", &tokenizer, &err),
                     COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "/nonexistent/tokenizer.json: there is no such file"));
    assert_non_null(strstr(err.message, "save_pretrained"));
    assert_null(tokenizer);
    assert_int_equal(
        cop_tokenizer_load("tests/data/tokenizers/patterns.json", &tokenizer, &err),
        COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "patterns.json"));
    assert_null(tokenizer);
    assert_int_not_equal(cop_tokenizer_load("tests", &tokenizer, NULL), COP_OK);
    assert_null(tokenizer);
}

/* The unk_token may be absent as long as no text needs it. */
static void test_absent_unknown(void **state)
{
    (void)state;
    json_t *const json = parse_json(sound);
    json_object_set_new(json_object_get(json, "model"), "unk_token", json_string("<none>"));
    cop_tokenizer *tokenizer = make_tokenizer(json, "absent");
    cop_error err = {0};
    cop_ids ids = encode(tokenizer, "ab", 2, false);
    assert_int_equal(cop_tokenizer_encode(tokenizer, "abc", 3, false, &ids, &err),
                     COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "<none>"));
    assert_int_equal(ids.count, 1); /* as it was */
    cop_ids_free(&ids);
    cop_tokenizer_destroy(&tokenizer);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),          cmocka_unit_test(test_model),
        cmocka_unit_test(test_vocabulary),     cmocka_unit_test(test_added),
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_texts),          cmocka_unit_test(test_growing_templates),
        cmocka_unit_test(test_escapes),        cmocka_unit_test(test_files),
        cmocka_unit_test(test_absent_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
