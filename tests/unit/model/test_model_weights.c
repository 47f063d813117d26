/* Binding tensors to the described block, and loading candidates. */
#include "model/model_internal.h"
#include "unit/model/model_tiny.h"

#include <math.h>

static const cop_model_limits limits = {.batch = 2, .prompt_tokens = 8, .new_tokens = 4};

/* Creates a model over the tensors as they are; the status, with the message in *err. */
static cop_status try_create(const tiny_model *tiny, cop_model_limits with, cop_text *unused,
                             cop_error *err)
{
    cop_checkpoint *checkpoint = NULL;
    cop_backend *backend = NULL;
    cop_model *model = NULL;
    cop_error own = {0};
    assert_ok(cop_checkpoint_from_memory(tiny->infos, tiny->count, &checkpoint, &own), &own);
    assert_ok(cop_backend_create_ref(&backend, &own), &own);
    const cop_status status =
        cop_model_create(&tiny->config, checkpoint, backend, &with, unused, &model, err);
    assert_true((status == COP_OK) == (model != NULL));
    cop_model_destroy(&model);
    cop_model_destroy(&model);
    cop_backend_destroy(&backend);
    cop_checkpoint_close(&checkpoint);
    return status;
}

static void test_missing_tensor(void **state)
{
    (void)state;
    tiny_model tiny;
    tiny_create(&tiny, COP_BF16, COP_BF16, false);
    for (size_t i = 0; i < tiny.count; i++) {
        cop_error err = {0};
        char kept[TINY_NAME_BYTES];
        memcpy(kept, tiny.names[i], sizeof kept);
        (void)snprintf(tiny.names[i], TINY_NAME_BYTES, "another.%zu", i);
        assert_int_equal(try_create(&tiny, limits, NULL, &err), COP_ERR_FORMAT);
        assert_non_null(strstr(err.message, kept));
        assert_non_null(strstr(err.message, "missing"));
        memcpy(tiny.names[i], kept, sizeof kept);
    }
    tiny_destroy(&tiny);
}

static void test_wrong_shape(void **state)
{
    (void)state;
    tiny_model tiny;
    tiny_create(&tiny, COP_F32, COP_F32, true);
    for (size_t i = 0; i < tiny.count; i++) {
        cop_error err = {0};
        const cop_tensor_info kept = tiny.infos[i];
        tiny.infos[i].shape[0] *= 2;
        tiny.infos[i].count *= 2;
        tiny.infos[i].bytes *= 2;
        assert_int_equal(try_create(&tiny, limits, NULL, &err), COP_ERR_FORMAT);
        assert_non_null(strstr(err.message, kept.name));
        tiny.infos[i] = kept;
        /* The same elements in another rank. */
        tiny.infos[i].rank = kept.rank + 1;
        tiny.infos[i].shape[kept.rank] = 1;
        assert_int_equal(try_create(&tiny, limits, NULL, &err), COP_ERR_FORMAT);
        tiny.infos[i] = kept;
    }
    tiny_destroy(&tiny);
}

static void test_transposed_shape(void **state)
{
    (void)state;
    tiny_model tiny;
    cop_error err = {0};
    tiny_create(&tiny, COP_F32, COP_F32, true);
    cop_tensor_info *const down = tiny_find(&tiny, "model.layers.1.mlp.down_proj.weight");
    down->shape[0] = tiny.config.feed_forward;
    down->shape[1] = tiny.config.width;
    assert_int_equal(try_create(&tiny, limits, NULL, &err), COP_ERR_FORMAT);
    assert_non_null(strstr(err.message, "[24, 16]"));
    assert_non_null(strstr(err.message, "[16, 24]"));
    tiny_destroy(&tiny);
}

static void test_unused(void **state)
{
    (void)state;
    tiny_model tiny;
    cop_error err = {0};
    cop_text unused = {0};
    tiny_create(&tiny, COP_BF16, COP_BF16, true);
    assert_ok(try_create(&tiny, limits, &unused, &err), &err);
    assert_int_equal(unused.length, 0);
    tiny_add(&tiny, "model.layers.0.self_attn.rotary_emb.inv_freq", COP_F32, 4, 0);
    tiny_add(&tiny, "lm_head.weight", COP_BF16, tiny.config.vocabulary, tiny.config.width);
    assert_ok(try_create(&tiny, limits, &unused, &err), &err);
    assert_string_equal(unused.data,
                        "lm_head.weight, model.layers.0.self_attn.rotary_emb.inv_freq");
    cop_text_free(&unused);
    tiny_destroy(&tiny);
}

