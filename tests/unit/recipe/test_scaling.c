/* scale(tensor): the norm of noise in closed form against noise that is drawn, the shares of
 * modules, the table in a recipe and its refusals. */
#include "unit/formats_support.h"

#include "coppice/base/cpu.h"
#include "coppice/noise/noise.h"
#include "coppice/recipe/recipe.h"

#include <math.h>

enum { TENSORS = 7 };

static const uint16_t zeros[24 * 8];

static const cop_tensor_info infos[TENSORS] = {
    {.name = "lm_head.weight", .dtype = COP_BF16, .rank = 2, .shape = {24, 8}, .data = zeros},
    {.name = "model.embed_tokens.weight",
     .dtype = COP_BF16,
     .rank = 2,
     .shape = {24, 8},
     .data = zeros},
    {.name = "model.layers.0.mlp.up_proj.weight",
     .dtype = COP_BF16,
     .rank = 2,
     .shape = {16, 8},
     .data = zeros},
    {.name = "model.layers.0.self_attn.q_proj.bias",
     .dtype = COP_BF16,
     .rank = 1,
     .shape = {8},
     .data = zeros},
    {.name = "model.layers.0.self_attn.q_proj.weight",
     .dtype = COP_BF16,
     .rank = 2,
     .shape = {8, 8},
     .data = zeros},
    {.name = "model.layers.1.self_attn.q_proj.weight",
     .dtype = COP_BF16,
     .rank = 2,
     .shape = {8, 8},
     .data = zeros},
    {.name = "model.norm.weight", .dtype = COP_BF16, .rank = 1, .shape = {8}, .data = zeros}};

typedef struct bench {
    cop_checkpoint *base;
    cop_recipe *recipe;
} bench;

static int setup(void **state)
{
    static bench made;
    *state = &made;
    return cop_checkpoint_from_memory(infos, TENSORS, &made.base, NULL) == COP_OK &&
                   cop_recipe_create(&made.recipe, NULL) == COP_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    bench *const made = *state;
    cop_recipe_destroy(&made->recipe);
    cop_checkpoint_close(&made->base);
    return 0;
}

static double scale_of(const bench *b, size_t tensor)
{
    return (double)cop_recipe_scale(b->recipe, b->base, cop_checkpoint_at(b->base, tensor));
}

static void assert_near(double value, double wanted)
{
    if (!(fabs(value - wanted) < 1e-7)) fail_msg("%.9g, not %.9g", value, wanted);
}

static void set(const bench *b, cop_scaling scaling)
{
    b->recipe->scaling = scaling;
    assert_int_equal(cop_recipe_set_scales(b->recipe, b->base, NULL), COP_OK);
    assert_true(cop_recipe_is_valid(b->recipe));
}

static void test_spectral(void **state)
{
    const bench *const b = *state;
    set(b, COP_SCALING_SPECTRAL);
    assert_int_equal(b->recipe->scale_count, TENSORS);
    assert_near(scale_of(b, 0), 1 / (sqrt(24) + sqrt(8)));
    assert_near(scale_of(b, 1), 1 / (sqrt(8) + sqrt(log(24))));
    assert_near(scale_of(b, 2), 1 / (sqrt(16) + sqrt(8)));
    assert_near(scale_of(b, 3), 1 / sqrt(2 * log(8)));
    assert_near(scale_of(b, 4), 1 / (2 * sqrt(8)));
}

/* The largest singular value of a matrix [m, n], by the power method. */
static double largest_singular(const float *matrix, size_t m, size_t n)
{
    double *const x = calloc(n, sizeof *x);
    double *const y = calloc(m, sizeof *y);
    double norm = 0;
    assert_true(x != NULL && y != NULL);
    for (size_t j = 0; j < n; j++)
        x[j] = 1 + (double)(j % 7);
    for (int round = 0; round < 300; round++) {
        double size = 0;
        for (size_t i = 0; i < m; i++) {
            y[i] = 0;
            for (size_t j = 0; j < n; j++)
                y[i] += (double)matrix[i * n + j] * x[j];
        }
        for (size_t j = 0; j < n; j++) {
            x[j] = 0;
            for (size_t i = 0; i < m; i++)
                x[j] += (double)matrix[i * n + j] * y[i];
            size += x[j] * x[j];
        }
        norm = sqrt(sqrt(size));
        for (size_t j = 0; j < n; j++)
            x[j] /= sqrt(size);
    }
    free(x);
    free(y);
    return norm;
}

