/* Replays the fuzzer's seed corpus, plain and damaged. Names tell what must come of an input:
 * valid-... is a tokenizer, bad-... is not. */
#include "unit/tokenizer/tokenizer_support.h"

#include "coppice/base/memory.h"
#include "fuzz/fuzz_tokenizer.h"

#include <dirent.h>

static const char folder[] = "tests/fuzz/corpus/tokenizer";

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* On an exact copy, so that the sanitizer sees a read past the end. */
static bool run_copy(const char *name, const cop_text *input)
{
    uint8_t *const copy = malloc(input->length + (input->length == 0));
    assert_non_null(copy);
    if (input->length > 0) memcpy(copy, input->data, input->length);
    _Bool accepted = 0;
    const bool holds = cop_fuzz_tokenizer(copy, input->length, &accepted);
    free(copy);
    if (!holds) fail_msg("%s: what must hold does not", name);
    return accepted;
}

/* Cuts, flips bits, and swaps in pieces that mean something. */
static void damage(const char *name, const cop_text *input, uint64_t *random)
{
    static const char *const pieces[] = {
        "{",    "}",  "[",       "]",    "\"",   ",",       ":",     "null", "true",
        "\\u0", "-1", "9999999", "\\\\", "(?i:", "\\p{L}+", "Split", "\x80", "Sequence"};
    for (int round = 0; round < 400 && input->length > 0; round++) {
        cop_text changed = {0};
        const size_t keep =
            round % 5 == 0 ? next_random(random) % input->length : input->length;
        assert_int_equal(cop_text_append(&changed, input->data, keep, NULL), COP_OK);
        for (uint64_t i = 0; i <= next_random(random) % 3 && keep > 16; i++) {
            const size_t at = next_random(random) % (keep - 16);
            const char *const piece =
                pieces[next_random(random) % (sizeof pieces / sizeof *pieces)];
            if (next_random(random) % 2 == 0) {
                changed.data[at] ^= (char)(1U << next_random(random) % 8);
            } else {
                memcpy(changed.data + at, piece, strlen(piece));
            }
        }
        (void)run_copy(name, &changed);
        cop_text_free(&changed);
    }
}

static void test_corpus(void **state)
{
    (void)state;
    uint64_t random = 23;
    size_t inputs = 0;
    DIR *const directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        cop_text input = {0};
        char *const path = cop_text_join_path(folder, entry->d_name, NULL);
        assert_non_null(path);
        assert_int_equal(cop_text_read_file(&input, path, (size_t)1 << 20, NULL), COP_OK);
        const bool accepted = run_copy(path, &input);
        if (accepted != (strncmp(entry->d_name, "valid-", 6) == 0)) {
            fail_msg("%s: accepted: %d", path, accepted);
        }
        damage(path, &input, &random);
        cop_memory_free(path);
        cop_text_free(&input);
        inputs++;
    }
    (void)closedir(directory);
    assert_true(inputs >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
