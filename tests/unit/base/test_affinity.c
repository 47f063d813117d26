/* Cores of ranks, on machines made up and on this one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/affinity_plan.h"

#include <hwloc.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Two packages of four cores of two processors, which hwloc numbers 0 to 15 in this order. */
static const char big[] = "pack:2 core:4 pu:2";

/* The same with three GPUs: FFFF:01:00.0 in the second package, FFFF:02:00.0 in the first,
 * FFFF:03:00.0 as near to one as to the other. */
static const char with_gpus[] = "tests/data/topology-gpus.xml";

static hwloc_topology_t make_topology(const char *description)
{
    hwloc_topology_t topology = NULL;
    assert_int_equal(hwloc_topology_init(&topology), 0);
    if (strcmp(description, with_gpus) == 0) {
        assert_int_equal(hwloc_topology_set_xml(topology, description), 0);
        assert_int_equal(hwloc_topology_set_type_filter(topology, HWLOC_OBJ_PCI_DEVICE,
                                                        HWLOC_TYPE_FILTER_KEEP_IMPORTANT),
                         0);
    } else {
        assert_int_equal(hwloc_topology_set_synthetic(topology, description), 0);
    }
    assert_int_equal(hwloc_topology_load(topology), 0);
    return topology;
}

/* A rank that may use the processors `allowed` ("0-3,8"). */
static cop_affinity_rank rank_of(const char *allowed, int threads)
{
    cop_affinity_rank rank = {.threads = threads};
    (void)snprintf(rank.allowed, sizeof rank.allowed, "%s", allowed);
    return rank;
}

static cop_affinity_rank gpu_rank_of(const char *allowed, int threads, const char *gpu)
{
    cop_affinity_rank rank = rank_of(allowed, threads);
    (void)snprintf(rank.gpu, sizeof rank.gpu, "%s", gpu);
    return rank;
}

/* The plan of rank `me` on a made-up machine; its processors come back as a list. */
static cop_status plan_for(const char *description, const cop_affinity_rank *ranks, int count,
                           int me, bool oversubscribe, cop_affinity_plan *plan, char list[64],
                           cop_error *err)
{
    hwloc_topology_t topology = make_topology(description);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    hwloc_bitmap_t chosen = hwloc_bitmap_alloc();
    assert_int_equal(hwloc_bitmap_list_sscanf(set, ranks[me].allowed), 0);
    const cop_status status =
        cop_affinity_plan_on(topology, ranks, count, me, oversubscribe, plan, chosen, err);
    assert_true(hwloc_bitmap_list_snprintf(list, 64, chosen) < 64);
    assert_true(hwloc_bitmap_isincluded(chosen, set));
    hwloc_bitmap_free(chosen);
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(topology);
    return status;
}

/* Every rank gets the processors in `expected`, in order. */
static void assert_planned(const char *description, const cop_affinity_rank *ranks, int count,
                           const char *const *expected)
{
    for (int me = 0; me < count; me++) {
        char list[64];
        cop_affinity_plan plan;
        cop_error err = {0};
        if (plan_for(description, ranks, count, me, false, &plan, list, &err) != COP_OK)
            fail_msg("%s", err.message);
        assert_string_equal(list, expected[me]);
        assert_true(plan.fits);
        assert_int_equal(plan.bound, expected[me][0] != '\0');
        assert_non_null(strstr(plan.text, expected[me]));
    }
}

static void assert_refused(const char *description, const cop_affinity_rank *ranks, int count,
                           const char *words)
{
    char list[64];
    cop_affinity_plan plan;
    cop_error err = {0};
    assert_int_equal(plan_for(description, ranks, count, count - 1, false, &plan, list, &err),
                     COP_ERR_CONFIG);
    if (strstr(err.message, words) == NULL) fail_msg("'%s': %s", words, err.message);
    assert_non_null(strstr(err.message, "--oversubscribe"));
    assert_int_equal(plan_for(description, ranks, count, count - 1, true, &plan, list, NULL),
                     COP_OK);
    assert_false(plan.fits);
}