static void test_dtypes(void **state)
{
    (void)state;
    cop_error err = {0};
    tiny_model tiny;
    tiny_create(&tiny, COP_BF16, COP_F32, true);
    assert_ok(try_create(&tiny, limits, NULL, &err), &err);
    tiny_destroy(&tiny);

    tiny_create(&tiny, COP_BF16, COP_BF16, true);
    cop_tensor_info *const k = tiny_find(&tiny, "model.layers.1.self_attn.k_proj.weight");
    k->dtype = COP_F16;
    k->dtype_text = "F16";
    assert_int_equal(try_create(&tiny, limits, NULL, &err), COP_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "model.layers.1.self_attn.k_proj.weight"));
    assert_non_null(strstr(err.message, "f16"));
    k->dtype = COP_DTYPE_OTHER;
    k->dtype_text = "F8_E4M3";
    k->bytes = k->count;
    assert_int_equal(try_create(&tiny, limits, NULL, &err), COP_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "F8_E4M3"));
    tiny_destroy(&tiny);
}

static void test_memory_plan(void **state)
{
    (void)state;
    cop_error err = {0};
    tiny_model tiny;
    tiny_create(&tiny, COP_BF16, COP_BF16, true);
    tiny.config.max_positions = 1 << 24;
    const cop_model_limits vast = {
        .batch = 1 << 20, .prompt_tokens = 1 << 14, .new_tokens = 1 << 10};
    assert_int_equal(try_create(&tiny, vast, NULL, &err), COP_ERR_MEMORY);
    assert_non_null(strstr(err.message, "GiB"));
    const char *const batch = strstr(err.message, "a batch of ");
    assert_non_null(batch);
    unsigned long fits = 0;
    assert_int_equal(sscanf(batch, "a batch of %lu would fit", &fits), 1);
    assert_in_range(fits, 1, (1 << 20) - 1);
    const cop_model_limits endless = {
        .batch = 2, .prompt_tokens = 1 << 28, .new_tokens = 1 << 28};
    tiny.config.max_positions = 1 << 28;
    tiny.config.layers = 2;
    assert_int_equal(try_create(&tiny, endless, NULL, &err), COP_ERR_MEMORY);
    assert_non_null(strstr(err.message, "not even one"));
    tiny_destroy(&tiny);
}

/* Factors of noise of low rank are in the plan: those of the three parts of one weight, each of
 * whose sides is kept up to 64 MiB. */
static void test_memory_plan_of_factors(void **state)
{
    (void)state;
    static const size_t products[] = {0, 1, SIZE_MAX};
    uint64_t planned[3];
    uint64_t room = 0;
    tiny_model tiny;
    tiny_create(&tiny, COP_BF16, COP_BF16, true);
    for (size_t i = 0; i < 3; i++) {
        test_model test;
        const cop_model_limits with = {
            .batch = 1, .prompt_tokens = 4, .noise_products = products[i]};
        tiny_open(&test, &tiny, &test_backends[0], with);
        planned[i] = cop_model_planned_bytes(test.model, &room);
        test_model_close(&test);
    }
    assert_in_range(planned[1] - planned[0], sizeof(float) * 3 * (16 + 16), 1 << 16);
    assert_int_equal(planned[2] - planned[0], 3 * 2 * (UINT64_C(64) << 20));
    tiny_destroy(&tiny);
}

static void test_limits(void **state)
{
    (void)state;
    cop_error err = {0};
    tiny_model tiny;
    tiny_create(&tiny, COP_BF16, COP_BF16, true);
    static const cop_model_limits wrong[] = {
        {.batch = 0, .prompt_tokens = 1},
        {.batch = 1},
        {.batch = SIZE_MAX, .prompt_tokens = 1},
        {.batch = 1, .prompt_tokens = SIZE_MAX},
        {.batch = 1, .prompt_tokens = 1, .new_tokens = SIZE_MAX},
        {.batch = 1, .prompt_tokens = 1, .lanes = SIZE_MAX}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(try_create(&tiny, wrong[i], NULL, &err), COP_ERR_CONFIG);
    }
    tiny_destroy(&tiny);
}

