/* GEMM of every backend against the reference: shapes, numbers of rows, storage types, bias. */
#include "unit/backend/backend_support.h"

typedef struct gemm_setup {
    size_t n, k, rows;
    cop_dtype storage;
    bool bias;
} gemm_setup;

/* A matrix built as the model does: staged in the storage type, then packed; or packed from a
 * table that is kept (a tied head). */
static cop_matrix *make_matrix(cop_backend *b, const gemm_setup *s, const float *weights,
                               cop_buffer **tied)
{
    cop_error err = {0};
    cop_matrix *matrix = NULL;
    must(b->ops->matrix_create(b, s->n, s->k, s->storage, 1, &matrix, &err), &err);
    if (tied != NULL) {
        *tied = make_buffer(b, weights, s->n * s->k, s->storage);
        must(b->ops->matrix_commit(b, matrix, 0, *tied, &err), &err);
        return matrix;
    }
    cop_buffer *stage = NULL;
    must(b->ops->matrix_stage(b, matrix, &stage, &err), &err);
    void *const data = encode(weights, s->n * s->k, s->storage);
    must(b->ops->upload(b, stage, 0, data, s->n * s->k * cop_dtype_size(s->storage), &err),
         &err);
    free(data);
    must(b->ops->matrix_commit(b, matrix, 0, stage, &err), &err);
    return matrix;
}

/* Inputs and weights are exact in bf16, so only sums differ: k roundings of partial sums of at
 * most about sqrt(k) and each half a unit of 2^-23. */
static double sum_bound(size_t k)
{
    return 1e-6 + 6e-8 * (double)k;
}

static void check_product(pair *p, const gemm_setup *s, rng *r, bool tied)
{
    float *const weights = make_floats(r, s->n * s->k, true);
    float *const x = make_floats(r, s->rows * s->k, true);
    float *const bias = make_floats(r, s->n, false);
    float *const residual = make_floats(r, s->rows * s->n, false);
    cop_buffer *outputs[2];
    cop_buffer *residuals[2];
    const cop_dtype dtypes[2] = {p->b[0]->output, p->b[1]->output};
    const cop_dtype residual_dtypes[2] = {p->b[0]->residual, p->b[1]->residual};
    for (int i = 0; i < 2; i++) {
        cop_backend *const b = p->b[i];
        cop_error err = {0};
        cop_buffer *table = NULL;
        cop_matrix *matrix = make_matrix(b, s, weights, tied ? &table : NULL);
        cop_buffer *const input = make_buffer(b, x, s->rows * s->k, b->input);
        cop_buffer *const bias_buffer = make_buffer(b, bias, s->n, COP_F32);
        const cop_buffer *const with = s->bias ? bias_buffer : NULL;
        outputs[i] = make_buffer(b, NULL, s->rows * s->n, b->output);
        residuals[i] = make_buffer(b, residual, s->rows * s->n, b->residual);
        must(b->ops->gemm(b, outputs[i], input, matrix, with, s->rows, &err), &err);
        must(b->ops->gemm_add(b, residuals[i], input, matrix, with, s->rows, &err), &err);
        cop_buffer *const used[] = {input, bias_buffer, table};
        drop_buffers(b, used, 3);
        b->ops->matrix_destroy(b, &matrix);
        assert_null(matrix);
    }
    expect_same(p, outputs, dtypes, s->rows * s->n, sum_bound(s->k), 0x1p-22, "gemm");
    expect_same(p, residuals, residual_dtypes, s->rows * s->n, sum_bound(s->k), 0x1p-22,
                "gemm_add");
    for (int i = 0; i < 2; i++) {
        drop_buffers(p->b[i], &outputs[i], 1);
        drop_buffers(p->b[i], &residuals[i], 1);
    }
    free(weights);
    free(x);
    free(bias);
    free(residual);
}

static void test_shapes(void **state)
{
    pair p = make_pair(*state);
    rng r = {1};
    static const size_t shapes[][2] = {{1, 1},    {2, 3},     {16, 16},  {17, 13},  {33, 48},
                                       {100, 20}, {128, 128}, {256, 96}, {65, 352}, {352, 129}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        gemm_setup s = {.n = shapes[i][0], .k = shapes[i][1], .storage = COP_BF16};
        for (int t = 0; t < 4; t++) {
            s.rows = t == 0 ? 1 : rng_between(&r, 1, 70);
            s.bias = t % 2 != 0;
            check_product(&p, &s, &r, t == 3);
        }
    }
    drop_pair(&p);
}

