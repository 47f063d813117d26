/* The defined arithmetic: logits and answers of every architecture, as digests that are on
 * record, on every instruction set that this processor has, with any number of threads and in
 * any company. An argument prints the digests as tests/data/defined.json has them. */
#include "unit/model/model_support.h"

#include "coppice/base/digest.h"

#include <dirent.h>
#include <string.h>

enum { NEW_TOKENS = 12, MOST_CASES = 8, LONGEST_PROMPT = 200 };

static const char *const folder = "tests/data/arch";

static bool is_printing;

/* Prompts of a model's golden.json. */
typedef struct prompts {
    cop_prompt all[MOST_CASES];
    size_t count;
} prompts;

static void read_prompts(prompts *p, const char *directory)
{
    json_t *const root = test_json(directory, "golden.json");
    const json_t *const cases = json_object_get(root, "cases");
    p->count = json_array_size(cases);
    assert_in_range(p->count, 2, MOST_CASES);
    for (size_t i = 0; i < p->count; i++)
        p->all[i].ids =
            test_ids(json_object_get(json_array_get(cases, i), "ids"), &p->all[i].count);
    json_decref(root);
}

static void free_prompts(prompts *p)
{
    for (size_t i = 0; i < p->count; i++) {
        void *const ids = (void *)(uintptr_t)p->all[i].ids;
        cop_memory_free(ids);
    }
}

/* A model whose backend has these kernels and threads. */
static void open_model(test_model *test, const char *directory, cop_isa isa, int threads)
{
    cop_error err = {0};
    const cop_backend_options options = {
        .arithmetic = COP_ARITHMETIC_DEFINED, .threads = threads, .isa = isa};
    const cop_model_limits limits = {
        .batch = MOST_CASES, .prompt_tokens = LONGEST_PROMPT, .new_tokens = NEW_TOKENS};
    *test = (test_model){0};
    assert_ok(cop_model_open(directory, &test->config, &test->checkpoint, &err), &err);
    assert_ok(cop_backend_create_cpu(&options, &test->backend, &err), &err);
    assert_ok(cop_model_create(&test->config, test->checkpoint, test->backend, &limits, NULL,
                               &test->model, &err),
              &err);
    test->config.stop_count = 0;
}

/* Adds answers and logits of prompts [count] to a digest. */
static void add_answers(const test_model *test, const cop_prompt *all, size_t count,
                        cop_digest *digest)
{
    cop_error err = {0};
    cop_generation got[MOST_CASES];
    const cop_generate_options options = {.max_new_tokens = NEW_TOKENS, .want_logits = true};
    assert_ok(cop_model_generate(test->model, all, count, &options, got, &err), &err);
    for (size_t i = 0; i < count; i++) {
        assert_true(got[i].finite);
        assert_ok(cop_digest_update(digest, got[i].ids.data,
                                    got[i].ids.count * sizeof *got[i].ids.data, &err),
                  &err);
        assert_ok(cop_digest_update(digest, got[i].logits,
                                    (size_t)test->config.vocabulary * sizeof(float), &err),
                  &err);
        assert_ok(
            cop_digest_update(digest, &got[i].prompt_log_probability, sizeof(double), &err),
            &err);
        cop_generation_free(&got[i]);
    }
}

/* `company`: prompts at a time. */
static void digest_model(const char *directory, const prompts *p, cop_isa isa, int threads,
                         size_t company, char hex[COP_DIGEST_HEX_BYTES])
{
    cop_error err = {0};
    test_model test;
    cop_digest *digest = NULL;
    open_model(&test, directory, isa, threads);
    assert_ok(cop_digest_create(&digest, &err), &err);
    for (size_t i = 0; i < p->count; i += company)
        add_answers(&test, p->all + i, p->count - i < company ? p->count - i : company, digest);
    assert_ok(cop_digest_finish(digest, hex, &err), &err);
    cop_digest_destroy(&digest);
    test_model_close(&test);
}

static void check_model(const char *directory, const char *want)
{
    prompts p = {0};
    char hex[COP_DIGEST_HEX_BYTES];
    read_prompts(&p, directory);
    for (cop_isa isa = COP_ISA_SCALAR; isa <= cop_cpu_isa(); isa++) {
        const int threads = 1 + (int)isa % 3;
        digest_model(directory, &p, isa, threads, isa % 2 == 0 ? MOST_CASES : 1, hex);
        if (want == NULL || strcmp(hex, want) != 0)
            fail_msg("%s, %s kernels, %d threads: digest %s, not %s", directory,
                     cop_isa_name(isa), threads, hex, want == NULL ? "known" : want);
    }
    for (size_t company = 1; company <= 3; company++) {
        digest_model(directory, &p, cop_cpu_isa(), (int)company, company, hex);
        if (strcmp(hex, want) != 0)
            fail_msg("%s, %zu prompts at a time: digest %s, not %s", directory, company, hex,
                     want);
    }
    free_prompts(&p);
}

