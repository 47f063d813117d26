/* The integers under the noise: Philox, tensor ids, bits and uniform numbers. */
#include "coppice/noise/noise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The known answers of its authors' library, Random123, for philox4x32, 10 rounds. */
static void test_philox_gives_the_published_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4];
        uint32_t key[2];
        uint32_t words[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t words[4];
        cop_noise_philox(known[i].counter, known[i].key, words);
        assert_memory_equal(words, known[i].words, sizeof words);
    }
}

/* Published FNV-1a values, and the name of a tensor. */
static void test_tensor_id_is_fnv_1a(void **state)
{
    (void)state;
    assert_int_equal(cop_noise_tensor_id(""), 0x811c9dc5);
    assert_int_equal(cop_noise_tensor_id("a"), 0xe40c292c);
    assert_int_equal(cop_noise_tensor_id("foobar"), 0xbf9cf968);
    assert_int_not_equal(cop_noise_tensor_id("model.layers.0.self_attn.q_proj.weight"),
                         cop_noise_tensor_id("model.layers.1.self_attn.q_proj.weight"));
}

/* Seed, stream, domain and index each land in their own word of key and counter. */
static void test_bits_place_every_argument(void **state)
{
    (void)state;
    const uint64_t seed = 0x299f31d0a4093822U;
    const uint64_t index = 0x85a308d3243f6a88U;
    const uint32_t counter[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, COP_STREAM_SPLITS};
    const uint32_t key[2] = {0xa4093822, 0x299f31d0};
    uint32_t words[4];
    cop_noise_philox(counter, key, words);
    assert_true(cop_noise_bits(seed, COP_STREAM_SPLITS, 0x13198a2e, index) ==
                (words[0] | (uint64_t)words[1] << 32));
    assert_true(cop_noise_bits(7, COP_STREAM_SPLITS, 3, 4) == 0xc24bebf03c17769dU);
    assert_true(cop_noise_uniform(7, COP_STREAM_SPLITS, 3, 4) == 0x1.8497d7e0782efp-1);
}

static void test_uniform_is_inside_and_even(void **state)
{
    (void)state;
    enum { COUNT = 1 << 18, BINS = 64 };
    static const cop_noise_stream streams[] = {
        COP_STREAM_SAMPLING,     COP_STREAM_SPLITS,    COP_STREAM_POPULATION,
        COP_STREAM_CLOUD,        COP_STREAM_BOOTSTRAP, COP_STREAM_HALVINGS,
        COP_STREAM_PERMUTATIONS, COP_STREAM_LEFT,      COP_STREAM_RIGHT};
    for (size_t s = 0; s < sizeof streams / sizeof streams[0]; s++) {
        int bins[BINS] = {0};
        for (uint64_t i = 0; i < COUNT; i++) {
            const double u = cop_noise_uniform(99, streams[s], 1, i);
            assert_true(u > 0.0 && u < 1.0);
            bins[(int)(u * BINS)]++;
        }
        double chi_square = 0;
        for (int b = 0; b < BINS; b++) {
            const double off = bins[b] - (double)COUNT / BINS;
            chi_square += off * off / ((double)COUNT / BINS);
        }
        assert_true(chi_square > 30.0 && chi_square < 110.0); /* 63 degrees, 1e-4 each side */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox_gives_the_published_answers),
        cmocka_unit_test(test_tensor_id_is_fnv_1a),
        cmocka_unit_test(test_bits_place_every_argument),
        cmocka_unit_test(test_uniform_is_inside_and_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