static void test_random_shapes(void **state)
{
    pair p = make_pair(*state);
    rng r = {2};
    for (int i = 0; i < 30; i++) {
        const gemm_setup s = {.n = rng_between(&r, 1, 300),
                              .k = rng_between(&r, 1, 300),
                              .rows = rng_between(&r, 1, 40),
                              .storage = (cop_dtype)(rng_next(&r) % 3),
                              .bias = rng_next(&r) % 2 != 0};
        check_product(&p, &s, &r, rng_next(&r) % 2 != 0);
    }
    drop_pair(&p);
}

/* One packed matrix serves every number of rows, as a shrinking batch asks for. */
static void test_every_row_count(void **state)
{
    pair p = make_pair(*state);
    rng r = {3};
    enum { N = 80, K = 48, ROWS = 130 };
    const gemm_setup s = {.n = N, .k = K, .storage = COP_BF16};
    float *const weights = make_floats(&r, N * K, true);
    float *const x = make_floats(&r, ROWS * K, true);
    cop_matrix *matrices[2];
    cop_buffer *inputs[2];
    cop_buffer *outputs[2];
    const cop_dtype dtypes[2] = {p.b[0]->output, p.b[1]->output};
    for (int i = 0; i < 2; i++) {
        matrices[i] = make_matrix(p.b[i], &s, weights, NULL);
        inputs[i] = make_buffer(p.b[i], x, ROWS * K, p.b[i]->input);
        /* One row more than is written: it must stay as it is. */
        outputs[i] = make_buffer(p.b[i], NULL, (ROWS + 1) * N, p.b[i]->output);
    }
    cop_error err = {0};
    must(p.b[1]->ops->gemm(p.b[1], outputs[1], inputs[1], matrices[1], NULL, ROWS, &err), &err);
    float *const want = read_buffer(p.b[1], outputs[1], ROWS * N, dtypes[1]);
    for (size_t rows = ROWS; rows > 0; rows--) {
        cop_backend *const b = p.b[0];
        float *const mark = make_floats(&r, (ROWS + 1) * N, false);
        void *const bytes = encode(mark, (ROWS + 1) * N, b->output);
        must(b->ops->upload(b, outputs[0], 0, bytes, (ROWS + 1) * N * cop_dtype_size(b->output),
                            &err),
             &err);
        must(b->ops->gemm(b, outputs[0], inputs[0], matrices[0], NULL, rows, &err), &err);
        float *const got = read_buffer(b, outputs[0], (ROWS + 1) * N, b->output);
        expect_close(got, want, rows * N, sum_bound(K), 0x1p-22, "rows");
        const size_t rest = (ROWS + 1 - rows) * N;
        expect_close(got + rows * N, mark + rows * N, rest, 0, rounding_of(b->output),
                     "beyond");
        free(got);
        free(bytes);
        free(mark);
    }
    free(want);
    for (int i = 0; i < 2; i++) {
        drop_buffers(p.b[i], &inputs[i], 1);
        drop_buffers(p.b[i], &outputs[i], 1);
        p.b[i]->ops->matrix_destroy(p.b[i], &matrices[i]);
    }
    free(weights);
    free(x);
    drop_pair(&p);
}

static void test_no_rows(void **state)
{
    pair p = make_pair(*state);
    rng r = {4};
    const gemm_setup s = {.n = 8, .k = 8, .storage = COP_F32};
    float *const weights = make_floats(&r, 64, true);
    cop_backend *const b = p.b[0];
    cop_error err = {0};
    cop_matrix *matrix = make_matrix(b, &s, weights, NULL);
    cop_buffer *const input = make_buffer(b, NULL, 8, b->input);
    cop_buffer *const output = make_buffer(b, weights, 8, b->output);
    must(b->ops->gemm(b, output, input, matrix, NULL, 0, &err), &err);
    must(b->ops->gemm_add(b, output, input, matrix, NULL, 0, &err), &err);
    float *const got = read_buffer(b, output, 8, b->output);
    expect_close(got, weights, 8, 0, 0, "untouched");
    free(got);
    cop_buffer *const used[] = {input, output};
    drop_buffers(b, used, 2);
    b->ops->matrix_destroy(b, &matrix);
    free(weights);
    drop_pair(&p);
}

