/* The reference backend's operations on numbers worked out by hand or by another route. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coppice/backend/backend.h"
#include "coppice/noise/noise.h"

#include <math.h>
#include <string.h>

static cop_backend *backend;

static cop_buffer *buffer_of(const void *data, size_t bytes)
{
    cop_buffer *buffer = NULL;
    assert_int_equal(backend->ops->buffer_create(backend, bytes, &buffer, NULL), COP_OK);
    if (data != NULL) {
        assert_int_equal(backend->ops->upload(backend, buffer, 0, data, bytes, NULL), COP_OK);
    }
    return buffer;
}

static void expect_floats(const cop_buffer *buffer, const float *want, size_t count)
{
    float got[64];
    assert_in_range(count, 1, 64);
    assert_int_equal(
        backend->ops->download(backend, buffer, 0, got, count * sizeof(float), NULL), COP_OK);
    for (size_t i = 0; i < count; i++)
        assert_float_equal(got[i], want[i], 1e-6);
}

static void drop(cop_buffer *buffer)
{
    backend->ops->buffer_destroy(backend, &buffer);
    assert_null(buffer);
    backend->ops->buffer_destroy(backend, &buffer);
}

static void test_argmax(void **state)
{
    (void)state;
    const float logits[] = {1, 5, 5, 2,        -3,        -1, -2, -1, 0, NAN, 1, 2,
                            0, 1, 2, INFINITY, -INFINITY, 1,  2,  3,  9, 9,   9, 9};
    const int32_t want[] = {1, 1, -1, -1, -1, 0};
    int32_t got[6];
    cop_buffer *const buffer = buffer_of(logits, sizeof logits);
    assert_int_equal(backend->ops->argmax(backend, buffer, 6, 4, got, NULL), COP_OK);
    assert_memory_equal(got, want, sizeof want);
    drop(buffer);
}

static void test_log_probability(void **state)
{
    (void)state;
    const float logits[] = {1000, 1000, 1000, 0, 1, 2};
    const int32_t targets[] = {1, 2};
    double got[2];
    cop_buffer *const buffer = buffer_of(logits, sizeof logits);
    assert_int_equal(backend->ops->log_probability(backend, buffer, 2, 3, targets, got, NULL),
                     COP_OK);
    assert_true(fabs(got[0] + log(3.0)) < 1e-12);
    assert_true(fabs(got[1] - (2.0 - log(1.0 + exp(1.0) + exp(2.0)))) < 1e-12);
    drop(buffer);
}

static void test_norms(void **state)
{
    (void)state;
    const float x[] = {3, 4, 0, 0};
    const float w[] = {1, 2, 3, 4};
    const float normed[] = {1.2F, 3.2F, 0, 0}; /* root mean square 2.5 */
    const float added[] = {4.2F, 7.2F, 0, 0};
    cop_buffer *const stream = buffer_of(x, sizeof x);
    cop_buffer *const weight = buffer_of(w, sizeof w);
    cop_buffer *const out = buffer_of(NULL, sizeof x);
    backend->ops->rmsnorm(backend, out, stream, weight, 1, 4, 0.0F);
    expect_floats(out, normed, 4);
    backend->ops->convert(backend, out, stream, 1, 4);
    expect_floats(out, x, 4);
    backend->ops->rmsnorm_add(backend, stream, out, weight, 1, 4, 0.0F);
    expect_floats(stream, added, 4);
    drop(stream);
    drop(weight);
    drop(out);
}

