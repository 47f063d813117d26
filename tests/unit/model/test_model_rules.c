/* Rules of generation_config.json, against what transformers' logits processors give. */
#include "unit/model/model_support.h"

#include "coppice/base/memory.h"
#include "model/config_generation.h"

#include <string.h>

static const char folder[] = "tests/data/arch/qwen2-tied";

/* Puts the rules and stop tokens of a row into the configuration. */
static void take_rules(const json_t *row, cop_model_config *config)
{
    cop_error err = {0};
    size_t count = 0;
    const json_reader reader = {
        .object = json_object_get(row, "rules"), .path = "rules.json", .scope = ""};
    config->rules = (cop_generation_rules){0};
    assert_ok(cop_config_read_generation(&reader, &config->rules, &err), &err);
    int32_t *const stops = test_ids(json_object_get(row, "stops"), &count);
    config->stop_count = (int32_t)count;
    if (count > 0) memcpy(config->stops, stops, count * sizeof *stops);
    cop_memory_free(stops);
}

static void expect_ids(const cop_generation *got, const json_t *row, size_t index)
{
    size_t count = 0;
    int32_t *const ids = test_ids(json_object_get(row, "ids"), &count);
    if (got->ids.count != count ||
        (count > 0 && memcmp(got->ids.data, ids, count * sizeof *ids) != 0))
        fail_msg("row %zu: %zu ids, not %zu, or others", index, got->ids.count, count);
    cop_memory_free(ids);
}

static void check_rows(const test_backend *backend, const json_t *rows, size_t step)
{
    static const cop_model_limits limits = {.batch = 4, .prompt_tokens = 8, .new_tokens = 14};
    test_model test;
    test_model_open(&test, folder, backend, limits);
    for (size_t i = 0; i < json_array_size(rows); i += step) {
        const json_t *const row = json_array_get(rows, i);
        cop_prompt prompts[3];
        cop_generation got[3];
        cop_error err = {0};
        size_t count = 0;
        int32_t *const ids = test_ids(json_object_get(row, "prompt"), &count);
        const cop_generate_options options = {
            .max_new_tokens = (size_t)json_integer_value(json_object_get(row, "max"))};
        take_rules(row, &test.config);
        /* Another prompt beside it, and a second one that ends elsewhere, change nothing. */
        prompts[0] = prompts[2] = (cop_prompt){.ids = ids, .count = count};
        prompts[1] = (cop_prompt){.ids = ids, .count = 1};
        assert_ok(cop_model_generate(test.model, prompts, 3, &options, got, &err), &err);
        expect_ids(&got[0], row, i);
        expect_ids(&got[2], row, i);
        for (size_t g = 0; g < 3; g++)
            cop_generation_free(&got[g]);
        cop_memory_free(ids);
    }
    test_model_close(&test);
}

static void test_as_transformers(void **state)
{
    (void)state;
    json_t *const root = test_json("tests/data", "rules.json");
    const json_t *const rows = json_object_get(root, "rows");
    assert_true(json_array_size(rows) >= 50);
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++)
        check_rows(&test_backends[b], rows, test_is_slow(&test_backends[b]) ? 9 : 1);
    json_decref(root);
}

/* Answers that are drawn keep to the rules, in every lane's place of the batch alike. */
static void test_drawn(void **state)
{
    (void)state;
    static const cop_model_limits limits = {.batch = 2, .prompt_tokens = 4, .new_tokens = 12};
    static const int32_t ids[] = {3, 4, 5};
    const cop_prompt prompts[] = {{.ids = ids, .count = 3}, {.ids = ids, .count = 2}};
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        test_model test;
        test_model_open(&test, folder, &test_backends[b], limits);
        test.config.stop_count = 0;
        test.config.rules = (cop_generation_rules){.no_repeat_ngram = 1};
        for (uint64_t seed = 0; seed < 3; seed++) {
            const cop_generate_options options = {
                .max_new_tokens = 12,
                .sampling = {.temperature = 0.4, .top_p = 0.9, .seed = seed}};
            cop_generation got[2];
            cop_error err = {0};
            assert_ok(cop_model_generate(test.model, prompts, 2, &options, got, &err), &err);
            for (size_t g = 0; g < 2; g++) {
                assert_int_equal(got[g].ids.count, 12);
                for (size_t i = 0; i < 12; i++) {
                    for (size_t p = 0; p < prompts[g].count; p++)
                        assert_int_not_equal(got[g].ids.data[i], prompts[g].ids[p]);
                    for (size_t k = 0; k < i; k++)
                        assert_int_not_equal(got[g].ids.data[i], got[g].ids.data[k]);
                }
                cop_generation_free(&got[g]);
            }
        }
        test_model_close(&test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_transformers),
                                       cmocka_unit_test(test_drawn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
