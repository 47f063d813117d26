/* Memory limits, on trees of /proc and /sys as machines, containers and batch systems show
 * them. */
#include "base/memory_limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>

#include <cmocka.h>

#include "unit/folder_support.h"

enum { MIB = 1 << 20 };
#define V1 "sys/fs/cgroup/memory"
#define V2 "sys/fs/cgroup"

typedef struct fixture {
    char root[FOLDER_BYTES];
} fixture;

static int setup(void **state)
{
    fixture *const made = calloc(1, sizeof *made);
    if (made == NULL) return -1;
    if (folder_create(made->root) != 0) return -1;
    *state = made;
    return 0;
}

static int teardown(void **state)
{
    fixture *const made = *state;
    const int result = folder_remove(made->root);
    free(made);
    return result;
}

/* Writes a file below the root, with its folders. */
static void put(const fixture *at, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", at->root, name);
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

static void put_machine(const fixture *at, uint64_t mib)
{
    char text[256];
    (void)snprintf(text, sizeof text,
                   "MemTotal: 999999999 kB\nMemFree: 1 kB\nMemAvailable: %llu kB\n",
                   (unsigned long long)mib * 1024);
    put(at, "proc/meminfo", text);
}

static void put_number(const fixture *at, const char *folder, const char *file, uint64_t mib)
{
    char name[256];
    char text[64];
    (void)snprintf(name, sizeof name, "%s/%s", folder, file);
    (void)snprintf(text, sizeof text, "%llu\n", (unsigned long long)mib * MIB);
    put(at, name, text);
}

static uint64_t mib_left(const fixture *at)
{
    return cop_memory_limits_read(at->root) / MIB;
}

static void test_nothing_known(void **state)
{
    const fixture *const at = *state;
    assert_int_equal(cop_memory_limits_read(at->root), 0);
    assert_int_equal(cop_memory_limits_read("/nonexistent"), 0);
}

static void test_no_groups(void **state)
{
    const fixture *const at = *state;
    put_machine(at, 5000);
    assert_int_equal(mib_left(at), 5000);
    put(at, "proc/self/cgroup", "0::/\n");
    assert_int_equal(mib_left(at), 5000);
    put(at, "proc/self/cgroup", "nonsense\n::\n\n3:memory\n");
    assert_int_equal(mib_left(at), 5000);
}

/* A Slurm step: the job is limited, its tasks are not. */
static void test_version2_parent(void **state)
{
    const fixture *const at = *state;
    put_machine(at, 5000);
    put(at, "proc/self/cgroup", "0::/slurm/job_1/step_0\n");
    put(at, V2 "/slurm/job_1/step_0/memory.max", "max\n");
    put_number(at, V2 "/slurm/job_1/step_0", "memory.current", 100);
    put_number(at, V2 "/slurm/job_1", "memory.max", 1000);
    put_number(at, V2 "/slurm/job_1", "memory.current", 300);
    put_number(at, V2 "/slurm", "memory.max", 4000);
    put_number(at, V2 "/slurm", "memory.current", 200);
    assert_int_equal(mib_left(at), 700);
    /* The machine may have less than the group allows. */
    put_machine(at, 600);
    assert_int_equal(mib_left(at), 600);
    /* And a group more than its parent. */
    put_machine(at, 5000);
    put_number(at, V2 "/slurm", "memory.max", 250);
    assert_int_equal(mib_left(at), 50);
}

/* Within a container the mount's root is the container's group. */
static void test_version2_container(void **state)
{
    const fixture *const at = *state;
    put_machine(at, 5000);
    put(at, "proc/self/cgroup", "0::/\n");
    put_number(at, V2, "memory.max", 1000);
    put_number(at, V2, "memory.current", 900);
    assert_int_equal(mib_left(at), 100);
    put(at, "proc/self/cgroup", "0::/../../host/path\n");
    assert_int_equal(mib_left(at), 100);
}

/* Page cache is dropped before memory runs out. */
static void test_page_cache(void **state)
{
    const fixture *const at = *state;
    put_machine(at, 5000);
    put(at, "proc/self/cgroup", "0::/a\n");
    put_number(at, V2 "/a", "memory.max", 1000);
    put_number(at, V2 "/a", "memory.current", 900);
    put(at, V2 "/a/memory.stat",
        "anon 1\ninactive_anon 9999999\ninactive_file 419430400\n"
        "active_file 104857600\nfile 999999999\n");
    assert_int_equal(mib_left(at), 1000 - (900 - 500));
    put(at, V2 "/a/memory.stat", "inactive_file 9999999999\nactive_file x\n\n");
    assert_int_equal(mib_left(at), 1000);
    put_number(at, V2 "/a", "memory.current", 1200);
    put(at, V2 "/a/memory.stat", "");
    assert_int_equal(cop_memory_limits_read(at->root), 0);
}

static void test_version1(void **state)
{
    const fixture *const at = *state;
    put_machine(at, 5000);
    put(at, "proc/self/cgroup", "12:pids:/other\n4:hugetlb,memory:/slurm/uid_0/job_7\n0::/\n");
    put_number(at, V1 "/slurm/uid_0/job_7", "memory.limit_in_bytes", 2000);
    put_number(at, V1 "/slurm/uid_0/job_7", "memory.usage_in_bytes", 500);
    put(at, V1 "/slurm/uid_0/job_7/memory.stat",
        "inactive_file 1048576000\ntotal_inactive_file 104857600\ntotal_active_file 0\n");
    assert_int_equal(mib_left(at), 1600);
    /* "No limit" is a very large number there. */
    put(at, V1 "/memory.limit_in_bytes", "9223372036854771712\n");
    put_number(at, V1, "memory.usage_in_bytes", 3000);
    assert_int_equal(mib_left(at), 1600);
    /* In a container the host's path is not to be seen. */
    put(at, "proc/self/cgroup", "4:memory:/docker/0123456789\n");
    put_number(at, V1, "memory.limit_in_bytes", 3200);
    assert_int_equal(mib_left(at), 200);
    /* Another controller's group says nothing about memory. */
    put(at, "proc/self/cgroup", "4:memory_of_others,cpu:/slurm/uid_0/job_7\n");
    assert_int_equal(mib_left(at), 5000);
}

static void test_long_paths(void **state)
{
    const fixture *const at = *state;
    put_machine(at, 5000);
    char *const line = malloc(20000);
    assert_non_null(line);
    memcpy(line, "0::", 3);
    for (size_t i = 3; i < 19998; i++)
        line[i] = i % 2 == 1 ? '/' : 'a';
    memcpy(line + 19998, "\n", 2);
    put(at, "proc/self/cgroup", line);
    free(line);
    put_number(at, V2, "memory.max", 1000);
    put_number(at, V2, "memory.current", 400);
    assert_int_equal(mib_left(at), 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version2_parent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version2_container, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(test_version1, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_paths, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
