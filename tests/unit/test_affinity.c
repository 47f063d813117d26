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

static hwloc_topology_t make_topology(const char *description)
{
    hwloc_topology_t topology = NULL;
    assert_int_equal(hwloc_topology_init(&topology), 0);
    assert_int_equal(hwloc_topology_set_synthetic(topology, description), 0);
    assert_int_equal(hwloc_topology_load(topology), 0);
    return topology;
}

/* Plans on a made-up machine of which the processors `allowed` ("0-3,8") may be used; the
 * chosen ones come back as such a list. */
static cop_affinity_plan plan_on(const char *description, const char *allowed,
                                 cop_affinity_request request, char list[64])
{
    hwloc_topology_t topology = make_topology(description);
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    hwloc_bitmap_t chosen = hwloc_bitmap_alloc();
    cop_affinity_plan plan;
    cop_error err = {0};
    assert_int_equal(hwloc_bitmap_list_sscanf(set, allowed), 0);
    assert_int_equal(cop_affinity_plan_on(topology, set, &request, &plan, chosen, &err),
                     COP_OK);
    assert_true(hwloc_bitmap_list_snprintf(list, 64, chosen) < 64);
    assert_true(hwloc_bitmap_isincluded(chosen, set));
    hwloc_bitmap_free(chosen);
    hwloc_bitmap_free(set);
    hwloc_topology_destroy(topology);
    return plan;
}

static void test_every_rank_its_cores(void **state)
{
    (void)state;
    static const char *const expected[] = {"0,2,4", "6,8,10"};
    char list[64];
    for (int rank = 0; rank < 2; rank++) {
        const cop_affinity_request request = {
            .local_rank = rank, .local_ranks = 2, .threads = 3};
        const cop_affinity_plan plan = plan_on(big, "0-15", request, list);
        assert_true(plan.bound);
        assert_string_equal(list, expected[rank]);
        assert_int_equal(plan.first_core, 3 * rank);
        assert_int_equal(plan.threads, 3);
        assert_int_equal(plan.cores_allowed, 8);
        assert_int_equal(plan.cores_node, 8);
        assert_non_null(strstr(plan.text, expected[rank]));
    }
}

static void test_idle_coordinator(void **state)
{
    (void)state;
    char list[64];
    cop_affinity_request request = {.local_ranks = 3, .coordinator_idle = true, .threads = 4};
    cop_affinity_plan plan = plan_on(big, "0-15", request, list);
    assert_true(!plan.bound && list[0] == '\0');
    assert_non_null(strstr(plan.text, "coordinator"));
    request.local_rank = 1;
    plan = plan_on(big, "0-15", request, list);
    assert_true(plan.bound && plan.first_core == 0);
    assert_string_equal(list, "0,2,4,6");
    request.local_rank = 2;
    plan = plan_on(big, "0-15", request, list);
    assert_true(plan.bound && plan.first_core == 4);
    assert_string_equal(list, "8,10,12,14");
    /* alone it computes */
    request = (cop_affinity_request){.local_ranks = 1, .coordinator_idle = true, .threads = 8};
    plan = plan_on(big, "0-15", request, list);
    assert_true(plan.bound);
    assert_string_equal(list, "0,2,4,6,8,10,12,14");
}

static void test_too_few_cores(void **state)
{
    (void)state;
    char list[64];
    cop_affinity_request request = {.local_rank = 2, .local_ranks = 3, .threads = 1};
    cop_affinity_plan plan = plan_on("core:2 pu:1", "0-1", request, list);
    assert_true(!plan.bound && list[0] == '\0' && plan.first_core == 0);
    assert_string_equal(plan.text, "3 ranks x 1 threads on 2 cores: not bound");
    /* a second processor of a core is not a core */
    request = (cop_affinity_request){.local_ranks = 3, .threads = 3};
    assert_false(plan_on(big, "0-15", request, list).bound);
    /* figures that multiply beyond an int */
    request = (cop_affinity_request){.local_ranks = 65536, .threads = 65536};
    assert_false(plan_on(big, "0-15", request, list).bound);
    /* one rank more than fits because the coordinator computes */
    request = (cop_affinity_request){.local_ranks = 3, .threads = 4};
    assert_false(plan_on(big, "0-15", request, list).bound);
}

static void test_allowed_processors(void **state)
{
    (void)state;
    char list[64];
    /* one processor of core 0, both of cores 1 and 4, the second of core 7 */
    cop_affinity_request request = {.local_rank = 1, .local_ranks = 2, .threads = 2};
    cop_affinity_plan plan = plan_on(big, "1-3,8-9,15", request, list);
    assert_true(plan.bound && plan.cores_allowed == 4 && plan.cores_node == 8);
    assert_string_equal(list, "8,15");
    request.local_rank = 0;
    (void)plan_on(big, "1-3,8-9,15", request, list);
    assert_string_equal(list, "1-2");
    request.threads = 3;
    plan = plan_on(big, "1-3,8-9,15", request, list);
    assert_false(plan.bound);
    assert_non_null(strstr(plan.text, "2 ranks x 3 threads on 4 cores: not bound"));
    assert_non_null(strstr(plan.text, "8 in the machine"));
}