static void print_model(const char *directory, const char *name)
{
    prompts p = {0};
    char hex[COP_DIGEST_HEX_BYTES];
    read_prompts(&p, directory);
    digest_model(directory, &p, cop_cpu_isa(), 1, MOST_CASES, hex);
    print_message("  \"%s\": \"%s\",\n", name, hex);
    free_prompts(&p);
}

static int is_model(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void test_digests_of_every_architecture(void **state)
{
    (void)state;
    struct dirent **entries = NULL;
    const int count = scandir(folder, &entries, is_model, alphasort);
    json_t *const known = is_printing ? NULL : test_json("tests/data", "defined.json");
    assert_true(count >= 1);
    for (int i = 0; i < count; i++) {
        char directory[512];
        const char *const name = entries[i]->d_name;
        (void)snprintf(directory, sizeof directory, "%s/%s", folder, name);
        if (is_printing) {
            print_model(directory, name);
        } else {
            check_model(directory, json_string_value(json_object_get(known, name)));
        }
        free(entries[i]);
    }
    free(entries);
    json_decref(known);
}

/* A prefix that several prompts share is computed once, and no row sees the difference: tiles
 * of positions begin at the same places. */
static void test_shared_prefix_changes_nothing(void **state)
{
    (void)state;
    enum { PROMPTS = 3 };
    static const size_t prefixes[] = {1, 15, 31, 32, 63, 64, 65, 100};
    int32_t ids[PROMPTS][LONGEST_PROMPT];
    test_model test;
    cop_error err = {0};
    open_model(&test, "tests/data/arch/qwen2-tied", cop_cpu_isa(), 2);
    for (size_t s = 0; s < sizeof prefixes / sizeof prefixes[0]; s++) {
        cop_prompt all[PROMPTS];
        char together[COP_DIGEST_HEX_BYTES];
        char alone[COP_DIGEST_HEX_BYTES];
        for (size_t i = 0; i < PROMPTS; i++) {
            const size_t length = prefixes[s] + 1 + 7 * i;
            for (size_t t = 0; t < length; t++)
                ids[i][t] = (int32_t)((t < prefixes[s] ? 3 + 5 * t : 11 + 7 * t + i) % 60);
            all[i] = (cop_prompt){.ids = ids[i], .count = length};
        }
        cop_digest *digest = NULL;
        assert_ok(cop_digest_create(&digest, &err), &err);
        add_answers(&test, all, PROMPTS, digest);
        assert_ok(cop_digest_finish(digest, together, &err), &err);
        cop_digest_destroy(&digest);
        assert_ok(cop_digest_create(&digest, &err), &err);
        for (size_t i = 0; i < PROMPTS; i++)
            add_answers(&test, &all[i], 1, digest);
        assert_ok(cop_digest_finish(digest, alone, &err), &err);
        cop_digest_destroy(&digest);
        assert_string_equal(together, alone);
    }
    test_model_close(&test);
}

/* A pass over a prompt gives what a step gives that is fed the answer's last token. */
static void test_a_pass_equals_steps(void **state)
{
    (void)state;
    prompts p = {0};
    test_model test;
    cop_error err = {0};
    const char *const directory = "tests/data/arch/qwen3";
    read_prompts(&p, directory);
    open_model(&test, directory, cop_cpu_isa(), 1);
    cop_generation steps = {0};
    const cop_generate_options options = {.max_new_tokens = NEW_TOKENS};
    assert_ok(cop_model_generate(test.model, p.all, 1, &options, &steps, &err), &err);
    int32_t ids[LONGEST_PROMPT];
    size_t length = p.all[0].count;
    assert_true(length + NEW_TOKENS <= LONGEST_PROMPT);
    memcpy(ids, p.all[0].ids, length * sizeof *ids);
    for (size_t i = 0; i < NEW_TOKENS; i++) {
        const cop_prompt longer = {.ids = ids, .count = length};
        const cop_generate_options one = {.max_new_tokens = 1};
        cop_generation got = {0};
        assert_ok(cop_model_generate(test.model, &longer, 1, &one, &got, &err), &err);
        assert_int_equal(got.ids.data[0], steps.ids.data[i]);
        ids[length++] = got.ids.data[0];
        cop_generation_free(&got);
    }
    cop_generation_free(&steps);
    test_model_close(&test);
    free_prompts(&p);
}

int main(int argc, char **argv)
{
    (void)argv;
    is_printing = argc > 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests_of_every_architecture),
        cmocka_unit_test(test_shared_prefix_changes_nothing),
        cmocka_unit_test(test_a_pass_equals_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