static void test_gemm(void **state)
{
    (void)state;
    const uint16_t weights[] = {0x3f80, 0x4000, 0x4040,
                                0x3f00, 0xbf80, 0x0000}; /* 1 2 3 / .5 -1 0 */
    const float x[] = {1, 1, 1, 2, 0, -1};
    const float bias[] = {10, 20};
    const float plain[] = {6, -0.5F, -1, 1};
    const float with_bias[] = {16, 19.5F, 9, 21};
    const float twice[] = {22, 19, 8, 22};
    cop_matrix *matrix = NULL;
    cop_buffer *stage = NULL;
    assert_int_equal(backend->ops->matrix_create(backend, 2, 3, COP_BF16, 1, &matrix, NULL),
                     COP_OK);
    assert_int_equal(backend->ops->matrix_stage(backend, matrix, &stage, NULL), COP_OK);
    assert_int_equal(backend->ops->upload(backend, stage, 0, weights, sizeof weights, NULL),
                     COP_OK);
    assert_int_equal(backend->ops->matrix_commit(backend, matrix, 0, stage, NULL), COP_OK);
    cop_buffer *const input = buffer_of(x, sizeof x);
    cop_buffer *const added = buffer_of(bias, sizeof bias);
    cop_buffer *const output = buffer_of(NULL, sizeof plain);
    assert_int_equal(backend->ops->gemm(backend, output, input, matrix, NULL, 2, NULL), COP_OK);
    expect_floats(output, plain, 4);
    assert_int_equal(backend->ops->gemm(backend, output, input, matrix, added, 2, NULL),
                     COP_OK);
    expect_floats(output, with_bias, 4);
    assert_int_equal(backend->ops->gemm_add(backend, output, input, matrix, NULL, 2, NULL),
                     COP_OK);
    expect_floats(output, twice, 4);
    drop(input);
    drop(added);
    drop(output);
    backend->ops->matrix_destroy(backend, &matrix);
    assert_null(matrix);
}

static void test_glu(void **state)
{
    (void)state;
    const float x[] = {0, 1, 7, 3, -100, 100, 2, 0.5F};
    const float want[] = {0, (float)(3.0 / (1.0 + exp(-1.0))), 0, 50};
    cop_buffer *const output = buffer_of(x, sizeof x);
    cop_buffer *const input = buffer_of(NULL, sizeof want);
    backend->ops->glu(backend, input, output, 2, 2, COP_SILU);
    expect_floats(input, want, 4);
    /* GELU(1) by tanh is 0.8411920: within 2e-4 of that by the normal distribution. */
    const float gelu[] = {0, 3.0F * 0.84119199F, 0, 50};
    backend->ops->glu(backend, input, output, 2, 2, COP_GELU_TANH);
    expect_floats(input, gelu, 4);
    drop(output);
    drop(input);
}

static void test_embed_gather(void **state)
{
    (void)state;
    const float table[] = {1, 2, 3, 4, 5, 6};
    const int32_t ids[] = {2, 0, 2};
    const int32_t beyond[] = {3};
    const int32_t rows[] = {1, 2};
    const float embedded[] = {5, 6, 1, 2, 5, 6};
    const float gathered[] = {1, 2, 5, 6};
    cop_buffer *const weights = buffer_of(table, sizeof table);
    cop_buffer *const stream = buffer_of(NULL, sizeof embedded);
    cop_buffer *const out = buffer_of(NULL, sizeof gathered);
    assert_int_equal(
        backend->ops->embed(backend, stream, weights, COP_F32, ids, 3, 2, 1.0F, NULL), COP_OK);
    expect_floats(stream, embedded, 6);
    const float doubled[] = {10, 12, 2, 4, 10, 12};
    assert_int_equal(
        backend->ops->embed(backend, stream, weights, COP_F32, ids, 3, 2, 2.0F, NULL), COP_OK);
    expect_floats(stream, doubled, 6);
    assert_int_equal(
        backend->ops->embed(backend, stream, weights, COP_F32, ids, 3, 2, 1.0F, NULL), COP_OK);
    assert_int_equal(backend->ops->gather(backend, out, stream, rows, 2, 2, NULL), COP_OK);
    expect_floats(out, gathered, 4);
    assert_int_equal(
        backend->ops->embed(backend, stream, weights, COP_F32, beyond, 1, 2, 1.0F, NULL),
        COP_ERR_INTERNAL);
    drop(weights);
    drop(stream);
    drop(out);
}

/* With equal keys every visible position weighs the same, so that the result is a mean of
 * values: causal, windowed, through the shared prefix, by KV head. */
