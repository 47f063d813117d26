/* Matrices that are the base as it is: the bits of a product do not tell when they were packed,
 * whatever is done to them in between, and on processor cores no memory of their own is written
 * before it is worth it. */
#include "unit/backend/backend_support.h"

#include "backend/cpu/cpu_backend.h"

enum { N = 70, K = 96, ROWS = 9, FIRST = 30, MATRICES = 3, LANES = 2 };

/* Weights of `dtype` in two parts, as the base of a model has them. */
typedef struct base {
    cop_dtype dtype;
    void *stored;
    cop_buffer *buffers[2];
    cop_weight_part parts[2];
} base;

static base make_base(cop_backend *b, rng *r, cop_dtype dtype)
{
    cop_error err = {0};
    base made = {.dtype = dtype};
    float *const values = make_floats(r, N * K, false);
    const size_t first = (size_t)FIRST * K * cop_dtype_size(dtype);
    made.stored = encode(values, N * K, dtype);
    free(values);
    must(b->ops->buffer_wrap(b, made.stored, first, &made.buffers[0], &err), &err);
    must(b->ops->buffer_wrap(b, (char *)made.stored + first,
                             N * K * cop_dtype_size(dtype) - first, &made.buffers[1], &err),
         &err);
    for (uint32_t i = 0; i < 2; i++)
        made.parts[i] = (cop_weight_part){.base = made.buffers[i],
                                          .dtype = dtype,
                                          .count = (size_t)(i == 0 ? FIRST : N - FIRST) * K,
                                          .tensor = 5 + i,
                                          .scale = 1.0F};
    return made;
}

static void drop_base(cop_backend *b, base *gone)
{
    drop_buffers(b, gone->buffers, 2);
    free(gone->stored);
}

static cop_matrix *make_matrix(cop_backend *b, cop_dtype dtype, size_t lanes)
{
    cop_error err = {0};
    cop_matrix *matrix = NULL;
    must(b->ops->matrix_create(b, N, K, dtype, lanes, &matrix, &err), &err);
    return matrix;
}

static void rebuild(cop_backend *b, cop_matrix *matrix, size_t lane, const base *from,
                    size_t components)
{
    static const cop_component moved = {.seed = 9, .amplitude = 0.1F};
    cop_error err = {0};
    must(b->ops->matrix_rebuild(b, matrix, lane, from->parts, 2, &moved, components, &err),
         &err);
}

/* Packed at once: staged and committed. */
static void commit(cop_backend *b, cop_matrix *matrix, size_t lane, const base *from)
{
    cop_error err = {0};
    cop_buffer *stage = NULL;
    must(b->ops->matrix_stage(b, matrix, &stage, &err), &err);
    must(b->ops->rebuild(b, stage, lane * N * K, from->parts, 2, NULL, 0, &err), &err);
    must(b->ops->matrix_commit(b, matrix, lane, stage, &err), &err);
}

static float *multiply(cop_backend *b, const cop_matrix *matrix, const float *x, size_t rows)
{
    cop_error err = {0};
    cop_buffer *const input = make_buffer(b, x, rows * K, b->input);
    cop_buffer *const output = make_buffer(b, NULL, rows * N, b->output);
    must(b->ops->gemm(b, output, input, matrix, NULL, rows, &err), &err);
    float *const got = read_buffer(b, output, rows * N, b->output);
    cop_buffer *const used[] = {input, output};
    drop_buffers(b, used, 2);
    return got;
}

static void expect_product(cop_backend *b, const cop_matrix *matrix, const float *x,
                           const float *want, const char *when)
{
    float *const got = multiply(b, matrix, x, ROWS);
    if (memcmp(got, want, ROWS * N * sizeof *got) != 0) fail_msg("other bits %s", when);
    free(got);
}

/* Products of a few matrices of one shape and of what replaces them. */
static void check_products(cop_backend *b, rng *r, cop_dtype dtype)
{
    base bases[MATRICES];
    cop_matrix *matrices[MATRICES];
    float *want[MATRICES];
    float *const x = make_floats(r, ROWS * K, true);
    cop_matrix *packed = make_matrix(b, dtype, 1);
    for (size_t i = 0; i < MATRICES; i++) {
        bases[i] = make_base(b, r, dtype);
        matrices[i] = make_matrix(b, dtype, 1);
        commit(b, packed, 0, &bases[i]);
        want[i] = multiply(b, packed, x, ROWS);
        rebuild(b, matrices[i], 0, &bases[i], 0);
    }
    rebuild(b, packed, 0, &bases[0], 1);
    float *const moved = multiply(b, packed, x, ROWS);
    assert_memory_not_equal(moved, want[0], ROWS * N * sizeof *moved);
    static const size_t order[] = {0, 1, 0, 2, 1, 2, 0};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        expect_product(b, matrices[order[i]], x, want[order[i]], "of the base");
    rebuild(b, matrices[0], 0, &bases[0], 1);
    expect_product(b, matrices[0], x, moved, "with noise");
    rebuild(b, matrices[0], 0, &bases[1], 0);
    expect_product(b, matrices[0], x, want[1], "of another base");
    for (size_t i = 0; i < MATRICES; i++)
        b->ops->matrix_destroy(b, &matrices[i]);

    /* Replaced before any product, and between the first and the second. */
    for (size_t i = 0; i < 2; i++) {
        matrices[i] = make_matrix(b, dtype, 1);
        rebuild(b, matrices[i], 0, &bases[1], 0);
    }
    expect_product(b, matrices[0], x, want[1], "once");
    rebuild(b, matrices[0], 0, &bases[2], 0);
    rebuild(b, matrices[1], 0, &bases[0], 1);
    expect_product(b, matrices[0], x, want[2], "replaced after a product");
    expect_product(b, matrices[1], x, moved, "replaced by noise before any product");
    commit(b, matrices[0], 0, &bases[0]);
    expect_product(b, matrices[0], x, want[0], "committed after a product");
    for (size_t i = 0; i < 2; i++)
        b->ops->matrix_destroy(b, &matrices[i]);
    b->ops->matrix_destroy(b, &packed);
    for (size_t i = 0; i < MATRICES; i++) {
        drop_base(b, &bases[i]);
        free(want[i]);
    }
    free(moved);
    free(x);
}