static float *logits_of(cop_model *model)
{
    static const int32_t ids[] = {3, 17, 39, 0, 5};
    const cop_prompt prompt = {.ids = ids, .count = 5};
    const cop_generate_options options = {.want_logits = true};
    cop_generation got;
    cop_error err = {0};
    assert_ok(cop_model_generate(model, &prompt, 1, &options, &got, &err), &err);
    assert_true(got.finite);
    assert_int_equal(got.ids.count, 0);
    return got.logits;
}

/* Rebuilds every tensor in place, as an export would. */
static void rebuild_all(tiny_model *tiny, const cop_recipe *recipe)
{
    for (size_t i = 0; i < tiny->count; i++) {
        const cop_tensor_info *const info = &tiny->infos[i];
        const cop_rebuild_piece piece = {.base = info->data,
                                         .out = tiny_data(tiny, info->name),
                                         .dtype = info->dtype,
                                         .count = info->count,
                                         .tensor = info->noise_id,
                                         .scale = cop_recipe_scale(recipe, NULL, info),
                                         .low = cop_recipe_low_rank(recipe, info)};
        cop_rebuild_run(&piece, recipe->components, recipe->component_count, 1, COP_ISA_SCALAR);
    }
}

/* Of the noise on this backend: GPUs have full noise alone (test_backend_rebuild.c). */
static size_t rank_on(const test_backend *backend, size_t noise_rank)
{
    return backend == &test_backends[TEST_BACKEND_CUDA] ? 0 : noise_rank;
}

/* A candidate's logits are bit for bit those of its exported weights, and the base comes back.
 */
static void check_apply(const test_backend *backend, cop_dtype matrices, cop_dtype vectors,
                        bool tied, bool gemma, const char *scope, size_t noise_rank)
{
    static const cop_component components[] = {{.seed = 12345, .amplitude = 0.02F},
                                               {.seed = UINT64_MAX, .amplitude = -0.01F}};
    tiny_model tiny;
    test_model test;
    test_model exported;
    cop_recipe *recipe = NULL;
    cop_error err = {0};
    tiny_create(&tiny, matrices, vectors, tied);
    if (gemma) tiny_make_gemma(&tiny, vectors);
    tiny_open(&test, &tiny, backend, limits);
    assert_ok(cop_recipe_create(&recipe, &err), &err);
    assert_ok(cop_recipe_set_components(recipe, components, 2, &err), &err);
    assert_ok(cop_recipe_set_scope(recipe, &scope, 1, &err), &err);
    recipe->noise_rank = rank_on(backend, noise_rank);
    float *const base = logits_of(test.model);
    assert_ok(cop_model_apply(test.model, 0, recipe, &err), &err);
    float *const candidate = logits_of(test.model);
    assert_ok(cop_model_apply(test.model, 0, NULL, &err), &err);
    float *const again = logits_of(test.model);
    assert_ok(cop_model_apply(test.model, 0, recipe, &err), &err);
    float *const second = logits_of(test.model);
    const size_t bytes = (size_t)tiny.config.vocabulary * sizeof(float);
    assert_memory_not_equal(base, candidate, bytes);
    assert_memory_equal(base, again, bytes);
    assert_memory_equal(candidate, second, bytes);
    test_model_close(&test);

    rebuild_all(&tiny, recipe);
    tiny_open(&exported, &tiny, backend, limits);
    float *const written = logits_of(exported.model);
    assert_memory_equal(candidate, written, bytes);
    test_model_close(&exported);
    float *const all[] = {base, candidate, again, second, written};
    for (size_t i = 0; i < 5; i++)
        cop_memory_free(all[i]);
    cop_recipe_destroy(&recipe);
    tiny_destroy(&tiny);
}

static void test_apply(void **state)
{
    (void)state;
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        const test_backend *const backend = &test_backends[b];
        check_apply(backend, COP_BF16, COP_BF16, true, false, "*", 0);
        check_apply(backend, COP_BF16, COP_F32, false, false, "*", 0);
        check_apply(backend, COP_F32, COP_F16, true, false, "*", 1);
        check_apply(backend, COP_F16, COP_F16, false, false, "*.mlp.*", 0);
        check_apply(backend, COP_F32, COP_F32, false, false,
                    "model.layers.1.self_attn.k_proj.*", 3);
        check_apply(backend, COP_BF16, COP_BF16, true, false, "model.embed_tokens.weight", 0);
        check_apply(backend, COP_BF16, COP_BF16, true, false, "*", 5);
        check_apply(backend, COP_F16, COP_F32, false, false, "*", 2);
        check_apply(backend, COP_BF16, COP_BF16, true, true, "*", 3);
        check_apply(backend, COP_F32, COP_F32, false, true, "*norm*", 0);
    }
}

