/* Argmax and log-probabilities of every backend. */
#include "unit/backend/backend_support.h"

static int32_t argmax_of(cop_backend *b, const float *row, size_t count)
{
    cop_error err = {0};
    int32_t id = -2;
    cop_buffer *const buffer = make_buffer(b, row, count, b->output);
    must(b->ops->argmax(b, buffer, 1, count, &id, &err), &err);
    drop_buffers(b, &buffer, 1);
    return id;
}

/* The largest at every place of a row, first among equals, whatever lies around it. */
static void test_argmax_ties(void **state)
{
    pair p = make_pair(*state);
    rng r = {21};
    static const size_t counts[] = {1, 2, 15, 16, 17, 512, 1023, 1024, 1025, 3000};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        const size_t count = counts[c];
        float *const row = make_floats(&r, count, true);
        for (int t = 0; t < 20; t++) {
            const size_t first = rng_between(&r, 0, count - 1);
            const size_t second = rng_between(&r, 0, count - 1);
            const float kept[2] = {row[first], row[second]};
            row[first] = row[second] = 2.0F;
            assert_int_equal(argmax_of(p.b[0], row, count), first < second ? first : second);
            row[second] = kept[1];
            row[first] = first == second ? kept[1] : kept[0];
        }
        for (size_t i = 0; i < count; i++) {
            row[i] = -3.5F;
        }
        assert_int_equal(argmax_of(p.b[0], row, count), 0);
        free(row);
    }
    drop_pair(&p);
}

#if defined(__x86_64__)
/* x87 registers in use, one bit each: the tags of its environment. */
static unsigned busy_x87(void)
{
    struct {
        uint16_t control, reserved1, status, reserved2, tags, reserved3, rest[8];
    } environment;
    __asm__ volatile("fnstenv %0" : "=m"(environment));
    return 0xffffU & ~(unsigned)environment.tags;
}

/* A register of MMX in use is one of x87 in use: long double would give NaN from then on. */
static void test_leaves_x87_alone(void **state)
{
    pair p = make_pair(*state);
    rng r = {22};
    static const size_t counts[] = {1, 2, 3, 5, 8, 17, 512, 1025};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        float *const row = make_floats(&r, counts[c], true);
        (void)argmax_of(p.b[0], row, counts[c]);
        assert_int_equal(busy_x87(), 0);
        free(row);
    }
    drop_pair(&p);
}
#endif

static void test_argmax_special(void **state)
{
    pair p = make_pair(*state);
    float row[40];
    for (size_t i = 0; i < 40; i++) {
        row[i] = -1.0F - (float)i;
    }
    row[13] = -0.0F;
    row[29] = 0.0F; /* equal to -0 */
    assert_int_equal(argmax_of(p.b[0], row, 40), 13);
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < 40; i++) {
            const float kept = row[i];
            row[i] = bad[k];
            assert_int_equal(argmax_of(p.b[0], row, 40), -1);
            row[i] = kept;
        }
    }
    row[3] = 3e38F;
    assert_int_equal(argmax_of(p.b[0], row, 40), 3);
    row[3] = 1e-44F; /* subnormal, above zero */
    assert_int_equal(argmax_of(p.b[0], row, 40), 3);
    drop_pair(&p);
}

static void test_argmax_rows(void **state)
{
    pair p = make_pair(*state);
    rng r = {22};
    enum { V = 1500, T = 37 };
    float *const logits = make_floats(&r, (size_t)T * V, true);
    logits[5 * V + 700] = NAN;
    int32_t ids[2][T];
    for (int k = 0; k < 2; k++) {
        cop_error err = {0};
        cop_buffer *const buffer = make_buffer(p.b[k], logits, (size_t)T * V, p.b[k]->output);
        must(p.b[k]->ops->argmax(p.b[k], buffer, T, V, ids[k], &err), &err);
        must(p.b[k]->ops->argmax(p.b[k], buffer, 0, V, ids[k], &err), &err);
        drop_buffers(p.b[k], &buffer, 1);
    }
    assert_memory_equal(ids[0], ids[1], sizeof ids[0]);
    assert_int_equal(ids[0][5], -1);
    free(logits);
    drop_pair(&p);
}

static void test_log_probability(void **state)
{
    pair p = make_pair(*state);
    rng r = {23};
    enum { V = 2001, T = 9 };
    float *const logits = make_floats(&r, (size_t)T * V, false);
    int32_t targets[T];
    for (size_t t = 0; t < T; t++) {
        /* From flat to one that takes all: exponents far below what binary32 holds. */
        for (size_t v = 0; v < V; v++) {
            logits[t * V + v] = logits[t * V + v] * (float)(t * t * 4) + 50.0F * (float)t;
        }
        targets[t] = (int32_t)rng_between(&r, 0, V - 1);
    }
    double out[2][T];
    for (int k = 0; k < 2; k++) {
        cop_error err = {0};
        cop_buffer *const buffer = make_buffer(p.b[k], logits, (size_t)T * V, p.b[k]->output);
        must(p.b[k]->ops->log_probability(p.b[k], buffer, T, V, targets, out[k], &err), &err);
        drop_buffers(p.b[k], &buffer, 1);
    }
    for (size_t t = 0; t < T; t++) {
        /* One unit of binary32 in each exponential is one in their sum. */
        const double bound = 5e-7 + (p.b[0]->output == COP_F32 ? 0 : 2.0);
        if (!(fabs(out[0][t] - out[1][t]) <= bound)) {
            fail_msg("row %zu: %.12g, not %.12g", t, out[0][t], out[1][t]);
        }
    }
    free(logits);
    drop_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_argmax_ties),
        cmocka_unit_test(test_argmax_special),
#if defined(__x86_64__)
        cmocka_unit_test(test_leaves_x87_alone),
#endif
        cmocka_unit_test(test_argmax_rows),
        cmocka_unit_test(test_log_probability),
    };
    return run_backend_tests("backend logits", tests, sizeof tests / sizeof tests[0]);
}
