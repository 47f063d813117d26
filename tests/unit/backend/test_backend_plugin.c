/* Choosing and loading the CUDA backend, and what its failures become, on the emulated device.
 */
#include "unit/backend/backend_support.h"

#include <dlfcn.h>
#include <sys/stat.h>

static void expect_words(const cop_error *err, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strstr(err->message, *words) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err->message, *words);
    }
}

static void expect_refused(const char *folder, const char *const *words)
{
    const cop_backend_options options = {.kind = COP_BACKEND_CUDA, .threads = 1};
    cop_backend *b = NULL;
    cop_error err = {0};
    assert_int_equal(cop_plugin_create(folder, &options, &b, &err), COP_ERR_UNSUPPORTED);
    assert_null(b);
    expect_words(&err, words);
}

static cop_backend *make_emulated(const cop_backend_options *options)
{
    char folder[4000];
    cop_backend *b = NULL;
    cop_error err = {0};
    cuda_test_folder("cuda_host", folder, sizeof folder);
    must(cop_plugin_create(folder, options, &b, &err), &err);
    return b;
}

static const cop_backend_options plain = {
    .kind = COP_BACKEND_CUDA, .compute = COP_COMPUTE_F32, .storage = COP_BF16, .threads = 1};

/* --- loading --- */

static void test_no_plugin(void **state)
{
    (void)state;
    static const char *const absent[] = {"there is no", "/nowhere/libcoppice_cuda.so",
                                         "backend.kind: cpu", NULL};
    expect_refused("/nowhere", absent);
    cuda_test_pretend_device(true);
    char folder[] = "/tmp/coppice-plugin-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%s", folder, COP_PLUGIN_FILE);
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("no library", file) >= 0);
    assert_int_equal(fclose(file), 0);
    static const char *const garbage[] = {COP_PLUGIN_FILE, "CUDA libraries", NULL};
    expect_refused(folder, garbage);
    assert_int_equal(unlink(path), 0);
    /* A library, but another: that of the tests. */
    Dl_info other;
    void *const symbol = dlsym(RTLD_DEFAULT, "_cmocka_run_group_tests");
    assert_true(symbol != NULL && dladdr(symbol, &other) != 0);
    assert_int_equal(symlink(other.dli_fname, path), 0);
    static const char *const foreign[] = {"is no plug-in", NULL};
    expect_refused(folder, foreign);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Where there is no device file, not even what lies there instead of a plug-in is opened. */
static void test_no_device_file(void **state)
{
    (void)state;
    char folder[4000];
    char id[32] = "?";
    const cop_backend_options options = {.kind = COP_BACKEND_CUDA, .threads = 1};
    cuda_test_folder("cuda_host", folder, sizeof folder);
    assert_int_equal(setenv("COPPICE_GPU_FILE", "/nonexistent/nvidiactl", 1), 0);
    static const char *const words[] = {"no usable GPU", "/dev/nvidiactl", "backend.kind: cpu",
                                        NULL};
    expect_refused(folder, words);
    cop_plugin_locate(folder, &options, id, sizeof id);
    assert_string_equal(id, "");
    assert_false(cop_plugin_has_bf16(folder, &options));
    cuda_test_pretend_device(true);
    cop_plugin_locate(folder, &options, id, sizeof id);
    assert_string_equal(id, "FFFF:01:00.0/01000000");
}

static void test_other_build(void **state)
{
    (void)state;
    const cop_plugin old = {.build = "0.0.1-1"};
    cop_error err = {0};
    assert_int_equal(cop_plugin_check("lib.so", &old, &err), COP_ERR_UNSUPPORTED);
    static const char *const words[] = {"lib.so", "another build (0.0.1-1)", "together", NULL};
    expect_words(&err, words);
}

static void test_kinds(void **state)
{
    (void)state;
    cop_backend_kind kind = COP_BACKEND_CPU;
    assert_true(cop_backend_kind_parse("auto", &kind));
    assert_int_equal(kind, COP_BACKEND_AUTO);
    assert_true(cop_backend_kind_parse("cpu", &kind));
    assert_int_equal(kind, COP_BACKEND_CPU);
    assert_true(cop_backend_kind_parse("cuda", &kind));
    assert_int_equal(kind, COP_BACKEND_CUDA);
    assert_false(cop_backend_kind_parse("gpu", &kind));
    assert_int_equal(kind, COP_BACKEND_CUDA);
}

/* There is no plug-in beside the test programs: auto takes the CPU, cuda says what is missing.
 */
