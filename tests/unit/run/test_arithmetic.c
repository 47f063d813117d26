/* What a job computes with, decided from what its ranks could. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/arithmetic.h"

#include <stdio.h>
#include <string.h>

static char word_auto[] = "auto";
static char word_f32[] = "f32";
static char word_bf16[] = "bf16";
static char word_cuda[] = "cuda";

static char word_defined[] = "defined";
static char word_library[] = "library";
static char word_own[] = "own";
static char word_onednn[] = "onednn";
static char word_full[] = "full";

static const cop_recorded nothing = {"", "", ""};

/* Rank 0 coordinates and has neither. */
static const cop_means coordinator = {.host = "head"};

static cop_job job_of(char *kind, char *compute, bool mixed)
{
    cop_job job = {0};
    job.population.noise = word_full;
    job.backend.kind = kind;
    job.backend.compute = compute;
    job.backend.gemm = word_auto;
    job.backend.arithmetic = word_auto;
    job.backend.mixed = mixed;
    return job;
}

static cop_means rank_of(bool gpu, bool cpu_bf16, bool gpu_bf16, const char *host)
{
    cop_means means = {
        .computes = true, .gpu = gpu, .cpu_bf16 = cpu_bf16, .gpu_bf16 = gpu_bf16};
    (void)snprintf(means.host, sizeof means.host, "%s", host);
    return means;
}

static cop_choice decide(const cop_job *job, const cop_recorded *recorded, const cop_means *all,
                         size_t count)
{
    cop_choice choice;
    cop_error err = {0};
    assert_int_equal(cop_arithmetic_decide(job, recorded, true, all, count, &choice, &err),
                     COP_OK);
    return choice;
}

static void test_alike(void **state)
{
    (void)state;
    const cop_job job = job_of(word_auto, word_auto, false);
    const cop_means able[] = {coordinator, rank_of(false, true, false, "a"),
                              rank_of(false, true, false, "b")};
    cop_choice choice = decide(&job, &nothing, able, 3);
    assert_int_equal(choice.kind, COP_BACKEND_CPU);
    assert_int_equal(choice.compute, COP_COMPUTE_AUTO);
    assert_string_equal(choice.reason, "");
    const cop_means unable[] = {coordinator, rank_of(false, false, false, "a")};
    choice = decide(&job, &nothing, unable, 2);
    assert_int_equal(choice.compute, COP_COMPUTE_F32);
    assert_string_equal(choice.reason, "");
    const cop_means gpus[] = {coordinator, rank_of(true, false, true, "a"),
                              rank_of(true, true, true, "b")};
    choice = decide(&job, &nothing, gpus, 3);
    assert_int_equal(choice.kind, COP_BACKEND_CUDA);
    assert_int_equal(choice.compute, COP_COMPUTE_AUTO);
    assert_string_equal(choice.reason, "");
}

/* The least of all ranks, and who it is. */
static void test_one_less(void **state)
{
    (void)state;
    const cop_job job = job_of(word_auto, word_auto, false);
    const cop_means all[] = {coordinator, rank_of(false, true, false, "new"),
                             rank_of(false, false, false, "old")};
    cop_choice choice = decide(&job, &nothing, all, 3);
    assert_int_equal(choice.compute, COP_COMPUTE_F32);
    assert_non_null(strstr(choice.reason, "f32 for all: rank 2 on host old"));
    const cop_means gpu[] = {coordinator, rank_of(true, true, true, "with"),
                             rank_of(false, true, false, "without")};
    choice = decide(&job, &nothing, gpu, 3);
    assert_int_equal(choice.kind, COP_BACKEND_CPU);
    assert_int_equal(choice.compute, COP_COMPUTE_AUTO);
    assert_non_null(strstr(choice.reason, "rank 2 on host without has no GPU"));
    /* GPUs of two generations: bf16 of the processor does not count */
    const cop_means generations[] = {coordinator, rank_of(true, true, true, "h"),
                                     rank_of(true, true, false, "v")};
    choice = decide(&job, &nothing, generations, 3);
    assert_int_equal(choice.kind, COP_BACKEND_CUDA);
    assert_int_equal(choice.compute, COP_COMPUTE_F32);
}

