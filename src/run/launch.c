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

cop_status cop_run_check_launch(const cop_world *world, cop_error *err)
{
    return cop_launch_check(cop_world_size(world), getenv, err);
}
