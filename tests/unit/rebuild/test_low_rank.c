/* Weights rebuilt with noise of low rank against the formula written out, bit for bit. */
#include "coppice/base/digest.h"
#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"
#include "coppice/rebuild/rebuild.h"
#include "rebuild/factors.h"

#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 30000, MOST_BYTES = MOST * 4, MOST_COMPONENTS = 17 };

/* Buffers of one test, and the counter of its generator. */
typedef struct bench {
    unsigned char base[MOST_BYTES];
    unsigned char out[MOST_BYTES];
    unsigned char expected[MOST_BYTES];
    float sums[MOST];
    cop_component components[MOST_COMPONENTS];
    uint64_t drawn;
} bench;

static uint64_t next_bits(bench *b)
{
    return cop_noise_bits(816, COP_STREAM_BOOTSTRAP, 3, b->drawn++);
}

static size_t next_below(bench *b, size_t limit)
{
    return (size_t)(next_bits(b) % limit);
}

static int set_up(void **state)
{
    *state = cop_memory_alloc(1, sizeof(bench), NULL);
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    cop_memory_free(*state);
    return 0;
}

static void draw_base(bench *b, cop_dtype dtype)
{
    for (size_t i = 0; i < MOST; i++) {
        const float weight = 0.02F * cop_noise_at(1, 1, i);
        const uint16_t half =
            dtype == COP_F16 ? cop_f32_to_f16(weight) : cop_f32_to_bf16(weight);
        if (dtype == COP_F32) {
            memcpy(b->base + 4 * i, &weight, sizeof weight);
        } else {
            memcpy(b->base + 2 * i, &half, sizeof half);
        }
    }
}

/* Components, of which some form sums: up to five in a row, at any place. */
static void draw_components(bench *b, size_t count, bool sums)
{
    for (size_t j = 0; j < count; j++) {
        b->components[j].seed = next_bits(b);
        b->components[j].amplitude = 1e-5F * (float)((int)next_below(b, 2001) - 1000);
        b->components[j].factor = 0;
    }
    for (size_t j = 0; j < count && sums;) {
        const size_t length = next_below(b, 6);
        for (size_t i = 1; i < length && j + 1 < count; i++)
            b->components[j++].factor = COP_IN_SUM;
        b->components[j++].factor = length == 0 ? 0 : 0.25F + (float)next_below(b, 8);
    }
}

/* A piece of a matrix that may be wide or narrow, anywhere in it, of at most so many products
 * of a component. */
static cop_rebuild_piece draw_piece(bench *b, cop_dtype dtype, size_t most)
{
    static const size_t widths[] = {1, 3, 16, 24, 64, 100, 512, 530, 1100, 7000};
    const size_t columns = widths[next_below(b, sizeof widths / sizeof widths[0])];
    const size_t rows = 1 + next_below(b, 2 * most / columns + 40);
    const size_t all = rows * columns;
    cop_rebuild_piece piece = {.base = b->base,
                               .out = b->out,
                               .dtype = dtype,
                               .tensor = (uint32_t)next_bits(b),
                               .scale = next_below(b, 2) == 0 ? 1.0F : 0.37F};
    piece.low = (cop_low_rank){1 + next_below(b, 5), rows, columns};
    if (next_below(b, 6) == 0) piece.low.rank = 1 + next_below(b, COP_MOST_RANK);
    piece.first = next_below(b, all + 1);
    piece.count = next_below(b, all - (size_t)piece.first + 1);
    if (next_below(b, 3) == 0) { /* whole rows */
        piece.first -= piece.first % columns;
        piece.count = (all - (size_t)piece.first) / columns * columns;
    }
    if (piece.count * piece.low.rank > most) piece.count = most / piece.low.rank;
    return piece;
}

static float load(const unsigned char *at, cop_dtype dtype)
{
    uint16_t half;
    float value;
    memcpy(&half, at, sizeof half);
    if (dtype == COP_BF16) return cop_bf16_to_f32(half);
    if (dtype == COP_F16) return cop_f16_to_f32(half);
    memcpy(&value, at, sizeof value);
    return value;
}

