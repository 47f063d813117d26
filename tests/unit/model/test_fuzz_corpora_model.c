/* Replays the fuzzer's seed corpus of configurations, plain and damaged. Names tell what must
 * come of an input: valid-... is accepted, bad-... is not. */
#include "unit/formats_support.h"

#include "fuzz/fuzz_config.h"

static const char folder[] = "tests/fuzz/corpus/config";

/* On an exact copy, so that the sanitizer sees a read past the end. */
static int run_copy(const cop_text *input)
{
    uint8_t *const copy = malloc(input->length + (input->length == 0));
    assert_non_null(copy);
    if (input->length > 0) memcpy(copy, input->data, input->length);
    const int accepted = fuzz_config(copy, input->length);
    free(copy);
    return accepted;
}

/* Replaces the number at a place, if there is one, by another. */
static void swap_number(cop_text *text, size_t at, uint64_t *random)
{
    static const char *const numbers[] = {"0",    "-1",   "1",     "2.5",      "1e308",
                                          "1e-9", "true", "[1,2]", "\"yarn\"", "2147483648"};
    const size_t digits = strspn(text->data + at, "0123456789.");
    if (digits == 0) return;
    cop_text changed = {0};
    const char *const number =
        numbers[next_random(random) % (sizeof numbers / sizeof *numbers)];
    assert_int_equal(cop_text_append(&changed, text->data, at, NULL), COP_OK);
    assert_int_equal(cop_text_append(&changed, number, strlen(number), NULL), COP_OK);
    assert_int_equal(
        cop_text_append(&changed, text->data + at + digits, text->length - at - digits, NULL),
        COP_OK);
    cop_text_free(text);
    *text = changed;
}

/* Cuts, flips bits and swaps numbers; what comes of it must keep the promises of fuzz_config.
 */
static size_t damage(const cop_text *input, uint64_t *random)
{
    size_t accepted = 0;
    for (int round = 0; round < 400 && input->length > 1; round++) {
        cop_text changed = {0};
        const size_t keep =
            round % 8 == 0 ? 1 + next_random(random) % (input->length - 1) : input->length;
        assert_int_equal(cop_text_append(&changed, input->data, keep, NULL), COP_OK);
        for (uint32_t i = 0; i < 1 + next_random(random) % 3; i++) {
            const size_t at = next_random(random) % changed.length;
            if (round % 2 == 0) {
                swap_number(&changed, at, random);
            } else {
                changed.data[at] ^= (char)(1U << next_random(random) % 8);
            }
        }
        accepted += (size_t)run_copy(&changed);
        cop_text_free(&changed);
    }
    return accepted;
}

static void test_config(void **state)
{
    (void)state;
    uint64_t random = 29;
    size_t inputs = 0;
    size_t survivors = 0;
    DIR *const directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        cop_text input = read_file(folder, entry->d_name);
        const int accepted = run_copy(&input);
        if (accepted != (strncmp(entry->d_name, "valid-", 6) == 0))
            fail_msg("%s/%s: accepted: %d", folder, entry->d_name, accepted);
        if (input.length < 4096) survivors += damage(&input, &random);
        cop_text_free(&input);
        inputs++;
    }
    (void)closedir(directory);
    assert_true(inputs >= 30);
    assert_true(survivors > 100); /* the damage is small enough to get past the first check */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_config)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
