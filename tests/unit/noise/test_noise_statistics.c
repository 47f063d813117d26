/* The noise is Gaussian, far into its tails, and nothing in it repeats or correlates. */
#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    CHUNK = 1 << 16,
    BINS_PER_SIGMA = 512,
    BINS = 16 * BINS_PER_SIGMA /* from -8 to 8 */
};

typedef struct sample {
    double count;
    double power[5]; /* sums of z^k */
    uint64_t bins[BINS];
} sample;

/* 2^28 draws; 2^26 where the scalar fill would take long, unless COPPICE_LONG_TESTS is set. */
static uint64_t draws(void)
{
    const bool slow = cop_cpu_isa() == COP_ISA_SCALAR && getenv("COPPICE_LONG_TESTS") == NULL;
    return (uint64_t)1 << (slow ? 26 : 28);
}

static void add_chunk(sample *s, const float z[CHUNK])
{
    double power[5] = {0};
    for (size_t i = 0; i < CHUNK; i++) {
        const double x = (double)z[i];
        const double square = x * x;
        power[1] += x;
        power[2] += square;
        power[3] += square * x;
        power[4] += square * square;
        s->bins[(int)((x + 8.0) * BINS_PER_SIGMA)]++;
    }
    for (int k = 1; k < 5; k++) {
        s->power[k] += power[k];
    }
    s->count += CHUNK;
}

static double below(double x)
{
    return 0.5 * erfc(-x / 1.41421356237309504880);
}

static void check_moments(const sample *s)
{
    const double n = s->count;
    const double mean = s->power[1] / n;
    const double variance = s->power[2] / n;
    const double third = s->power[3] / n;
    const double fourth = s->power[4] / n;
    print_message("%.0f draws: mean %.2e, variance - 1 %.2e, skew %.2e, kurtosis - 3 %.2e\n", n,
                  mean, variance - 1, third, fourth - 3);
    /* Four standard errors of a Gaussian's moments: 1, 2, 15 and 96. */
    assert_true(fabs(mean) < 4 * sqrt(1 / n));
    assert_true(fabs(variance - 1) < 4 * sqrt(2 / n));
    assert_true(fabs(third) < 4 * sqrt(15 / n));
    assert_true(fabs(fourth - 3) < 4 * sqrt(96 / n));
}

static void check_distribution(const sample *s)
{
    double seen = 0;
    double distance = 0;
    double chi_square = 0;
    int degrees = -1;
    for (int b = 0; b < BINS; b++) {
        const double left = (double)b / BINS_PER_SIGMA - 8.0;
        const double right = (double)(b + 1) / BINS_PER_SIGMA - 8.0;
        const double expected = s->count * (below(right) - below(left));
        seen += (double)s->bins[b];
        distance = fmax(distance, fabs(seen / s->count - below(right)));
        if (expected < 50) continue;
        const double off = (double)s->bins[b] - expected;
        chi_square += off * off / expected;
        degrees++;
    }
    const double z = (chi_square - degrees) / sqrt(2.0 * degrees);
    print_message("KS distance * sqrt(n) %.3f, chi square %.1f on %d degrees (z %.2f)\n",
                  distance * sqrt(s->count), chi_square, degrees, z);
    assert_true(distance * sqrt(s->count) < 1.95); /* one in a thousand */
    assert_true(fabs(z) < 4);
}

/* Counts beyond 3, 4, 5 sigma, each side, against Poisson; nothing beyond the last u. */
static void check_tails(const sample *s)
{
    for (int sigma = 3; sigma <= 5; sigma++) {
        const double expected = s->count * below(-sigma);
        uint64_t low = 0;
        uint64_t high = 0;
        for (int b = 0; b < (8 - sigma) * BINS_PER_SIGMA; b++) {
            low += s->bins[b];
            high += s->bins[BINS - 1 - b];
        }
        print_message("beyond %d sigma: %.0f and %.0f, expected %.1f\n", sigma, (double)low,
                      (double)high, expected);
        assert_true(fabs((double)low - expected) < 4 * sqrt(expected) + 1);
        assert_true(fabs((double)high - expected) < 4 * sqrt(expected) + 1);
    }
    for (int b = 0; b < BINS_PER_SIGMA; b++) {
        assert_int_equal(s->bins[b] + s->bins[BINS - 1 - b], 0);
    }
}

static void test_draws_are_gaussian(void **state)
{
    (void)state;
    sample *const s = cop_memory_alloc(1, sizeof *s, NULL);
    float *const z = cop_memory_alloc_raw(CHUNK, sizeof *z, NULL);
    assert_non_null(s);
    assert_non_null(z);
    const uint64_t total = draws();
    for (uint64_t done = 0; done < total; done += CHUNK) {
        /* Sixteen seeds, as a population has. */
        const uint64_t seed = done * 16 / total;
        cop_noise_fill(z, seed, 0x12345678, done, CHUNK, cop_cpu_isa());
        add_chunk(s, z);
    }
    check_moments(s);
    check_distribution(s);
    check_tails(s);
    cop_memory_free(z);
    cop_memory_free(s);
}

/* A stretch of noise, named by what it is drawn from. */
typedef struct source {
    uint64_t seed;
    uint64_t first;
    uint32_t tensor;
} source;

