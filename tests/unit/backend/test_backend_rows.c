/* Row-wise operations of every backend against the reference. */
#include "unit/backend/backend_support.h"

enum { SIZES = 7 };
static const size_t row_counts[SIZES] = {0, 1, 2, 3, 17, 64, 130};
static const size_t widths[SIZES] = {1, 2, 15, 64, 129, 352, 896};

typedef struct rows_setup {
    pair p;
    rng r;
    size_t rows, width;
    float *weight;
    float *in;  /* [rows, 2 width] */
    float *old; /* [rows, width] */
    cop_buffer *ins[2], *outs[2], *weights[2];
} rows_setup;

/* Inputs in [-amplitude, amplitude] of `dtypes`, outputs of `out`. */
static void begin(rows_setup *s, float amplitude, bool output_in, bool residual_out)
{
    const size_t count = s->rows * s->width;
    s->in = make_floats(&s->r, 2 * count, false);
    s->old = make_floats(&s->r, count, false);
    s->weight = make_floats(&s->r, s->width, false);
    for (size_t i = 0; i < 2 * count; i++) {
        s->in[i] *= amplitude;
    }
    for (int i = 0; i < 2; i++) {
        cop_backend *const b = s->p.b[i];
        s->ins[i] = make_buffer(b, s->in, 2 * count, output_in ? b->output : b->residual);
        s->outs[i] = make_buffer(b, s->old, count, residual_out ? b->residual : b->input);
        s->weights[i] = make_buffer(b, s->weight, s->width, COP_F32);
    }
}

static void end(rows_setup *s, bool residual_out, double absolute, const char *what)
{
    cop_backend *const *const b = s->p.b;
    const cop_dtype dtypes[2] = {residual_out ? b[0]->residual : b[0]->input,
                                 residual_out ? b[1]->residual : b[1]->input};
    /* A few roundings in binary32 and one to the output's type. */
    expect_same(&s->p, s->outs, dtypes, s->rows * s->width, absolute,
                rounding_of(dtypes[0]) + 4e-6, what);
    for (int i = 0; i < 2; i++) {
        cop_buffer *const used[] = {s->ins[i], s->outs[i], s->weights[i]};
        drop_buffers(s->p.b[i], used, 3);
    }
    free(s->in);
    free(s->old);
    free(s->weight);
}

static void test_rmsnorm(void **state)
{
    rows_setup s = {.p = make_pair(*state), .r = {11}};
    for (size_t i = 0; i < SIZES * SIZES; i++) {
        s.rows = row_counts[i % SIZES];
        s.width = widths[i / SIZES];
        begin(&s, i % 2 == 0 ? 1.0F : 1000.0F, false, false);
        for (int k = 0; k < 2; k++) {
            s.p.b[k]->ops->rmsnorm(s.p.b[k], s.outs[k], s.ins[k], s.weights[k], s.rows, s.width,
                                   1e-5F);
        }
        end(&s, false, 1e-7, "rmsnorm");
    }
    drop_pair(&s.p);
}

static void test_rmsnorm_add(void **state)
{
    rows_setup s = {.p = make_pair(*state), .r = {12}};
    for (size_t i = 0; i < SIZES * SIZES; i++) {
        s.rows = row_counts[i % SIZES];
        s.width = widths[i / SIZES];
        begin(&s, 1.0F, true, true);
        for (int k = 0; k < 2; k++) {
            s.p.b[k]->ops->rmsnorm_add(s.p.b[k], s.outs[k], s.ins[k], s.weights[k], s.rows,
                                       s.width, 1e-6F);
        }
        end(&s, true, 2e-6, "rmsnorm_add");
    }
    drop_pair(&s.p);
}

static void test_convert(void **state)
{
    rows_setup s = {.p = make_pair(*state), .r = {13}};
    for (size_t i = 0; i < SIZES * SIZES; i++) {
        s.rows = row_counts[i % SIZES];
        s.width = widths[i / SIZES];
        begin(&s, 100.0F, false, false);
        for (int k = 0; k < 2; k++) {
            s.p.b[k]->ops->convert(s.p.b[k], s.outs[k], s.ins[k], s.rows, s.width);
        }
        end(&s, false, 0, "convert");
    }
    drop_pair(&s.p);
}

/* From small gates to such that e^-x would overflow. The exponent of GELU is rounded, which
 * shows where little is left of a gate. */
static void test_glu(void **state)
{
    rows_setup s = {.p = make_pair(*state), .r = {14}};
    for (size_t i = 0; i < 2 * SIZES * SIZES; i++) {
        const cop_activation activation = i % 2 == 0 ? COP_SILU : COP_GELU_TANH;
        s.rows = row_counts[i / 2 % SIZES];
        s.width = widths[i / 2 / SIZES];
        begin(&s, i % 3 == 0 ? 1.0F : i % 3 == 1 ? 30.0F : 300.0F, true, false);
        for (int k = 0; k < 2; k++) {
            s.p.b[k]->ops->glu(s.p.b[k], s.outs[k], s.ins[k], s.rows, s.width, activation);
        }
        end(&s, false, activation == COP_SILU ? 1e-30 : 1e-15, "glu");
    }
    drop_pair(&s.p);
}