static float scale_seen;
static const cop_backend_ops *real_ops;

static cop_status seeing_embed(cop_backend *backend, cop_buffer *residual,
                               const cop_buffer *table, cop_dtype dtype, const int32_t *ids,
                               size_t rows, size_t width, float scale, cop_error *err)
{
    scale_seen = scale;
    return real_ops->embed(backend, residual, table, dtype, ids, rows, width, scale, err);
}

static float scale_on(cop_status (*create)(cop_backend **backend, cop_error *err), bool gemma)
{
    const test_backend backend = {"", create};
    tiny_model tiny;
    test_model test;
    tiny_create(&tiny, COP_BF16, COP_BF16, true);
    if (gemma) tiny_make_gemma(&tiny, COP_BF16);
    tiny_open(&test, &tiny, &backend, limits);
    real_ops = test.backend->ops;
    cop_backend_ops seeing = *real_ops;
    seeing.embed = seeing_embed;
    test.backend->ops = &seeing;
    cop_memory_free(logits_of(test.model));
    test.backend->ops = real_ops;
    test_model_close(&test);
    tiny_destroy(&tiny);
    return scale_seen;
}

/* The scale of embeddings is rounded to the type of products, as transformers does. */
static void test_embedding_scale(void **state)
{
    (void)state;
    assert_true(scale_on(cop_backend_create_ref, false) == 1.0F);
    assert_true(scale_on(cop_backend_create_ref, true) == 25.2982213F);
    assert_true(scale_on(test_create_openblas, true) == 25.2982213F);
    assert_true(scale_on(test_create_defined, true) == 25.25F);
}

/* The project's own kernels pack panels that they rebuild as rectangles. */
static void test_low_rank_by_own_kernels(void **state)
{
    (void)state;
    const test_backend own = {"own kernels", test_create_defined};
    check_apply(&own, COP_BF16, COP_BF16, true, false, "*", 0);
    check_apply(&own, COP_BF16, COP_F32, false, false, "*", 1);
    check_apply(&own, COP_BF16, COP_BF16, true, false, "*", 5);
    check_apply(&own, COP_BF16, COP_BF16, false, false, "*.self_attn.*", 3);
}

/* One recipe of a search: `shared` components of the centre, then own ones. */
typedef struct search_step {
    size_t shared; /* components of the centre `which` */
    int which;
    size_t own;
    const char *scope;
    cop_scaling scaling;
} search_step;

static void set_step(cop_recipe *recipe, const search_step *step, size_t number)
{
    cop_component components[128];
    for (size_t i = 0; i < step->shared + step->own; i++) {
        const bool own = i >= step->shared;
        components[i] = (cop_component){.seed = own ? 1000000 + 100 * number + i
                                                    : (uint64_t)(step->which * 1000) + i,
                                        .amplitude = own ? 0.03F : 0.004F * (float)(1 + i % 3)};
    }
    cop_error err = {0};
    assert_ok(cop_recipe_set_components(recipe, components, step->shared + step->own, &err),
              &err);
    assert_ok(cop_recipe_set_scope(recipe, &step->scope, 1, &err), &err);
    recipe->scaling = step->scaling;
}

/* Candidate after candidate around a centre that grows, is left and changes: a model that keeps
 * the centre's sums has the bits of one that has just been loaded. */
