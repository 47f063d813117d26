/* Drawn answers: the same in any batch and order, by the numbers that the header names. */
#include "unit/model/model_tiny.h"

#include <math.h>

enum { PROMPTS = 7, NEW = 10 };

typedef struct scene {
    tiny_model tiny;
    int32_t ids[PROMPTS][20];
    cop_prompt prompts[PROMPTS];
} scene;

static void scene_create(scene *s)
{
    tiny_create(&s->tiny, COP_BF16, COP_BF16, false);
    const int32_t vocabulary = s->tiny.config.vocabulary;
    for (size_t i = 0; i < PROMPTS; i++) {
        const size_t count = 3 + (i * 5) % 11;
        for (size_t t = 0; t < count; t++) {
            const double u = (tiny_random(&s->tiny) + 1.0) * 0.5;
            s->ids[i][t] = (int32_t)(u * (double)vocabulary) % vocabulary;
        }
        s->prompts[i] = (cop_prompt){.ids = s->ids[i], .count = count};
    }
}

static void open_model(test_model *test, scene *s, const test_backend *backend, size_t batch)
{
    const cop_model_limits limits = {.batch = batch, .prompt_tokens = 20, .new_tokens = NEW};
    tiny_open(test, &s->tiny, backend, limits);
}

static void generate(test_model *test, const cop_prompt *prompts, size_t count,
                     const cop_generate_options *options, cop_generation *out)
{
    cop_error err = {0};
    assert_ok(cop_model_generate(test->model, prompts, count, options, out, &err), &err);
}

static void drop(cop_generation *generations, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cop_generation_free(&generations[i]);
}

static bool is_same(const cop_generation *a, const cop_generation *b)
{
    return a->ids.count == b->ids.count && a->stopped == b->stopped &&
           (a->ids.count == 0 ||
            memcmp(a->ids.data, b->ids.data, a->ids.count * sizeof *a->ids.data) == 0);
}

/* In groups of any size, in another order, and as single calls. */
static void check_batches(const test_backend *backend, double top_p)
{
    scene s = {0};
    test_model test;
    cop_generation alone[PROMPTS], got[PROMPTS];
    static const size_t examples[PROMPTS] = {4, 90, 1, UINT32_MAX, 0, 17, 3};
    cop_generate_options options = {
        .max_new_tokens = NEW, .sampling = {.temperature = 1.3, .top_p = top_p, .seed = 5}};
    scene_create(&s);
    open_model(&test, &s, backend, 1);
    for (size_t i = 0; i < PROMPTS; i++) {
        options.examples = &examples[i];
        generate(&test, &s.prompts[i], 1, &options, &alone[i]);
    }
    test_model_close(&test);
    for (size_t batch = 1; batch <= PROMPTS + 1; batch += 2) {
        open_model(&test, &s, backend, batch);
        options.examples = examples;
        generate(&test, s.prompts, PROMPTS, &options, got);
        for (size_t i = 0; i < PROMPTS; i++)
            assert_true(is_same(&alone[i], &got[i]));
        drop(got, PROMPTS);
        cop_prompt reversed[PROMPTS];
        size_t numbers[PROMPTS];
        for (size_t i = 0; i < PROMPTS; i++) {
            reversed[i] = s.prompts[PROMPTS - 1 - i];
            numbers[i] = examples[PROMPTS - 1 - i];
        }
        options.examples = numbers;
        generate(&test, reversed, PROMPTS, &options, got);
        for (size_t i = 0; i < PROMPTS; i++)
            assert_true(is_same(&alone[PROMPTS - 1 - i], &got[i]));
        drop(got, PROMPTS);
        test_model_close(&test);
    }
    drop(alone, PROMPTS);
    tiny_destroy(&s.tiny);
}

static void test_batches(void **state)
{
    (void)state;
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        check_batches(&test_backends[b], 1);
        check_batches(&test_backends[b], 0.9);
    }
}

/* Seed, sample and example each give other answers; without examples, places count. */
static void test_keys(void **state)
{
    (void)state;
    scene s = {0};
    test_model test;
    cop_generation got[6][PROMPTS];
    static const size_t places[PROMPTS] = {0, 1, 2, 3, 4, 5, 6};
    static const size_t others[PROMPTS] = {7, 8, 9, 10, 11, 12, 13};
    const cop_sampling first = {.temperature = 2, .top_p = 1, .seed = 1};
    cop_generate_options options[6];
    for (size_t k = 0; k < 6; k++)
        options[k] = (cop_generate_options){.max_new_tokens = NEW, .sampling = first};
    options[1].sampling.seed = 2;
    options[2].sampling.sample = 1;
    options[3].examples = others;
    options[4].examples = places;
    scene_create(&s);
    open_model(&test, &s, &test_backends[0], PROMPTS);
    for (size_t k = 0; k < 6; k++)
        generate(&test, s.prompts, PROMPTS, &options[k], got[k]);
    for (size_t i = 0; i < PROMPTS; i++) {
        for (size_t k = 1; k < 4; k++)
            assert_false(is_same(&got[0][i], &got[k][i]));
        assert_true(is_same(&got[0][i], &got[4][i]));
        assert_true(is_same(&got[0][i], &got[5][i]));
    }
    for (size_t k = 0; k < 6; k++)
        drop(got[k], PROMPTS);
    test_model_close(&test);
    tiny_destroy(&s.tiny);
}