/* A batch system that has given each rank its own. */
static void test_bound_by_launcher(void **state)
{
    (void)state;
    char list[64];
    cop_affinity_request request = {
        .local_rank = 1, .local_ranks = 2, .threads = 4, .launcher_bound = true};
    cop_affinity_plan plan = plan_on(big, "8-15", request, list);
    assert_true(plan.bound && list[0] == '\0');
    assert_non_null(strstr(plan.text, "by the launcher"));
    request.launcher_bound = false; /* then the others have the same four */
    assert_false(plan_on(big, "8-15", request, list).bound);
    request.launcher_bound = true;
    request.threads = 2; /* room for all in what is allowed: no overlap whoever else is there */
    plan = plan_on(big, "8-15", request, list);
    assert_true(plan.bound);
    assert_string_equal(list, "12,14");
    request.threads = 5;
    assert_false(plan_on(big, "8-15", request, list).bound);
}

static void test_quota_is_told(void **state)
{
    (void)state;
    char list[64];
    cop_affinity_request request = {.local_ranks = 1, .threads = 2, .cpu_quota = 1.5};
    assert_non_null(strstr(plan_on(big, "0-15", request, list).text, "1.5 cores"));
    request.cpu_quota = 64;
    assert_null(strstr(plan_on(big, "0-15", request, list).text, "64"));
}

/* Every rank of every division gets cores that no other has. */
static void test_no_overlap(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 8; ranks++) {
        for (int threads = 1; ranks * threads <= 8; threads++) {
            int used[16] = {0};
            for (int rank = 0; rank < ranks; rank++) {
                char list[64];
                const cop_affinity_request request = {
                    .local_rank = rank, .local_ranks = ranks, .threads = threads};
                assert_true(plan_on(big, "0-15", request, list).bound);
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
    static const int wrong[][3] = {{-1, 1, 1}, {1, 1, 1}, {0, 0, 1}, {0, 1, 0}, {0, 1, -2}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cop_affinity_plan plan;
        cop_error err = {0};
        assert_int_equal(
            cop_affinity_bind(wrong[i][0], wrong[i][1], false, wrong[i][2], &plan, &err),
            COP_ERR_INTERNAL);
        assert_true(err.message[0] != '\0' && !plan.bound);
    }
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
    if (cop_affinity_bind(0, 1, false, 1, &plan, NULL) != COP_OK) return 1;
    if (!plan.bound) return 2;
    if (count_processors() != 1 || cop_affinity_core_count() != 1) return 3;
    /* threads that start later inherit it */
    int most = 0;
#pragma omp parallel num_threads(2) reduction(max : most)
    most = count_processors();
    if (most != 1) return 4;
    /* bound already: it stays there, and the machine is as large as before */
    if (cop_affinity_bind(0, 1, true, 1, &plan, NULL) != COP_OK || !plan.bound) return 5;
    if (plan.cores_allowed != 1 || plan.cores_node < 1) return 6;
    /* more ranks than it has: left alone; the parent has more processors, so one thread is what
     * a launcher could have meant */
    if (cop_affinity_bind(1, 2, false, 2, &plan, NULL) != COP_OK || plan.bound) return 7;
    return count_processors() == 1 ? 0 : 8;
}

static int leave_unbound(void)
{
    const int before = count_processors();
    cop_affinity_plan plan;
    if (cop_affinity_bind(999, 1000, false, 1000, &plan, NULL) != COP_OK || plan.bound)
        return 1;
    if (cop_affinity_bind(0, 2, true, 1, &plan, NULL) != COP_OK || plan.bound) return 2;
    return count_processors() == before ? 0 : 3;
}

static void test_this_machine(void **state)
{
    (void)state;
    const int cores = cop_affinity_core_count();
    assert_true(cores >= 1 && cores <= count_processors());
    assert_int_equal(in_child(bind_to_one), 0);
    assert_int_equal(in_child(leave_unbound), 0);
    assert_int_equal(cop_affinity_core_count(), cores);
}

/* Through the public function, hwloc told of another machine. */
static void test_synthetic_machine(void **state)
{
    (void)state;
    cop_affinity_plan plan;
    assert_int_equal(setenv("HWLOC_SYNTHETIC", big, 1), 0);
    assert_int_equal(cop_affinity_core_count(), 8);
    assert_int_equal(cop_affinity_bind(1, 2, false, 4, &plan, NULL), COP_OK);
    assert_true(plan.bound && plan.first_core == 4 && plan.cores_node == 8);
    assert_non_null(strstr(plan.text, "8,10,12,14"));
    assert_int_equal(setenv("HWLOC_SYNTHETIC", "no such machine", 1), 0);
    assert_int_equal(cop_affinity_bind(0, 1, false, 1, &plan, NULL), COP_OK);
    assert_true(plan.cores_allowed >= 1 && plan.text[0] != '\0');
    assert_int_equal(unsetenv("HWLOC_SYNTHETIC"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rank_its_cores), cmocka_unit_test(test_idle_coordinator),
        cmocka_unit_test(test_too_few_cores),        cmocka_unit_test(test_allowed_processors),
        cmocka_unit_test(test_bound_by_launcher),    cmocka_unit_test(test_quota_is_told),
        cmocka_unit_test(test_no_overlap),           cmocka_unit_test(test_wrong_requests),
        cmocka_unit_test(test_this_machine),         cmocka_unit_test(test_synthetic_machine),
    };
    return cmocka_run_group_tests_name("affinity", tests, NULL, NULL);
}