/* Noise as it is drawn has the norm that the closed form says, within a few percent. */
static void test_norms_of_noise(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{200, 100}, {64, 300}, {150, 150}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const size_t m = (size_t)shapes[s][0];
        const size_t n = (size_t)shapes[s][1];
        float *const noise = calloc(m * n, sizeof *noise);
        assert_non_null(noise);
        cop_noise_fill(noise, 7, cop_noise_tensor_id("model.layers.0.mlp.up_proj.weight"), 0,
                       m * n, cop_cpu_isa());
        const double ratio =
            largest_singular(noise, m, n) / (sqrt((double)m) + sqrt((double)n));
        assert_true(ratio > 0.93 && ratio < 1.05);
        double longest = 0;
        for (size_t i = 0; i < m; i++) {
            double row = 0;
            for (size_t j = 0; j < n; j++)
                row += (double)noise[i * n + j] * (double)noise[i * n + j];
            if (row > longest) longest = row;
        }
        const double rows = sqrt(longest) / (sqrt((double)n) + sqrt(log((double)m)));
        assert_true(rows > 0.9 && rows < 1.1);
        free(noise);
    }
}

/* The same of noise of low rank, and of the table of scales that is made of it. */
static void test_norms_of_low_rank(void **state)
{
    const bench *const b = *state;
    static const size_t ranks[] = {1, 4, COP_MOST_RANK};
    enum { M = 24, N = 8 }; /* of the first tensor, a matrix */
    float noise[M * N];
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
        double norm = 0;
        enum { SEEDS = 20 };
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            const cop_component one = {.seed = seed, .amplitude = 1};
            const cop_rebuild_sum sum = {&one, 1, noise};
            const cop_low_rank low = {ranks[i], M, N};
            assert_int_equal(
                cop_rebuild_sums(&sum, 1, 3, low, 0, (size_t)M * N, 1, cop_cpu_isa(), NULL),
                COP_OK);
            norm += largest_singular(noise, M, N) / SEEDS;
        }
        b->recipe->noise_rank = ranks[i];
        set(b, COP_SCALING_SPECTRAL);
        const double ratio = norm * scale_of(b, 0);
        assert_true(ratio > 0.65 &&
                    ratio < 1.1); /* so small a matrix is well below its limit */
        assert_near(scale_of(b, 3), 1 / sqrt(2 * log(8))); /* a vector's is what it was */
    }
    b->recipe->noise_rank = 0;
}

static void test_modular(void **state)
{
    const bench *const b = *state;
    const double total = 1 + 1 + 0.5 + 0.5 + 0.1;
    set(b, COP_SCALING_MODULAR);
    assert_near(scale_of(b, 0), 1 / total / (sqrt(24) + sqrt(8)));
    assert_near(scale_of(b, 1), 1 / total / (sqrt(8) + sqrt(log(24))));
    assert_near(scale_of(b, 2), 0.5 / total / (sqrt(16) + sqrt(8)));
    assert_near(scale_of(b, 4), 0.25 / total / (2 * sqrt(8)));
    assert_true(scale_of(b, 4) == scale_of(b, 5));
    assert_near(scale_of(b, 6), 0.05 / total / sqrt(2 * log(8)));
    /* A scope leaves its modules all of the norm. */
    const char *const patterns[] = {"*embed_tokens*"};
    assert_int_equal(cop_recipe_set_scope(b->recipe, patterns, 1, NULL), COP_OK);
    set(b, COP_SCALING_MODULAR);
    assert_int_equal(b->recipe->scale_count, 1);
    assert_near(scale_of(b, 1), 1 / (sqrt(8) + sqrt(log(24))));
    assert_true(scale_of(b, 0) == 0);
}