static void test_automatic(void **state)
{
    (void)state;
    cop_backend_options options = plain;
    cop_backend *b = NULL;
    cop_error err = {0};
    options.kind = COP_BACKEND_AUTO;
    must(cop_backend_create(&options, &b, &err), &err);
    assert_string_equal(b->ops->name, "cpu");
    assert_int_equal(err.status, COP_OK);
    cop_backend_destroy(&b);
    options.kind = COP_BACKEND_CUDA;
    assert_int_equal(cop_backend_create(&options, &b, &err), COP_ERR_UNSUPPORTED);
    assert_null(b);
    static const char *const words[] = {"lib/coppice/libcoppice_cuda.so", "make info", NULL};
    expect_words(&err, words);
}

/* --- devices --- */

static void test_no_device(void **state)
{
    (void)state;
    char folder[4000];
    cuda_test_folder("cuda_host", folder, sizeof folder);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_DEVICES", "0", 1), 0);
    static const char *const words[] = {"no usable GPU", "backend.kind: cpu", NULL};
    expect_refused(folder, words);
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_DEVICES"), 0);
}

/* A device that nothing was compiled for is none, before anything is asked of it. */
static void test_old_device(void **state)
{
    (void)state;
    char folder[4000];
    char id[32] = "?";
    cuda_test_folder("cuda_host", folder, sizeof folder);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_MAJOR", "6", 1), 0);
    static const char *const words[] = {
        "GPU 0", "sm_60", "sm_70 and later", "make info", "backend.kind: cpu", NULL};
    expect_refused(folder, words);
    cop_plugin_locate(folder, &plain, id, sizeof id);
    assert_string_equal(id, "");
    assert_false(cop_plugin_has_bf16(folder, &plain));
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_MAJOR"), 0);
}

/* Where the device of a rank is; nothing is said where there is none. */
static void test_locate(void **state)
{
    (void)state;
    char folder[4000];
    char id[32] = "?";
    cop_backend_options options = plain;
    cuda_test_folder("cuda_host", folder, sizeof folder);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_DEVICES", "2", 1), 0);
    static const char *const expected[] = {"FFFF:01:00.0/01000000", "FFFF:02:00.0/02000000",
                                           "FFFF:01:00.0/01000000"};
    for (int rank = 0; rank < 3; rank++) {
        options.local_rank = rank;
        cop_plugin_locate(folder, &options, id, sizeof id);
        assert_string_equal(id, expected[rank]);
    }
    cop_plugin_locate(folder, &options, id, 8); /* no room */
    assert_string_equal(id, "");
    /* Parts of one GPU are none of each other's memory. */
    assert_int_equal(setenv("COPPICE_CUDA_HOST_INSTANCE", "5", 1), 0);
    cop_plugin_locate(folder, &options, id, sizeof id);
    assert_string_equal(id, "FFFF:01:00.0/01000005");
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_INSTANCE"), 0);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_DEVICES", "0", 1), 0);
    cop_plugin_locate(folder, &options, id, sizeof id);
    assert_string_equal(id, "");
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_DEVICES"), 0);
    cop_plugin_locate("/nonexistent", &options, id, sizeof id);
    assert_string_equal(id, "");
    /* no plug-in beside the test programs; none is wanted on the CPU */
    static const cop_backend_kind kinds[] = {COP_BACKEND_AUTO, COP_BACKEND_CPU,
                                             COP_BACKEND_CUDA};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        options.kind = kinds[i];
        id[0] = '?';
        cop_backend_locate(&options, id, sizeof id);
        assert_string_equal(id, "");
    }
}

/* Ranks that share a device divide its memory. */
static void test_ranks_share(void **state)
{
    (void)state;
    assert_int_equal(setenv("COPPICE_CUDA_HOST_DEVICES", "4", 1), 0);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_BYTES", "1073741824", 1), 0);
    const cop_backend_plan nothing = {.storage = COP_BF16};
    for (int rank = 0; rank < 6; rank++) {
        cop_backend_options options = plain;
        const bool shares = rank % 4 < 2;
        options.local_rank = rank;
        options.gpu_sharers = shares ? 2 : 1;
        cop_backend *b = make_emulated(&options);
        uint64_t need = 0;
        uint64_t have = 0;
        b->ops->plan(b, &nothing, &need, &have);
        assert_in_range(have, shares ? 536870912U : 1000000000U,
                        shares ? 536870912U : 1073741824U);
        char text[256];
        b->ops->describe(b, text, sizeof text);
        assert_true((strstr(text, "shared by 2 ranks") != NULL) == shares);
        cop_backend_destroy(&b);
    }
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_DEVICES"), 0);
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_BYTES"), 0);
}

