/* The same bits on every call and from every new backend: products, attention and the kernels
 * with sums, with other work in between. */
#include "unit/backend/backend_support.h"

enum { N = 200, K = 129, ROWS = 37, HEADS = 4, SIZE = 32, LENGTH = 64 };

typedef struct results {
    float product[ROWS * N];
    float sum[ROWS * N];
    float norm[ROWS * K];
    float attention[ROWS * HEADS * SIZE];
    double score[ROWS];
} results;

static void run_products(cop_backend *b, results *out, rng *r, size_t other_rows)
{
    cop_error err = {0};
    float *const weights = make_floats(r, N * K, false);
    float *const x = make_floats(r, ROWS * K, false);
    cop_matrix *matrix = NULL;
    cop_buffer *stage = NULL;
    must(b->ops->matrix_create(b, N, K, COP_F32, 1, &matrix, &err), &err);
    must(b->ops->matrix_stage(b, matrix, &stage, &err), &err);
    must(b->ops->upload(b, stage, 0, weights, N * K * sizeof(float), &err), &err);
    must(b->ops->matrix_commit(b, matrix, 0, stage, &err), &err);
    cop_buffer *const residual = make_buffer(b, x, ROWS * K, b->residual);
    cop_buffer *const weight = make_buffer(b, weights, K, COP_F32);
    cop_buffer *const bias = make_buffer(b, weights, N, COP_F32);
    cop_buffer *const input = make_buffer(b, NULL, ROWS * K, b->input);
    cop_buffer *const output = make_buffer(b, NULL, ROWS * N, b->output);
    cop_buffer *const total = make_buffer(b, weights, ROWS * N, b->residual);
    b->ops->rmsnorm(b, input, residual, weight, ROWS, K, 1e-5F);
    /* Another number of rows first, which must not change what follows. */
    must(b->ops->gemm(b, output, input, matrix, NULL, other_rows, &err), &err);
    must(b->ops->gemm(b, output, input, matrix, bias, ROWS, &err), &err);
    must(b->ops->gemm_add(b, total, input, matrix, NULL, ROWS, &err), &err);
    int32_t targets[ROWS] = {0};
    must(b->ops->log_probability(b, output, ROWS, N, targets, out->score, &err), &err);
    const struct {
        cop_buffer *buffer;
        float *to;
        size_t count;
        cop_dtype dtype;
    } reads[] = {{output, out->product, ROWS * N, b->output},
                 {total, out->sum, ROWS * N, b->residual},
                 {input, out->norm, ROWS * K, b->input}};
    for (size_t i = 0; i < 3; i++) {
        float *const got = read_buffer(b, reads[i].buffer, reads[i].count, reads[i].dtype);
        memcpy(reads[i].to, got, reads[i].count * sizeof *got);
        free(got);
    }
    cop_buffer *const used[] = {residual, weight, bias, input, output, total};
    drop_buffers(b, used, 6);
    b->ops->matrix_destroy(b, &matrix);
    free(weights);
    free(x);
}

static void run_attention(cop_backend *b, results *out, rng *r)
{
    enum { WIDTH = (HEADS + 2 * 2) * SIZE };
    cop_error err = {0};
    const cop_attention_shape shape = {
        .heads = HEADS, .kv_heads = 2, .head_size = SIZE, .scale = 0.18F};
    const cop_span spans[] = {{1, 0, ROWS - 5, 0}, {0, ROWS - 5, 5, 0}};
    const cop_batch batch = {.spans = spans, .span_count = 2, .rows = ROWS};
    float *const qkv = make_floats(r, ROWS * WIDTH, false);
    float *const table = make_floats(r, LENGTH * SIZE, false);
    cop_kv *kv = NULL;
    must(b->ops->kv_create(b, 1, 2, LENGTH, &shape, &kv, &err), &err);
    cop_buffer *const in = make_buffer(b, qkv, ROWS * WIDTH, b->output);
    cop_buffer *const rope = make_buffer(b, table, LENGTH * SIZE, COP_F32);
    cop_buffer *const result = make_buffer(b, NULL, ROWS * HEADS * SIZE, b->input);
    b->ops->rope_store(b, in, kv, 0, &batch, &shape, rope, NULL, NULL);
    b->ops->attention(b, result, in, kv, 0, &batch, &shape);
    float *const got = read_buffer(b, result, ROWS * HEADS * SIZE, b->input);
    memcpy(out->attention, got, sizeof out->attention);
    free(got);
    cop_buffer *const used[] = {in, rope, result};
    drop_buffers(b, used, 3);
    b->ops->kv_destroy(b, &kv);
    free(qkv);
    free(table);
}

static void run_all(cop_backend *b, results *out, size_t other_rows)
{
    rng r = {31};
    memset(out, 0, sizeof *out);
    run_products(b, out, &r, other_rows);
    run_attention(b, out, &r);
}

static void test_same_bits(void **state)
{
    results *const first = calloc(2, sizeof *first);
    assert_non_null(first);
    results *const again = first + 1;
    cop_backend *b = make_backend(*state);
    run_all(b, first, 1);
    for (size_t i = 0; i < 5; i++) {
        run_all(b, again, 5 + i);
        assert_memory_equal(first, again, sizeof *first);
    }
    cop_backend_destroy(&b);
    b = make_backend(*state);
    run_all(b, again, ROWS);
    assert_memory_equal(first, again, sizeof *first);
    cop_backend_destroy(&b);
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits)};
    return run_backend_tests("backend repeat", tests, 1);
}
