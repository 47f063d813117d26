/* What is computed beside a row does not change its bits: neither other lanes, which are
 * compared with calls of one lane, nor, on the GPU, other rows. */
#include "unit/backend/backend_support.h"

static bool is_cuda(const cop_backend *b)
{
    return strcmp(b->ops->name, "cuda") == 0;
}

/* A matrix whose copies are weights [lanes, n, k]. */
static cop_matrix *make_matrix(cop_backend *b, const float *weights, size_t n, size_t k,
                               size_t lanes)
{
    cop_error err = {0};
    cop_matrix *matrix = NULL;
    cop_buffer *stage = NULL;
    must(b->ops->matrix_create(b, n, k, COP_F32, lanes, &matrix, &err), &err);
    must(b->ops->matrix_stage(b, matrix, &stage, &err), &err);
    must(b->ops->upload(b, stage, 0, weights, lanes * n * k * sizeof *weights, &err), &err);
    for (size_t l = lanes; l-- > 0;)
        must(b->ops->matrix_commit(b, matrix, l, stage, &err), &err);
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
    cop_matrix *matrix = make_matrix(b, weights, N, K, 1);
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

enum { COPIES = 4, MOST_ROWS = 9, WIDE = 96, DEEP = 64, HEADS = 4, SIZE = 8, WORDS = 11 };
enum { QKV = (HEADS + 2 * 2) * SIZE, LENGTH = 16, SLOTS = 3, OUTPUTS = 7 };

/* Weights and rows of some lanes, and what becomes of the rows. */
typedef struct lane_case {
    size_t rows; /* of a lane */
    cop_qk_norm qk_norm;
    float *matrix, *vector, *norms; /* [COPIES, .] */
    float *table;                   /* [COPIES, WORDS, DEEP] */
    float *x, *wide, *qkv;          /* [COPIES, rows, .] */
    float *got[OUTPUTS];            /* [COPIES, rows, width_of[]] */
} lane_case;

static const size_t width_of[OUTPUTS] = {WIDE, WIDE, DEEP, DEEP, DEEP, QKV, HEADS *SIZE};

static void keep(cop_backend *b, const lane_case *c, size_t which, size_t first,
                 const cop_buffer *from)
{
    static const int roles[OUTPUTS] = {0, 1, 2, 1, 1, 0, 2};
    const cop_dtype dtypes[3] = {b->output, b->residual, b->input};
    const size_t block = c->rows * width_of[which];
    const size_t count = b->lanes * block;
    float *const values = read_buffer(b, from, count, dtypes[roles[which]]);
    memcpy(c->got[which] + first * block, values, count * sizeof *values);
    free(values);
}

static void run_rows(cop_backend *b, const lane_case *c, size_t first, size_t lanes)
{
    cop_error err = {0};
    const size_t rows = lanes * c->rows;
    cop_matrix *matrix =
        make_matrix(b, c->matrix + first * WIDE * DEEP, WIDE, DEEP, COPIES - first);
    cop_buffer *const bias = make_buffer(b, c->vector + first * WIDE, lanes * WIDE, COP_F32);
    cop_buffer *const weight = make_buffer(b, c->norms + first * DEEP, lanes * DEEP, COP_F32);
    cop_buffer *const x = make_buffer(b, c->x + first * c->rows * DEEP, rows * DEEP, b->input);
    cop_buffer *const stream =
        make_buffer(b, c->x + first * c->rows * DEEP, rows * DEEP, b->residual);
    cop_buffer *const out = make_buffer(b, NULL, rows * WIDE, b->output);
    cop_buffer *const sum =
        make_buffer(b, c->wide + first * c->rows * WIDE, rows * WIDE, b->residual);
    cop_buffer *const normed = make_buffer(b, NULL, rows * DEEP, b->input);
    cop_buffer *const added =
        make_buffer(b, c->wide + first * c->rows * DEEP, rows * DEEP, b->residual);
    must(b->ops->gemm(b, out, x, matrix, bias, rows, &err), &err);
    must(b->ops->gemm_add(b, sum, x, matrix, NULL, rows, &err), &err);
    must(b->ops->gemm_add(b, sum, x, matrix, bias, rows, &err), &err);
    b->ops->rmsnorm(b, normed, stream, weight, rows, DEEP, 1e-5F);
    b->ops->rmsnorm_add(b, added, stream, weight, rows, DEEP, 1e-5F);
    keep(b, c, 0, first, out);
    keep(b, c, 1, first, sum);
    keep(b, c, 2, first, normed);
    keep(b, c, 3, first, added);
    cop_buffer *const used[] = {bias, weight, x, stream, out, sum, normed, added};
    drop_buffers(b, used, 8);
    b->ops->matrix_destroy(b, &matrix);
}

static void run_embed(cop_backend *b, const lane_case *c, size_t first, size_t lanes)
{
    cop_error err = {0};
    int32_t ids[COPIES * MOST_ROWS];
    for (size_t r = 0; r < lanes * c->rows; r++)
        ids[r] = (int32_t)(r / c->rows * WORDS + (r % c->rows * 5 + 3) % WORDS);
    cop_buffer *const table =
        make_buffer(b, c->table + first * WORDS * DEEP, lanes * WORDS * DEEP, COP_F32);
    cop_buffer *const out = make_buffer(b, NULL, lanes * c->rows * DEEP, b->residual);
    must(b->ops->embed(b, out, table, COP_F32, ids, lanes * c->rows, DEEP, 1.5F, &err), &err);
    keep(b, c, 4, first, out);
    cop_buffer *const used[] = {table, out};
    drop_buffers(b, used, 2);
}

/* Each lane has a prefix, when its rows suffice, and one sequence after it. */
static void run_attention(cop_backend *b, const lane_case *c, size_t first, size_t lanes)
{
    const cop_attention_shape shape = {.heads = HEADS,
                                       .kv_heads = 2,
                                       .head_size = SIZE,
                                       .scale = 0.4F,
                                       .qk_norm = c->qk_norm,
                                       .eps = 1e-6F};
    const bool whole = c->qk_norm == COP_QK_NORM_WIDTH;
    const size_t q_width = whole ? HEADS * SIZE : SIZE;
    const size_t k_width = whole ? 2 * SIZE : SIZE;
    const int32_t prefix = c->rows > 2 ? (int32_t)c->rows / 2 : 0;
    cop_error err = {0};
    cop_span spans[2 * COPIES];
    size_t count = 0;
    for (size_t l = 0; l < lanes; l++) {
        const int32_t slot = (int32_t)(l * SLOTS);
        const int32_t row = (int32_t)(l * c->rows);
        if (prefix > 0) {
            spans[count++] =
                (cop_span){.slot = slot + SLOTS - 1, .first_row = row, .rows = prefix};
        }
        spans[count++] = (cop_span){.slot = slot + 1,
                                    .first_row = row + prefix,
                                    .rows = (int32_t)c->rows - prefix,
                                    .past = prefix};
    }
    const cop_batch batch = {.spans = spans,
                             .span_count = count,
                             .rows = lanes * c->rows,
                             .prefix = prefix,
                             .prefix_slot = SLOTS - 1,
                             .lane_slots = SLOTS};
    float angles[LENGTH * SIZE];
    for (size_t i = 0; i < LENGTH * SIZE; i++)
        angles[i] = i % SIZE < SIZE / 2 ? cosf((float)i) : sinf((float)i);
    cop_kv *kv = NULL;
    must(b->ops->kv_create(b, 1, lanes * SLOTS, LENGTH, &shape, &kv, &err), &err);
    cop_buffer *const rope = make_buffer(b, angles, LENGTH * SIZE, COP_F32);
    cop_buffer *const q = make_buffer(b, c->norms + first * q_width, lanes * q_width, COP_F32);
    cop_buffer *const k = make_buffer(b, c->vector + first * k_width, lanes * k_width, COP_F32);
    cop_buffer *const qkv =
        make_buffer(b, c->qkv + first * c->rows * QKV, lanes * c->rows * QKV, b->output);
    cop_buffer *const out = make_buffer(b, NULL, lanes * c->rows * HEADS * SIZE, b->input);
    b->ops->rope_store(b, qkv, kv, 0, &batch, &shape, rope, q, k);
    b->ops->attention(b, out, qkv, kv, 0, &batch, &shape);
    keep(b, c, 5, first, qkv);
    keep(b, c, 6, first, out);
    cop_buffer *const used[] = {rope, q, k, qkv, out};
    drop_buffers(b, used, 5);
    b->ops->kv_destroy(b, &kv);
}

/* Computes lanes first .. of the case at once. */
static void run_lanes(cop_backend *b, const lane_case *c, size_t first, size_t lanes)
{
    b->lanes = lanes;
    run_rows(b, c, first, lanes);
    run_embed(b, c, first, lanes);
    run_attention(b, c, first, lanes);
    b->lanes = 1;
}

static void check_lanes(cop_backend *b, const lane_case *c)
{
    float *alone[OUTPUTS];
    for (size_t l = 0; l < COPIES; l++)
        run_lanes(b, c, l, 1);
    for (size_t i = 0; i < OUTPUTS; i++) {
        const size_t bytes = COPIES * c->rows * width_of[i] * sizeof(float);
        alone[i] = malloc(bytes);
        assert_non_null(alone[i]);
        memcpy(alone[i], c->got[i], bytes);
        memset(c->got[i], 0, bytes);
    }
    for (size_t lanes = 1; lanes <= COPIES; lanes++) {
        run_lanes(b, c, 0, lanes);
        for (size_t i = 0; i < OUTPUTS; i++)
            assert_memory_equal(c->got[i], alone[i],
                                lanes * c->rows * width_of[i] * sizeof(float));
    }
    for (size_t i = 0; i < OUTPUTS; i++)
        free(alone[i]);
}

static void test_lanes_alone(void **state)
{
    static const size_t row_counts[] = {1, 2, 5, MOST_ROWS};
    cop_backend *b = make_backend(*state);
    rng r = {2};
    for (size_t i = 0; i < sizeof row_counts / sizeof row_counts[0]; i++) {
        lane_case c = {.rows = row_counts[i],
                       .qk_norm = i % 2 == 0 ? COP_QK_NORM_HEAD : COP_QK_NORM_WIDTH};
        const size_t rows = COPIES * c.rows;
        c.matrix = make_floats(&r, (size_t)COPIES * WIDE * DEEP, false);
        c.vector = make_floats(&r, (size_t)COPIES * WIDE, false);
        c.norms = make_floats(&r, (size_t)COPIES * DEEP, false);
        c.table = make_floats(&r, (size_t)COPIES * WORDS * DEEP, false);
        c.x = make_floats(&r, rows * DEEP, false);
        c.wide = make_floats(&r, rows * WIDE, false);
        c.qkv = make_floats(&r, rows * QKV, false);
        for (size_t o = 0; o < OUTPUTS; o++)
            c.got[o] = make_floats(&r, rows * width_of[o], false);
        check_lanes(b, &c);
        float *const used[] = {c.matrix, c.vector, c.norms, c.table, c.x, c.wide, c.qkv};
        for (size_t u = 0; u < sizeof used / sizeof used[0]; u++)
            free(used[u]);
        for (size_t o = 0; o < OUTPUTS; o++)
            free(c.got[o]);
    }
    cop_backend_destroy(&b);
}

/* The last lane of a product by a matrix with fewer copies is refused where that is checked. */
static void test_too_many_lanes(void **state)
{
    cop_backend *b = make_backend(*state);
    const float values[16] = {0};
    cop_error err = {0};
    cop_matrix *matrix = make_matrix(b, values, 2, 4, 2);
    cop_buffer *const input = make_buffer(b, values, 16, b->input);
    cop_buffer *const output = make_buffer(b, values, 16, b->output);
    assert_int_equal(b->ops->matrix_commit(b, matrix, 2, input, &err), COP_ERR_INTERNAL);
    if (is_cuda(b)) {
        b->lanes = 3;
        assert_int_equal(b->ops->gemm(b, output, input, matrix, NULL, 3, &err),
                         COP_ERR_INTERNAL);
        b->lanes = 2;
        assert_int_equal(b->ops->gemm(b, output, input, matrix, NULL, 3, &err),
                         COP_ERR_INTERNAL);
        b->lanes = 1;
    }
    cop_buffer *const used[] = {input, output};
    drop_buffers(b, used, 2);
    b->ops->matrix_destroy(b, &matrix);
    cop_backend_destroy(&b);
}

static void multiply_picky(cop_backend *b, size_t rows, cop_status expected)
{
    enum { N = 6, K = 9, MOST = 300 };
    static const float x[MOST * K] = {1, 2, 3};
    static const float weights[N * K] = {4, 5, 6};
    cop_error err = {0};
    cop_matrix *matrix = make_matrix(b, weights, N, K, 1);
    cop_buffer *const input = make_buffer(b, x, MOST * K, b->input);
    cop_buffer *const output = make_buffer(b, NULL, MOST * N, b->output);
    assert_int_equal(b->ops->gemm(b, output, input, matrix, NULL, rows, &err), expected);
    if (expected == COP_OK) {
        float *const got = read_buffer(b, output, 1, b->output);
        assert_true(got[0] == 32);
        free(got);
    } else {
        assert_non_null(strstr(err.message, "no algorithm"));
        assert_non_null(strstr(err.message, "6 x 9"));
    }
    cop_buffer *const used[] = {input, output};
    drop_buffers(b, used, 2);
    b->ops->matrix_destroy(b, &matrix);
}

/* Where no algorithm for many rows is one for few, one for few serves; where there is none, it
 * is said, and the device is as good as before. */
static void test_picky_algorithms(void **state)
{
    const backend_case *const c = *state;
    if (!c->emulated) return; /* only there algorithms can be kept back */
    cop_backend *b = make_backend(*state);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_ALGORITHMS", "none", 1), 0);
    multiply_picky(b, 300, COP_ERR_UNSUPPORTED);
    assert_int_equal(setenv("COPPICE_CUDA_HOST_ALGORITHMS", "picky", 1), 0);
    multiply_picky(b, 300, COP_OK);
    multiply_picky(b, 1, COP_OK);
    assert_int_equal(unsetenv("COPPICE_CUDA_HOST_ALGORITHMS"), 0);
    cop_backend_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_alone),
        cmocka_unit_test(test_lanes_alone),
        cmocka_unit_test(test_too_many_lanes),
        cmocka_unit_test(test_picky_algorithms),
    };
    return run_backend_tests("backend lanes", tests, sizeof tests / sizeof tests[0]);
}