/* Correlation of two stretches, and of their squares, which share a radius if anything does. */
static void check_streams(source a, cop_noise_stream in_a, source b, cop_noise_stream in_b,
                          const char *what)
{
    enum { COUNT = 1 << 20 };
    float *const x = cop_memory_alloc_raw(COUNT, sizeof *x, NULL);
    float *const y = cop_memory_alloc_raw(COUNT, sizeof *y, NULL);
    assert_non_null(x);
    assert_non_null(y);
    cop_noise_stream_fill(x, a.seed, in_a, a.tensor, a.first, COUNT, cop_cpu_isa());
    cop_noise_stream_fill(y, b.seed, in_b, b.tensor, b.first, COUNT, cop_cpu_isa());
    double product = 0;
    double squares = 0;
    for (size_t i = 0; i < COUNT; i++) {
        const double u = (double)x[i];
        const double v = (double)y[i];
        product += u * v;
        squares += (u * u - 1) * (v * v - 1);
    }
    /* Each z is standard normal if the two are independent. */
    const double z1 = product / sqrt(COUNT);
    const double z2 = squares / (2 * sqrt(COUNT));
    if (fabs(z1) > 4.5 || fabs(z2) > 4.5) {
        fail_msg("%s: z %.2f of the values, %.2f of the squares", what, z1, z2);
    }
    cop_memory_free(x);
    cop_memory_free(y);
}

static void check_unrelated(source a, source b, const char *what)
{
    check_streams(a, COP_STREAM_WEIGHTS, b, COP_STREAM_WEIGHTS, what);
}

static void test_tensors_and_seeds_are_unrelated(void **state)
{
    (void)state;
    const source base = {1, 0, 7};
    check_unrelated(base, (source){1, 0, 8}, "next tensor id");
    check_unrelated(base, (source){1, 0, 7U | 1U << 31}, "tensor id, top bit");
    check_unrelated(base, (source){2, 0, 7}, "next seed");
    check_unrelated(base, (source){1 | (uint64_t)1 << 32, 0, 7}, "seed, high word");
    check_unrelated(base, (source){(uint64_t)1 << 32, 0, 7}, "seed, words exchanged");
    check_unrelated(base, (source){7, 0, 1}, "seed and tensor exchanged");
    check_unrelated(base, (source){1, (uint64_t)1 << 34, 7}, "block, high word");
    const char *const names[] = {
        "model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight",
        "model.layers.0.self_attn.o_proj.weight", "model.layers.0.self_attn.k_proj.weight"};
    for (size_t i = 1; i < sizeof names / sizeof names[0]; i++) {
        check_unrelated((source){1, 0, cop_noise_tensor_id(names[0])},
                        (source){1, 0, cop_noise_tensor_id(names[i])}, names[i]);
    }
}

static void test_streams_are_unrelated(void **state)
{
    (void)state;
    const source base = {1, 0, 7};
    for (int a = COP_STREAM_WEIGHTS; a <= COP_STREAM_RIGHT; a++) {
        for (int b = a + 1; b <= COP_STREAM_RIGHT; b++)
            check_streams(base, (cop_noise_stream)a, base, (cop_noise_stream)b, "streams");
    }
}

static void test_neighbours_are_unrelated(void **state)
{
    (void)state;
    for (uint64_t lag = 1; lag <= 64; lag++) {
        check_unrelated((source){3, 0, 9}, (source){3, lag, 9}, "neighbouring elements");
    }
    check_unrelated((source){3, 0, 9}, (source){3, 896, 9}, "rows of 896");
    check_unrelated((source){3, 0, 9}, (source){3, 4096, 9}, "rows of 4096");
}

/* Correlation over the positions of one residue alone, so that it cannot hide in an average. */
static void test_the_two_of_a_pair_are_unrelated(void **state)
{
    (void)state;
    enum { COUNT = 1 << 22 };
    float *const z = cop_memory_alloc_raw(COUNT, sizeof *z, NULL);
    assert_non_null(z);
    cop_noise_fill(z, 11, 12, 0, COUNT, cop_cpu_isa());
    for (size_t a = 0; a < 4; a++) {
        for (size_t b = a + 1; b < 4; b++) {
            double sums[4] = {
                0}; /* xy, x^2 y^2, |x| y, sign(x) sign(y) |y|^3, each of mean 0 */
            for (size_t i = 0; i < COUNT; i += 4) {
                const double x = (double)z[i + a];
                const double y = (double)z[i + b];
                sums[0] += x * y;
                sums[1] += (x * x - 1) * (y * y - 1) / 2;
                sums[2] += fabs(x) * y;
                sums[3] += copysign(1, x) * y * y * y / sqrt(15);
            }
            for (int k = 0; k < 4; k++) {
                assert_true(fabs(sums[k]) < 4.5 * sqrt(COUNT / 4));
            }
        }
    }
    cop_memory_free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_are_gaussian),
        cmocka_unit_test(test_tensors_and_seeds_are_unrelated),
        cmocka_unit_test(test_streams_are_unrelated),
        cmocka_unit_test(test_neighbours_are_unrelated),
        cmocka_unit_test(test_the_two_of_a_pair_are_unrelated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