static void test_every_rank_its_cores(void **state)
{
    (void)state;
    const cop_affinity_rank ranks[] = {rank_of("0-15", 3), rank_of("0-15", 3)};
    assert_planned(big, ranks, 2, (const char *const[]){"0,2,4", "6,8,10"});
    /* ranks of unequal size */
    const cop_affinity_rank unequal[] = {rank_of("0-15", 1), rank_of("0-15", 5),
                                         rank_of("0-15", 2)};
    assert_planned(big, unequal, 3, (const char *const[]){"0", "2,4,6,8,10", "12,14"});
}

static void test_idle_coordinator(void **state)
{
    (void)state;
    const cop_affinity_rank ranks[] = {rank_of("0-15", 0), rank_of("0-15", 4),
                                       rank_of("0-15", 4)};
    assert_planned(big, ranks, 3, (const char *const[]){"", "0,2,4,6", "8,10,12,14"});
    /* only where it is: every rank of another node computes */
    assert_planned(big, ranks + 1, 2, (const char *const[]){"0,2,4,6", "8,10,12,14"});
}

/* More threads than cores, but no more than hardware threads: those are taken. */
static void test_hardware_threads(void **state)
{
    (void)state;
    const cop_affinity_rank ranks[] = {rank_of("0-15", 6), rank_of("0-15", 6)};
    assert_planned(big, ranks, 2, (const char *const[]){"0-5", "6-11"});
    /* a virtual machine's two processors are often one core */
    const cop_affinity_rank two[] = {rank_of("0-1", 1), rank_of("0-1", 1)};
    assert_planned("core:1 pu:2", two, 2, (const char *const[]){"0", "1"});
}

static void test_too_few_cores(void **state)
{
    (void)state;
    const cop_affinity_rank ranks[] = {rank_of("0-1", 1), rank_of("0-1", 1), rank_of("0-1", 1)};
    assert_refused("core:2 pu:1", ranks, 3, "3 computing threads on a node where 2 of 2 cores");
    const cop_affinity_rank with_idle[] = {rank_of("0-1", 0), rank_of("0-1", 1),
                                           rank_of("0-1", 1)};
    assert_planned("core:2 pu:1", with_idle, 3, (const char *const[]){"", "0", "1"});
    const cop_affinity_rank large[] = {rank_of("0-15", 17)};
    assert_refused(big, large, 1, "17 computing threads");
    /* figures that add up beyond an int */
    const cop_affinity_rank huge[] = {rank_of("0-15", INT32_MAX), rank_of("0-15", INT32_MAX)};
    assert_refused(big, huge, 2, "computing threads");
}

/* A control group or taskset that leaves fewer processors than the machine has. */
static void test_allowed_processors(void **state)
{
    (void)state;
    /* one processor of core 0, both of cores 1 and 4, the second of core 7 */
    static const char some[] = "1-3,8-9,15";
    const cop_affinity_rank ranks[] = {rank_of(some, 2), rank_of(some, 2)};
    assert_planned(big, ranks, 2, (const char *const[]){"1-2", "8,15"});
    const cop_affinity_rank more[] = {rank_of(some, 3), rank_of(some, 3)};
    assert_planned(big, more, 2, (const char *const[]){"1-3", "8-9,15"});
    const cop_affinity_rank most[] = {rank_of(some, 4), rank_of(some, 3)};
    assert_refused(big, most, 2, "4 of 8 cores may be used");
    assert_refused(big, most, 2, "--bind-to none");
}

/* A launcher that has given each rank its own, or one package for every two. */
static void test_bound_by_launcher(void **state)
{
    (void)state;
    const cop_affinity_rank own[] = {rank_of("0-1", 0), rank_of("2-3", 1), rank_of("4-5", 1)};
    assert_planned(big, own, 3, (const char *const[]){"", "2", "4"});
    const cop_affinity_rank packages[] = {rank_of("0-7", 2), rank_of("8-15", 2),
                                          rank_of("0-7", 2), rank_of("8-15", 2)};
    assert_planned(big, packages, 4, (const char *const[]){"0,2", "8,10", "4,6", "12,14"});
    /* one within the other: whoever has less choice is served first */
    const cop_affinity_rank nested[] = {rank_of("0-15", 4), rank_of("0-7", 4)};
    assert_planned(big, nested, 2, (const char *const[]){"8,10,12,14", "0,2,4,6"});
    /* two ranks on the same core although there are others */
    const cop_affinity_rank same[] = {rank_of("0-1", 2), rank_of("0-1", 2)};
    assert_refused(big, same, 2, "--bind-to none");
}