static void store(unsigned char *at, float value, cop_dtype dtype)
{
    const uint16_t half = dtype == COP_BF16 ? cop_f32_to_bf16(value) : cop_f32_to_f16(value);
    if (dtype == COP_F32) {
        memcpy(at, &value, sizeof value);
    } else {
        memcpy(at, &half, sizeof half);
    }
}

/* `sum` with one component's products added. */
static float add_products(const cop_rebuild_piece *piece, const cop_component *c,
                          float amplitude, size_t i, float sum)
{
    const cop_low_rank *const low = &piece->low;
    const uint64_t index = piece->first + i;
    const size_t row = (size_t)(index / low->columns);
    const size_t column = (size_t)(index % low->columns);
    const float factor = amplitude / sqrtf((float)low->rank);
    for (size_t k = 0; k < low->rank; k++) {
        const float left =
            cop_noise_stream_at(c->seed, COP_STREAM_LEFT, piece->tensor, k * low->rows + row);
        const float right = cop_noise_stream_at(c->seed, COP_STREAM_RIGHT, piece->tensor,
                                                k * low->columns + column);
        sum = fmaf(factor * left, right, sum);
    }
    return sum;
}

/* The formula of rebuild.h, one element after the other. \return the elements it leaves alone.
 */
static uint64_t reference(const cop_rebuild_piece *piece, const cop_component *components,
                          size_t count, unsigned char *out)
{
    const size_t size = cop_dtype_size(piece->dtype);
    const unsigned char *const base = piece->base;
    uint64_t unmoved = 0;
    for (size_t i = 0; i < piece->count; i++) {
        float sum = load(base + i * size, piece->dtype);
        float own = 0;
        for (size_t j = 0; j < count; j++) {
            const cop_component *const c = &components[j];
            if (c->factor == 0.0F) {
                sum = add_products(piece, c, c->amplitude * piece->scale, i, sum);
                continue;
            }
            own = add_products(piece, c, c->amplitude, i, own);
            if (c->factor == COP_IN_SUM) continue;
            sum = fmaf(c->factor * piece->scale, own, sum);
            own = 0;
        }
        store(out + i * size, sum, piece->dtype);
        unmoved += memcmp(out + i * size, base + i * size, size) == 0;
    }
    return unmoved;
}

static bool same(const bench *b, const cop_rebuild_piece *piece)
{
    return memcmp(b->out, b->expected, piece->count * cop_dtype_size(piece->dtype)) == 0;
}

/* Random shapes by every instruction set, by 1 to 3 threads, factors drawn before or not. */
static void test_random_pieces_equal_the_formula(void **state)
{
    bench *const b = *state;
    if (cop_cpu_isa() < COP_ISA_AVX512) {
        print_message("not run: instruction sets above %s (processor, or COPPICE_ISA)\n",
                      cop_isa_name(cop_cpu_isa()));
    }
    for (int trial = 0; trial < 120; trial++) {
        const cop_dtype dtype = (cop_dtype)(trial % 3);
        const size_t count = 1 + next_below(b, trial % 8 == 0 ? MOST_COMPONENTS : 3);
        cop_rebuild_piece piece = draw_piece(b, dtype, trial % 10 == 0 ? MOST : 6000);
        draw_base(b, dtype);
        draw_components(b, count, trial % 2 == 0);
        const uint64_t unmoved = reference(&piece, b->components, count, b->expected);
        for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
            const int threads = 1 + (int)next_below(b, 3);
            cop_rebuild_factors *factors = NULL;
            if (next_below(b, 2) == 0)
                factors = cop_rebuild_factors_create(&piece, b->components, count, threads,
                                                     (cop_isa)isa);
            piece.factors = factors;
            memset(b->out, 0xa5, MOST_BYTES);
            cop_rebuild_run(&piece, b->components, count, threads, (cop_isa)isa);
            assert_true(same(b, &piece));
            const size_t end = piece.count * cop_dtype_size(dtype);
            for (size_t i = end; i < MOST_BYTES && i < end + 256; i++)
                assert_int_equal(b->out[i], 0xa5);
            assert_int_equal(
                cop_rebuild_count_unmoved(&piece, b->components, count, threads, (cop_isa)isa),
                unmoved);
            cop_rebuild_factors_destroy(&factors);
        }
    }
}