static void test_compute(void **state)
{
    (void)state;
    cop_backend_options options = plain;
    options.compute = COP_COMPUTE_AUTO;
    cop_backend *b = make_emulated(&options);
    assert_int_equal(b->input, COP_BF16);
    assert_int_equal(b->output, COP_F32);
    cop_backend_destroy(&b);
    options.storage = COP_F16;
    b = make_emulated(&options);
    assert_int_equal(b->input, COP_F32);
    cop_backend_destroy(&b);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_MAJOR", "7", 1), 0);
    options.storage = COP_BF16;
    b = make_emulated(&options);
    assert_int_equal(b->input, COP_F32);
    cop_backend_destroy(&b);
    char folder[4000];
    cop_error err = {0};
    options.compute = COP_COMPUTE_BF16;
    cuda_test_folder("cuda_host", folder, sizeof folder);
    assert_int_equal(cop_plugin_create(folder, &options, &b, &err), COP_ERR_UNSUPPORTED);
    static const char *const words[] = {"backend.compute", "sm_70", "f32", NULL};
    expect_words(&err, words);
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_MAJOR"), 0);
}

static void test_plan(void **state)
{
    (void)state;
    cop_backend *b = make_emulated(&plain);
    cop_backend_plan plan = {.matrices = 1000, .others = 100, .storage = COP_BF16};
    uint64_t fixed = 0;
    uint64_t need = 0;
    uint64_t have = 0;
    const cop_backend_plan nothing = {.storage = COP_BF16};
    b->ops->plan(b, &nothing, &fixed, &have);
    b->ops->plan(b, &plan, &need, &have);
    /* Base and working copy: matrices multiplied in binary32, the others as they are stored. */
    assert_int_equal(need - fixed, 1100 * 2 + 1000 * 4 + 100 * 2);
    plan.kv = 10;
    plan.activations = 20;
    plan.largest_matrix = 30;
    b->ops->plan(b, &plan, &have, &need);
    assert_int_equal(have - fixed, 1100 * 2 + 1000 * 4 + 100 * 2 + 40 + 80 + 60);
    cop_backend_destroy(&b);
    cop_backend_options options = plain;
    options.compute = COP_COMPUTE_BF16;
    b = make_emulated(&options);
    plan =
        (cop_backend_plan){.matrices = 1000, .shared = 60, .others = 100, .storage = COP_BF16};
    b->ops->plan(b, &plan, &need, &have);
    /* A tied head is neither read nor multiplied from memory of its own. */
    assert_int_equal(need - fixed, 1040 * 2 + 940 * 2 + 100 * 2);
    /* What is smaller than pages takes at most as much again. */
    plan.buffers = 3;
    b->ops->plan(b, &plan, &need, &have);
    assert_int_equal(need - fixed, 2 * (1040 * 2 + 940 * 2 + 100 * 2));
    cop_backend_destroy(&b);
}

/* --- failures --- */

/* However large the vocabulary: what is drawn with has room where a plan fits exactly. */
static void test_draws_fit(void **state)
{
    (void)state;
    enum { ROWS = 64, VOCABULARY = 270000 };
    const cop_backend_plan plan = {.activations = ROWS * VOCABULARY, .storage = COP_BF16};
    const double uniform[ROWS] = {0};
    int32_t ids[ROWS];
    uint64_t need = 0;
    uint64_t have = 0;
    char bytes[24];
    cop_error err = {0};
    cop_backend *b = make_emulated(&plain);
    b->ops->plan(b, &plan, &need, &have);
    cop_backend_destroy(&b);
    (void)snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)need);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_BYTES", bytes, 1), 0);
    b = make_emulated(&plain);
    cop_buffer *logits = make_buffer(b, NULL, (size_t)ROWS * VOCABULARY, COP_F32);
    for (size_t r = 0; r < ROWS; r++) /* nothing to draw from, which takes no time */
        must(b->ops->upload(b, logits, r * VOCABULARY * sizeof(float), &(float){NAN},
                            sizeof(float), &err),
             &err);
    const cop_draw draw = {.temperature = 1, .top_p = 0.5, .uniform = uniform};
    must(b->ops->sample(b, logits, ROWS, VOCABULARY, &draw, ids, &err), &err);
    for (size_t r = 0; r < ROWS; r++)
        assert_int_equal(ids[r], -1);
    b->ops->buffer_destroy(b, &logits);
    cop_backend_destroy(&b);
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_BYTES"), 0);
}