/* Packing again replaces what was there, and stages are shared: the order of a rebuild. */
static void test_repack(void **state)
{
    pair p = make_pair(*state);
    rng r = {5};
    enum { N = 40, K = 24 };
    const gemm_setup s = {.n = N, .k = K, .storage = COP_BF16};
    float *const first = make_floats(&r, N * K, true);
    float *const second = make_floats(&r, N * K, true);
    float *const x = make_floats(&r, 3 * K, true);
    cop_buffer *outputs[2];
    for (int i = 0; i < 2; i++) {
        cop_backend *const b = p.b[i];
        cop_error err = {0};
        cop_matrix *matrix = make_matrix(b, &s, first, NULL);
        cop_matrix *other = make_matrix(b, &s, first, NULL);
        cop_buffer *const input = make_buffer(b, x, 3 * K, b->input);
        outputs[i] = make_buffer(b, NULL, 3 * N, b->output);
        cop_buffer *stage = NULL;
        must(b->ops->matrix_stage(b, matrix, &stage, &err), &err);
        void *const data = encode(second, N * K, COP_BF16);
        must(b->ops->upload(b, stage, 0, data, 2 * N * K, &err), &err);
        must(b->ops->matrix_commit(b, matrix, 0, stage, &err), &err);
        free(data);
        must(b->ops->gemm(b, outputs[i], input, matrix, NULL, 3, &err), &err);
        must(b->ops->gemm_add(b, outputs[i], input, other, NULL, 3, &err), &err);
        drop_buffers(b, &input, 1);
        b->ops->matrix_destroy(b, &matrix);
        b->ops->matrix_destroy(b, &other);
    }
    const cop_dtype dtypes[2] = {p.b[0]->output, p.b[1]->output};
    expect_same(&p, outputs, dtypes, 3 * N, sum_bound(2 * K), 0x1p-22, "repacked");
    for (int i = 0; i < 2; i++) {
        drop_buffers(p.b[i], &outputs[i], 1);
    }
    free(first);
    free(second);
    free(x);
    drop_pair(&p);
}

/* The product of a row that is not finite takes nothing but its own row of the output. */
static void check_apart(cop_backend *b, const gemm_setup *s, rng *r, float broken)
{
    cop_error err = {0};
    const size_t bad = rng_between(r, 0, s->rows - 1);
    float *const weights = make_floats(r, s->n * s->k, true);
    float *const x = make_floats(r, s->rows * s->k, true);
    float *out[2];
    cop_matrix *matrix = make_matrix(b, s, weights, NULL);
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; i == 1 && k < s->k; k++)
            x[bad * s->k + k] = broken;
        cop_buffer *const input = make_buffer(b, x, s->rows * s->k, b->input);
        cop_buffer *const output = make_buffer(b, NULL, s->rows * s->n, b->output);
        must(b->ops->gemm(b, output, input, matrix, NULL, s->rows, &err), &err);
        out[i] = read_buffer(b, output, s->rows * s->n, b->output);
        cop_buffer *const used[] = {input, output};
        drop_buffers(b, used, 2);
    }
    for (size_t row = 0; row < s->rows; row++) {
        const bool same =
            memcmp(out[1] + row * s->n, out[0] + row * s->n, s->n * sizeof(float)) == 0;
        if (same == (row == bad)) {
            fail_msg("n %zu, k %zu, %zu rows, row %zu of %g: row %zu is %s", s->n, s->k,
                     s->rows, bad, (double)broken, row, same ? "as before" : "another");
        }
    }
    free(out[0]);
    free(out[1]);
    free(weights);
    free(x);
    b->ops->matrix_destroy(b, &matrix);
}

static void test_rows_that_are_not_finite_stay_apart(void **state)
{
    cop_backend *b = make_backend(*state);
    rng r = {6};
    /* The first is where oneDNN 3.7 with AMX let a NaN through. */
    static const size_t shapes[][3] = {{56, 56, 19}, {56, 56, 25}, {40, 33, 53},
                                       {24, 72, 20}, {33, 31, 33}, {7, 1, 40},
                                       {16, 48, 2},  {64, 64, 19}, {96, 320, 25}};
    static const float broken[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (size_t v = 0; v < 3; v++) {
            const gemm_setup s = {.n = shapes[i][0],
                                  .k = shapes[i][1],
                                  .rows = shapes[i][2],
                                  .storage = COP_BF16};
            check_apart(b, &s, &r, broken[v]);
        }
    }
    cop_backend_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_random_shapes),
        cmocka_unit_test(test_every_row_count),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_repack),
        cmocka_unit_test(test_rows_that_are_not_finite_stay_apart),
    };
    return run_backend_tests("backend gemm", tests, sizeof tests / sizeof tests[0]);
}
