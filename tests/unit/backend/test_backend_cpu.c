/* What only the CPU backend has: creation and its errors, the memory plan, kernels on all bit
 * patterns, packing in blocks, bounds. */
#include "unit/backend/backend_support.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels/kernels.h"

static const cop_backend_options plain = {
    .compute = COP_COMPUTE_F32, .storage = COP_BF16, .threads = 2, .isa = COP_ISA_SCALAR};

static cop_backend *make_plain(const cop_backend_options *options)
{
    cop_backend *b = NULL;
    cop_error err = {0};
    must(cop_backend_create_cpu(options, &b, &err), &err);
    return b;
}

static void test_compute_auto(void **state)
{
    (void)state;
    cop_backend_options o = plain;
    o.compute = COP_COMPUTE_AUTO;
    cop_backend *b = make_plain(&o);
    assert_int_equal(b->input,
                     cop_cpu_has_bf16() && cop_backend_lack() == NULL ? COP_BF16 : COP_F32);
    assert_int_equal(b->output, COP_F32);
    assert_int_equal(b->residual, COP_F32);
    cop_backend_destroy(&b);
    o.storage = COP_F16;
    b = make_plain(&o);
    assert_int_equal(b->input, COP_F32);
    cop_backend_destroy(&b);
    o.storage = COP_BF16;
    o.gemm = COP_GEMM_OPENBLAS;
    b = make_plain(&o);
    assert_int_equal(b->input, COP_F32);
    cop_backend_destroy(&b);
    cop_backend_destroy(&b);
}

/* Where somebody waits for the first token own kernels multiply, if no library has bf16. */
static void test_quick_start(void **state)
{
    (void)state;
    cop_backend_options o = plain;
    o.compute = COP_COMPUTE_AUTO;
    o.isa = cop_cpu_isa();
    const bool tiles = o.isa >= COP_ISA_AMX;
    const bool library_has_bf16 = cop_cpu_has_bf16() && cop_backend_lack() == NULL;
    for (int quick = 0; quick <= 1; quick++) {
        o.quick_start = quick;
        cop_backend *b = make_plain(&o);
        const bool own = tiles || (quick && o.isa >= COP_ISA_AVX2 && !library_has_bf16);
        assert_int_equal(b->rows_alone, own);
        assert_int_equal(b->input, own || library_has_bf16 ? COP_BF16 : COP_F32);
        cop_backend_destroy(&b);
    }
    o.storage = COP_F16;
    cop_backend *b = make_plain(&o);
    assert_false(b->rows_alone);
    cop_backend_destroy(&b);
}

/* A build says what it has: oneDNN on request, or the remedy. */
static void test_onednn_on_request(void **state)
{
    (void)state;
    cop_backend_options o = plain;
    o.gemm = COP_GEMM_ONEDNN;
    cop_backend *b = NULL;
    cop_error err = {0};
    const cop_status status = cop_backend_create_cpu(&o, &b, &err);
    if (cop_backend_lack() == NULL) {
        must(status, &err);
    } else {
        assert_int_equal(status, COP_ERR_UNSUPPORTED);
        assert_null(b);
        assert_non_null(strstr(err.message, "backend.gemm"));
        assert_non_null(strstr(cop_backend_lack(), "without oneDNN"));
    }
    cop_backend_destroy(&b);
}

static void test_openblas_has_no_bf16(void **state)
{
    (void)state;
    cop_backend_options o = plain;
    o.compute = COP_COMPUTE_BF16;
    o.gemm = COP_GEMM_OPENBLAS;
    cop_backend *b = NULL;
    cop_error err = {0};
    assert_int_equal(cop_backend_create_cpu(&o, &b, &err), COP_ERR_UNSUPPORTED);
    assert_null(b);
    assert_non_null(strstr(err.message, "backend.compute"));
    assert_non_null(strstr(err.message, "oneDNN") != NULL ? err.message
                                                          : strstr(err.message, "onednn"));
}