/* Pieces cut anywhere give the bytes of the whole, in place too, at odd addresses too. */
static void test_splits_equal_the_whole(void **state)
{
    bench *const b = *state;
    for (int trial = 0; trial < 60; trial++) {
        const cop_dtype dtype = (cop_dtype)(trial % 3);
        const size_t size = cop_dtype_size(dtype);
        cop_rebuild_piece whole = draw_piece(b, dtype, MOST / 2);
        const size_t shift = (size_t)trial % 2;
        draw_base(b, dtype);
        draw_components(b, 3, true);
        whole.out = b->expected;
        cop_rebuild_run(&whole, b->components, 3, 2, cop_cpu_isa());
        memcpy(b->out + shift, b->base, whole.count * size);
        for (size_t done = 0; done < whole.count;) {
            cop_rebuild_piece part = whole;
            part.base = b->out + shift + done * size;
            part.out = b->out + shift + done * size;
            part.first += done;
            part.count = 1 + next_below(b, whole.count - done);
            cop_rebuild_run(&part, b->components, 3, 1 + trial % 3,
                            (cop_isa)next_below(b, (size_t)cop_cpu_isa() + 1));
            done += part.count;
        }
        assert_memory_equal(b->out + shift, b->expected, whole.count * size);
    }
}

/* Sums kept after some components and taken up later end in the bits of one pass. */
static void test_two_steps_equal_one(void **state)
{
    bench *const b = *state;
    for (int trial = 0; trial < 30; trial++) {
        const size_t first = next_below(b, 8);
        cop_rebuild_piece piece = draw_piece(b, (cop_dtype)(trial % 3), MOST);
        draw_base(b, piece.dtype);
        draw_components(b, 7, false);
        for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
            cop_rebuild_piece step = piece;
            step.out = b->expected;
            cop_rebuild_run(&step, b->components, 7, 1, (cop_isa)isa);
            step.keep_sums = true;
            step.out = b->sums;
            cop_rebuild_run(&step, b->components, first, 2, (cop_isa)isa);
            step.base_is_sums = true;
            step.base = b->sums;
            step.keep_sums = false;
            step.out = b->out;
            cop_rebuild_run(&step, b->components + first, 7 - first, 3, (cop_isa)isa);
            assert_true(same(b, &piece));
        }
    }
}

/* A direction that is summed once and added as it is gives the bits of its components. */
static void test_a_known_sum_equals_its_components(void **state)
{
    bench *const b = *state;
    for (int trial = 0; trial < 30; trial++) {
        cop_rebuild_piece piece = draw_piece(b, (cop_dtype)(trial % 3), MOST);
        draw_base(b, piece.dtype);
        draw_components(b, 6, false);
        for (size_t j = 0; j < 6; j++)
            b->components[j].factor = j == 5 ? 0.7F : COP_IN_SUM;
        const cop_rebuild_sum sum = {b->components, 6, b->sums};
        for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
            piece.sum = NULL;
            piece.out = b->expected;
            cop_rebuild_run(&piece, b->components, 6, 1, (cop_isa)isa);
            assert_int_equal(cop_rebuild_sums(&sum, 1, piece.tensor, piece.low, piece.first,
                                              piece.count, 1 + trial % 3, (cop_isa)isa, NULL),
                             COP_OK);
            piece.sum = b->sums;
            piece.factor = 0.7F;
            piece.out = b->out;
            cop_rebuild_run(&piece, NULL, 0, 2, (cop_isa)isa);
            assert_true(same(b, &piece));
        }
    }
}

