/* Every instruction set gives the bits of the definition. */
#include "coppice/base/digest.h"
#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { LONG_COUNT = 1 << 24 };

typedef struct long_run {
    uint64_t seed;
    uint64_t first;
    uint32_t tensor;
    const char *digest; /* SHA-256 of its LONG_COUNT elements */
} long_run;

/* The third crosses block 2^32, where the counter's second word changes. */
static const long_run long_runs[] = {
    {0, 0, 0, "a67b3d53e770457d084928c1b1c4672a48b47d13c945a1f123ff52bc3366ce9b"},
    {0x9e3779b97f4a7c15U, 3, 0x811c9dc5U,
     "398e6f6bad5e532dfc9ca45e6ac80f323e0c367d9e6fe193be04411ae6c3f723"},
    {UINT64_MAX, ((uint64_t)1 << 34) - LONG_COUNT / 2 - 1, UINT32_MAX,
     "b2face17bbcdf227582fc4965cd4755241757b3098eb5b76e6b4f67050b19705"},
};

/* Skips, saying so, where this instruction set cannot run. */
static cop_isa isa_of(void **state)
{
    const cop_isa isa = *(const cop_isa *)*state;
    if (isa > cop_cpu_isa()) {
        print_message("skip: no %s here (processor, or COPPICE_ISA)\n", cop_isa_name(isa));
        skip();
    }
    return isa;
}

static uint64_t random_bits(uint64_t i)
{
    return cop_noise_bits(4711, COP_STREAM_BOOTSTRAP, 1, i);
}

static void test_long_runs_have_the_pinned_digest(void **state)
{
    const cop_isa isa = isa_of(state);
    float *const z = cop_memory_alloc_raw(LONG_COUNT, sizeof *z, NULL);
    assert_non_null(z);
    for (size_t i = 0; i < sizeof long_runs / sizeof long_runs[0]; i++) {
        const long_run *const run = &long_runs[i];
        char hex[COP_DIGEST_HEX_BYTES];
        cop_noise_fill(z, run->seed, run->tensor, run->first, LONG_COUNT, isa);
        assert_int_equal(cop_digest_bytes(z, LONG_COUNT * sizeof *z, hex, NULL), COP_OK);
        assert_string_equal(hex, run->digest);
    }
    cop_memory_free(z);
}

/* Any offset and count, any alignment of the output; nothing is written outside it. */
static void test_random_pieces_equal_the_definition(void **state)
{
    const cop_isa isa = isa_of(state);
    enum { TRIALS = 3000, MOST = 300, MARGIN = 16 };
    static float z[MOST + 3 * MARGIN];
    static float guarded[MOST + 3 * MARGIN];
    memset(guarded, 0x7b, sizeof guarded);
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        const uint64_t a = random_bits(4 * trial);
        const uint64_t seed = random_bits(4 * trial + 1);
        const uint64_t first = random_bits(4 * trial + 2) >> (a >> 48 & 63);
        const uint32_t tensor = (uint32_t)random_bits(4 * trial + 3);
        const size_t count = a % (trial % 2 == 0 ? MOST + 1 : 20);
        float *const out = z + MARGIN + (a >> 32) % MARGIN;
        memcpy(z, guarded, sizeof z);
        const cop_noise_stream stream = (cop_noise_stream)((a >> 40) % (COP_STREAM_RIGHT + 1));
        cop_noise_stream_fill(out, seed, stream, tensor, first, count, isa);
        for (size_t i = 0; i < count; i++) {
            const float expected = cop_noise_stream_at(seed, stream, tensor, first + i);
            assert_memory_equal(&out[i], &expected, sizeof expected);
        }
        const size_t before = (size_t)(out - z);
        assert_memory_equal(z, guarded, before * sizeof *z);
        assert_memory_equal(out + count, guarded,
                            (sizeof z / sizeof *z - before - count) * sizeof *z);
    }
}

/* A split at any place gives what the whole gives. */
static void test_split_fills_equal_the_whole(void **state)
{
    const cop_isa isa = isa_of(state);
    enum { COUNT = 777 };
    static float whole[COUNT];
    static float parts[COUNT];
    const uint64_t first =
        ((uint64_t)1 << 34) - 399; /* the block's second word changes inside */
    cop_noise_fill(whole, 5, 6, first, COUNT, isa);
    for (size_t cut = 0; cut <= COUNT; cut++) {
        memset(parts, 0, sizeof parts);
        cop_noise_fill(parts + cut, 5, 6, first + cut, COUNT - cut, isa);
        cop_noise_fill(parts, 5, 6, first, cut, isa);
        assert_memory_equal(parts, whole, sizeof whole);
    }
}

#define ISA_TEST(function, isa)                              \
    {                                                        \
#function " " #isa, function, NULL, NULL, &isas[isa] \
    }
#define ISA_TESTS(function)                                               \
    ISA_TEST(function, COP_ISA_SCALAR), ISA_TEST(function, COP_ISA_AVX2), \
        ISA_TEST(function, COP_ISA_AVX512)

int main(void)
{
    static cop_isa isas[COP_ISA_COUNT] = {COP_ISA_SCALAR, COP_ISA_AVX2, COP_ISA_AVX512};
    const struct CMUnitTest tests[] = {
        ISA_TESTS(test_long_runs_have_the_pinned_digest),
        ISA_TESTS(test_random_pieces_equal_the_definition),
        ISA_TESTS(test_split_fills_equal_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
