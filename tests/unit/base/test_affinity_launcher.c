/* A launcher that gives its ranks processors which it must not use, on made-up trees of /proc.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/affinity_launcher.h"

#include "unit/folder_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static void put(const char *root, const char *pid, const char *name, int parent,
                const char *list)
{
    char path[512];
    static const char *const parts[] = {"", "/proc", "/proc/%s"};
    for (size_t i = 1; i < 3; i++) {
        const int used = snprintf(path, sizeof path, "%s", root);
        (void)snprintf(path + used, sizeof path - (size_t)used, parts[i], pid);
        assert_true(mkdir(path, 0777) == 0 || errno == EEXIST);
    }
    (void)snprintf(path, sizeof path, "%s/proc/%s/status", root, pid);
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "Name:\t%s\nUmask:\t0022\nPid:\t7\nPPid:\t%d\n", name, parent);
    if (list != NULL) (void)fprintf(file, "Cpus_allowed:\tff\nCpus_allowed_list:\t%s\n", list);
    assert_int_equal(fclose(file), 0);
}

static void test_parent(void **state)
{
    cop_affinity_widened found;
    put(*state, "self", "coppice", 20, "0");
    put(*state, "20", "mpirun", 1, "1");
    assert_true(cop_affinity_find_widened(*state, &found));
    assert_string_equal(found.launcher, "mpirun");
    assert_string_equal(found.allowed, "1");
    assert_string_equal(found.mine, "0");
}

/* A script between launcher and rank has the rank's processors. */
static void test_behind_a_script(void **state)
{
    cop_affinity_widened found;
    put(*state, "self", "coppice", 30, "4-7");
    put(*state, "30", "sh", 20, "4-7");
    put(*state, "20", "prterun", 1, "0-3,6-8");
    assert_true(cop_affinity_find_widened(*state, &found));
    assert_string_equal(found.launcher, "prterun");
}

static void test_narrowed(void **state)
{
    cop_affinity_widened found;
    put(*state, "self", "coppice", 20, "3,64-65");
    put(*state, "20", "mpirun", 1, "0-127");
    put(*state, "1", "init", 0, "0-127");
    assert_false(cop_affinity_find_widened(*state, &found));
}

/* Nothing is said where nothing is known. */
static void test_unknown(void **state)
{
    cop_affinity_widened found;
    assert_false(cop_affinity_find_widened(*state, &found));
    put(*state, "self", "coppice", 20, "0");
    assert_false(cop_affinity_find_widened(*state, &found));
    put(*state, "20", "mpirun", 1, NULL);
    assert_false(cop_affinity_find_widened(*state, &found));
    put(*state, "20", "mpirun", 1, "9-1");
    assert_false(cop_affinity_find_widened(*state, &found));
    put(*state, "20", "mpirun", 20, "0"); /* its own parent: there is an end to it */
    assert_false(cop_affinity_find_widened(*state, &found));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_parent), TEST(test_behind_a_script),
                                       TEST(test_narrowed), TEST(test_unknown)};
    return cmocka_run_group_tests_name("affinity launcher", tests, NULL, NULL);
}