static void test_describe(void **state)
{
    (void)state;
    cop_backend_options o = plain;
    cop_backend *b = make_plain(&o);
    char text[256];
    b->ops->describe(b, text, sizeof text);
    assert_non_null(strstr(text, cop_backend_lack() == NULL ? "oneDNN" : "OpenBLAS"));
    assert_non_null(strstr(text, "f32"));
    assert_non_null(strstr(text, "2 threads"));
    b->ops->describe(b, text, 8);
    assert_in_range(strlen(text), 1, 7);
    cop_backend_destroy(&b);
    o.gemm = COP_GEMM_OPENBLAS;
    o.threads = 1;
    b = make_plain(&o);
    b->ops->describe(b, text, sizeof text);
    assert_non_null(strstr(text, "OpenBLAS 0."));
    assert_non_null(strstr(text, "1 thread"));
    cop_backend_destroy(&b);
    for (int part = 0; part < COP_PART_COUNT; part++) {
        assert_string_not_equal(cop_backend_part_name((cop_backend_part)part), "unknown");
    }
}

static void test_plan(void **state)
{
    (void)state;
    cop_backend *b = make_plain(&plain);
    cop_backend_plan plan = {.matrices = 1000000,
                             .largest_matrix = 500000,
                             .others = 1000,
                             .kv = 10000,
                             .activations = 100,
                             .storage = COP_BF16};
    uint64_t need = 0;
    uint64_t more = 0;
    uint64_t have = 0;
    b->ops->plan(b, &plan, &need, &have);
    assert_true(need > 4000000 + 1000000 + 2000 + 40000 + 400);
    assert_true(have > 0);
    plan.kv += 1000000;
    b->ops->plan(b, &plan, &more, &have);
    assert_int_equal(more - need, 4000000);
    cop_backend_destroy(&b);
}

static const cop_backend_options own = {
    .compute = COP_COMPUTE_BF16, .gemm = COP_GEMM_OWN, .threads = 1};

/* Bytes planned for a largest matrix of that many elements, which is in `matrices` already. */
static uint64_t plan_largest(const cop_backend_options *how, size_t elements, size_t lanes)
{
    cop_backend *b = make_plain(how);
    const cop_backend_plan plan = {
        .matrices = 1000000, .largest_matrix = elements, .storage = COP_BF16, .lanes = lanes};
    uint64_t need = 0;
    uint64_t have = 0;
    b->ops->plan(b, &plan, &need, &have);
    cop_backend_destroy(&b);
    return need;
}

/* A stage, and room to widen it, for libraries alone: own kernels rebuild into their panels. */
static void test_plan_of_stage(void **state)
{
    (void)state;
    for (size_t lanes = 1; lanes <= 3; lanes++) {
        assert_int_equal(plan_largest(&own, 500000, lanes), plan_largest(&own, 0, lanes));
        assert_int_equal(plan_largest(&plain, 500000, lanes) - plan_largest(&plain, 0, lanes),
                         lanes * 500000 * (sizeof(uint16_t) + sizeof(float)));
    }
}

/* And it is so: no stage is taken by a base, by noise, or by a table that is the head too. */
static void test_own_takes_no_stage(void **state)
{
    (void)state;
    enum { SIDE = 64 };
    cop_backend *b = make_plain(&own);
    cop_error err = {0};
    rng r = {42};
    float *const values = make_floats(&r, (size_t)SIDE * SIDE, true);
    cop_buffer *const table = make_buffer(b, values, (size_t)SIDE * SIDE, COP_BF16);
    cop_buffer *const rows = make_buffer(b, values, SIDE, b->input);
    cop_buffer *const out = make_buffer(b, NULL, SIDE, b->output);
    cop_buffer *const used[] = {table, rows, out};
    const cop_component moved = {.seed = 1, .amplitude = 0.1F};
    const cop_weight_part halves[2] = {{.base = table,
                                        .dtype = COP_BF16,
                                        .count = (size_t)SIDE * SIDE / 2,
                                        .tensor = 1,
                                        .scale = 1.0F},
                                       {.base = table,
                                        .dtype = COP_BF16,
                                        .count = (size_t)SIDE * SIDE / 2,
                                        .tensor = 2,
                                        .scale = 1.0F}};
    cop_matrix *matrix = NULL;
    must(b->ops->matrix_create(b, SIDE, SIDE, COP_BF16, 1, &matrix, &err), &err);
    for (size_t components = 0; components < 2; components++) {
        must(b->ops->matrix_rebuild(b, matrix, 0, halves, 2, &moved, components, &err), &err);
        must(b->ops->gemm(b, out, rows, matrix, NULL, 1, &err), &err);
    }
    must(b->ops->matrix_commit(b, matrix, 0, table, &err), &err);
    assert_int_equal(cop_cpu_of(b)->stage.bytes, 0);
    b->ops->matrix_destroy(b, &matrix);
    drop_buffers(b, used, 3);
    free(values);
    cop_backend_destroy(&b);
}

