/* What is computed beside a row does not change its bits: other rows on the GPU. */
#include "unit/backend_support.h"

static bool is_cuda(const cop_backend *b)
{
    return strcmp(b->ops->name, "cuda") == 0;
}

static cop_matrix *make_matrix(cop_backend *b, const float *weights, size_t n, size_t k)
{
    cop_error err = {0};
    cop_matrix *matrix = NULL;
    cop_buffer *stage = NULL;
    must(b->ops->matrix_create(b, n, k, COP_F32, &matrix, &err), &err);
    must(b->ops->matrix_stage(b, matrix, &stage, &err), &err);
    must(b->ops->upload(b, stage, 0, weights, n * k * sizeof *weights, &err), &err);
    must(b->ops->matrix_commit(b, matrix, stage, &err), &err);
    return matrix;
}

/* On the CPU a product's last bits may follow the number of rows: it evaluates one candidate at
 * a time, whose rows are always the same. */
static void test_rows_alone(void **state)
{
    enum { N = 70, K = 130, MOST = 600 };
    cop_backend *b = make_backend(*state);
    if (!is_cuda(b)) {
        cop_backend_destroy(&b);
        return;
    }
    rng r = {1};
    cop_error err = {0};
    float *const weights = make_floats(&r, N * K, false);
    float *const x = make_floats(&r, MOST * K, false);
    cop_matrix *matrix = make_matrix(b, weights, N, K);
    cop_buffer *const input = make_buffer(b, x, MOST * K, b->input);
    cop_buffer *const output = make_buffer(b, NULL, MOST * N, b->output);
    static const size_t counts[] = {1, 2, 3, 4, 5, 7, 8, 31, 64, 200, 511, 512};
    must(b->ops->gemm(b, output, input, matrix, NULL, 6, &err), &err);
    float *const want = read_buffer(b, output, 6 * N, b->output);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const size_t same = counts[i] < 6 ? counts[i] : 6;
        must(b->ops->gemm(b, output, input, matrix, NULL, counts[i], &err), &err);
        float *const got = read_buffer(b, output, same * N, b->output);
        assert_memory_equal(got, want, same * N * sizeof *got);
        free(got);
    }
    free(want);
    cop_buffer *const used[] = {input, output};
    drop_buffers(b, used, 2);
    b->ops->matrix_destroy(b, &matrix);
    free(weights);
    free(x);
    cop_backend_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_alone),
    };
    return run_backend_tests("backend lanes", tests, sizeof tests / sizeof tests[0]);
}
