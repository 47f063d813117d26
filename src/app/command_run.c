/* coppice run */
#include "app/app.h"

#include "coppice/base/memory.h"
#include "coppice/job/job.h"
#include "coppice/method/method.h"
#include "coppice/report/baselines.h"
#include "coppice/run/run.h"
#include "coppice/search/race.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
    const char *job;
    const char *out;
    const char **overrides; /* [override_count], capacity argc */
    size_t override_count;
    cop_progress_mode progress;
    bool quiet, keys, check, oversubscribe;
} arguments;

enum { KEY_OUT = 0x100, KEY_KEYS, KEY_PROGRESS, KEY_CHECK, KEY_OVERSUBSCRIBE };

static const struct argp_option options[] = {
    {"set", 's', "KEY=VALUE", 0,
     "Override a key of the job file; may be given many times. The value is YAML: -s "
     "population.sigma='[0.001, 0.002]'. Paths are relative to the current directory.",
     0},
    {"out", KEY_OUT, "DIR", 0,
     "Run directory (default: runs/NAME for NAME.yaml). If it holds a run of the same "
     "job, that run goes on where it stopped.",
     0},
    {"progress", KEY_PROGRESS, "WHEN", 0,
     "Live progress line: auto (on a terminal), always or never", 0},
    {"quiet", 'q', NULL, 0, "Print errors only", 0},
    {"oversubscribe", KEY_OVERSUBSCRIBE, NULL, 0,
     "Run even if there are more computing threads than cores (rank 0 only coordinates and "
     "does "
     "not count)",
     0},
    {"check", KEY_CHECK, NULL, 0,
     "Check the job and its files, print resolved keys, the answers that it takes at most and "
     "the run directory, and stop",
     0},
    {"keys", KEY_KEYS, NULL, 0,
     "Print every key of the job file with unit, default, range and meaning", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case 's':
        if (strchr(text, '=') == NULL) argp_error(state, "-s %s: must be KEY=VALUE", text);
        a->overrides[a->override_count++] = text;
        return 0;
    case KEY_OUT:
        a->out = text;
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    case KEY_OVERSUBSCRIBE:
        a->oversubscribe = true;
        return 0;
    case KEY_KEYS:
        a->keys = true;
        return 0;
    case KEY_CHECK:
        a->check = true;
        return 0;
    case KEY_PROGRESS:
        if (strcmp(text, "auto") == 0) {
            a->progress = COP_PROGRESS_AUTO;
        } else if (strcmp(text, "always") == 0) {
            a->progress = COP_PROGRESS_ALWAYS;
        } else if (strcmp(text, "never") == 0) {
            a->progress = COP_PROGRESS_NEVER;
        } else {
            argp_error(state, "--progress %s: must be auto, always or never", text);
        }
        return 0;
    case ARGP_KEY_ARG:
        if (a->job != NULL) argp_error(state, "one job file only");
        a->job = text;
        return 0;
    case ARGP_KEY_END:
        if (a->job == NULL && !a->keys)
            argp_error(state, "which job? For example jobs/demo.yaml");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse,
    "JOB.yaml",
    "Runs a job: scores the base model, then a population of seeded perturbations of it, folds "
    "the rewarded "
    "ones into one model, accepts it only if it is better on held-out examples, and reports on "
    "a test set.\v"
    "Alone it computes itself; under mpirun or srun, rank 0 coordinates and the others "
    "compute, so use one rank more than workers. The same job gives the same result with any "
    "number of ranks. Where there is a worker for each core, Open MPI's mpirun has no slot "
    "left for rank 0: slurm/mpirun.sh, or --host localhost:RANKS, gives it one.\n\n"
    "To go on with a run that was stopped or killed, run the same command again. SIGTERM, "
    "SIGINT and SIGUSR1 "
    "write a checkpoint and leave with exit code 75. Exit codes are listed by coppice "
    "--help.\n\n"
    "The run directory holds run.h5 (everything, HDF5), recipe.json (the model as seeds and "
    "amplitudes), "
    "summary.json, status.json (see coppice status) and log.\n\n"
    "  mpirun -np 3 coppice run jobs/demo.yaml\n"
    "  coppice run jobs/demo.yaml -s population.size=40 --out runs/quick",
    NULL,
    NULL,
    NULL};

static cop_status print_keys(cop_error *err)
{
    cop_text text = {0};
    cop_status status = cop_job_print_keys(&text, err);
    if (status == COP_OK) (void)fputs(text.data, stdout);
    cop_text_free(&text);
    return status == COP_OK ? cop_app_flush(err) : status;
}

static cop_status print_job(const cop_job *job, cop_error *err)
{
    cop_text value = {0};
    cop_status status = COP_OK;
    for (size_t key = 0; key < cop_job_key_count() && status == COP_OK; key++) {
        cop_text_clear(&value);
        status = cop_job_print_value(job, key, &value, err);
        if (status == COP_OK) (void)printf("%s: %s\n", cop_job_key_name(key), value.data);
    }
    cop_text_free(&value);
    return status == COP_OK ? cop_app_flush(err) : status;
}

/* Appends how a race goes, as a comment to the keys. */
static void print_race(const char *key, int64_t stages, const char *split, int64_t examples,
                       int64_t batch, const char *leader)
{
    if (stages == 0 || examples == 0) return;
    const cop_race_plan plan =
        cop_race_make_plan((size_t)examples, (size_t)stages, (size_t)batch);
    const size_t stage = plan.unit * plan.stage_units;
    if (plan.stages == 1) {
        (void)printf("# %s: %lld examples of %s are too few for a race\n", key,
                     (long long)examples, split);
        return;
    }
    (void)printf("# %s: %lld examples of %s in %zu stages, looks after %zu", key,
                 (long long)examples, split, plan.stages, stage);
    for (size_t k = 2; k < plan.stages; k++)
        (void)printf(", %zu", k * stage);
    (void)printf("; who is %.2f standard errors behind %s leaves\n", plan.z, leader);
}

static cop_status print_races(const cop_job *job, cop_error *err)
{
    const cop_method *method = NULL;
    COP_TRY(cop_method_find(job->method, &method, err));
    print_race("population.race", job->population.race, "support", job->splits.support,
               job->backend.batch, "the last of the largest ensemble");
    if (method->proposes)
        print_race("consolidate.race", job->consolidate.race, "probe", job->splits.probe,
                   job->backend.batch, "the best");
    if (method->recentres && job->recenter.rounds > 0)
        print_race("recenter.race", job->recenter.race, "support", job->splits.support,
                   job->backend.batch, "the best");
    return cop_app_flush(err);
}

/* Appends the answers that the job takes and what a budget leaves of them, as comments. */
static cop_status print_plan(const cop_job *job, size_t pool, cop_error *err)
{
    cop_text text = {0};
    uint64_t test = 0;
    cop_status status = cop_baselines_count_answers(job, &test, err);
    if (status == COP_OK) status = cop_text_append(&text, "work: ", 6, err);
    if (status == COP_OK) status = cop_plan_print_work(job, test, pool, &text, err);
    if (status == COP_OK) status = cop_plan_print_budget(job, pool, &text, err);
    if (status == COP_OK) status = cop_plan_print_screen(job, pool, &text, err);
    for (const char *at = text.data; status == COP_OK && *at != '\0';
         at += strcspn(at, "\n") + 1)
        (void)printf("# %.*s\n", (int)strcspn(at, "\n"), at);
    cop_text_free(&text);
    return status == COP_OK ? cop_app_flush(err) : status;
}

/* runs/NAME for .../NAME.yaml */
static cop_status default_out(const char *job, cop_text *out, cop_error *err)
{
    const char *const slash = strrchr(job, '/');
    const char *const name = slash == NULL ? job : slash + 1;
    const char *const dot = strrchr(name, '.');
    const int length = dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name);
    return cop_text_format(out, err, "runs/%.*s", length, name);
}

