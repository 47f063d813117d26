/* Rebuilt weights against the formula written out, bit for bit. */
#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"
#include "coppice/rebuild/rebuild.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 40000, MOST_BYTES = MOST * 4, MOST_COMPONENTS = 17 };

/* Buffers of one test, and the counter of its generator. */
typedef struct bench {
    unsigned char *base;     /* [MOST_BYTES] */
    unsigned char *out;      /* [MOST_BYTES] */
    unsigned char *expected; /* [MOST_BYTES] */
    cop_component components[MOST_COMPONENTS];
    uint64_t drawn;
} bench;

static uint64_t next_bits(bench *b)
{
    return cop_noise_bits(815, COP_STREAM_BOOTSTRAP, 2, b->drawn++);
}

static size_t next_below(bench *b, size_t limit)
{
    return (size_t)(next_bits(b) % limit);
}

static int set_up(void **state)
{
    bench *const b = cop_memory_alloc(1, sizeof *b, NULL);
    if (b == NULL) return -1;
    b->base = cop_memory_alloc(MOST_BYTES, 1, NULL);
    b->out = cop_memory_alloc(MOST_BYTES, 1, NULL);
    b->expected = cop_memory_alloc(MOST_BYTES, 1, NULL);
    *state = b;
    return b->base == NULL || b->out == NULL || b->expected == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    bench *const b = *state;
    cop_memory_free(b->base);
    cop_memory_free(b->out);
    cop_memory_free(b->expected);
    cop_memory_free(b);
    return 0;
}

/* Weights as models have them, or any bits at all: subnormals, infinities, NaNs. */
static void draw_base(bench *b, cop_dtype dtype, bool any_bits)
{
    for (size_t i = 0; i < MOST; i++) {
        const uint64_t bits = next_bits(b);
        const uint32_t any = (uint32_t)(bits >> 32);
        const float weight = 0.02F * cop_noise_at(1, 1, i) * (any_bits ? 0.0F : 1.0F);
        uint32_t word = any;
        if (!any_bits) memcpy(&word, &weight, sizeof word);
        uint16_t half = (uint16_t)word;
        if (!any_bits)
            half = dtype == COP_F16 ? cop_f32_to_f16(weight) : cop_f32_to_bf16(weight);
        if (dtype == COP_F32) {
            memcpy(b->base + 4 * i, &word, sizeof word);
        } else {
            memcpy(b->base + 2 * i, &half, sizeof half);
        }
    }
}

static void draw_components(bench *b, size_t count, float size)
{
    for (size_t j = 0; j < count; j++) {
        b->components[j].seed = next_bits(b);
        b->components[j].amplitude = size * (float)((int)next_below(b, 2001) - 1000);
        b->components[j].factor = 0;
    }
}

/* Makes sums of some of them: up to five in a row, at any place. */
static void draw_sums(bench *b, size_t count)
{
    for (size_t j = 0; j < count;) {
        const size_t length = next_below(b, 6);
        for (size_t i = 1; i < length && j + 1 < count; i++)
            b->components[j++].factor = COP_IN_SUM;
        b->components[j++].factor = length == 0 ? 0 : 0.25F + (float)next_below(b, 8);
    }
}