static void test_centre_keeps_the_bits(void **state)
{
    (void)state;
    static const search_step steps[] = {
        {0, 0, 1, "*", COP_SCALING_ABSOLUTE},   {40, 0, 1, "*", COP_SCALING_ABSOLUTE},
        {40, 0, 1, "*", COP_SCALING_ABSOLUTE},  {40, 0, 2, "*", COP_SCALING_ABSOLUTE},
        {0, 0, 3, "*", COP_SCALING_ABSOLUTE},   {40, 0, 0, "*", COP_SCALING_ABSOLUTE},
        {70, 0, 1, "*", COP_SCALING_ABSOLUTE},  {70, 0, 1, "*", COP_SCALING_ABSOLUTE},
        {40, 0, 1, "*", COP_SCALING_ABSOLUTE},  {30, 1, 1, "*", COP_SCALING_ABSOLUTE},
        {30, 1, 1, "*", COP_SCALING_ABSOLUTE},  {30, 1, 4, "*.mlp.*", COP_SCALING_ABSOLUTE},
        {30, 1, 1, "*.mlp.*", COP_SCALING_RMS}, {60, 1, 1, "*.mlp.*", COP_SCALING_RMS},
        {60, 1, 1, "*.mlp.*", COP_SCALING_RMS}, {60, 1, 2, "*", COP_SCALING_ABSOLUTE}};
    enum { COUNT = sizeof steps / sizeof steps[0] };
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++) {
        tiny_model tiny;
        test_model kept;
        cop_error err = {0};
        tiny_create(&tiny, COP_BF16, COP_F32, true);
        tiny_open(&kept, &tiny, &test_backends[b], limits);
        const size_t bytes = (size_t)tiny.config.vocabulary * sizeof(float);
        for (size_t i = 0; i < 2 * COUNT; i++) { /* again with noise of low rank */
            cop_recipe *recipe = NULL;
            test_model fresh;
            assert_ok(cop_recipe_create(&recipe, &err), &err);
            set_step(recipe, &steps[i % COUNT], i);
            recipe->noise_rank = rank_on(&test_backends[b], i < COUNT        ? 0
                                                            : i < COUNT + 12 ? 2
                                                                             : 3);
            tiny_open(&fresh, &tiny, &test_backends[b], limits);
            assert_ok(cop_model_apply(kept.model, 0, recipe, &err), &err);
            assert_ok(cop_model_apply(fresh.model, 0, recipe, &err), &err);
            float *const got = logits_of(kept.model);
            float *const wanted = logits_of(fresh.model);
            if (memcmp(got, wanted, bytes) != 0) fail_msg("step %zu: other logits", i);
            cop_memory_free(got);
            cop_memory_free(wanted);
            test_model_close(&fresh);
            cop_recipe_destroy(&recipe);
        }
        /* It was kept, else nothing was shown. */
        assert_true(kept.model->centre.count > 0);
        test_model_close(&kept);
        tiny_destroy(&tiny);
    }
}

/* A step along direction `which` behind `shared` components of a centre that holds a sum, too.
 */
typedef struct sum_step {
    size_t shared;
    int which;
    float factor;
    const char *scope;
    size_t noise_rank;
} sum_step;

enum { DIRECTION = 40, DIRECTIONS = 12, MOST_ROW = 100 };

/* Directions have most seeds in common. \return how many components the row has. */
static size_t list_step(const sum_step *step, cop_component components[MOST_ROW])
{
    size_t count = 0;
    for (; count < step->shared; count++)
        components[count] = (cop_component){.seed = 70 + count,
                                            .amplitude = 0.003F,
                                            .factor = count < 20    ? COP_IN_SUM
                                                      : count == 20 ? 2.0F
                                                                    : 0.0F};
    for (size_t j = 0; j < DIRECTION; j++) {
        if (j % DIRECTIONS == (size_t)step->which) continue;
        components[count++] =
            (cop_component){.seed = 500 + j,
                            .amplitude = 0.01F * (float)(1 + step->which + (int)j % 5),
                            .factor = COP_IN_SUM};
    }
    components[count - 1].factor = step->factor;
    return count;
}

static cop_recipe *make_step(const sum_step *step)
{
    cop_component components[MOST_ROW];
    cop_recipe *recipe = NULL;
    cop_error err = {0};
    assert_ok(cop_recipe_create(&recipe, &err), &err);
    assert_ok(cop_recipe_set_components(recipe, components, list_step(step, components), &err),
              &err);
    assert_ok(cop_recipe_set_scope(recipe, &step->scope, 1, &err), &err);
    recipe->noise_rank = step->noise_rank;
    return recipe;
}