/* A comment below the keys, which scripts look for. */
static cop_status print_out(const arguments *a, cop_error *err)
{
    cop_text out = {0};
    const cop_status status = a->out != NULL ? COP_OK : default_out(a->job, &out, err);
    if (status == COP_OK)
        (void)printf("# run directory: %s\n", a->out != NULL ? a->out : out.data);
    cop_text_free(&out);
    return status == COP_OK ? cop_app_flush(err) : status;
}

static cop_status execute(const arguments *a, cop_world *world, cop_error *err)
{
    cop_job *job = NULL;
    cop_text out = {0};
    cop_status status = cop_job_load(a->job, a->overrides, a->override_count, &job, err);
    if (status == COP_OK && a->out == NULL) status = default_out(a->job, &out, err);
    status = cop_world_agree(world, status, err);
    if (status == COP_OK) {
        const cop_run_options run = {.out_dir = a->out != NULL ? a->out : out.data,
                                     .progress = a->progress,
                                     .quiet = a->quiet,
                                     .oversubscribe = a->oversubscribe};
        status = cop_run_execute(world, job, &run, err);
    }
    cop_text_free(&out);
    cop_job_destroy(&job);
    return status;
}

/* Tasks that did not find each other are all rank 0; one of them speaks. */
static bool is_first_task(void)
{
    const char *const task = getenv("SLURM_PROCID");
    return task == NULL || strcmp(task, "0") == 0;
}