static void test_bounds(void **state)
{
    (void)state;
    cop_backend *b = make_plain(&plain);
    cop_error err = {0};
    const float data[4] = {0};
    float out[4];
    cop_buffer *buffer = make_buffer(b, NULL, 4, COP_F32);
    cop_buffer *wrapped = NULL;
    must(b->ops->buffer_wrap(b, data, sizeof data, &wrapped, &err), &err);
    assert_int_equal(b->ops->upload(b, buffer, 4, data, 16, &err), COP_ERR_INTERNAL);
    assert_int_equal(b->ops->upload(b, buffer, 17, data, 0, &err), COP_ERR_INTERNAL);
    assert_int_equal(b->ops->upload(b, wrapped, 0, data, 4, &err), COP_ERR_INTERNAL);
    assert_int_equal(b->ops->download(b, buffer, 8, out, 9, &err), COP_ERR_INTERNAL);
    assert_int_equal(b->ops->download(b, buffer, 0, out, SIZE_MAX, &err), COP_ERR_INTERNAL);
    const int32_t ids[2] = {1, 2};
    assert_int_equal(b->ops->embed(b, buffer, wrapped, COP_F32, ids, 2, 2, 1.0F, &err),
                     COP_ERR_INTERNAL);
    const int32_t negative = -1;
    assert_int_equal(b->ops->embed(b, buffer, wrapped, COP_F32, &negative, 1, 2, 1.0F, &err),
                     COP_ERR_INTERNAL);
    assert_int_equal(b->ops->gather(b, buffer, wrapped, ids + 1, 1, 2, &err), COP_ERR_INTERNAL);
    double score = 0;
    assert_int_equal(b->ops->log_probability(b, wrapped, 1, 2, ids + 1, &score, &err),
                     COP_ERR_INTERNAL);
    assert_int_equal(b->ops->widen(b, buffer, 0, wrapped, COP_F32, 5, 0.0F, &err),
                     COP_ERR_INTERNAL);
    const cop_weight_part part = {.base = wrapped, .dtype = COP_F32, .count = 4};
    assert_int_equal(b->ops->rebuild(b, buffer, 1, &part, 1, NULL, 0, &err), COP_ERR_INTERNAL);
    cop_matrix *matrix = NULL;
    assert_int_equal(b->ops->matrix_create(b, 0, 4, COP_F32, 1, &matrix, &err),
                     COP_ERR_INTERNAL);
    assert_null(matrix);
    must(b->ops->matrix_create(b, 2, 4, COP_F32, 1, &matrix, &err), &err);
    assert_int_equal(b->ops->matrix_commit(b, matrix, 0, wrapped, &err), COP_ERR_INTERNAL);
    b->ops->matrix_destroy(b, &matrix);
    b->ops->matrix_destroy(b, &matrix);
    b->ops->buffer_destroy(b, &buffer);
    b->ops->buffer_destroy(b, &buffer);
    b->ops->buffer_destroy(b, &wrapped);
    cop_backend_destroy(&b);
}