/* Rectangles of whole rows are cut from the same numbers, for full noise as well. */
static void test_rectangles_equal_the_piece(void **state)
{
    bench *const b = *state;
    for (int trial = 0; trial < 80; trial++) {
        cop_rebuild_piece piece = draw_piece(b, (cop_dtype)(trial % 3), MOST);
        const size_t size = cop_dtype_size(piece.dtype);
        const size_t width = piece.low.columns;
        const size_t rows = piece.count / width;
        if (rows == 0) continue;
        piece.first -= piece.first % width;
        piece.count = rows * width;
        if (trial % 4 == 0) piece.low = (cop_low_rank){0};
        draw_base(b, piece.dtype);
        draw_components(b, 4, true);
        piece.out = b->expected;
        cop_rebuild_run(&piece, b->components, 4, 1, cop_cpu_isa());
        cop_rebuild_rectangle r = {
            .width = width, .row = next_below(b, rows), .column = next_below(b, width)};
        r.rows = 1 + next_below(b, rows - r.row);
        r.columns = 1 + next_below(b, width - r.column);
        r.stride = r.columns + next_below(b, 2);
        if (r.rows * r.stride > MOST) continue;
        cop_rebuild_factors *factors =
            cop_rebuild_factors_create(&piece, b->components, 4, 2, cop_cpu_isa());
        piece.factors = trial % 2 == 0 ? factors : NULL;
        piece.out = b->out;
        cop_rebuild_run_rectangle(&piece, b->components, 4, &r, cop_cpu_isa());
        for (size_t i = 0; i < r.rows; i++)
            assert_memory_equal(b->out + i * r.stride * size,
                                b->expected + ((r.row + i) * width + r.column) * size,
                                r.columns * size);
        cop_rebuild_factors_destroy(&factors);
    }
}

/* What a memory plan counts is what is taken, and no more than the most that is kept. */
static void test_bytes_of_factors(void **state)
{
    bench *const b = *state;
    enum { ROWS = 48, COLUMNS = 96, RANK = 5, SIDE = 64 << 20 };
    draw_components(b, 4, false);
    const cop_rebuild_piece piece = {.base = b->base,
                                     .dtype = COP_F32,
                                     .count = (size_t)ROWS * COLUMNS,
                                     .scale = 1,
                                     .low = {RANK, ROWS, COLUMNS}};
    const uint64_t planned = cop_rebuild_factors_bytes(ROWS, COLUMNS, (size_t)4 * RANK);
    cop_rebuild_factors *kept =
        cop_rebuild_factors_create(&piece, b->components, 4, 1, cop_cpu_isa());
    assert_non_null(kept);
    const uint64_t taken = malloc_usable_size(kept->left) + malloc_usable_size(kept->right);
    assert_in_range(planned, taken - 256, taken);
    cop_rebuild_factors_destroy(&kept);
    assert_int_equal(cop_rebuild_factors_bytes(ROWS, COLUMNS, 0), 0);
    assert_int_equal(cop_rebuild_factors_bytes(1, COLUMNS, 1), (16 + COLUMNS) * sizeof(float));
    assert_int_equal(cop_rebuild_factors_bytes(ROWS, COLUMNS, SIZE_MAX), 2 * SIDE);
    assert_int_equal(cop_rebuild_factors_bytes(SIDE, 16, 2), SIDE + 2 * 16 * sizeof(float));
}

static void test_nothing_to_add_copies_every_bit(void **state)
{
    bench *const b = *state;
    for (size_t i = 0; i < MOST_BYTES; i++)
        b->base[i] = (unsigned char)next_bits(b);
    draw_components(b, 2, false);
    cop_rebuild_piece piece = {
        .base = b->base, .out = b->out, .dtype = COP_BF16, .count = 6000, .low = {4, 60, 100}};
    cop_rebuild_run(&piece, b->components, 2, 2, cop_cpu_isa()); /* scale 0 */
    assert_memory_equal(b->out, b->base, 12000);
    piece.scale = 1;
    memset(b->out, 0, MOST_BYTES);
    cop_rebuild_run(&piece, NULL, 0, 2, cop_cpu_isa());
    assert_memory_equal(b->out, b->base, 12000);
    piece.count = 0;
    memset(b->out, 0x5a, 16);
    cop_rebuild_run(&piece, b->components, 2, 2, cop_cpu_isa());
    assert_int_equal(b->out[0], 0x5a);
}

/* Noise of rank `rank` by itself, of amplitude 1, of a matrix [rows, columns]. */
static void draw_noise(bench *b, uint64_t seed, cop_low_rank low)
{
    const cop_component one = {.seed = seed, .amplitude = 1};
    const cop_rebuild_sum sum = {&one, 1, b->sums};
    assert_int_equal(
        cop_rebuild_sums(&sum, 1, 77, low, 0, low.rows * low.columns, 2, cop_cpu_isa(), NULL),
        COP_OK);
}

