/* Ranks that do not match what Slurm was asked for. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "run/launch.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "SLURM_JOB_ID", "SLURM_STEP_ID",        "SLURM_PROCID",
    "SLURM_NTASKS", "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE",
    "PMI_SIZE",     "OMPI_COMM_WORLD_RANK", "PMI_RANK"};

static void set_environment(const char *const *pairs)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(unsetenv(names[i]), 0);
    for (; *pairs != NULL; pairs += 2)
        assert_int_equal(setenv(pairs[0], pairs[1], 1), 0);
}

static void expect(const char *const *pairs, int size, const char *words)
{
    cop_error err = {0};
    set_environment(pairs);
    const cop_status status = cop_launch_check(size, getenv, &err);
    assert_int_equal(status, words == NULL ? COP_OK : COP_ERR_USAGE);
    if (words != NULL && strstr(err.message, words) == NULL) fail_msg("%s", err.message);
}

#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_no_slurm(void **state)
{
    (void)state;
    expect(ENV("OMPI_COMM_WORLD_SIZE", "4"), 4, NULL);
    expect(ENV("SLURM_NTASKS", "9"), 1, NULL); /* a left-over, no job */
}

static void test_srun(void **state)
{
    (void)state;
#define STEP "SLURM_JOB_ID", "1", "SLURM_STEP_ID", "0", "SLURM_PROCID", "0"
    expect(ENV(STEP, "SLURM_STEP_NUM_TASKS", "3", "SLURM_NTASKS", "5"), 3, NULL);
    expect(ENV(STEP, "SLURM_STEP_NUM_TASKS", "1", "SLURM_NTASKS", "5"), 1, NULL);
    /* without PMI: three runs of one rank */
    expect(ENV(STEP, "SLURM_STEP_NUM_TASKS", "3", "SLURM_NTASKS", "3"), 1, "--mpi=pmix");
    expect(ENV(STEP, "SLURM_STEP_NUM_TASKS", "3"), 2, "did not find each other");
    expect(ENV(STEP), 1, NULL);
    expect(ENV(STEP, "SLURM_STEP_NUM_TASKS", "x"), 1, NULL);
}

static void test_mpirun(void **state)
{
    (void)state;
#define JOB "SLURM_JOB_ID", "1"
    expect(ENV(JOB, "SLURM_NTASKS", "5", "OMPI_COMM_WORLD_SIZE", "5"), 5, NULL);
    expect(ENV(JOB, "SLURM_NTASKS", "5", "OMPI_COMM_WORLD_SIZE", "3"), 3, "mpirun -np 5");
    expect(ENV(JOB, "SLURM_NTASKS", "5"), 1, "SLURM_NTASKS");
    expect(ENV(JOB, "SLURM_NTASKS", "1"), 1, NULL);
    expect(ENV(JOB), 1, NULL);
    /* a rank on another node is a child of mpirun's helper, which is a step of one task a node
     */
    expect(ENV(STEP, "SLURM_STEP_NUM_TASKS", "2", "OMPI_COMM_WORLD_SIZE", "9"), 9, NULL);
}

/* What one process does is refused to several, by the first of them. */
static void expect_alone(const char *const *pairs, const char *words, bool first)
{
    cop_error err = {0};
    bool speaks = !first;
    set_environment(pairs);
    const cop_status status = cop_launch_check_alone(getenv, &speaks, &err);
    assert_int_equal(status, words == NULL ? COP_OK : COP_ERR_USAGE);
    assert_int_equal(speaks, first);
    if (words != NULL && strstr(err.message, words) == NULL) fail_msg("%s", err.message);
}

static void test_alone(void **state)
{
    (void)state;
#define MPI(size, rank) "OMPI_COMM_WORLD_SIZE", size, "OMPI_COMM_WORLD_RANK", rank
    expect_alone(ENV(NULL), NULL, true);
    expect_alone(ENV(MPI("1", "0")), NULL, true);
    expect_alone(ENV(MPI("3", "0")), "3 processes were started", true);
    expect_alone(ENV(MPI("3", "2")), "unset OMPI_COMM_WORLD_SIZE", false);
    expect_alone(ENV("PMI_SIZE", "2", "PMI_RANK", "1"), "2 processes", false);
    expect_alone(ENV(JOB, "SLURM_NTASKS", "5"), NULL, true); /* a batch script's own command */
    expect_alone(ENV(STEP, "SLURM_STEP_NUM_TASKS", "4"), "unset SLURM_STEP_NUM_TASKS", true);
    expect_alone(ENV(STEP, "SLURM_STEP_NUM_TASKS", "1"), NULL, true);
    /* one rank on each of two nodes, and one alone on the second of them */
    expect_alone(ENV(STEP, "SLURM_STEP_NUM_TASKS", "2", MPI("1", "0")), NULL, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_slurm), cmocka_unit_test(test_srun),
        cmocka_unit_test(test_mpirun), cmocka_unit_test(test_alone)};
    return cmocka_run_group_tests_name("launch", tests, NULL, NULL);
}
