/* Every operation of the backend that can fail is made to fail, one call after the other: the
 * model reports it and leaves nothing behind (the sanitizers see to the latter). */
#include "unit/model/model_tiny.h"

/* The reference backend's operations, and the calls until one of them fails. */
static const cop_backend_ops *real;
static int calls_left;

static bool fails(cop_error *err)
{
    if (--calls_left != 0) return false;
    (void)cop_error_set(err, COP_ERR_BACKEND, "injected");
    return true;
}

/* NAME(backend, arguments...): fails if it is its turn, else does what it should. */
#define FAULTY(name, parameters, arguments)                         \
    static cop_status faulty_##name parameters                      \
    {                                                               \
        return fails(err) ? COP_ERR_BACKEND : real->name arguments; \
    }

FAULTY(buffer_create, (cop_backend * b, size_t bytes, cop_buffer **out, cop_error *err),
       (b, bytes, out, err))
FAULTY(buffer_wrap,
       (cop_backend * b, const void *data, size_t bytes, cop_buffer **out, cop_error *err),
       (b, data, bytes, out, err))
FAULTY(upload,
       (cop_backend * b, cop_buffer *to, size_t at, const void *data, size_t bytes,
        cop_error *err),
       (b, to, at, data, bytes, err))
FAULTY(download,
       (cop_backend * b, const cop_buffer *from, size_t at, void *data, size_t bytes,
        cop_error *err),
       (b, from, at, data, bytes, err))
FAULTY(rebuild,
       (cop_backend * b, cop_buffer *out, size_t at, const cop_weight_part *parts, size_t count,
        const cop_component *components, size_t component_count, cop_error *err),
       (b, out, at, parts, count, components, component_count, err))
FAULTY(widen,
       (cop_backend * b, cop_buffer *out, size_t at, const cop_buffer *in, cop_dtype dtype,
        size_t count, float plus, cop_error *err),
       (b, out, at, in, dtype, count, plus, err))
FAULTY(matrix_create,
       (cop_backend * b, size_t n, size_t k, cop_dtype dtype, size_t lanes, cop_matrix **out,
        cop_error *err),
       (b, n, k, dtype, lanes, out, err))
FAULTY(matrix_stage, (cop_backend * b, cop_matrix *matrix, cop_buffer **out, cop_error *err),
       (b, matrix, out, err))
FAULTY(matrix_commit,
       (cop_backend * b, cop_matrix *matrix, size_t lane, const cop_buffer *from,
        cop_error *err),
       (b, matrix, lane, from, err))
FAULTY(embed,
       (cop_backend * b, cop_buffer *out, const cop_buffer *table, cop_dtype dtype,
        const int32_t *ids, size_t rows, size_t width, float scale, cop_error *err),
       (b, out, table, dtype, ids, rows, width, scale, err))
FAULTY(gemm,
       (cop_backend * b, cop_buffer *out, const cop_buffer *in, const cop_matrix *matrix,
        const cop_buffer *bias, size_t rows, cop_error *err),
       (b, out, in, matrix, bias, rows, err))
FAULTY(gemm_add,
       (cop_backend * b, cop_buffer *out, const cop_buffer *in, const cop_matrix *matrix,
        const cop_buffer *bias, size_t rows, cop_error *err),
       (b, out, in, matrix, bias, rows, err))
FAULTY(gather,
       (cop_backend * b, cop_buffer *out, const cop_buffer *in, const int32_t *rows,
        size_t count, size_t width, cop_error *err),
       (b, out, in, rows, count, width, err))
FAULTY(argmax,
       (cop_backend * b, const cop_buffer *logits, size_t rows, size_t vocabulary, int32_t *ids,
        cop_error *err),
       (b, logits, rows, vocabulary, ids, err))
FAULTY(sample,
       (cop_backend * b, const cop_buffer *logits, size_t rows, size_t vocabulary,
        const cop_draw *draw, int32_t *ids, cop_error *err),
       (b, logits, rows, vocabulary, draw, ids, err))
FAULTY(log_probability,
       (cop_backend * b, const cop_buffer *logits, size_t rows, size_t vocabulary,
        const int32_t *targets, double *out, cop_error *err),
       (b, logits, rows, vocabulary, targets, out, err))
FAULTY(decode,
       (cop_backend * b, const cop_decode *decode, size_t steps, int32_t *ids, cop_error *err),
       (b, decode, steps, ids, err))
FAULTY(kv_create,
       (cop_backend * b, size_t layers, size_t slots, size_t length,
        const cop_attention_shape *shape, cop_kv **kv, cop_error *err),
       (b, layers, slots, length, shape, kv, err))

