#include "run/launch.h"

#include "coppice/run/run.h"

#include <stdbool.h>
#include <stdlib.h>

/* A positive number, 0 if there is none. */
static long read_count(char *(*get)(const char *name), const char *name)
{
    const char *const text = get(name);
    char *end = NULL;
    const long count = text == NULL ? 0 : strtol(text, &end, 10);
    return text != NULL && *end == '\0' && count > 0 ? count : 0;
}

cop_status cop_launch_check(int size, char *(*get)(const char *name), cop_error *err)
{
    const bool in_job = get("SLURM_JOB_ID") != NULL;
    const bool in_step = get("SLURM_STEP_ID") != NULL && get("SLURM_PROCID") != NULL;
    const bool by_mpirun = get("OMPI_COMM_WORLD_SIZE") != NULL || get("PMI_SIZE") != NULL;
    if (!in_job) return COP_OK;
    if (in_step && by_mpirun) {
        /* mpirun's own helper on this node is the step: its variables are not the job's. */
        return COP_OK;
    }
    if (in_step) {
        const long tasks = read_count(get, "SLURM_STEP_NUM_TASKS");
        COP_CHECK(tasks == 0 || tasks == size, err, COP_ERR_USAGE,
                  "srun started %ld tasks, but this MPI world has %d rank%s: the ranks did not "
                  "find each other, and would be %ld runs of one job. Use srun --mpi=pmix if "
                  "'srun --mpi=list' offers it, otherwise mpirun within the allocation",
                  tasks, size, size == 1 ? "" : "s", tasks);
        return COP_OK;
    }
    const long tasks = read_count(get, "SLURM_NTASKS");
    COP_CHECK(
        tasks == 0 || tasks == size, err, COP_ERR_USAGE,
        "the Slurm allocation has %ld tasks (SLURM_NTASKS), but this MPI world has %d "
        "rank%s; start it with srun --mpi=pmix or mpirun -np %ld, or unset SLURM_NTASKS if "
        "that is meant",
        tasks, size, size == 1 ? "" : "s", tasks);
    return COP_OK;
}

cop_status cop_launch_check_alone(char *(*get)(const char *name), bool *speaks, cop_error *err)
{
    /* mpirun's own helper is a step of Slurm's, too: it is asked first. */
    static const char *const launchers[][2] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                                               {"PMI_SIZE", "PMI_RANK"},
                                               {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}};
    *speaks = true;
    for (size_t i = 0; i < sizeof launchers / sizeof launchers[0]; i++) {
        const char *const size = launchers[i][0];
        if (get(size) == NULL) continue;
        const long count = read_count(get, size);
        *speaks = read_count(get, launchers[i][1]) == 0;
        COP_CHECK(count <= 1, err, COP_ERR_USAGE,
                  "%ld processes were started, and each would do all of the work: start one, "
                  "without mpirun or srun, which takes all cores by its threads (or unset %s "
                  "where a rank's own command wants this)",
                  count, size);
        break;
    }
    return COP_OK;
}

cop_status cop_run_check_alone(bool *speaks, cop_error *err)
{
    return cop_launch_check_alone(getenv, speaks, err);
}

cop_status cop_run_check_launch(const cop_world *world, cop_error *err)
{
    return cop_launch_check(cop_world_size(world), getenv, err);
}