/* Where a plan fits exactly there is room for its weights, which have whole pages each. */
static void test_weights_fit(void **state)
{
    (void)state;
    enum { MATRICES = 60, SIDE = 1024 };
    const cop_backend_plan plan = {.matrices = (size_t)MATRICES * SIDE * SIDE,
                                   .buffers = (size_t)2 * MATRICES,
                                   .storage = COP_BF16};
    cop_backend_options options = plain;
    uint64_t need = 0;
    uint64_t have = 0;
    char bytes[24];
    cop_error err = {0};
    options.compute = COP_COMPUTE_BF16;
    cop_backend *b = make_emulated(&options);
    b->ops->plan(b, &plan, &need, &have);
    cop_backend_destroy(&b);
    (void)snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)need);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_BYTES", bytes, 1), 0);
    b = make_emulated(&options);
    cop_buffer *draws = NULL; /* what else the plan has room for */
    must(b->ops->buffer_create(b, 192 << 20, &draws, &err), &err);
    uint16_t *const values = calloc((size_t)SIDE * SIDE, sizeof *values);
    cop_buffer *bases[MATRICES];
    cop_matrix *matrices[MATRICES];
    assert_non_null(values);
    for (size_t i = 0; i < MATRICES; i++) {
        cop_buffer *stage = NULL;
        must(b->ops->buffer_wrap(b, values, (size_t)SIDE * SIDE * sizeof *values, &bases[i],
                                 &err),
             &err);
        must(b->ops->matrix_create(b, SIDE, SIDE, COP_BF16, 1, &matrices[i], &err), &err);
        must(b->ops->matrix_stage(b, matrices[i], &stage, &err), &err);
    }
    for (size_t i = 0; i < MATRICES; i++) {
        b->ops->buffer_destroy(b, &bases[i]);
        b->ops->matrix_destroy(b, &matrices[i]);
    }
    free(values);
    b->ops->buffer_destroy(b, &draws);
    cop_backend_destroy(&b);
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_BYTES"), 0);
}

/* Memory that is short is said with its figures; the device goes on. */
static void test_out_of_memory(void **state)
{
    (void)state;
    assert_int_equal(setenv("COPPICE_CUDA_HOST_BYTES", "67108864", 1), 0);
    cop_backend *b = make_emulated(&plain);
    cop_buffer *buffer = NULL;
    cop_error err = {0};
    assert_int_equal(b->ops->buffer_create(b, 64 << 20, &buffer, &err), COP_ERR_BACKEND);
    assert_null(buffer);
    static const char *const words[] = {"GPU 0", "out of memory", "64.0 MiB", "backend.batch",
                                        NULL};
    expect_words(&err, words);
    cop_kv *kv = NULL;
    const cop_attention_shape shape = {.heads = 4, .kv_heads = 4, .head_size = 64};
    assert_int_equal(b->ops->kv_create(b, 4, 64, 1024, &shape, &kv, &err), COP_ERR_BACKEND);
    assert_null(kv);
    must(b->ops->buffer_create(b, 1 << 20, &buffer, &err), &err);
    b->ops->buffer_destroy(b, &buffer);
    cop_backend_destroy(&b);
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_BYTES"), 0);
}

/* A failure in an operation without a status is what the next with one reports, from then on.
 */
static void test_lost_device(void **state)
{
    (void)state;
    cop_backend *b = make_emulated(&plain);
    cop_error err = {0};
    const float data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    cop_buffer *const in = make_buffer(b, data, 8, COP_F32);
    cop_buffer *const out = make_buffer(b, NULL, 8, COP_F32);
    b->ops->rmsnorm(b, out, in, in, 2, 4, 1e-6F);
    int32_t ids[2] = {0};
    must(b->ops->argmax(b, out, 2, 4, ids, &err), &err);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_FAIL", "1", 1), 0);
    b->ops->rmsnorm(b, out, in, in, 2, 4, 1e-6F);
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_FAIL"), 0);
    static const char *const words[] = {"GPU 0", "emulated", "a norm", "launch failure", NULL};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(b->ops->argmax(b, out, 2, 4, ids, &err), COP_ERR_BACKEND);
        expect_words(&err, words);
    }
    float back[8];
    assert_int_equal(b->ops->download(b, out, 0, back, sizeof back, &err), COP_ERR_BACKEND);
    cop_buffer *buffer = NULL;
    assert_int_equal(b->ops->buffer_create(b, 8, &buffer, &err), COP_ERR_BACKEND);
    cop_buffer *const used[] = {in, out};
    drop_buffers(b, used, 2);
    cop_backend_destroy(&b);
}

