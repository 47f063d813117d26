/* What is settled of an unfinished text stays, whatever ids follow: random ids and byte tokens
 * in every tokenizer of the golden files, and of the decoders that look back nothing is. */
#include "unit/tokenizer/tokenizer_support.h"

#include "coppice/unicode/unicode.h"

#include <stdio.h>

enum { ROUNDS = 300, MOST_IDS = 24 };

static uint64_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

static void decode(const cop_tokenizer *tokenizer, const int32_t *ids, size_t count,
                   cop_text *text)
{
    cop_text_clear(text);
    assert_int_equal(cop_tokenizer_decode(tokenizer, ids, count, false, text, NULL), COP_OK);
    assert_int_equal(cop_text_append(text, "", 0, NULL), COP_OK);
}

static void settle(const cop_tokenizer *tokenizer, const int32_t *ids, size_t count,
                   cop_text *text)
{
    cop_text_clear(text);
    assert_int_equal(cop_tokenizer_decode_settled(tokenizer, ids, count, text, NULL), COP_OK);
}

/* Ids of any kind: of those that stand for single bytes (`bytes` [count]) more than there are
 * of them among all. */
static void draw_ids(const cop_tokenizer *tokenizer, const int32_t *bytes, size_t count,
                     uint64_t *random, int32_t ids[MOST_IDS])
{
    for (size_t i = 0; i < MOST_IDS; i++) {
        const bool byte = count > 0 && draw(random) % 2 == 0;
        ids[i] = byte ? bytes[draw(random) % count]
                      : (int32_t)(draw(random) % cop_tokenizer_size(tokenizer));
    }
}

/* \return bytes that were settled in all. */
static size_t check_tokenizer(const cop_tokenizer *tokenizer, const int32_t *bytes,
                              size_t byte_count, const char *name)
{
    uint64_t random = 5;
    size_t settled = 0;
    cop_text whole = {0};
    cop_text early = {0};
    for (int round = 0; round < ROUNDS; round++) {
        int32_t ids[MOST_IDS];
        draw_ids(tokenizer, bytes, byte_count, &random, ids);
        for (size_t count = 0; count <= MOST_IDS; count++) {
            settle(tokenizer, ids, count, &early);
            settled += early.length;
            for (size_t more = count; more <= MOST_IDS; more++) {
                decode(tokenizer, ids, more, &whole);
                if (whole.length < early.length ||
                    memcmp(whole.data, early.data, early.length) != 0)
                    fail_msg("%s: \"%s\" was settled after %zu ids, %zu are \"%s\"", name,
                             early.data, count, more, whole.data);
            }
        }
    }
    cop_text_free(&early);
    cop_text_free(&whole);
    return settled;
}

static void check_folder(const char *folder)
{
    char path[128];
    int32_t bytes[256];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "tests/data/tokenizers/%s/tokenizer.json", folder);
    cop_tokenizer *tokenizer = load_tokenizer(path);
    for (uint32_t byte = 128; byte < 256; byte++) {
        char spelt[8] = {0};
        (void)cop_unicode_encode(cop_unicode_of_byte((uint8_t)byte), spelt);
        const int32_t id = cop_tokenizer_find(tokenizer, spelt);
        if (id >= 0) bytes[count++] = id;
    }
    assert_true(count > 20);
    assert_true(check_tokenizer(tokenizer, bytes, count, folder) > 10000);
    cop_tokenizer_destroy(&tokenizer);
}

static void byte_level_texts_stay(void **state)
{
    (void)state;
    check_folder("tiny");
    check_folder("gpt2");
    check_folder("llama3");
}

/* A tokenizer of the variants' file, with this decoder (JSON). */
static cop_tokenizer *with_decoder(const char *file, const char *decoder)
{
    json_t *const root = load_json(file);
    json_t *const json = json_object_get(root, "tokenizer");
    json_object_set_new(json, "decoder", json_loads(decoder, JSON_DECODE_ANY, NULL));
    cop_tokenizer *const made = make_tokenizer(json, decoder);
    json_decref(root);
    return made;
}

static size_t check_decoder(const char *decoder)
{
    cop_tokenizer *tokenizer =
        with_decoder("tests/data/tokenizers/sentencepiece.json", decoder);
    int32_t bytes[256];
    size_t count = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[8];
        (void)snprintf(name, sizeof name, "<0x%02X>", byte);
        const int32_t id = cop_tokenizer_find(tokenizer, name);
        if (id >= 0) bytes[count++] = id;
    }
    assert_true(count > 100);
    const size_t settled = check_tokenizer(tokenizer, bytes, count, decoder);
    cop_tokenizer_destroy(&tokenizer);
    return settled;
}

#define MARK \
    "{\"type\": \"Replace\", \"pattern\": {\"String\": \"\xE2\x96\x81\"}, \"content\": \" \"}"
#define BYTES "{\"type\": \"ByteFallback\"}"
#define FUSE "{\"type\": \"Fuse\"}"
#define STRIP "{\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}"
#define CUT_END "{\"type\": \"Strip\", \"content\": \" \", \"start\": 0, \"stop\": 1}"
#define WORD "{\"type\": \"Replace\", \"pattern\": {\"String\": \"ab\"}, \"content\": \"c\"}"
#define REGEX "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \" +$\"}, \"content\": \"\"}"
#define DROP \
    "{\"type\": \"Replace\", \"pattern\": {\"String\": \"\xE2\x96\x81\"}, \"content\": \"\"}"
#define META                                                                            \
    "{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", \"prepend_scheme\": " \
    "\"always\"}"
#define SEQUENCE(parts) "{\"type\": \"Sequence\", \"decoders\": [" parts "]}"

/* The decoders of Llama's kind, and their parts. */
static void texts_of_byte_tokens_stay(void **state)
{
    (void)state;
    static const char *const decoders[] = {SEQUENCE(MARK ", " BYTES ", " FUSE ", " STRIP),
                                           SEQUENCE(BYTES ", " FUSE),
                                           BYTES,
                                           META,
                                           SEQUENCE(BYTES ", " META),
                                           SEQUENCE(BYTES ", " FUSE ", " MARK),
                                           "null"};
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++)
        assert_true(check_decoder(decoders[i]) > 10000);
}

/* Where a step looks back, or may, nothing is said to be settled. */
static void decoders_that_look_back_settle_nothing(void **state)
{
    (void)state;
    static const char *const decoders[] = {SEQUENCE(BYTES ", " FUSE ", " CUT_END),
                                           SEQUENCE(FUSE ", " WORD),
                                           SEQUENCE(FUSE ", " REGEX),
                                           SEQUENCE(FUSE ", " BYTES),
                                           SEQUENCE(DROP ", " BYTES),
                                           SEQUENCE(STRIP ", " BYTES)};
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++)
        assert_int_equal(check_decoder(decoders[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_level_texts_stay),
        cmocka_unit_test(texts_of_byte_tokens_stay),
        cmocka_unit_test(decoders_that_look_back_settle_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