static cop_backend_ops make_faulty(const cop_backend_ops *ops)
{
    cop_backend_ops faulty = *ops;
    real = ops;
    faulty.buffer_create = faulty_buffer_create;
    faulty.buffer_wrap = faulty_buffer_wrap;
    faulty.upload = faulty_upload;
    faulty.download = faulty_download;
    faulty.rebuild = faulty_rebuild;
    faulty.widen = faulty_widen;
    faulty.matrix_create = faulty_matrix_create;
    faulty.matrix_stage = faulty_matrix_stage;
    faulty.matrix_commit = faulty_matrix_commit;
    faulty.embed = faulty_embed;
    faulty.gemm = faulty_gemm;
    faulty.gemm_add = faulty_gemm_add;
    faulty.gather = faulty_gather;
    faulty.argmax = faulty_argmax;
    faulty.sample = faulty_sample;
    faulty.log_probability = faulty_log_probability;
    faulty.decode = faulty_decode;
    faulty.kv_create = faulty_kv_create;
    return faulty;
}

/* Creates, applies, generates; the first status that is not COP_OK. */
static cop_status run_all(const tiny_model *tiny, const cop_checkpoint *checkpoint,
                          cop_backend *backend, const cop_recipe *recipe, cop_error *err)
{
    static const int32_t ids[] = {1, 2, 3, 4};
    const cop_prompt prompts[] = {{ids, 3}, {ids, 4}};
    const cop_model_limits limits = {.batch = 2, .prompt_tokens = 4, .new_tokens = 2};
    const cop_generate_options plain = {.max_new_tokens = 2};
    const cop_generate_options scored = {.max_new_tokens = 1, .want_logits = true};
    const cop_generate_options drawn = {.max_new_tokens = 2,
                                        .sampling = {.temperature = 1, .top_p = 0.9}};
    const cop_generate_options *const runs[] = {&plain, &scored, &drawn};
    cop_model *model = NULL;
    cop_generation got[2];
    cop_status status =
        cop_model_create(&tiny->config, checkpoint, backend, &limits, NULL, &model, err);
    assert_true((status == COP_OK) == (model != NULL));
    if (status == COP_OK) status = cop_model_apply(model, 0, recipe, err);
    for (size_t r = 0; r < 3 && status == COP_OK; r++) {
        status = cop_model_generate(model, prompts, 2, runs[r], got, err);
        for (size_t i = 0; i < 2; i++) {
            assert_true((status == COP_OK) == (got[i].ids.data != NULL));
            if (status != COP_OK) assert_null(got[i].logits);
            cop_generation_free(&got[i]);
        }
    }
    cop_model_destroy(&model);
    return status;
}

static void check_faults(cop_norm_placement placement)
{
    static const cop_component component = {.seed = 5, .amplitude = 0.01F};
    tiny_model tiny;
    cop_checkpoint *checkpoint = NULL;
    cop_backend *backend = NULL;
    cop_recipe *recipe = NULL;
    cop_error err = {0};
    tiny_create(&tiny, COP_BF16, COP_BF16, true);
    tiny.config.norm_placement = placement;
    if (placement == COP_NORM_AROUND) tiny_make_gemma(&tiny, COP_BF16);
    for (size_t i = 0; i < 2 && placement == COP_NORM_AFTER; i++) {
        tiny_add(&tiny,
                 i == 0 ? "model.layers.0.post_feedforward_layernorm.weight"
                        : "model.layers.1.post_feedforward_layernorm.weight",
                 COP_BF16, tiny.config.width, 0);
    }
    assert_ok(cop_checkpoint_from_memory(tiny.infos, tiny.count, &checkpoint, &err), &err);
    assert_ok(cop_recipe_create(&recipe, &err), &err);
    assert_ok(cop_recipe_set_components(recipe, &component, 1, &err), &err);
    assert_ok(cop_backend_create_ref(&backend, &err), &err);
    const cop_backend_ops faulty = make_faulty(backend->ops);
    backend->ops = &faulty;
    int faults = 0;
    for (;; faults++) {
        err = (cop_error){0};
        calls_left = faults + 1;
        const cop_status status = run_all(&tiny, checkpoint, backend, recipe, &err);
        if (status == COP_OK) break;
        assert_int_equal(status, COP_ERR_BACKEND);
        assert_non_null(strstr(err.message, "injected"));
        assert_true(calls_left <= 0);
    }
    assert_in_range(faults, 100, 1000);
    backend->ops = real;
    cop_backend_destroy(&backend);
    cop_recipe_destroy(&recipe);
    cop_checkpoint_close(&checkpoint);
    tiny_destroy(&tiny);
}

static void test_faults(void **state)
{
    (void)state;
    check_faults(COP_NORM_BEFORE);
    check_faults(COP_NORM_AFTER);
    check_faults(COP_NORM_AROUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