/* Temperature 0 is greedy whatever the other fields say; so are a tiny top-p and temperature.
 */
static void test_greedy(void **state)
{
    (void)state;
    scene s = {0};
    test_model test;
    cop_generation greedy[PROMPTS], got[PROMPTS];
    const cop_generate_options plain = {.max_new_tokens = NEW};
    static const cop_sampling same[] = {
        {.temperature = 0, .top_p = 7, .seed = 3, .sample = 4},
        {.temperature = 1, .top_p = 1e-12, .seed = 3},
        {.temperature = 1e-9, .top_p = 1, .seed = 3},
    };
    scene_create(&s);
    open_model(&test, &s, &test_backends[0], PROMPTS);
    generate(&test, s.prompts, PROMPTS, &plain, greedy);
    for (size_t k = 0; k < sizeof same / sizeof same[0]; k++) {
        const cop_generate_options options = {.max_new_tokens = NEW, .sampling = same[k]};
        generate(&test, s.prompts, PROMPTS, &options, got);
        for (size_t i = 0; i < PROMPTS; i++)
            assert_true(is_same(&greedy[i], &got[i]));
        drop(got, PROMPTS);
    }
    drop(greedy, PROMPTS);
    test_model_close(&test);
    tiny_destroy(&s.tiny);
}

/* Every token is the backend's draw from the logits after those before it, by the uniform
 * number of (seed, example, sample, position). */
static void test_numbers(void **state)
{
    (void)state;
    scene s = {0};
    test_model test;
    cop_generation answer;
    const size_t example = 12;
    const cop_sampling how = {.temperature = 1.5, .top_p = 0.97, .seed = 77, .sample = 6};
    const cop_generate_options options = {
        .max_new_tokens = NEW, .sampling = how, .examples = &example};
    const cop_generate_options look = {.max_new_tokens = 0, .want_logits = true};
    scene_create(&s);
    s.tiny.config.stop_count = 0;
    open_model(&test, &s, &test_backends[0], 1);
    generate(&test, &s.prompts[0], 1, &options, &answer);
    assert_int_equal(answer.ids.count, NEW);
    const size_t vocabulary = (size_t)s.tiny.config.vocabulary;
    cop_backend *reference = NULL;
    cop_buffer *buffer = NULL;
    cop_error err = {0};
    assert_ok(cop_backend_create_ref(&reference, &err), &err);
    for (size_t t = 0; t < NEW; t++) {
        int32_t ids[20 + NEW];
        memcpy(ids, s.prompts[0].ids, s.prompts[0].count * sizeof *ids);
        memcpy(ids + s.prompts[0].count, answer.ids.data, t * sizeof *ids);
        const cop_prompt so_far = {.ids = ids, .count = s.prompts[0].count + t};
        cop_generation seen;
        generate(&test, &so_far, 1, &look, &seen);
        const double uniform =
            cop_noise_uniform(77, COP_STREAM_SAMPLING, 12, UINT64_C(6) << 32 | t);
        const cop_draw draw = {1.5, 0.97, &uniform};
        int32_t id = -2;
        assert_ok(reference->ops->buffer_wrap(reference, seen.logits,
                                              vocabulary * sizeof(float), &buffer, &err),
                  &err);
        assert_ok(reference->ops->sample(reference, buffer, 1, vocabulary, &draw, &id, &err),
                  &err);
        assert_int_equal(id, answer.ids.data[t]);
        reference->ops->buffer_destroy(reference, &buffer);
        cop_generation_free(&seen);
    }
    cop_backend_destroy(&reference);
    cop_generation_free(&answer);
    test_model_close(&test);
    tiny_destroy(&s.tiny);
}

static void test_refused(void **state)
{
    (void)state;
    scene s = {0};
    test_model test;
    cop_generation got[PROMPTS];
    static const size_t far[PROMPTS] = {0, 1, (size_t)UINT32_MAX + 1};
    const struct {
        cop_sampling how;
        const size_t *examples;
        const char *named;
    } wrong[] = {{{.temperature = -1, .top_p = 1}, NULL, "temperature"},
                 {{.temperature = NAN, .top_p = 1}, NULL, "temperature"},
                 {{.temperature = INFINITY, .top_p = 1}, NULL, "temperature"},
                 {{.temperature = 1}, NULL, "top-p"},
                 {{.temperature = 1, .top_p = 1.5}, NULL, "top-p"},
                 {{.temperature = 1, .top_p = NAN}, NULL, "top-p"},
                 {{.temperature = 1, .top_p = 1}, far, "4294967296"}};
    scene_create(&s);
    open_model(&test, &s, &test_backends[0], PROMPTS);
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        const cop_generate_options options = {
            .max_new_tokens = NEW, .sampling = wrong[k].how, .examples = wrong[k].examples};
        cop_error err = {0};
        assert_int_equal(
            cop_model_generate(test.model, s.prompts, PROMPTS, &options, got, &err),
            COP_ERR_CONFIG);
        if (strstr(err.message, wrong[k].named) == NULL) fail_msg("%s", err.message);
    }
    test_model_close(&test);
    tiny_destroy(&s.tiny);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_greedy),  cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
