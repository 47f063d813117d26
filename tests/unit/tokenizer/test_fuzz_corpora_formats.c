/* Replays the fuzzers' seed corpora, plain and with small damages, as a fuzzer would. Names
 * tell what must come of an input: valid-... parses, bad-... does not. */
#include "unit/formats_support.h"

#include "fuzz/fuzz_formats.h"

typedef int (*parser)(const uint8_t *data, size_t size);

/* An exact copy, so that the sanitizer sees a read past the end. */
static int run_copy(parser parse, const cop_text *input)
{
    uint8_t *const copy = malloc(input->length + (input->length == 0));
    assert_non_null(copy);
    if (input->length > 0) memcpy(copy, input->data, input->length);
    const int accepted = parse(copy, input->length);
    free(copy);
    return accepted;
}

static void damage(parser parse, const cop_text *input, uint64_t *random)
{
    cop_text changed = {0};
    for (int round = 0; round < 300 && input->length > 0; round++) {
        cop_text_clear(&changed);
        const size_t keep =
            round % 3 == 0 ? next_random(random) % input->length : input->length;
        assert_int_equal(cop_text_append(&changed, input->data, keep, NULL), COP_OK);
        for (uint32_t i = 0; i < 1 + next_random(random) % 4 && keep > 0; i++) {
            changed.data[next_random(random) % keep] ^= (char)(1U << next_random(random) % 8);
        }
        (void)run_copy(parse, &changed);
    }
    cop_text_free(&changed);
}

static void replay(const char *folder, parser parse)
{
    uint64_t random = 17;
    size_t inputs = 0;
    DIR *const directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        cop_text input = read_file(folder, entry->d_name);
        const int accepted = run_copy(parse, &input);
        const int wanted = strncmp(entry->d_name, "valid-", 6) == 0;
        if (accepted != wanted)
            fail_msg("%s/%s: accepted: %d", folder, entry->d_name, accepted);
        damage(parse, &input, &random);
        cop_text_free(&input);
        inputs++;
    }
    (void)closedir(directory);
    assert_true(inputs >= 5);
}

static void test_safetensors(void **state)
{
    (void)state;
    replay("tests/fuzz/corpus/safetensors", fuzz_safetensors);
}

static void test_recipe(void **state)
{
    (void)state;
    replay("tests/fuzz/corpus/recipe", fuzz_recipe);
}

static void test_dataset(void **state)
{
    (void)state;
    replay("tests/fuzz/corpus/dataset", fuzz_dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safetensors),
        cmocka_unit_test(test_recipe),
        cmocka_unit_test(test_dataset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
