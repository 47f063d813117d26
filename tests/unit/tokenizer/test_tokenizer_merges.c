/* Merging against the definition: over and over the leftmost pair of lowest rank, on random
 * merges and texts of every length up to well beyond where the method changes. */
#include "unit/tokenizer/tokenizer_support.h"

#include "tokenizer/bpe.h"

enum { LETTERS = 4, MERGES = 60, LONGEST = 160 };

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* A model of a few letters and random merges of what there is so far. */
static json_t *make_model(uint64_t *random)
{
    json_t *const vocab = json_object();
    json_t *const merges = json_array();
    char contents[LETTERS + MERGES][LONGEST + 1];
    int count = 0;
    for (; count < LETTERS; count++) {
        contents[count][0] = (char)('a' + count);
        contents[count][1] = '\0';
        json_object_set_new(vocab, contents[count], json_integer(count));
    }
    for (int i = 0; i < MERGES; i++) {
        const char *const left = contents[next_random(random) % (uint64_t)count];
        const char *const right = contents[next_random(random) % (uint64_t)count];
        const size_t length = strlen(left);
        char *const joined = contents[count];
        if (length + strlen(right) > LONGEST) continue;
        memcpy(joined, left, length);
        memcpy(joined + length, right, strlen(right) + 1);
        json_array_append_new(merges, json_pack("[s,s]", left, right));
        if (json_object_get(vocab, joined) != NULL) continue;
        json_object_set_new(vocab, joined, json_integer(count++));
    }
    return json_pack("{s:{s:s,s:o,s:o}}", "model", "type", "BPE", "vocab", vocab, "merges",
                     merges);
}

static size_t merge_plainly(const cop_bpe *bpe, int32_t *symbols, size_t count)
{
    for (;;) {
        const cop_bpe_merge *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < count; i++) {
            const cop_bpe_merge *const merge =
                cop_bpe_find_merge(bpe, symbols[i], symbols[i + 1]);
            if (merge == NULL || (best != NULL && merge->rank >= best->rank)) continue;
            best = merge;
            at = i;
        }
        if (best == NULL) return count;
        symbols[at] = best->product;
        count--;
        memmove(symbols + at + 1, symbols + at + 2, (count - at - 1) * sizeof *symbols);
    }
}

static void check_model(uint64_t *random)
{
    json_t *const json = make_model(random);
    cop_tokenizer *tokenizer = make_tokenizer(json, "random merges");
    cop_bpe_scratch *scratch = NULL;
    assert_int_equal(cop_bpe_scratch_create(&scratch, NULL), COP_OK);
    for (size_t length = 0; length <= LONGEST; length++) {
        int32_t symbols[LONGEST];
        int32_t wanted[LONGEST];
        size_t left = 0;
        const uint64_t letters = 1 + next_random(random) % LETTERS;
        for (size_t i = 0; i < length; i++)
            symbols[i] = wanted[i] = (int32_t)(next_random(random) % letters);
        const size_t wanted_left = merge_plainly(tokenizer->bpe, wanted, length);
        assert_int_equal(
            cop_bpe_merge_symbols(tokenizer->bpe, scratch, symbols, length, &left, NULL),
            COP_OK);
        assert_int_equal(left, wanted_left);
        assert_memory_equal(symbols, wanted, left * sizeof *symbols);
    }
    cop_bpe_scratch_destroy(&scratch);
    cop_tokenizer_destroy(&tokenizer);
    json_decref(json);
}

static void test_random_merges(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (int i = 0; i < 40; i++)
        check_model(&random);
}

/* A pair that is listed twice has the later rank, as in the usual tools. */
static void test_listed_twice(void **state)
{
    (void)state;
    json_t *const json =
        parse_json("{\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4},"
                   "\"merges\":[\"#version: 0.2\",\"a b\",\"b c\",\"a b\"]}}");
    cop_tokenizer *tokenizer = make_tokenizer(json, "listed twice");
    cop_ids ids = encode(tokenizer, "abc", 3, false);
    assert_int_equal(ids.count, 2);
    assert_int_equal(ids.data[0], 0);
    assert_int_equal(ids.data[1], 4);
    cop_ids_free(&ids);
    cop_tokenizer_destroy(&tokenizer);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_merges),
        cmocka_unit_test(test_listed_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