/* A product that fails is named as cuBLASLt does, where the device has no error of its own. */
static void test_failed_product(void **state)
{
    (void)state;
    cop_backend *b = make_emulated(&plain);
    cop_error err = {0};
    const float data[4] = {1, 2, 3, 4};
    cop_buffer *const in = make_buffer(b, data, 4, COP_F32);
    cop_buffer *const out = make_buffer(b, NULL, 4, COP_F32);
    cop_matrix *matrix = NULL;
    must(b->ops->matrix_create(b, 4, 4, COP_F32, 1, &matrix, &err), &err);
    cop_buffer *stage = NULL;
    must(b->ops->matrix_stage(b, matrix, &stage, &err), &err);
    must(b->ops->matrix_commit(b, matrix, 0, stage, &err), &err);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_FAIL", "1", 1), 0);
    assert_int_equal(b->ops->gemm(b, out, in, matrix, NULL, 1, &err), COP_ERR_BACKEND);
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_FAIL"), 0);
    static const char *const words[] = {"GPU 0", "a matrix product failed",
                                        "CUBLAS_STATUS_EXECUTION_FAILED", NULL};
    expect_words(&err, words);
    b->ops->matrix_destroy(b, &matrix);
    cop_buffer *const used[] = {in, out};
    drop_buffers(b, used, 2);
    cop_backend_destroy(&b);
}

static void test_bounds(void **state)
{
    (void)state;
    cop_backend *b = make_emulated(&plain);
    cop_error err = {0};
    const float data[4] = {0};
    float out[4];
    cop_buffer *buffer = make_buffer(b, NULL, 4, COP_F32);
    cop_buffer *base = NULL;
    must(b->ops->buffer_wrap(b, data, sizeof data, &base, &err), &err);
    assert_int_equal(b->ops->upload(b, buffer, 4, data, 16, &err), COP_ERR_INTERNAL);
    assert_int_equal(b->ops->upload(b, base, 0, data, 4, &err), COP_ERR_INTERNAL);
    assert_int_equal(b->ops->download(b, buffer, 8, out, 9, &err), COP_ERR_INTERNAL);
    const int32_t ids[2] = {1, 2};
    const int32_t negative = -1;
    assert_int_equal(b->ops->embed(b, buffer, base, COP_F32, ids, 2, 2, 1.0F, &err),
                     COP_ERR_INTERNAL);
    assert_int_equal(b->ops->gather(b, buffer, base, &negative, 1, 2, &err), COP_ERR_INTERNAL);
    double score = 0;
    assert_int_equal(b->ops->log_probability(b, base, 1, 2, ids + 1, &score, &err),
                     COP_ERR_INTERNAL);
    assert_int_equal(b->ops->widen(b, buffer, 0, base, COP_F32, 5, 0.0F, &err),
                     COP_ERR_INTERNAL);
    const cop_weight_part part = {.base = base, .dtype = COP_F32, .count = 4};
    assert_int_equal(b->ops->rebuild(b, buffer, 1, &part, 1, NULL, 0, &err), COP_ERR_INTERNAL);
    cop_matrix *matrix = NULL;
    assert_int_equal(b->ops->matrix_create(b, 0, 4, COP_F32, 1, &matrix, &err),
                     COP_ERR_INTERNAL);
    must(b->ops->matrix_create(b, 2, 4, COP_F32, 1, &matrix, &err), &err);
    assert_int_equal(b->ops->matrix_commit(b, matrix, 0, base, &err), COP_ERR_INTERNAL);
    assert_int_equal(b->ops->gemm(b, buffer, base, matrix, NULL, 1, &err), COP_ERR_INTERNAL);
    b->ops->matrix_destroy(b, &matrix);
    cop_kv *kv = NULL;
    const cop_attention_shape wide = {.heads = 1, .kv_heads = 1, .head_size = 258};
    assert_int_equal(b->ops->kv_create(b, 1, 1, 1, &wide, &kv, &err), COP_ERR_UNSUPPORTED);
    b->ops->buffer_destroy(b, &buffer);
    b->ops->buffer_destroy(b, &base);
    cop_backend_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_plugin),   cmocka_unit_test(test_no_device_file),
        cmocka_unit_test(test_other_build), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_automatic),   cmocka_unit_test(test_no_device),
        cmocka_unit_test(test_old_device),  cmocka_unit_test(test_ranks_share),
        cmocka_unit_test(test_locate),      cmocka_unit_test(test_compute),
        cmocka_unit_test(test_plan),        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_lost_device), cmocka_unit_test(test_failed_product),
        cmocka_unit_test(test_bounds),      cmocka_unit_test(test_draws_fit),
        cmocka_unit_test(test_weights_fit),
    };
    return cmocka_run_group_tests_name("backend plug-in", tests, NULL, NULL);
}
