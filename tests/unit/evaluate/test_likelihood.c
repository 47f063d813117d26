/* Likelihoods of passages against sums that another implementation gave, and against the
 * logarithm of softmax of the logits after each beginning of a window. */
#include "unit/model/model_support.h"

#include "coppice/evaluate/likelihood.h"

#include <math.h>
#include <string.h>

enum { MOST = 8, LONGEST = 160 };

static const test_backend cpu = {"cpu with OpenBLAS", test_create_openblas};

/* A model with the prompts of its golden.json. */
typedef struct scene {
    test_model test;
    json_t *root;
    cop_prompt passages[MOST];
    double golden[MOST]; /* minus the sum */
    size_t count;
} scene;

static void scene_open(scene *s, const char *directory, size_t batch)
{
    *s = (scene){0};
    s->root = test_json(directory, "golden.json");
    const json_t *const cases = json_object_get(s->root, "cases");
    s->count = json_array_size(cases);
    assert_in_range(s->count, 1, MOST);
    for (size_t i = 0; i < s->count; i++) {
        const json_t *const entry = json_array_get(cases, i);
        s->passages[i].ids = test_ids(json_object_get(entry, "ids"), &s->passages[i].count);
        s->golden[i] = json_number_value(json_object_get(entry, "nll_sum"));
    }
    test_model_open(&s->test, directory, &cpu,
                    (cop_model_limits){.batch = batch, .prompt_tokens = LONGEST});
}

static void scene_close(scene *s)
{
    test_model_close(&s->test);
    for (size_t i = 0; i < s->count; i++)
        cop_memory_free((void *)(uintptr_t)s->passages[i].ids);
    json_decref(s->root);
}

static void check_golden(const char *directory, size_t batch)
{
    scene s;
    cop_error err = {0};
    cop_likelihood got[MOST];
    scene_open(&s, directory, batch);
    assert_ok(
        cop_likelihood_measure(s.test.model, s.passages, s.count, LONGEST, NULL, got, &err),
        &err);
    for (size_t i = 0; i < s.count; i++) {
        assert_int_equal(got[i].tokens, s.passages[i].count - 1);
        if (!(fabs(got[i].sum + s.golden[i]) <= 2e-5 * s.golden[i]))
            fail_msg("%s, passage %zu: %.9g, not %.9g", directory, i, got[i].sum, -s.golden[i]);
    }
    scene_close(&s);
}

static void test_golden(void **state)
{
    (void)state;
    static const char *const models[] = {"tests/data/arch/qwen2-tied",
                                         "tests/data/arch/llama31",
                                         "tests/data/arch/qwen2-sliding"};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        check_golden(models[i], 1);
        check_golden(models[i], 3);
    }
}

/* log softmax(logits after a prompt)[next]. */
static double log_probability_after(test_model *test, cop_prompt prompt, int32_t next)
{
    cop_error err = {0};
    cop_generation got;
    const cop_generate_options options = {.want_logits = true};
    assert_ok(cop_model_generate(test->model, &prompt, 1, &options, &got, &err), &err);
    double top = (double)got.logits[0];
    double sum = 0;
    for (int32_t v = 0; v < test->config.vocabulary; v++)
        top = fmax(top, (double)got.logits[v]);
    for (int32_t v = 0; v < test->config.vocabulary; v++)
        sum += exp((double)got.logits[v] - top);
    const double found = (double)got.logits[next] - top - log(sum);
    cop_generation_free(&got);
    return found;
}

/* The sum over a passage in windows, token by token. */
static double sum_by_logits(test_model *test, cop_prompt passage, size_t window)
{
    double sum = 0;
    for (size_t t = 1; t < passage.count; t++) {
        const size_t start = (t - 1) / (window - 1) * (window - 1);
        sum += log_probability_after(
            test, (cop_prompt){.ids = passage.ids + start, .count = t - start}, passage.ids[t]);
    }
    return sum;
}

static void test_windows(void **state)
{
    (void)state;
    static const size_t windows[] = {2, 3, 7, 17, 18};
    scene s;
    cop_error err = {0};
    scene_open(&s, "tests/data/arch/qwen2-tied", 4);
    const cop_prompt passage = s.passages[2];
    assert_int_equal(passage.count, 17);
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        cop_likelihood got;
        assert_ok(
            cop_likelihood_measure(s.test.model, &passage, 1, windows[i], NULL, &got, &err),
            &err);
        const double want = sum_by_logits(&s.test, passage, windows[i]);
        assert_int_equal(got.tokens, passage.count - 1);
        if (!(fabs(got.sum - want) <= 2e-5 * fabs(want)))
            fail_msg("window %zu: %.9g, not %.9g", windows[i], got.sum, want);
    }
    scene_close(&s);
}

static void test_count_windows(void **state)
{
    (void)state;
    assert_int_equal(cop_likelihood_count_windows(0, 8), 0);
    assert_int_equal(cop_likelihood_count_windows(1, 8), 0);
    assert_int_equal(cop_likelihood_count_windows(2, 8), 1);
    assert_int_equal(cop_likelihood_count_windows(8, 8), 1);
    assert_int_equal(cop_likelihood_count_windows(9, 8), 2);
    assert_int_equal(cop_likelihood_count_windows(15, 8), 2);
    assert_int_equal(cop_likelihood_count_windows(16, 8), 3);
    assert_int_equal(cop_likelihood_count_windows(5, 2), 4);
}

/* --- who looks on --- */

typedef struct looker {
    size_t tokens;
    bool leaves;
} looker;

static bool leaves(void *context)
{
    return ((looker *)context)->leaves;
}

static void look(void *context, size_t tokens)
{
    looker *const self = context;
    assert_true(tokens > self->tokens);
    self->tokens = tokens;
}

static void test_watch(void **state)
{
    (void)state;
    scene s;
    cop_error err = {0};
    looker self = {0};
    cop_likelihood got[MOST];
    size_t tokens = 0;
    const cop_likelihood_watch watch = {.cancelled = leaves, .done = look, .context = &self};
    scene_open(&s, "tests/data/arch/qwen2-tied", 2);
    for (size_t i = 0; i < s.count; i++)
        tokens += s.passages[i].count - 1;
    assert_ok(cop_likelihood_measure(s.test.model, s.passages, s.count, 20, &watch, got, &err),
              &err);
    assert_int_equal(self.tokens, tokens);
    self = (looker){.leaves = true};
    assert_int_equal(
        cop_likelihood_measure(s.test.model, s.passages, s.count, 20, &watch, got, &err),
        COP_INTERRUPTED);
    assert_int_equal(self.tokens, 0);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_count_windows),
        cmocka_unit_test(test_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