/* Runs the job over MPI. Rank 0 alone reports a failure and carries its exit code: a launcher
 * ends the job at the first rank that fails, maybe before rank 0 has spoken. */
static cop_status run_world(const arguments *a, int argc, char **argv, cop_error *err)
{
    cop_world *world = NULL;
    COP_TRY(cop_world_open(&argc, &argv, &world, err));
    cop_status status = cop_run_check_launch(world, err);
    const bool first = cop_world_rank(world) == 0 && (status == COP_OK || is_first_task());
    if (status == COP_OK) status = execute(a, world, err);
    if (status != COP_OK && (first || status == COP_ERR_MPI)) {
        (void)fprintf(stderr, "coppice run: %s\n", err->message);
    }
    if (status == COP_ERR_MPI) cop_world_abort(world, cop_status_exit_code(status));
    cop_error closing = {0};
    const cop_status closed = cop_world_close(&world, &closing);
    if (status == COP_OK && closed != COP_OK)
        return cop_error_set(err, closed, "%s", closing.message);
    if (status == COP_OK || (!first && status != COP_ERR_USAGE)) return COP_OK;
    return cop_error_set(err, status, "%s", cop_app_said);
}

/* --check: what the job is and takes, then what it lacks; of cores and GPUs the job may find
 * others. */
static cop_status check(const arguments *a, cop_error *err)
{
    cop_job *job = NULL;
    cop_run_facts facts;
    cop_error why = {0};
    COP_TRY(cop_job_load(a->job, a->overrides, a->override_count, &job, err));
    const cop_status checked = cop_run_check(job, &facts, &why);
    cop_status status = print_job(job, err);
    if (status == COP_OK) status = print_races(job, err);
    if (status == COP_OK) status = print_plan(job, facts.pool, err);
    if (status == COP_OK && facts.idle_pattern != NULL)
        (void)printf("# population.scope: no tensor of %s matches '%s'\n", job->model,
                     facts.idle_pattern);
    if (status == COP_OK && checked != COP_OK)
        status = cop_error_set(err, checked, "%s", why.message);
    if (status == COP_OK) status = print_out(a, err);
    cop_job_destroy(&job);
    return status;
}

cop_status cop_command_run(int argc, char **argv, cop_error *err)
{
    arguments a = {0};
    a.overrides = cop_memory_alloc((size_t)argc, sizeof *a.overrides, err);
    if (a.overrides == NULL) return COP_ERR_MEMORY;
    cop_status status = cop_app_parse(&argp, argc, argv, &a, err);
    if (status != COP_OK) goto out;
    if (a.keys) {
        status = print_keys(err);
    } else if (a.check) {
        status = check(&a, err);
    } else {
        status = run_world(&a, argc, argv, err);
    }
out:
    cop_memory_free(a.overrides);
    return status;
}