static void test_quota(void **state)
{
    (void)state;
    char list[64];
    cop_affinity_plan plan;
    cop_affinity_rank ranks[] = {rank_of("0-15", 1), rank_of("0-15", 1)};
    ranks[0].cpu_quota = ranks[1].cpu_quota = 1.5;
    assert_refused(big, ranks, 2, "control group allows 1.5 cores' time");
    ranks[0].cpu_quota = ranks[1].cpu_quota = 2;
    assert_int_equal(plan_for(big, ranks, 2, 0, false, &plan, list, NULL), COP_OK);
    assert_non_null(strstr(plan.text, "2.0 cores"));
    ranks[0].cpu_quota = ranks[1].cpu_quota = 64;
    assert_int_equal(plan_for(big, ranks, 2, 0, false, &plan, list, NULL), COP_OK);
    assert_null(strstr(plan.text, "64"));
}

static void test_memory_nodes(void **state)
{
    (void)state;
    char list[64];
    cop_affinity_plan plan;
    const cop_affinity_rank ranks[] = {rank_of("0-7", 2), rank_of("0-7", 2)};
    assert_int_equal(plan_for("numa:2 core:2 pu:2", ranks, 2, 1, false, &plan, list, NULL),
                     COP_OK);
    assert_string_equal(list, "4,6");
    assert_non_null(strstr(plan.text, "memory node 1"));
}

static void test_next_to_gpu(void **state)
{
    (void)state;
    /* the first GPU is in the second package */
    const cop_affinity_rank ranks[] = {
        rank_of("0-15", 0), gpu_rank_of("0-15", 2, "FFFF:01:00.0"),
        gpu_rank_of("0-15", 2, "FFFF:02:00.0"), gpu_rank_of("0-15", 2, "FFFF:01:00.0")};
    assert_planned(with_gpus, ranks, 4, (const char *const[]){"", "8,10", "0,2", "12,14"});
    /* one that computes on the processor leaves these to it, wherever it stands */
    const cop_affinity_rank mixed[] = {rank_of("0-15", 3),
                                       gpu_rank_of("0-15", 3, "ffff:02:00.0")};
    assert_planned(with_gpus, mixed, 2, (const char *const[]){"6,8,10", "0,2,4"});
    /* more threads than cores there: the others are taken too */
    const cop_affinity_rank many[] = {gpu_rank_of("0-15", 6, "FFFF:01:00.0"),
                                      gpu_rank_of("0-15", 2, "FFFF:02:00.0")};
    assert_planned(with_gpus, many, 2, (const char *const[]){"0,2,8,10,12,14", "4,6"});
    /* a launcher's binding is kept */
    const cop_affinity_rank away[] = {gpu_rank_of("0-7", 2, "FFFF:01:00.0"),
                                      gpu_rank_of("6-9", 1, "FFFF:01:00.0")};
    assert_planned(with_gpus, away, 2, (const char *const[]){"0,2", "8"});
    /* hardware threads, where cores are too few */
    const cop_affinity_rank pairs[] = {gpu_rank_of("0-15", 8, "FFFF:01:00.0"),
                                       gpu_rank_of("0-15", 8, "FFFF:02:00.0")};
    assert_planned(with_gpus, pairs, 2, (const char *const[]){"8-15", "0-7"});
}