/* Scalings without a table have none, and drop one that was there. */
static void test_without_a_table(void **state)
{
    const bench *const b = *state;
    set(b, COP_SCALING_SPECTRAL);
    set(b, COP_SCALING_ABSOLUTE);
    assert_int_equal(b->recipe->scale_count, 0);
    assert_true(scale_of(b, 0) == 1);
    set(b, COP_SCALING_RMS);
    assert_true(scale_of(b, 0) == 0); /* of zeros */
}

static void test_round_trip(void **state)
{
    const bench *const b = *state;
    cop_text text = {0};
    cop_text again = {0};
    cop_recipe *parsed = NULL;
    set(b, COP_SCALING_MODULAR);
    assert_int_equal(cop_recipe_print(b->recipe, &text, NULL), COP_OK);
    assert_int_equal(cop_recipe_parse(text.data, text.length, "r", &parsed, NULL), COP_OK);
    assert_true(cop_recipe_is_valid(parsed));
    assert_int_equal(parsed->scale_count, TENSORS);
    for (size_t i = 0; i < TENSORS; i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(b->base, i);
        assert_true((double)cop_recipe_scale(parsed, b->base, info) == scale_of(b, i));
    }
    assert_int_equal(cop_recipe_print(parsed, &again, NULL), COP_OK);
    assert_string_equal(again.data, text.data);
    cop_recipe_destroy(&parsed);
    cop_text_free(&text);
    cop_text_free(&again);
}

#define RECIPE(scaling, scales)                                                              \
    "{\"version\":1,\"noise_version\":1,\"base_sha256\":\"\",\"scope\":[\"*\"],\"scaling\":" \
    "\"" scaling "\"," scales "\"components\":[]}"

static void test_any_order(void **state)
{
    const bench *const b = *state;
    static const char json[] =
        RECIPE("spectral", "\"scales\":{\"model.norm.weight\":2,\"lm_head.weight\":0.5},");
    cop_recipe *parsed = NULL;
    assert_int_equal(cop_recipe_parse(json, sizeof json - 1, "r", &parsed, NULL), COP_OK);
    assert_true(cop_recipe_is_valid(parsed));
    assert_true(cop_recipe_scale(parsed, b->base, cop_checkpoint_at(b->base, 0)) == 0.5F);
    assert_true(cop_recipe_scale(parsed, b->base, cop_checkpoint_at(b->base, 6)) == 2.0F);
    /* What the table has not is left as it is. */
    assert_true(cop_recipe_scale(parsed, b->base, cop_checkpoint_at(b->base, 4)) == 0.0F);
    cop_recipe_destroy(&parsed);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {RECIPE("modular", ""), "\"scales\" is missing"},
        {RECIPE("spectral", "\"scales\":[1],"), "\"scales\" is missing or not an object"},
        {RECIPE("absolute", "\"scales\":{},"), "belongs to"},
        {RECIPE("rms", "\"scales\":{\"a\":1},"), "belongs to"},
        {RECIPE("modular", "\"scales\":{\"a\":-1},"), "\"a\" is not a number"},
        {RECIPE("modular", "\"scales\":{\"a\":\"1\"},"), "\"a\" is not a number"},
        {RECIPE("modular", "\"scales\":{\"a\":null},"), "\"a\" is not a number"},
        {RECIPE("modular", "\"scales\":{\"a\":1e39},"), "\"a\" is not a number"},
        {RECIPE("modular", "\"scales\":{\"a\":1,\"a\":2},"), "duplicate"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cop_recipe *recipe = NULL;
        cop_error err = {0};
        assert_int_equal(
            cop_recipe_parse(wrong[i][0], strlen(wrong[i][0]), "r.json", &recipe, &err),
            COP_ERR_FORMAT);
        assert_null(recipe);
        if (strstr(err.message, wrong[i][1]) == NULL)
            fail_msg("%s: %s", wrong[i][0], err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_spectral, setup, teardown),
        cmocka_unit_test(test_norms_of_noise),
        cmocka_unit_test_setup_teardown(test_norms_of_low_rank, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modular, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_order, setup, teardown),
        cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