static void test_embed(void **state)
{
    pair p = make_pair(*state);
    rng r = {15};
    enum { V = 50, D = 72, T = 33 };
    float *const values = make_floats(&r, V * D, true);
    int32_t ids[T];
    for (size_t i = 0; i < T; i++) {
        ids[i] = (int32_t)rng_between(&r, 0, V - 1);
    }
    static const float scales[] = {1.0F, 25.25F, 25.2982213F};
    for (int d = 0; d < 3; d++) {
        cop_buffer *outs[2];
        for (int k = 0; k < 2; k++) {
            cop_backend *const b = p.b[k];
            cop_error err = {0};
            cop_buffer *const table = make_buffer(b, values, V * D, (cop_dtype)d);
            outs[k] = make_buffer(b, NULL, T * D, b->residual);
            must(b->ops->embed(b, outs[k], table, (cop_dtype)d, ids, T, D, scales[d], &err),
                 &err);
            must(b->ops->embed(b, outs[k], table, (cop_dtype)d, ids, 0, D, scales[d], &err),
                 &err);
            drop_buffers(b, &table, 1);
        }
        const cop_dtype dtypes[2] = {p.b[0]->residual, p.b[1]->residual};
        expect_same(&p, outs, dtypes, T * D, 0, 0, "embed");
        drop_buffers(p.b[0], &outs[0], 1);
        drop_buffers(p.b[1], &outs[1], 1);
    }
    free(values);
    drop_pair(&p);
}

static void test_gather(void **state)
{
    pair p = make_pair(*state);
    rng r = {16};
    enum { T = 20, D = 40 };
    const int32_t rows[] = {19, 0, 7, 7};
    float *const values = make_floats(&r, T * D, false);
    cop_buffer *outs[2];
    for (int k = 0; k < 2; k++) {
        cop_backend *const b = p.b[k];
        cop_error err = {0};
        cop_buffer *const in = make_buffer(b, values, T * D, b->residual);
        outs[k] = make_buffer(b, NULL, 4 * D, b->residual);
        must(b->ops->gather(b, outs[k], in, rows, 4, D, &err), &err);
        drop_buffers(b, &in, 1);
    }
    const cop_dtype dtypes[2] = {p.b[0]->residual, p.b[1]->residual};
    expect_same(&p, outs, dtypes, 4 * D, 0, 0, "gather");
    drop_buffers(p.b[0], &outs[0], 1);
    drop_buffers(p.b[1], &outs[1], 1);
    free(values);
    drop_pair(&p);
}

/* Widening gives the exact value, and one more rounded once; more elements than fit one piece
 * of a thread's work. */
static void test_widen(void **state)
{
    pair p = make_pair(*state);
    rng r = {17};
    enum { COUNT = 70001 };
    float *const values = make_floats(&r, COUNT, true);
    for (int d = 0; d < 3; d++) {
        cop_backend *const b = p.b[0];
        cop_error err = {0};
        cop_buffer *const in = make_buffer(b, values, COUNT, (cop_dtype)d);
        cop_buffer *const out = make_buffer(b, NULL, COUNT, COP_F32);
        for (int plus = 0; plus < 2; plus++) {
            must(b->ops->widen(b, out, 0, in, (cop_dtype)d, COUNT, (float)plus, &err), &err);
            float *const got = read_buffer(b, out, COUNT, COP_F32);
            for (size_t i = 0; i < COUNT; i++)
                assert_true(got[i] == (float)plus + values[i]);
            free(got);
        }
        cop_buffer *const used[] = {in, out};
        drop_buffers(b, used, 2);
    }
    free(values);
    drop_pair(&p);
}

/* Wrapped memory is read where it lies, at odd addresses too. */
static void test_wrap(void **state)
{
    pair p = make_pair(*state);
    cop_backend *const b = p.b[0];
    rng r = {18};
    enum { D = 24 };
    float *const values = make_floats(&r, 3 * D, true);
    uint16_t *const table = encode(values, 3 * D, COP_BF16);
    const int32_t ids[2] = {1, 0};
    cop_error err = {0};
    cop_buffer *in = NULL;
    must(b->ops->buffer_wrap(b, table + 1, (3 * D - 1) * sizeof *table, &in, &err), &err);
    cop_buffer *const out = make_buffer(b, NULL, 2 * D, b->residual);
    must(b->ops->embed(b, out, in, COP_BF16, ids, 2, D, 1.0F, &err), &err);
    float *const got = read_buffer(b, out, 2 * D, b->residual);
    expect_close(got, values + D + 1, D, 0, 0, "row 1");
    expect_close(got + D, values + 1, D, 0, 0, "row 0");
    free(got);
    cop_buffer *const used[] = {in, out};
    drop_buffers(b, used, 2);
    free(table);
    free(values);
    drop_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rmsnorm), cmocka_unit_test(test_rmsnorm_add),
        cmocka_unit_test(test_convert), cmocka_unit_test(test_glu),
        cmocka_unit_test(test_embed),   cmocka_unit_test(test_gather),
        cmocka_unit_test(test_widen),   cmocka_unit_test(test_wrap),
    };
    return run_backend_tests("backend rows", tests, sizeof tests / sizeof tests[0]);
}