static void test_asked_for(void **state)
{
    (void)state;
    const cop_means all[] = {coordinator, rank_of(true, true, true, "new"),
                             rank_of(false, false, false, "old")};
    cop_job job = job_of(word_cuda, word_bf16, false);
    cop_choice choice = decide(&job, &nothing, all, 3);
    assert_int_equal(choice.kind, COP_BACKEND_CUDA);
    assert_int_equal(choice.compute, COP_COMPUTE_BF16);
    job = job_of(word_cuda, word_f32, false);
    assert_int_equal(decide(&job, &nothing, all, 3).compute, COP_COMPUTE_F32);
    job = job_of(word_auto, word_auto, true);
    choice = decide(&job, &nothing, all, 3);
    assert_int_equal(choice.kind, COP_BACKEND_AUTO);
    assert_int_equal(choice.compute, COP_COMPUTE_AUTO);
}

static void test_resume(void **state)
{
    (void)state;
    cop_job job = job_of(word_auto, word_auto, false);
    const cop_means better[] = {coordinator, rank_of(true, true, true, "a")};
    const cop_recorded slow = {"cpu", "f32", ""};
    cop_choice choice = decide(&job, &slow, better, 2);
    assert_int_equal(choice.kind, COP_BACKEND_CPU);
    assert_int_equal(choice.compute, COP_COMPUTE_F32);
    assert_non_null(strstr(choice.reason, "this run began on them"));
    assert_non_null(strstr(choice.reason, "this run began in it"));
    const cop_means worse[] = {coordinator, rank_of(false, false, false, "old")};
    static const struct {
        cop_recorded recorded;
        const char *word;
    } refused[] = {{{"cuda", "bf16", ""}, "computed on GPUs, and rank 1 on host old"},
                   {{"cpu", "bf16", ""}, "computed in bf16, and rank 1 on host old"}};
    for (size_t i = 0; i < 2; i++) {
        cop_error err = {0};
        assert_int_equal(
            cop_arithmetic_decide(&job, &refused[i].recorded, true, worse, 2, &choice, &err),
            COP_ERR_MISMATCH);
        assert_non_null(strstr(err.message, refused[i].word));
        assert_non_null(strstr(err.message, "backend.mixed"));
    }
    job.backend.mixed = true;
    assert_int_equal(decide(&job, &refused[0].recorded, worse, 2).compute, COP_COMPUTE_AUTO);
}

/* The processor's cores, as rank_of() has them, with or without tiles. */
static cop_means cores_of(bool tiles, const char *host)
{
    cop_means means = rank_of(false, tiles, false, host);
    means.tiles = tiles;
    return means;
}

static void test_arithmetic_follows_key_and_provider(void **state)
{
    (void)state;
    const cop_means all[] = {coordinator, cores_of(true, "new"), cores_of(false, "old")};
    static const struct {
        char *arithmetic, *gemm;
        cop_arithmetic expected;
    } cases[] = {{word_defined, word_auto, COP_ARITHMETIC_DEFINED},
                 {word_library, word_auto, COP_ARITHMETIC_LIBRARY},
                 {word_auto, word_own, COP_ARITHMETIC_DEFINED},
                 {word_auto, word_onednn, COP_ARITHMETIC_LIBRARY},
                 {word_auto, word_auto, COP_ARITHMETIC_LIBRARY}}; /* not all have tiles */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cop_job job = job_of(word_auto, word_auto, false);
        job.backend.arithmetic = cases[i].arithmetic;
        job.backend.gemm = cases[i].gemm;
        assert_int_equal(decide(&job, &nothing, all, 3).arithmetic, cases[i].expected);
    }
}

static void test_arithmetic_auto_asks_for_tiles_on_all(void **state)
{
    (void)state;
    const cop_means all[] = {coordinator, cores_of(true, "a"), cores_of(true, "b")};
    cop_job job = job_of(word_auto, word_auto, false);
    cop_choice choice = decide(&job, &nothing, all, 3);
    assert_int_equal(choice.arithmetic, COP_ARITHMETIC_DEFINED);
    cop_error err = {0};
    assert_int_equal(cop_arithmetic_decide(&job, &nothing, false, all, 3, &choice, &err),
                     COP_OK);
    assert_int_equal(choice.arithmetic, COP_ARITHMETIC_LIBRARY); /* the base is no bf16 */
    job = job_of(word_auto, word_f32, false);
    assert_int_equal(decide(&job, &nothing, all, 3).arithmetic, COP_ARITHMETIC_LIBRARY);
    const cop_means gpus[] = {coordinator, rank_of(true, true, true, "gpu")};
    job = job_of(word_auto, word_auto, false);
    assert_int_equal(decide(&job, &nothing, gpus, 2).arithmetic, COP_ARITHMETIC_LIBRARY);
}