static void check_attention(int32_t window, const float want[8])
{
    enum { ROW = (2 + 2 * 1) * 2 }; /* two heads and one KV head of size 2 */
    float qkv[4 * ROW] = {0};
    float angles[4 * 2];
    for (int p = 0; p < 4; p++) {
        angles[2 * p] = 1.0F;
        angles[2 * p + 1] = 0.0F;
        qkv[p * ROW + 0] = (float)p; /* queries of any kind */
        qkv[p * ROW + 3] = -5.0F;
        qkv[p * ROW + 6] = (float)(1 << p); /* values 1, 2, 4, 8 */
        qkv[p * ROW + 7] = -(float)(1 << p);
    }
    const cop_attention_shape shape = {
        .heads = 2, .kv_heads = 1, .head_size = 2, .window = window, .scale = 1.0F};
    const cop_span prefix = {.slot = 1, .first_row = 0, .rows = 2, .past = 0};
    const cop_span own = {.slot = 0, .first_row = 0, .rows = 2, .past = 2};
    const cop_batch first = {
        .spans = &prefix, .span_count = 1, .rows = 2, .prefix = 2, .prefix_slot = 1};
    const cop_batch second = {
        .spans = &own, .span_count = 1, .rows = 2, .prefix = 2, .prefix_slot = 1};
    cop_kv *kv = NULL;
    assert_int_equal(backend->ops->kv_create(backend, 1, 2, 4, &shape, &kv, NULL), COP_OK);
    cop_buffer *const rope = buffer_of(angles, sizeof angles);
    cop_buffer *const low = buffer_of(qkv, 2 * ROW * sizeof(float));
    cop_buffer *const high = buffer_of(qkv + 2 * ROW, 2 * ROW * sizeof(float));
    cop_buffer *const out = buffer_of(NULL, 8 * sizeof(float));
    backend->ops->rope_store(backend, low, kv, 0, &first, &shape, rope, NULL, NULL);
    backend->ops->rope_store(backend, high, kv, 0, &second, &shape, rope, NULL, NULL);
    backend->ops->attention(backend, out, high, kv, 0, &second, &shape);
    expect_floats(out, want, 8);
    drop(rope);
    drop(low);
    drop(high);
    drop(out);
    backend->ops->kv_destroy(backend, &kv);
    assert_null(kv);
}

static void test_attention(void **state)
{
    (void)state;
    const float a = 7.0F / 3.0F;
    const float all[] = {a, -a, a, -a, 3.75F, -3.75F, 3.75F, -3.75F};
    const float two[] = {3, -3, 3, -3, 6, -6, 6, -6};
    const float one[] = {4, -4, 4, -4, 8, -8, 8, -8};
    check_attention(0, all);
    check_attention(4, all);
    check_attention(2, two);
    check_attention(1, one);
}

/* Norms and a quarter turn, in place. */
static void check_rope(cop_qk_norm norm, const float want[8])
{
    const float row[] = {3, 4, 6, 8, 1, 1, 9, 9}; /* q: two heads; k; v */
    const float angles[] = {0, 1};
    const float q_weight[] = {1, 2, 1, 1};
    const float k_weight[] = {3, 3};
    const cop_attention_shape shape = {
        .heads = 2, .kv_heads = 1, .head_size = 2, .scale = 1.0F, .qk_norm = norm};
    const cop_span span = {.rows = 1};
    const cop_batch batch = {.spans = &span, .span_count = 1, .rows = 1};
    cop_kv *kv = NULL;
    assert_int_equal(backend->ops->kv_create(backend, 1, 1, 1, &shape, &kv, NULL), COP_OK);
    cop_buffer *const rope = buffer_of(angles, sizeof angles);
    cop_buffer *const qkv = buffer_of(row, sizeof row);
    cop_buffer *const q_norm = buffer_of(q_weight, sizeof q_weight);
    cop_buffer *const k_norm = buffer_of(k_weight, sizeof k_weight);
    backend->ops->rope_store(backend, qkv, kv, 0, &batch, &shape, rope, q_norm, k_norm);
    expect_floats(qkv, want, 8);
    drop(rope);
    drop(qkv);
    drop(q_norm);
    drop(k_norm);
    backend->ops->kv_destroy(backend, &kv);
}