/* A fused weight: parts one after the other, each as the rebuild kernel gives it. */
static void test_rebuild(void **state)
{
    (void)state;
    cop_backend *b = make_plain(&plain);
    cop_error err = {0};
    rng r = {41};
    float *const values = make_floats(&r, 300, true);
    uint16_t *const base = encode(values, 300, COP_BF16);
    const cop_component components[] = {{.seed = 123, .amplitude = 0.25F},
                                        {.seed = 456, .amplitude = -0.5F}};
    cop_buffer *wrapped[2] = {NULL, NULL};
    must(b->ops->buffer_wrap(b, base, 200, &wrapped[0], &err), &err);
    must(b->ops->buffer_wrap(b, base + 100, 400, &wrapped[1], &err), &err);
    const cop_weight_part parts[] = {
        {.base = wrapped[0], .dtype = COP_BF16, .count = 100, .tensor = 77, .scale = 1.0F},
        {.base = wrapped[1], .dtype = COP_BF16, .count = 200, .tensor = 78, .scale = 0.5F}};
    cop_buffer *const out = make_buffer(b, NULL, 310, COP_BF16);
    must(b->ops->rebuild(b, out, 7, parts, 2, components, 2, &err), &err);
    uint16_t want[310] = {0};
    for (size_t i = 0; i < 2; i++) {
        const cop_rebuild_piece piece = {.base = base + 100 * i,
                                         .out = want + 7 + 100 * i,
                                         .dtype = COP_BF16,
                                         .count = parts[i].count,
                                         .tensor = parts[i].tensor,
                                         .scale = parts[i].scale};
        cop_rebuild_run(&piece, components, 2, 1, COP_ISA_SCALAR);
    }
    uint16_t got[310];
    must(b->ops->download(b, out, 0, got, sizeof got, &err), &err);
    assert_memory_equal(got, want, sizeof got);
    assert_memory_not_equal(got + 7, base, 200);
    cop_buffer *const used[] = {wrapped[0], wrapped[1], out};
    drop_buffers(b, used, 3);
    cop_backend_destroy(&b);
    free(values);
    free(base);
}

/* --- kernels of each instruction set --- */

static void test_conversions(void **state)
{
    (void)state;
    enum { ALL = 1 << 16 };
    uint16_t *const halves = malloc(ALL * sizeof *halves);
    float *const wide = malloc(ALL * sizeof *wide);
    assert_non_null(halves);
    assert_non_null(wide);
    for (cop_isa isa = COP_ISA_SCALAR; isa <= cop_cpu_isa(); isa++) {
        const cop_kernels *const k = cop_kernels_get(isa);
        for (int d = COP_BF16; d <= COP_F16; d++) {
            for (size_t i = 0; i < ALL; i++) {
                halves[i] = (uint16_t)i;
            }
            k->widen(wide, halves, (cop_dtype)d, ALL);
            for (size_t i = 0; i < ALL; i++) {
                const uint16_t half = (uint16_t)i;
                const float want = d == COP_BF16 ? cop_bf16_to_f32(half) : cop_f16_to_f32(half);
                if (isnan(want)) {
                    assert_true(isnan(wide[i]));
                } else {
                    assert_memory_equal(&wide[i], &want, sizeof want);
                }
            }
        }
        rng r = {42};
        for (int round = 0; round < 20; round++) {
            for (size_t i = 0; i < ALL; i++) {
                const uint32_t bits = rng_next(&r) & (i % 4 == 0 ? 0xffff8000U : 0xffffffffU);
                memcpy(&wide[i], &bits, sizeof bits);
            }
            k->narrow(halves, COP_BF16, wide, ALL);
            for (size_t i = 0; i < ALL; i++) {
                assert_int_equal(halves[i], cop_f32_to_bf16(wide[i]));
            }
        }
    }
    free(halves);
    free(wide);
}

static double silu(double x)
{
    return x / (1.0 + exp(-x));
}

/* As published; where the hyperbolic tangent has nothing left of what it is added to, by an
 * equal form. */
static double gelu_tanh(double x)
{
    const double u = sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x);
    return u < -3.0 ? x / (1.0 + exp(-2.0 * u)) : x / 2.0 * (1.0 + tanh(u));
}