static void test_products(void **state)
{
    cop_backend *b = make_backend(*state);
    rng r = {71};
    for (int d = 0; d < 3; d++)
        check_products(b, &r, (cop_dtype)d);
    cop_backend_destroy(&b);
}

/* One copy is the base, the other is moved: each is packed when it is its own turn. */
static void test_lanes(void **state)
{
    cop_backend *b = make_backend(*state);
    rng r = {72};
    base from = make_base(b, &r, COP_BF16);
    float *const x = make_floats(&r, (size_t)LANES * ROWS * K, true);
    cop_matrix *apart[LANES];
    cop_matrix *both = make_matrix(b, COP_BF16, LANES);
    for (size_t l = 0; l < LANES; l++) {
        apart[l] = make_matrix(b, COP_BF16, 1);
        rebuild(b, apart[l], 0, &from, l);
        rebuild(b, both, l, &from, l);
    }
    for (int turn = 0; turn < 3; turn++) {
        b->lanes = LANES;
        float *const got = multiply(b, both, x, (size_t)LANES * ROWS);
        b->lanes = 1;
        for (size_t l = 0; l < LANES; l++)
            expect_product(b, apart[l], x + l * ROWS * K, got + l * ROWS * N, "of a lane");
        free(got);
    }
    for (size_t l = 0; l < LANES; l++)
        b->ops->matrix_destroy(b, &apart[l]);
    b->ops->matrix_destroy(b, &both);
    drop_base(b, &from);
    free(x);
    cop_backend_destroy(&b);
}

/* --- on processor cores: when memory is written --- */

static cop_backend *make_cpu(void)
{
    const cop_backend_options options = {.gemm = COP_GEMM_OPENBLAS, .threads = 1};
    cop_backend *b = NULL;
    cop_error err = {0};
    must(cop_backend_create_cpu(&options, &b, &err), &err);
    return b;
}

static bool is_written(const cop_matrix *matrix)
{
    return matrix->sources[0].written;
}

static const cop_gemm_weight *lent(cop_backend *b)
{
    const cop_cpu *const cpu = cop_cpu_of_const(b);
    assert_int_equal(cpu->shape_count, 1);
    return cpu->shapes[0].lent;
}

static void test_memory(void **state)
{
    (void)state;
    cop_backend *b = make_cpu();
    rng r = {73};
    base from = make_base(b, &r, COP_BF16);
    float *const x = make_floats(&r, ROWS * K, true);
    cop_matrix *m[MATRICES];
    for (size_t i = 0; i < MATRICES; i++) {
        m[i] = make_matrix(b, COP_BF16, 1);
        rebuild(b, m[i], 0, &from, 0);
        assert_false(is_written(m[i]));
    }
    free(multiply(b, m[0], x, ROWS));
    const cop_gemm_weight *const first = lent(b);
    assert_non_null(first);
    free(multiply(b, m[1], x, ROWS));
    assert_ptr_equal(lent(b), first);
    assert_false(is_written(m[0]) || is_written(m[1]));
    free(multiply(b, m[0], x, ROWS)); /* for good, and the lent one is gone before */
    assert_true(is_written(m[0]) && !is_written(m[1]));
    assert_null(lent(b));
    free(multiply(b, m[2], x, ROWS));
    assert_non_null(lent(b));
    rebuild(b, m[1], 0, &from, 1); /* noise has to be written somewhere */
    assert_true(is_written(m[1]) && !is_written(m[2]));
    assert_null(lent(b));
    rebuild(b, m[1], 0, &from, 0); /* what was written once is written at once */
    assert_int_equal(m[1]->sources[0].count, 0);
    for (size_t i = 0; i < MATRICES; i++)
        b->ops->matrix_destroy(b, &m[i]);
    drop_base(b, &from);
    free(x);
    cop_backend_destroy(&b);
}

/* Nobody to share with: packed once, for good. */
static void test_only_one(void **state)
{
    (void)state;
    cop_backend *b = make_cpu();
    rng r = {74};
    base from = make_base(b, &r, COP_BF16);
    float *const x = make_floats(&r, ROWS * K, true);
    cop_matrix *matrix = make_matrix(b, COP_BF16, 1);
    rebuild(b, matrix, 0, &from, 0);
    assert_false(is_written(matrix));
    free(multiply(b, matrix, x, ROWS));
    assert_true(is_written(matrix));
    assert_null(lent(b));
    b->ops->matrix_destroy(b, &matrix);
    drop_base(b, &from);
    free(x);
    cop_backend_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_lanes),
    };
    const struct CMUnitTest memory[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_only_one),
    };
    const int failed =
        run_backend_tests("backend deferred", tests, sizeof tests / sizeof tests[0]);
    return failed + cmocka_run_group_tests_name("memory", memory, NULL, NULL);
}