/* Announces the steps along `count` directions from `which` on. */
static void announce(cop_model *model, int which, size_t count)
{
    cop_component rows[DIRECTIONS * MOST_ROW];
    size_t start[DIRECTIONS + 1] = {0};
    cop_error err = {0};
    for (size_t i = 0; i < count; i++) {
        const sum_step step = {0, (which + (int)i) % DIRECTIONS, 1, "*", 0};
        start[i + 1] = start[i] + list_step(&step, rows + start[i]);
    }
    assert_ok(cop_model_expect(model, rows, start, count, &err), &err);
}

/* Leaves a model room for so many sums beside what it has planned. */
static void leave_room(cop_model *model, double sums)
{
    uint64_t room = 0;
    size_t elements = 0;
    for (size_t w = 0; w < model->weight_count; w++) {
        for (size_t p = 0; p < model->weights[w].part_count; p++)
            elements += model->weights[w].tensors[p]->count;
    }
    model->room_bytes = cop_model_planned_bytes(model, &room) +
                        (uint64_t)(sums * (double)(elements * sizeof(float)));
}

/* Steps along directions that are kept, come again, make room for others and were announced or
 * not: the bits of a model that has just been loaded. Of the room that is left a sum takes
 * half at most. \return how many were kept. */
static size_t check_sums(const test_backend *backend, double room)
{
    enum { STEPS = 50 };
    size_t most = 0;
    tiny_model tiny;
    test_model kept;
    cop_error err = {0};
    tiny_create(&tiny, COP_BF16, COP_F32, true);
    tiny_open(&kept, &tiny, backend, limits);
    if (room >= 0) leave_room(kept.model, room);
    const size_t bytes = (size_t)tiny.config.vocabulary * sizeof(float);
    for (int i = 0; i < STEPS; i++) {
        const sum_step step = {.shared = i < 20   ? 0
                                         : i < 30 ? 21
                                                  : 25,
                               .which = i / 3 % DIRECTIONS,
                               .factor = i % 3 == 2 ? -0.5F : 1.0F + (float)i,
                               .scope = i < 35 || i >= 40 ? "*" : "*.mlp.*",
                               .noise_rank =
                                   rank_on(backend, i < 40 ? 0 : 1 + (size_t)(i / 46))};
        if (i % 7 == 0) announce(kept.model, i / 3, (size_t)(i % 5) * 2);
        cop_recipe *recipe = make_step(&step);
        test_model fresh;
        tiny_open(&fresh, &tiny, backend, limits);
        assert_ok(cop_model_apply(kept.model, 0, recipe, &err), &err);
        fresh.model->sums.refused = true; /* components one by one */
        assert_ok(cop_model_apply(fresh.model, 0, recipe, &err), &err);
        float *const got = logits_of(kept.model);
        float *const wanted = logits_of(fresh.model);
        if (memcmp(got, wanted, bytes) != 0) fail_msg("step %d: other logits", i);
        cop_memory_free(got);
        cop_memory_free(wanted);
        test_model_close(&fresh);
        cop_recipe_destroy(&recipe);
        if (i < 20 && kept.model->sums.count > most) most = kept.model->sums.count;
    }
    test_model_close(&kept);
    tiny_destroy(&tiny);
    return most;
}

static void test_sums_keep_the_bits(void **state)
{
    (void)state;
    for (size_t b = 0; b < TEST_BACKEND_COUNT; b++)
        assert_int_equal(check_sums(&test_backends[b], -1), MODEL_MOST_SUMS);
}

static void test_sums_take_what_room_there_is(void **state)
{
    (void)state;
    assert_int_equal(check_sums(&test_backends[0], 0), 0);
    assert_int_equal(check_sums(&test_backends[0], 1.9), 0);
    assert_int_equal(check_sums(&test_backends[0], 2.1), 1);
    assert_int_equal(check_sums(&test_backends[0], 5.1), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_missing_tensor),
                                       cmocka_unit_test(test_wrong_shape),
                                       cmocka_unit_test(test_transposed_shape),
                                       cmocka_unit_test(test_unused),
                                       cmocka_unit_test(test_dtypes),
                                       cmocka_unit_test(test_memory_plan),
                                       cmocka_unit_test(test_memory_plan_of_factors),
                                       cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_apply),
                                       cmocka_unit_test(test_embedding_scale),
                                       cmocka_unit_test(test_low_rank_by_own_kernels),
                                       cmocka_unit_test(test_centre_keeps_the_bits),
                                       cmocka_unit_test(test_sums_keep_the_bits),
                                       cmocka_unit_test(test_sums_take_what_room_there_is)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