/* An activation over the whole range, against binary64, through the vectorised exponential. */
static void check_activation(cop_activation activation, double (*of)(double), const char *name,
                             double error, double floor)
{
    enum { COUNT = 4001 };
    float *const in = malloc(2 * COUNT * sizeof *in);
    float *const out = malloc(COUNT * sizeof *out);
    assert_non_null(in);
    assert_non_null(out);
    for (cop_isa isa = COP_ISA_SCALAR; isa <= cop_cpu_isa(); isa++) {
        for (size_t i = 0; i < COUNT; i++) {
            in[i] = ((float)i - 2000.0F) / 23.0F;
            in[COUNT + i] = 1.0F;
        }
        in[0] = NAN;
        in[1] = INFINITY;
        cop_kernels_get(isa)->glu(out, COP_F32, in, COUNT, activation);
        assert_true(isnan(out[0]));
        assert_true(isinf(out[1]));
        for (size_t i = 2; i < COUNT; i++) {
            const double x = (double)in[i];
            const double want = of(x);
            if (!(fabs((double)out[i] - want) <= error * fabs(want) + floor)) {
                fail_msg("%s: %s(%.9g) is %.9g, not %.9g", cop_isa_name(isa), name, x,
                         (double)out[i], want);
            }
        }
    }
    free(in);
    free(out);
}

/* The exponent of GELU is a product of rounded ones, and as far from its own as it is large. */
static void test_exponential(void **state)
{
    (void)state;
    check_activation(COP_SILU, silu, "silu", 4e-7, 1e-44);
    check_activation(COP_GELU_TANH, gelu_tanh, "gelu_tanh", 2e-5, 1e-35);
}

/* --- products in blocks of rows, and of rows that are filled up --- */

/* Skips where oneDNN has not the type, or this build not oneDNN. */
static cop_gemm *make_onednn(const cop_gemm_options *options)
{
    cop_gemm *gemm = NULL;
    cop_error err = {0};
    const cop_status status = cop_gemm_create_onednn(options, &gemm, &err);
    if (status == COP_ERR_UNSUPPORTED) {
        print_message("skip: %s\n", err.message);
        skip();
    }
    must(status, &err);
    return gemm;
}

/* out [rows, n] = x weights' by oneDNN, then added once more with a bias; skips where oneDNN
 * has not the type. */
static void multiply_with(const cop_gemm_options *options, const size_t shape[2],
                          const float *weights, const float *x, float *out, size_t rows)
{
    cop_gemm *const gemm = make_onednn(options);
    cop_gemm_weight *weight = NULL;
    cop_error err = {0};
    must(gemm->ops->weight_create(gemm, shape[0], shape[1], &weight, &err), &err);
    must(gemm->ops->weight_pack(gemm, weight, weights, COP_F32, &err), &err);
    void *const in = encode(x, rows * shape[1], options->input);
    cop_gemm_call call = {.out = out, .in = in, .weight = weight, .rows = rows};
    must(gemm->ops->run(gemm, &call, &err), &err);
    call.accumulate = true;
    call.bias = weights;
    must(gemm->ops->run(gemm, &call, &err), &err);
    gemm->ops->weight_destroy(gemm, weight);
    gemm->ops->destroy(gemm);
    free(in);
}

/* Where a number of rows does not take the packed layout, blocks give the same products. */
static void test_blocks(void **state)
{
    enum { N = 50, K = 30, ROWS = 100 };
    static const size_t shape[2] = {N, K};
    cop_gemm_options options = {.input = *(const cop_dtype *)*state,
                                .threads = 2,
                                .kernels = cop_kernels_get(COP_ISA_SCALAR)};
    rng r = {43};
    float *const weights = make_floats(&r, N * K, true);
    float *const x = make_floats(&r, ROWS * K, true);
    float whole[ROWS * N];
    float pieces[ROWS * N];
    static const size_t counts[] = {1, 31, 32, 33, 64, 100};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        options.blocks = false;
        multiply_with(&options, shape, weights, x, whole, counts[i]);
        options.blocks = true;
        multiply_with(&options, shape, weights, x, pieces, counts[i]);
        expect_close(pieces, whole, counts[i] * N, 4e-6, 0x1p-22, "blocks");
    }
    free(weights);
    free(x);
}