/* What the plan says of the GPU. */
static void test_gpu_in_the_log(void **state)
{
    (void)state;
    static const struct {
        int threads;
        const char *gpu, *words;
        bool near;
    } cases[] = {{4, "FFFF:01:00.0", ", next to GPU FFFF:01:00.0", true},
                 {4, "FFFF:01:00.0/1f4a09c2", ", next to GPU FFFF:01:00.0", true},
                 {5, "FFFF:01:00.0", ", not all next to GPU FFFF:01:00.0", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char list[64];
        cop_affinity_plan plan;
        const cop_affinity_rank rank = gpu_rank_of("0-15", cases[i].threads, cases[i].gpu);
        assert_int_equal(plan_for(with_gpus, &rank, 1, 0, false, &plan, list, NULL), COP_OK);
        assert_int_equal(plan.near_gpu, cases[i].near);
        const char *const said = strstr(plan.text, cases[i].words);
        assert_non_null(said);
        assert_string_equal(said, cases[i].words);
    }
}

/* A GPU that hwloc does not know, that is near to everything, or near to nothing that the rank
 * may use: as without one. */
static void test_gpu_without_a_place(void **state)
{
    (void)state;
    static const char *const gpus[] = {"FFFF:03:00.0", "FFFF:09:00.0", "0000:01:00.0",
                                       "no bus id"};
    for (size_t i = 0; i < sizeof gpus / sizeof gpus[0]; i++) {
        char list[64];
        cop_affinity_plan plan;
        const cop_affinity_rank ranks[] = {rank_of("0-15", 3), gpu_rank_of("0-15", 3, gpus[i])};
        assert_planned(with_gpus, ranks, 2, (const char *const[]){"0,2,4", "6,8,10"});
        assert_int_equal(plan_for(with_gpus, ranks, 2, 1, false, &plan, list, NULL), COP_OK);
        assert_false(plan.near_gpu);
        assert_null(strstr(plan.text, "GPU"));
    }
    const cop_affinity_rank ranks[] = {gpu_rank_of("0-15", 3, "FFFF:01:00.0"),
                                       gpu_rank_of("0-15", 3, "FFFF:02:00.0")};
    assert_planned(big, ranks, 2, (const char *const[]){"0,2,4", "6,8,10"});
}

/* Every rank of every division gets cores that no other has. */
static void test_no_overlap(void **state)
{
    (void)state;
    for (int count = 1; count <= 8; count++) {
        for (int threads = 1; count * threads <= 8; threads++) {
            int used[16] = {0};
            cop_affinity_rank ranks[8];
            for (int me = 0; me < count; me++)
                ranks[me] = rank_of("0-15", threads);
            for (int me = 0; me < count; me++) {
                char list[64];
                cop_affinity_plan plan;
                assert_int_equal(plan_for(big, ranks, count, me, false, &plan, list, NULL),
                                 COP_OK);
                hwloc_bitmap_t set = hwloc_bitmap_alloc();
                assert_int_equal(hwloc_bitmap_list_sscanf(set, list), 0);
                assert_int_equal(hwloc_bitmap_weight(set), threads);
                for (int p = 0; p < 16; p++) {
                    if (!hwloc_bitmap_isset(set, (unsigned)p)) continue;
                    assert_int_equal(used[p / 2]++, 0);
                }
                hwloc_bitmap_free(set);
            }
        }
    }
}

static void test_wrong_requests(void **state)
{
    (void)state;
    char list[64];
    cop_affinity_plan plan;
    const cop_affinity_rank ranks[] = {rank_of("0", 1), rank_of("0", -1)};
    hwloc_topology_t topology = make_topology(big);
    hwloc_bitmap_t chosen = hwloc_bitmap_alloc();
    static const int wrong[][2] = {{1, -1}, {1, 1}, {0, 0}, {2, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cop_error err = {0};
        assert_int_equal(cop_affinity_plan_on(topology, ranks, wrong[i][0], wrong[i][1], false,
                                              &plan, chosen, &err),
                         COP_ERR_INTERNAL);
        assert_true(err.message[0] != '\0' && !plan.bound);
    }
    hwloc_bitmap_free(chosen);
    hwloc_topology_destroy(topology);
    /* a rank that could not tell: nothing is planned, nothing refused */
    const cop_affinity_rank unknown[] = {rank_of("0-15", 40), rank_of("", 40)};
    assert_int_equal(plan_for(big, unknown, 2, 0, false, &plan, list, NULL), COP_OK);
    assert_true(plan.fits && !plan.bound);
}

static int count_processors(void)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

/* In a process of its own, as this one stays bound. Returns what `body` returns. */
static int in_child(int (*body)(void))
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(body());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int bind_to_one(void)
{
    cop_affinity_plan plan;
    cop_affinity_rank mine;
    cop_affinity_look(1, &mine);
    mine.cpu_quota = 0;
    if (cop_affinity_bind(&mine, 1, 0, false, &plan, NULL) != COP_OK) return 1;
    if (!plan.bound) return 2;
    if (count_processors() != 1 || cop_affinity_core_count() != 1) return 3;
    /* threads that start later inherit it */
    int most = 0;
#pragma omp parallel num_threads(2) reduction(max : most)
    most = count_processors();
    if (most != 1) return 4;
    /* bound already: it stays there, and the machine is as large as before */
    cop_affinity_look(1, &mine);
    mine.cpu_quota = 0;
    if (cop_affinity_bind(&mine, 1, 0, false, &plan, NULL) != COP_OK || !plan.bound) return 5;
    if (plan.cores_allowed != 1 || plan.cores_node < 1) return 6;
    /* as under taskset on one processor: two threads are too many there */
    cop_affinity_look(2, &mine);
    if (cop_affinity_bind(&mine, 1, 0, false, &plan, NULL) != COP_ERR_CONFIG) return 7;
    if (cop_affinity_bind(&mine, 1, 0, true, &plan, NULL) != COP_OK || plan.fits) return 8;
    return count_processors() == 1 ? 0 : 9;
}

static void test_this_machine(void **state)
{
    (void)state;
    const int cores = cop_affinity_core_count();
    assert_true(cores >= 1 && cores <= count_processors());
    assert_int_equal(in_child(bind_to_one), 0);
    assert_int_equal(cop_affinity_core_count(), cores);
}

/* Through the public function, hwloc told of another machine. */
static void test_synthetic_machine(void **state)
{
    (void)state;
    cop_affinity_plan plan;
    cop_affinity_rank ranks[2];
    assert_int_equal(setenv("HWLOC_SYNTHETIC", big, 1), 0);
    assert_int_equal(cop_affinity_core_count(), 8);
    cop_affinity_look(4, &ranks[0]);
    assert_string_equal(ranks[0].allowed, "0-15");
    ranks[0].cpu_quota = 0;
    ranks[1] = ranks[0];
    assert_int_equal(cop_affinity_bind(ranks, 2, 1, false, &plan, NULL), COP_OK);
    assert_true(plan.bound && plan.busy == 8 && plan.cores_node == 8);
    assert_non_null(strstr(plan.text, "8,10,12,14"));
    assert_int_equal(setenv("HWLOC_SYNTHETIC", "no such machine", 1), 0);
    cop_affinity_look(1, &ranks[0]);
    assert_int_equal(cop_affinity_bind(ranks, 1, 0, false, &plan, NULL), COP_OK);
    assert_true(plan.cores_allowed >= 1 && plan.text[0] != '\0');
    assert_int_equal(unsetenv("HWLOC_SYNTHETIC"), 0);
}

/* The same of a machine with GPUs: hwloc must be asked for its devices. */
static void test_machine_with_gpus(void **state)
{
    (void)state;
    cop_affinity_plan plan;
    cop_affinity_rank mine;
    assert_int_equal(setenv("HWLOC_XMLFILE", with_gpus, 1), 0);
    cop_affinity_look(2, &mine);
    assert_string_equal(mine.allowed, "0-15");
    mine.cpu_quota = 0;
    assert_int_equal(cop_affinity_bind(&mine, 1, 0, false, &plan, NULL), COP_OK);
    assert_true(plan.bound && !plan.near_gpu && strstr(plan.text, "0,2") != NULL);
    (void)snprintf(mine.gpu, sizeof mine.gpu, "FFFF:01:00.0");
    assert_int_equal(cop_affinity_bind(&mine, 1, 0, false, &plan, NULL), COP_OK);
    assert_true(plan.bound && plan.near_gpu && strstr(plan.text, "8,10") != NULL);
    assert_int_equal(unsetenv("HWLOC_XMLFILE"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rank_its_cores),
        cmocka_unit_test(test_idle_coordinator),
        cmocka_unit_test(test_hardware_threads),
        cmocka_unit_test(test_too_few_cores),
        cmocka_unit_test(test_allowed_processors),
        cmocka_unit_test(test_bound_by_launcher),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_memory_nodes),
        cmocka_unit_test(test_next_to_gpu),
        cmocka_unit_test(test_gpu_in_the_log),
        cmocka_unit_test(test_gpu_without_a_place),
        cmocka_unit_test(test_no_overlap),
        cmocka_unit_test(test_wrong_requests),
        cmocka_unit_test(test_this_machine),
        cmocka_unit_test(test_synthetic_machine),
        cmocka_unit_test(test_machine_with_gpus),
    };
    return cmocka_run_group_tests_name("affinity", tests, NULL, NULL);
}