static void test_arithmetic_of_a_run_is_kept(void **state)
{
    (void)state;
    const cop_means old[] = {coordinator, cores_of(false, "old")};
    const cop_means new[] = {coordinator, cores_of(true, "new")};
    const cop_recorded defined = {"cpu", "bf16", "defined arithmetic 1, bf16, every x86-64"};
    const cop_recorded library = {"cpu", "bf16", "oneDNN 2.6.3 bf16, amx, avx512 kernels"};
    cop_job job = job_of(word_auto, word_auto, false);
    assert_int_equal(decide(&job, &defined, old, 2).arithmetic, COP_ARITHMETIC_DEFINED);
    assert_int_equal(decide(&job, &library, new, 2).arithmetic, COP_ARITHMETIC_LIBRARY);
}

static void test_arithmetic_of_a_run_is_not_left(void **state)
{
    (void)state;
    const cop_means all[] = {coordinator, cores_of(false, "old")};
    static const struct {
        cop_recorded recorded;
        char *wanted;
    } cases[] = {{{"cpu", "bf16", "defined arithmetic 1, bf16"}, word_library},
                 {{"cpu", "f32", "oneDNN 2.6.3 f32, avx2, avx2 kernels"}, word_defined}};
    for (size_t i = 0; i < 2; i++) {
        cop_job job = job_of(word_auto, word_auto, false);
        cop_choice choice;
        cop_error err = {0};
        job.backend.arithmetic = cases[i].wanted;
        assert_int_equal(
            cop_arithmetic_decide(&job, &cases[i].recorded, true, all, 2, &choice, &err),
            COP_ERR_MISMATCH);
        assert_non_null(strstr(err.message, "backend.arithmetic"));
        job.backend.mixed = true;
        assert_int_equal(decide(&job, &cases[i].recorded, all, 2).arithmetic,
                         i == 0 ? COP_ARITHMETIC_LIBRARY : COP_ARITHMETIC_DEFINED);
    }
}

static void test_defined_arithmetic_takes_cores_where_there_are_gpus(void **state)
{
    (void)state;
    const cop_means all[] = {coordinator, rank_of(true, true, true, "gpu")};
    cop_job job = job_of(word_auto, word_auto, false);
    job.backend.arithmetic = word_defined;
    const cop_choice choice = decide(&job, &nothing, all, 2);
    assert_int_equal(choice.kind, COP_BACKEND_CPU);
    assert_int_equal(choice.arithmetic, COP_ARITHMETIC_DEFINED);
}

static void test_holds(void **state)
{
    (void)state;
    for (int i = 0; i < (int)COP_HOLD_COUNT; i++) {
        cop_isa_hold found = COP_HOLD_COUNT;
        assert_true(cop_isa_hold_parse(cop_isa_hold_name((cop_isa_hold)i), &found));
        assert_int_equal(found, i);
    }
    cop_isa_hold found = COP_HOLD_AVX2;
    assert_false(cop_isa_hold_parse("avx1024", &found));
    assert_int_equal(found, COP_HOLD_AVX2);
    assert_int_equal(cop_isa_hold_kernels(COP_HOLD_NONE), cop_cpu_isa());
    assert_int_equal(cop_isa_hold_kernels(COP_HOLD_AMX), COP_ISA_AMX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_one_less),
        cmocka_unit_test(test_asked_for),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_arithmetic_follows_key_and_provider),
        cmocka_unit_test(test_arithmetic_auto_asks_for_tiles_on_all),
        cmocka_unit_test(test_arithmetic_of_a_run_is_kept),
        cmocka_unit_test(test_arithmetic_of_a_run_is_not_left),
        cmocka_unit_test(test_defined_arithmetic_takes_cores_where_there_are_gpus),
        cmocka_unit_test(test_holds)};
    return cmocka_run_group_tests_name("arithmetic", tests, NULL, NULL);
}
