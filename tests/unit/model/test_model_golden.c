/* Logits, log-probabilities and greedy answers of small models of every architecture, against
 * those of another implementation. An argument names another folder of models to run. */
#include "unit/model/model_support.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CASES = 8, NEW_TOKENS = 24, LONGEST_PROMPT = 200 };

static cop_status test_create_cuda_bf16(cop_backend **backend, cop_error *err)
{
    return cuda_test_create(test_cuda_is_emulated() ? "cuda_host" : ".", COP_COMPUTE_BF16,
                            backend, err);
}

static const char *folder = "tests/data/arch";

/* golden.json of one model. */
typedef struct golden {
    json_t *root;
    size_t count;
    cop_prompt prompts[MOST_CASES];
} golden;

static void golden_open(golden *g, const char *directory)
{
    g->root = test_json(directory, "golden.json");
    const json_t *const cases = json_object_get(g->root, "cases");
    g->count = json_array_size(cases);
    assert_in_range(g->count, 1, MOST_CASES);
    for (size_t i = 0; i < g->count; i++) {
        g->prompts[i].ids =
            test_ids(json_object_get(json_array_get(cases, i), "ids"), &g->prompts[i].count);
    }
}

static void golden_close(golden *g)
{
    for (size_t i = 0; i < g->count; i++) {
        void *const ids = (void *)(uintptr_t)g->prompts[i].ids;
        cop_memory_free(ids);
    }
    json_decref(g->root);
}

static void check_logits(const json_t *expected, const float *logits, const char *where)
{
    for (size_t i = 0; i < json_array_size(expected); i++) {
        const double want = json_number_value(json_array_get(expected, i));
        const double tolerance = fabs(want) < 10.0 ? 1e-3 : 1e-4 * fabs(want);
        if (!(fabs((double)logits[i] - want) <= tolerance)) {
            fail_msg("%s: logit %zu is %.6f, not %.6f", where, i, (double)logits[i], want);
        }
    }
}

static void check_generation(const golden *g, size_t index, const cop_generation *got,
                             bool with_logits, const char *where)
{
    const json_t *const entry = json_array_get(json_object_get(g->root, "cases"), index);
    size_t count = 0;
    int32_t *const greedy = test_ids(json_object_get(entry, "greedy"), &count);
    assert_true(got->finite);
    assert_false(got->stopped);
    assert_int_equal(got->ids.count, count);
    for (size_t i = 0; i < count; i++) {
        if (got->ids.data[i] != greedy[i]) {
            fail_msg("%s: token %zu is %d, not %d", where, i, (int)got->ids.data[i],
                     (int)greedy[i]);
        }
    }
    cop_memory_free(greedy);
    if (!with_logits) {
        assert_null(got->logits);
        return;
    }
    check_logits(json_object_get(entry, "last_logits"), got->logits, where);
    const double nll = json_number_value(json_object_get(entry, "nll_sum"));
    if (!(fabs(-got->prompt_log_probability - nll) <= 2e-5 * nll)) {
        fail_msg("%s: nll %.9g, not %.9g", where, -got->prompt_log_probability, nll);
    }
}

static void check_run(test_model *test, const golden *g, size_t first, size_t count,
                      bool with_logits, const char *name)
{
    cop_error err = {0};
    cop_generation got[MOST_CASES];
    const cop_generate_options options = {.max_new_tokens = NEW_TOKENS,
                                          .want_logits = with_logits};
    assert_ok(cop_model_generate(test->model, g->prompts + first, count, &options, got, &err),
              &err);
    for (size_t i = 0; i < count; i++) {
        char where[256];
        (void)snprintf(where, sizeof where, "%s, prompt %zu of %zu%s", name, first + i, count,
                       with_logits ? ", with logits" : "");
        check_generation(g, first + i, &got[i], with_logits, where);
        cop_generation_free(&got[i]);
    }
}

static void check_model(const char *directory, const test_backend *backend)
{
    golden g = {0};
    test_model test;
    char name[300];
    (void)snprintf(name, sizeof name, "%s on %s", directory, backend->name);
    golden_open(&g, directory);
    const cop_model_limits limits = {
        .batch = g.count, .prompt_tokens = LONGEST_PROMPT, .new_tokens = NEW_TOKENS};
    test_model_open(&test, directory, backend, limits);
    test.config.stop_count = 0; /* the golden answers run past the stop token */
    check_run(&test, &g, 0, g.count, true, name);
    const bool slow = test_is_slow(backend);
    if (!slow) check_run(&test, &g, 0, g.count, false, name);
    for (size_t i = 0; i < (slow ? 1 : g.count); i++)
        check_run(&test, &g, i, 1, i % 2 == 0, name);
    test_model_close(&test);
    golden_close(&g);
    print_message("%s: ok\n", name);
}

/* In bf16 the operands of every product have 8 bits: their errors, of 2^-9 each and
 * independent, leave the logits within a few hundredths of their size. */
static void check_bf16(const char *directory, const test_backend *bf16)
{
    golden g = {0};
    test_model test;
    cop_error err = {0};
    cop_backend *there = NULL;
    if (bf16->create(&there, &err) == COP_ERR_UNSUPPORTED) {
        print_message("skip: %s\n", err.message); /* a GPU older than bf16 */
        return;
    }
    cop_backend_destroy(&there);
    golden_open(&g, directory);
    const cop_model_limits limits = {
        .batch = g.count, .prompt_tokens = LONGEST_PROMPT, .new_tokens = 1};
    test_model_open(&test, directory, bf16, limits);
    cop_generation got[MOST_CASES];
    const cop_generate_options options = {.max_new_tokens = 1, .want_logits = true};
    assert_ok(cop_model_generate(test.model, g.prompts, g.count, &options, got, &err), &err);
    for (size_t i = 0; i < g.count; i++) {
        const json_t *const expected =
            json_object_get(json_array_get(json_object_get(g.root, "cases"), i), "last_logits");
        double off = 0.0;
        double size = 0.0;
        assert_true(got[i].finite);
        for (size_t v = 0; v < json_array_size(expected); v++) {
            const double want = json_number_value(json_array_get(expected, v));
            off += ((double)got[i].logits[v] - want) * ((double)got[i].logits[v] - want);
            size += want * want;
        }
        if (!(sqrt(off / size) < 0.03)) {
            fail_msg("%s, %s, prompt %zu: logits are off by %.4f of their size", directory,
                     bf16->name, i, sqrt(off / size));
        }
        cop_generation_free(&got[i]);
    }
    test_model_close(&test);
    golden_close(&g);
}

static int is_model(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void test_all_models(void **state)
{
    static const test_backend in_cuda = {"cuda in bf16", test_create_cuda_bf16};
    static const test_backend defined = {"cpu, defined arithmetic", test_create_defined};
    (void)state;
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_model, alphasort);
    assert_true(count >= 1);
    for (int i = 0; i < count; i++) {
        char directory[512];
        (void)snprintf(directory, sizeof directory, "%s/%s", folder, entries[i]->d_name);
        for (size_t b = 0; b < TEST_BACKEND_COUNT; b++)
            check_model(directory, &test_backends[b]);
        check_bf16(directory, &in_cuda);
        check_bf16(directory, &defined);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    if (argc > 1) folder = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
