/* Limits of processor time, on trees of /proc and /sys as machines, containers and batch
 * systems show them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/cgroup.h"

#include "unit/folder_support.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define V1 "sys/fs/cgroup/cpu"
#define V2 "sys/fs/cgroup"

static int setup(void **state)
{
    char *const root = calloc(1, FOLDER_BYTES);
    *state = root;
    return root == NULL ? -1 : folder_create(root);
}

static int teardown(void **state)
{
    const int result = folder_remove(*state);
    free(*state);
    return result;
}

/* Writes a file below the root, with its folders. */
static void put(const char *root, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(path, 0777) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_quota(const char *root, double expected)
{
    const double quota = cop_cgroup_cpu_quota(root);
    assert_true(quota > expected - 1e-9 && quota < expected + 1e-9);
}

static void test_nothing_known(void **state)
{
    assert_quota(*state, 0);
    put(*state, "proc/self/cgroup", "0::/\n\nnonsense\n");
    assert_quota(*state, 0);
    put(*state, V2 "/cpu.max", "nonsense\n");
    assert_quota(*state, 0);
}

/* The group's own limit, its parents' and the container's. */
static void test_version2(void **state)
{
    const char *const root = *state;
    put(root, "proc/self/cgroup", "0::/slurm/job_7/step_0\n");
    put(root, V2 "/slurm/job_7/step_0/cpu.max", "max 100000\n");
    assert_quota(root, 0);
    put(root, V2 "/slurm/job_7/cpu.max", "150000 100000\n");
    assert_quota(root, 1.5);
    put(root, V2 "/cpu.max", "400000 100000\n");
    assert_quota(root, 1.5);
    put(root, V2 "/slurm/job_7/step_0/cpu.max", "20000 100000\n");
    assert_quota(root, 0.2);
    put(root, "proc/self/cgroup", "0::/../host/path\n");
    assert_quota(root, 4);
}

static void test_version1(void **state)
{
    const char *const root = *state;
    put(root, "proc/self/cgroup", "9:memory:/a\n4:cpu,cpuacct:/slurm/job_7\n0::/\n");
    put(root, V1 "/slurm/job_7/cpu.cfs_quota_us", "-1\n");
    put(root, V1 "/slurm/job_7/cpu.cfs_period_us", "100000\n");
    assert_quota(root, 0);
    put(root, V1 "/slurm/cpu.cfs_quota_us", "250000\n");
    put(root, V1 "/slurm/cpu.cfs_period_us", "50000\n");
    assert_quota(root, 5);
    put(root, V1 "/slurm/job_7/cpu.cfs_quota_us", "200000\n");
    assert_quota(root, 2);
    /* another controller's group says nothing about time */
    put(root, "proc/self/cgroup", "4:cpuset:/slurm/job_7\n");
    assert_quota(root, 0);
}

static void note(void *context, int version, const char *directory)
{
    char *const text = context;
    const size_t used = strlen(text);
    const char *const name = strstr(directory, "cgroup");
    (void)snprintf(text + used, 512 - used, "%d:%s;", version, name);
}

static void test_visits(void **state)
{
    char text[512] = "";
    put(*state, "proc/self/cgroup", "3:cpu:/a/b\n2:cpuset:/c\n0::/d\n1:cpu:/\n");
    cop_cgroup_visit(*state, "cpu", note, text);
    assert_string_equal(text, "1:cgroup/cpu/a/b;1:cgroup/cpu/a;1:cgroup/cpu;2:cgroup/d;"
                              "2:cgroup;1:cgroup/cpu;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version2, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version1, setup, teardown),
        cmocka_unit_test_setup_teardown(test_visits, setup, teardown),
    };
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