/* Rows that are filled up give the products of those that are not, whole and in blocks. */
static void test_fill(void **state)
{
    (void)state;
    enum { N = 50, K = 100, ROWS = 37 };
    cop_gemm_options options = {
        .input = COP_F32, .threads = 2, .kernels = cop_kernels_get(COP_ISA_SCALAR)};
    rng r = {45};
    float *const weights = make_floats(&r, N * K, true);
    float *const x = make_floats(&r, ROWS * K, true);
    float as_is[ROWS * N];
    float filled[ROWS * N];
    static const size_t widths[] = {1, 31, 32, 33, 56, 64, 100};
    for (size_t i = 0; i < 2 * sizeof widths / sizeof widths[0]; i++) {
        const size_t shape[2] = {N, widths[i / 2]};
        options.blocks = i % 2 != 0;
        options.fill = false;
        multiply_with(&options, shape, weights, x, as_is, ROWS);
        options.fill = true;
        multiply_with(&options, shape, weights, x, filled, ROWS);
        expect_close(filled, as_is, ROWS * N, 4e-6, 0x1p-22, "filled up");
    }
    free(weights);
    free(x);
}

/* What keeps rows apart on processors that this test may not run on: none that is multiplied in
 * bf16 ends inside a tile, and only those are wider than what they hold. */
static void test_fill_ends_tiles(void **state)
{
    (void)state;
    static const size_t widths[][2] = {{1, 32},  {31, 32}, {32, 32},  {33, 64},
                                       {56, 64}, {96, 96}, {896, 896}};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        assert_int_equal(cop_gemm_fill_width(COP_BF16, widths[i][0]), widths[i][1]);
        assert_int_equal(cop_gemm_fill_width(COP_F32, widths[i][0]), widths[i][0]);
    }
}

/* More numbers of rows than primitives are kept: they are made again, with the same results. */
static void test_many_row_counts(void **state)
{
    (void)state;
    enum { N = 4, K = 4, ROWS = 2100 };
    const cop_gemm_options options = {
        .input = COP_F32, .threads = 1, .kernels = cop_kernels_get(COP_ISA_SCALAR)};
    cop_gemm *const gemm = make_onednn(&options);
    cop_gemm_weight *weight = NULL;
    cop_error err = {0};
    rng r = {44};
    float *const weights = make_floats(&r, N * K, true);
    float *const x = make_floats(&r, ROWS * K, true);
    float *const out = make_floats(&r, ROWS * N, true);
    must(gemm->ops->weight_create(gemm, N, K, &weight, &err), &err);
    must(gemm->ops->weight_pack(gemm, weight, weights, COP_F32, &err), &err);
    for (size_t rows = ROWS; rows > 0; rows--) {
        const cop_gemm_call call = {.out = out, .in = x, .weight = weight, .rows = rows};
        memset(out, 0, rows * N * sizeof *out);
        must(gemm->ops->run(gemm, &call, &err), &err);
        for (size_t n = 0; n < N; n++) {
            float want = 0;
            for (size_t k = 0; k < K; k++) {
                want += x[(rows - 1) * K + k] * weights[n * K + k];
            }
            assert_float_equal(out[(rows - 1) * N + n], want, 1e-6);
        }
    }
    gemm->ops->weight_destroy(gemm, weight);
    gemm->ops->destroy(gemm);
    free(weights);
    free(x);
    free(out);
}

int main(void)
{
    static cop_dtype f32 = COP_F32;
    static cop_dtype bf16 = COP_BF16;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compute_auto),
        cmocka_unit_test(test_quick_start),
        cmocka_unit_test(test_onednn_on_request),
        cmocka_unit_test(test_openblas_has_no_bf16),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_of_stage),
        cmocka_unit_test(test_own_takes_no_stage),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_rebuild),
        cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_exponential),
        cmocka_unit_test_prestate(test_blocks, &f32),
        cmocka_unit_test_prestate(test_blocks, &bf16),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_fill_ends_tiles),
        cmocka_unit_test(test_many_row_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