/* Each entry over many seeds, so that what entries share does not matter: mean 0, variance 1,
 * and no correlation with a neighbour in its row, its column or across. */
static void test_entries_have_mean_0_and_variance_1(void **state)
{
    bench *const b = *state;
    enum { SEEDS = 40000, TERMS = 5 };
    static const size_t ranks[] = {1, 4, COP_MOST_RANK};
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
        double sums[TERMS] = {0};
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            draw_noise(b, seed, (cop_low_rank){ranks[i], 2, 2});
            const double z[4] = {(double)b->sums[0], (double)b->sums[1], (double)b->sums[2],
                                 (double)b->sums[3]};
            sums[0] += z[0];
            sums[1] += z[0] * z[0] - 1;
            sums[2] += z[0] * z[1];
            sums[3] += z[0] * z[2];
            sums[4] += z[0] * z[3];
        }
        /* Variances of these terms: of a square 2 + 6 / rank, of neighbours' products 1 + 2 /
         * rank, across 1. */
        const double r = (double)ranks[i];
        const double variance[TERMS] = {1, 2 + 6 / r, 1 + 2 / r, 1 + 2 / r, 1};
        for (size_t t = 0; t < TERMS; t++) {
            const double z = sums[t] / sqrt(SEEDS * variance[t]);
            if (fabs(z) > 4.5) fail_msg("rank %g, term %zu: z %.2f", r, t, z);
        }
    }
}

/* Any minor of one more than the rank is zero, and one of the rank is not. */
static void test_the_rank_is_the_rank(void **state)
{
    bench *const b = *state;
    draw_noise(b, 3, (cop_low_rank){1, 40, 50});
    const float *const z = b->sums;
    for (size_t i = 1; i < 40; i++) {
        for (size_t j = 1; j < 50; j++) {
            const double own = (double)z[0] * (double)z[i * 50 + j];
            const double other = (double)z[j] * (double)z[i * 50];
            assert_true(fabs(own - other) <= 1e-5 * (fabs(own) + fabs(other)));
        }
    }
    draw_noise(b, 3, (cop_low_rank){2, 40, 50});
    const double minor = (double)z[0] * (double)z[51] - (double)z[1] * (double)z[50];
    assert_true(fabs(minor) > 1e-3);
}

/* The first bits of a fixed case: neither streams nor the order of elements may change. */
static void test_pinned_digest(void **state)
{
    bench *const b = *state;
    char hex[COP_DIGEST_HEX_BYTES];
    draw_base(b, COP_BF16);
    const cop_component components[] = {{.seed = 1, .amplitude = 0.01F},
                                        {.seed = UINT64_MAX, .amplitude = -0.02F}};
    const cop_rebuild_piece piece = {.base = b->base,
                                     .out = b->out,
                                     .dtype = COP_BF16,
                                     .count = MOST,
                                     .tensor = cop_noise_tensor_id("lm_head.weight"),
                                     .scale = 1,
                                     .low = {4, 300, 100}};
    cop_rebuild_run(&piece, components, 2, 2, cop_cpu_isa());
    assert_int_equal(cop_digest_bytes(b->out, 2 * (size_t)MOST, hex, NULL), COP_OK);
    assert_string_equal(hex,
                        "d7448ffdf98902e1e75786c666cec72efaed518a621050c3c125f0b304b74a83");
}

#define BENCH_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_random_pieces_equal_the_formula),
        BENCH_TEST(test_splits_equal_the_whole),
        BENCH_TEST(test_two_steps_equal_one),
        BENCH_TEST(test_a_known_sum_equals_its_components),
        BENCH_TEST(test_rectangles_equal_the_piece),
        BENCH_TEST(test_bytes_of_factors),
        BENCH_TEST(test_nothing_to_add_copies_every_bit),
        BENCH_TEST(test_entries_have_mean_0_and_variance_1),
        BENCH_TEST(test_the_rank_is_the_rank),
        BENCH_TEST(test_pinned_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