static float load(const unsigned char *at, cop_dtype dtype)
{
    uint32_t word;
    uint16_t half;
    float value;
    memcpy(&half, at, sizeof half);
    if (dtype == COP_BF16) return cop_bf16_to_f32(half);
    if (dtype == COP_F16) return cop_f16_to_f32(half);
    memcpy(&word, at, sizeof word);
    memcpy(&value, &word, sizeof value);
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

/* The formula of rebuild.h, one element after the other. \return the elements it leaves alone.
 */
static uint64_t reference(const cop_rebuild_piece *piece, const cop_component *components,
                          size_t component_count, unsigned char *out)
{
    const size_t size = cop_dtype_size(piece->dtype);
    const unsigned char *const base = piece->base;
    uint64_t unmoved = 0;
    for (size_t i = 0; i < piece->count; i++) {
        float sum = load(base + i * size, piece->dtype);
        float own = 0;
        for (size_t j = 0; j < component_count; j++) {
            const cop_component *const c = &components[j];
            const float z = cop_noise_at(c->seed, piece->tensor, piece->first + i);
            if (c->factor == 0.0F) {
                sum = fmaf(c->amplitude * piece->scale, z, sum);
                continue;
            }
            own = fmaf(c->amplitude, z, own);
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

/* Random shapes by every instruction set and by 1 to 3 threads. */
static void check_random(bench *b, cop_dtype dtype, bool any_bits, int trials)
{
    static const size_t component_counts[] = {1, 2, MOST_COMPONENTS};
    draw_base(b, dtype, any_bits);
    for (int trial = 0; trial < trials; trial++) {
        const size_t component_count = component_counts[trial % 3];
        cop_rebuild_piece piece = {.base = b->base, .out = b->out, .dtype = dtype};
        piece.count = next_below(b, trial % 4 == 0 ? MOST / component_count : 6000);
        piece.first = next_bits(b) >> next_below(b, 60);
        if (trial % 5 == 0) piece.first = ((uint64_t)1 << 34) - next_below(b, 9000);
        piece.tensor = (uint32_t)next_bits(b);
        piece.scale = trial % 2 == 0 ? 1.0F : 0.37F;
        draw_components(b, component_count, 1e-5F);
        if (trial % 2 == 1) draw_sums(b, component_count);
        const uint64_t unmoved = reference(&piece, b->components, component_count, b->expected);
        for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
            const int threads = 1 + (int)next_below(b, 3);
            memset(b->out, 0xa5, MOST_BYTES);
            cop_rebuild_run(&piece, b->components, component_count, threads, (cop_isa)isa);
            assert_true(same(b, &piece));
            const size_t end = piece.count * cop_dtype_size(dtype);
            for (size_t i = end; i < MOST_BYTES && i < end + 256; i++) {
                assert_int_equal(b->out[i], 0xa5);
            }
            assert_int_equal(cop_rebuild_count_unmoved(&piece, b->components, component_count,
                                                       threads, (cop_isa)isa),
                             unmoved);
        }
    }
}

static void test_random_pieces_equal_the_formula(void **state)
{
    if (cop_cpu_isa() < COP_ISA_AVX512) {
        print_message("not run: instruction sets above %s (processor, or COPPICE_ISA)\n",
                      cop_isa_name(cop_cpu_isa()));
    }
    check_random(*state, COP_BF16, false, 24);
    check_random(*state, COP_F16, false, 24);
    check_random(*state, COP_F32, false, 24);
}

static void test_any_stored_bits_equal_the_formula(void **state)
{
    check_random(*state, COP_BF16, true, 12);
    check_random(*state, COP_F16, true, 12);
    check_random(*state, COP_F32, true, 12);
}

/* Every bf16 and f16 there is, with noise so small that it only quiets, and rounds halfway
 * cases if the conversions do not agree. */
static void test_every_half_survives(void **state)
{
    bench *const b = *state;
    const cop_component tiny = {.seed = 1, .amplitude = 1e-38F};
    for (int dtype = COP_BF16; dtype <= COP_F16; dtype++) {
        for (uint32_t start = 0; start < 1U << 16; start += 1U << 14) {
            for (uint32_t i = 0; i < 1U << 14; i++) {
                const uint16_t half = (uint16_t)(start + i);
                memcpy(b->base + 2 * (size_t)i, &half, sizeof half);
            }
            const cop_rebuild_piece piece = {.base = b->base,
                                             .out = b->out,
                                             .dtype = (cop_dtype)dtype,
                                             .first = start,
                                             .count = 1U << 14,
                                             .tensor = 3,
                                             .scale = 1};
            (void)reference(&piece, &tiny, 1, b->expected);
            for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
                cop_rebuild_run(&piece, &tiny, 1, 1, (cop_isa)isa);
                assert_true(same(b, &piece));
            }
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
        const size_t count = 1 + next_below(b, MOST / 3);
        draw_base(b, dtype, false);
        draw_components(b, 2, 1e-5F);
        const cop_rebuild_piece whole = {.base = b->base,
                                         .out = b->expected,
                                         .dtype = dtype,
                                         .first = next_bits(b) >> 20,
                                         .count = count,
                                         .tensor = 4,
                                         .scale = 1};
        cop_rebuild_run(&whole, b->components, 2, 2, cop_cpu_isa());
        const size_t shift = (size_t)trial % 2;
        memcpy(b->out + shift, b->base, count * size);
        for (size_t done = 0; done < count;) {
            const size_t left = count - done;
            cop_rebuild_piece part = whole;
            part.base = b->out + shift + done * size;
            part.out = b->out + shift + done * size;
            part.first += done;
            part.count = 1 + next_below(b, left);
            cop_rebuild_run(&part, b->components, 2, 1 + trial % 3,
                            (cop_isa)next_below(b, (size_t)cop_cpu_isa() + 1));
            done += part.count;
        }
        assert_memory_equal(b->out + shift, b->expected, count * size);
    }
}

/* Sums kept after some components and taken up later end in the bits of one pass. */
static void test_two_steps_equal_one(void **state)
{
    bench *const b = *state;
    float *const sums = cop_memory_alloc(MOST, sizeof *sums, NULL);
    assert_non_null(sums);
    for (int trial = 0; trial < 30; trial++) {
        const cop_dtype dtype = (cop_dtype)(trial % 3);
        const size_t components = MOST_COMPONENTS;
        const size_t first = next_below(b, components + 1);
        draw_base(b, dtype, false);
        draw_components(b, components, 1e-3F);
        cop_rebuild_piece piece = {.base = b->base,
                                   .out = b->expected,
                                   .dtype = dtype,
                                   .first = next_below(b, 9000),
                                   .count = next_below(b, 9000),
                                   .tensor = (uint32_t)next_bits(b),
                                   .scale = 0.7F};
        for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
            piece.base = b->base;
            piece.out = b->expected;
            piece.keep_sums = piece.base_is_sums = false;
            cop_rebuild_run(&piece, b->components, components, 1, (cop_isa)isa);
            piece.keep_sums = true;
            piece.out = sums;
            cop_rebuild_run(&piece, b->components, first, 2, (cop_isa)isa);
            piece.base_is_sums = true;
            piece.base = sums;
            const size_t middle = first + next_below(b, components - first + 1);
            cop_rebuild_run(&piece, b->components + first, middle - first, 2, (cop_isa)isa);
            piece.keep_sums = false;
            piece.out = b->out;
            cop_rebuild_run(&piece, b->components + middle, components - middle, 3,
                            (cop_isa)isa);
            assert_true(same(b, &piece));
        }
    }
    cop_memory_free(sums);
}

/* A sum that was added up before gives the bits of its components. */
static void test_known_sums_equal_their_components(void **state)
{
    bench *const b = *state;
    float *const sum = cop_memory_alloc(MOST, sizeof *sum, NULL);
    assert_non_null(sum);
    for (int trial = 0; trial < 30; trial++) {
        const size_t before = (size_t)trial % 3;
        const size_t count = before + 1 + next_below(b, MOST_COMPONENTS - before);
        draw_base(b, (cop_dtype)(trial % 3), false);
        draw_components(b, count, 1e-5F);
        for (size_t j = before; j + 1 < count; j++)
            b->components[j].factor = COP_IN_SUM;
        b->components[count - 1].factor = 1.5F;
        cop_rebuild_piece piece = {.base = b->base,
                                   .out = b->expected,
                                   .dtype = (cop_dtype)(trial % 3),
                                   .first = next_below(b, 9000),
                                   .count = next_below(b, 9000),
                                   .tensor = (uint32_t)next_bits(b),
                                   .scale = trial % 2 == 0 ? 1.0F : 0.37F};
        for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
            const cop_rebuild_sum known = {b->components + before, count - before, sum};
            cop_rebuild_run(&piece, b->components, count, 1, (cop_isa)isa);
            assert_int_equal(cop_rebuild_sums(&known, 1, piece.tensor, piece.low, piece.first,
                                              piece.count, 2, (cop_isa)isa, NULL),
                             COP_OK);
            cop_rebuild_piece with = piece;
            with.out = b->out;
            with.sum = sum;
            with.factor = 1.5F;
            cop_rebuild_run(&with, b->components, before, 3, (cop_isa)isa);
            assert_true(same(b, &piece));
            assert_int_equal(
                cop_rebuild_count_unmoved(&with, b->components, before, 1, (cop_isa)isa),
                cop_rebuild_count_unmoved(&piece, b->components, count, 2, (cop_isa)isa));
        }
    }
    cop_memory_free(sum);
}

/* Sums that share seeds, in the same order or not, have the bits that each has alone. */
static void test_sums_together_equal_each_alone(void **state)
{
    enum { SUMS = 5, ELEMENTS = 9001 };
    bench *const b = *state;
    float *const memory = cop_memory_alloc((SUMS + 1) * ELEMENTS, sizeof *memory, NULL);
    assert_non_null(memory);
    float *const alone = memory + SUMS * ELEMENTS;
    for (int trial = 0; trial < 20; trial++) {
        cop_component lists[SUMS][MOST_COMPONENTS];
        cop_rebuild_sum sums[SUMS];
        draw_components(b, MOST_COMPONENTS, 1e-3F);
        for (size_t k = 0; k < SUMS; k++) {
            sums[k] = (cop_rebuild_sum){.components = lists[k], .out = memory + k * ELEMENTS};
            for (size_t j = 0; j < MOST_COMPONENTS; j++) {
                const size_t from = k == 4 ? MOST_COMPONENTS - 1 - j : j; /* the other way */
                cop_component *const c = &lists[k][sums[k].count];
                if (k > 0 && next_below(b, 3) == 0) continue;
                *c = b->components[from];
                c->amplitude *= 1.0F + (float)k;
                sums[k].count++;
            }
        }
        const uint64_t first = next_bits(b) >> 30;
        const cop_isa isa = (cop_isa)next_below(b, (size_t)cop_cpu_isa() + 1);
        assert_int_equal(
            cop_rebuild_sums(sums, SUMS, 6, (cop_low_rank){0}, first, ELEMENTS, 2, isa, NULL),
            COP_OK);
        for (size_t k = 0; k < SUMS; k++) {
            const cop_rebuild_sum one = {lists[k], sums[k].count, alone};
            assert_int_equal(cop_rebuild_sums(&one, 1, 6, (cop_low_rank){0}, first, ELEMENTS, 1,
                                              COP_ISA_SCALAR, NULL),
                             COP_OK);
            assert_memory_equal(sums[k].out, alone, ELEMENTS * sizeof(float));
        }
    }
    cop_memory_free(memory);
}

static void test_nothing_to_add_copies_every_bit(void **state)
{
    bench *const b = *state;
    for (int dtype = COP_F32; dtype <= COP_F16; dtype++) {
        draw_base(b, (cop_dtype)dtype, true);
        draw_components(b, 2, 1.0F);
        cop_rebuild_piece piece = {
            .base = b->base, .out = b->out, .dtype = (cop_dtype)dtype, .count = 5000};
        const size_t bytes = piece.count * cop_dtype_size(piece.dtype);
        for (int isa = 0; isa <= (int)cop_cpu_isa(); isa++) {
            piece.scale = 1;
            memset(b->out, 0, MOST_BYTES);
            cop_rebuild_run(&piece, NULL, 0, 2, (cop_isa)isa);
            assert_memory_equal(b->out, b->base, bytes);
            assert_int_equal(cop_rebuild_count_unmoved(&piece, NULL, 0, 2, (cop_isa)isa), 5000);
            piece.scale = 0;
            memset(b->out, 0, MOST_BYTES);
            cop_rebuild_run(&piece, b->components, 2, 2, (cop_isa)isa);
            assert_memory_equal(b->out, b->base, bytes);
            assert_int_equal(
                cop_rebuild_count_unmoved(&piece, b->components, 2, 2, (cop_isa)isa), 5000);
        }
        piece.count = 0;
        piece.first = 4095;
        piece.scale = 1;
        memset(b->out, 0x5a, 16);
        cop_rebuild_run(&piece, b->components, 2, 2, cop_cpu_isa());
        assert_int_equal(b->out[0], 0x5a);
        assert_int_equal(cop_rebuild_count_unmoved(&piece, b->components, 2, 2, cop_cpu_isa()),
                         0);
    }
}

/* Coarse storage hides small steps; counting must not need an output. */
static void test_unmoved_share_falls_with_amplitude(void **state)
{
    bench *const b = *state;
    draw_base(b, COP_BF16, false);
    const cop_rebuild_piece piece = {.base = b->base,
                                     .out = NULL,
                                     .dtype = COP_BF16,
                                     .count = MOST,
                                     .tensor = 5,
                                     .scale = 1};
    uint64_t before = MOST + 1;
    for (float amplitude = 1e-7F; amplitude < 2e-2F; amplitude *= 10) {
        const cop_component one = {.seed = 6, .amplitude = amplitude};
        const uint64_t unmoved = cop_rebuild_count_unmoved(&piece, &one, 1, 2, cop_cpu_isa());
        assert_true(unmoved < before);
        before = unmoved;
    }
    assert_true(before < MOST / 100);
}

/* Components are added in their order: another order rounds differently somewhere. */
static void test_order_of_components_counts(void **state)
{
    bench *const b = *state;
    draw_base(b, COP_F32, false);
    const cop_component forth[] = {{.seed = 1, .amplitude = 1e-3F},
                                   {.seed = 2, .amplitude = 3e-2F},
                                   {.seed = 3, .amplitude = -2e-3F}};
    const cop_component back[] = {{.seed = 3, .amplitude = -2e-3F},
                                  {.seed = 2, .amplitude = 3e-2F},
                                  {.seed = 1, .amplitude = 1e-3F}};
    cop_rebuild_piece piece = {.base = b->base,
                               .out = b->out,
                               .dtype = COP_F32,
                               .count = MOST,
                               .tensor = 5,
                               .scale = 1};
    cop_rebuild_run(&piece, forth, 3, 2, cop_cpu_isa());
    piece.out = b->expected;
    cop_rebuild_run(&piece, back, 3, 2, cop_cpu_isa());
    assert_false(same(b, &piece));
}

static void *rebuild_in_thread(void *argument)
{
    const cop_component one = {.seed = 8, .amplitude = 1e-3F};
    cop_rebuild_run(argument, &one, 1, 2, cop_cpu_isa());
    return NULL;
}

/* Threads that OpenMP did not start may rebuild side by side. */
static void test_foreign_threads_may_call(void **state)
{
    bench *const b = *state;
    draw_base(b, COP_BF16, false);
    const size_t half = MOST / 2;
    cop_rebuild_piece pieces[2];
    for (size_t i = 0; i < 2; i++) {
        pieces[i] = (cop_rebuild_piece){.base = b->base + i * half * 2,
                                        .out = b->out + i * half * 2,
                                        .dtype = COP_BF16,
                                        .first = i * half,
                                        .count = half,
                                        .tensor = 7,
                                        .scale = 1};
    }
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, rebuild_in_thread, &pieces[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    const cop_component one = {.seed = 8, .amplitude = 1e-3F};
    cop_rebuild_piece whole = pieces[0];
    whole.count = MOST;
    (void)reference(&whole, &one, 1, b->expected);
    assert_true(same(b, &whole));
}

#define BENCH_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_random_pieces_equal_the_formula),
        BENCH_TEST(test_any_stored_bits_equal_the_formula),
        BENCH_TEST(test_every_half_survives),
        BENCH_TEST(test_splits_equal_the_whole),
        BENCH_TEST(test_two_steps_equal_one),
        BENCH_TEST(test_known_sums_equal_their_components),
        BENCH_TEST(test_sums_together_equal_each_alone),
        BENCH_TEST(test_nothing_to_add_copies_every_bit),
        BENCH_TEST(test_unmoved_share_falls_with_amplitude),
        BENCH_TEST(test_order_of_components_counts),
        BENCH_TEST(test_foreign_threads_may_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