static void test_rope(void **state)
{
    (void)state;
    const float h = (float)sqrt(12.5);  /* root mean square of (3, 4) */
    const float w = (float)sqrt(31.25); /* of (3, 4, 6, 8) */
    const float none[] = {-4, 3, -8, 6, -1, 1, 9, 9};
    const float head[] = {-8 / h, 3 / h, -8 / h, 3 / h, -3, 3, 9, 9};
    const float width[] = {-8 / w, 3 / w, -8 / w, 6 / w, -3, 3, 9, 9};
    check_rope(COP_QK_NORM_NONE, none);
    check_rope(COP_QK_NORM_HEAD, head);
    check_rope(COP_QK_NORM_WIDTH, width);
}

/* Parts one after the other, from an offset, each with its own noise. */
static void test_rebuild(void **state)
{
    (void)state;
    const float a[] = {1, 2, 3};
    const float b[] = {4, 5};
    const cop_component component = {.seed = 99, .amplitude = 0.5F};
    cop_buffer *first = NULL;
    cop_buffer *second = NULL;
    assert_int_equal(backend->ops->buffer_wrap(backend, a, sizeof a, &first, NULL), COP_OK);
    assert_int_equal(backend->ops->buffer_wrap(backend, b, sizeof b, &second, NULL), COP_OK);
    const cop_weight_part parts[] = {
        {.base = first, .dtype = COP_F32, .count = 3, .tensor = 7, .scale = 1.0F},
        {.base = second, .dtype = COP_F32, .count = 2, .tensor = 8, .scale = 0.0F}};
    float want[6] = {0, 0, 0, 0, 4, 5};
    for (size_t i = 0; i < 3; i++)
        want[i + 1] = fmaf(0.5F, cop_noise_at(99, 7, i), a[i]);
    cop_buffer *const out = buffer_of(NULL, sizeof want);
    cop_error err = {0};
    assert_int_equal(backend->ops->rebuild(backend, out, 1, parts, 2, &component, 1, &err),
                     COP_OK);
    expect_floats(out, want, 6);
    assert_int_equal(backend->ops->rebuild(backend, out, 2, parts, 2, &component, 1, &err),
                     COP_ERR_INTERNAL);
    drop(out);
    drop(first);
    drop(second);
}

static void test_plan_and_names(void **state)
{
    (void)state;
    const cop_backend_plan plan = {.matrices = 100,
                                   .largest_matrix = 10,
                                   .others = 20,
                                   .kv = 30,
                                   .activations = 40,
                                   .storage = COP_BF16};
    uint64_t need = 0;
    uint64_t have = 0;
    char text[100];
    backend->ops->plan(backend, &plan, &need, &have);
    assert_int_equal(need, 4 * 190 + 20);
    assert_true(have > 0);
    backend->ops->describe(backend, text, sizeof text);
    assert_non_null(strstr(text, "ref"));
    assert_string_equal(cop_backend_part_name(COP_PART_REBUILD), "rebuild");
    assert_string_equal(cop_backend_part_name(COP_PART_LOGITS), "logits");
    assert_string_equal(cop_backend_part_name(COP_PART_COUNT), "unknown");
}

static int open_backend(void **state)
{
    (void)state;
    return cop_backend_create_ref(&backend, NULL) == COP_OK ? 0 : -1;
}

static int close_backend(void **state)
{
    (void)state;
    cop_backend_destroy(&backend);
    cop_backend_destroy(&backend);
    return backend == NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_argmax),    cmocka_unit_test(test_log_probability),
        cmocka_unit_test(test_norms),     cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_glu),       cmocka_unit_test(test_embed_gather),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_rope),
        cmocka_unit_test(test_rebuild),   cmocka_unit_test(test_plan_and_names)};
    return cmocka_run_group_tests(tests, open_backend, close_backend);
}
