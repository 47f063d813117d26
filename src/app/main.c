/* Entry point: finds the command, prints its failure, turns its status into an exit code. */
#include "app/address_check.h"
#include "app/app.h"
#include "app/spin_limit.h"

#include "coppice/backend/backend.h"
#include "coppice/base/build_info.h"
#include "coppice/base/cpu.h"
#include "coppice/run/run.h"
#include "coppice/unicode/unicode.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cop_command commands[] = {
    {"run", "run a job, or what is left of it; alone or under mpirun or srun", cop_command_run,
     false},
    {"eval", "score a model, or a model with a recipe, on a task", cop_command_eval, true},
    {"compare", "what changed between two models, answer by answer", cop_command_compare, true},
    {"generate", "answer prompts: JSON lines in, JSON lines out", cop_command_generate, true},
    {"export", "write the model that a run or recipe stands for", cop_command_export, true},
    {"status", "tell how a run is doing, from outside", cop_command_status, false},
    {"inspect", "show what a run file holds", cop_command_inspect, false},
    {"analyze", "is there structure in a run's rewards: split-half analysis",
     cop_command_analyze, true},
    {"tokenize", "text to token ids and back", cop_command_tokenize, false},
    {"tasks", "what can be learnt: fields, rewards, prompts", cop_command_tasks, false},
    {"reward", "score responses without a model", cop_command_reward, false},
    {"merge", "the two-pass merge of given scores", cop_command_merge, false},
    {"noise", "numbers of the noise, as bit patterns", cop_command_noise, false},
    {"bench", "measure this machine", cop_command_bench, false},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    (void)fprintf(stream, "coppice %s (%s, %s)\n", cop_build_version(), cop_build_git(),
                  cop_build_compiler());
}

static void print_help(FILE *stream)
{
    (void)fprintf(
        stream,
        "Usage: coppice COMMAND [OPTION...]\n\n"
        "Post-trains a language model without gradients: scores a population of seeded\n"
        "perturbations of its weights over MPI and folds the rewarded ones into one better\n"
        "model (CoRP).\n\nCommands:\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        (void)fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fprintf(
        stream,
        "\n'coppice COMMAND --help' explains a command, 'coppice run --keys' the job file.\n"
        "\nFirst steps:\n"
        "  mpirun -np 3 coppice run jobs/demo.yaml\n"
        "  coppice inspect runs/demo\n"
        "  coppice export runs/demo --model jobs/demo/model --out better-model\n"
        "\nExit codes:\n");
    for (int s = 0; s < COP_STATUS_COUNT; s++) {
        (void)fprintf(stream, "  %3d  %s\n", cop_status_exit_code((cop_status)s),
                      cop_status_text((cop_status)s));
    }
}

static const cop_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    }
    return NULL;
}

static int refuse_command(const char *name)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    const char *const nearest = cop_text_nearest(name, names, COMMANDS);
    (void)fprintf(stderr, "coppice: there is no command '%s'%s%s%s; see coppice --help\n", name,
                  nearest == NULL ? "" : "; did you mean '", nearest == NULL ? "" : nearest,
                  nearest == NULL ? "" : "'?");
    return cop_status_exit_code(COP_ERR_USAGE);
}

/* Results name the files that they are of, and JSON and HDF5 hold UTF-8 alone: better to say so
 * now than after the work. \return the number of the argument that is not, 0: all are. */
static int find_other_bytes(int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        if (!cop_unicode_is_valid(argv[i], strlen(argv[i]))) return i;
    }
    return 0;
}

/* hwloc opens its plug-ins whether they are used or not, and those for GPUs open the libraries
 * of GPUs. None is needed: where a GPU lies is told by the bus. An environment that says which
 * plug-ins to leave alone stands. */
static void leave_gpus_alone(void)
{
    (void)setenv("HWLOC_PLUGINS_BLACKLIST",
                 "hwloc_cuda.so,hwloc_nvml.so,hwloc_opencl.so,hwloc_gl.so,hwloc_rsmi.so,"
                 "hwloc_levelzero.so",
                 0);
}

int main(int argc, char **argv)
{
    cop_app_link_address_check();
    cop_app_limit_spinning(argv);
    leave_gpus_alone();
    (void)signal(SIGXFSZ, SIG_IGN); /* beyond a limit of file size a write fails */
    argp_program_version_hook = print_version;
    argp_err_exit_status = cop_status_exit_code(COP_ERR_USAGE);
    if (argc < 2) {
        print_help(stderr);
        return cop_status_exit_code(COP_ERR_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "-?") == 0 || (strcmp(argv[1], "help") == 0 && argc == 2)) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        print_version(stdout, NULL);
        return 0;
    }
    const int odd = find_other_bytes(argc, argv);
    if (odd > 0) {
        (void)fprintf(
            stderr,
            "coppice: argument %d is not UTF-8; rename the file, or give it by a link "
            "whose name is\n",
            odd);
        return cop_status_exit_code(COP_ERR_USAGE);
    }
    char help[] = "--help";
    if (strcmp(argv[1], "help") == 0) {
        argv[1] = argv[2];
        argv[2] = help;
    }
    const cop_command *const command = find_command(argv[1]);
    if (command == NULL) return refuse_command(argv[1]);
    static char name[64]; /* argv, which gets it, outlives this function */
    (void)snprintf(name, sizeof name, "coppice %s", command->name);
    argv[1] = name;
    cop_error err = {0};
    bool speaks = true;
    cop_status status = command->alone ? cop_run_check_alone(&speaks, &err) : COP_OK;
    if (status != COP_OK && !speaks) return 0; /* a launcher ends all at the first that fails */
    if (status == COP_OK) status = cop_cpu_check(&err);
    if (status == COP_OK) status = cop_backend_reserve_threads(0, &err);
    if (status == COP_OK) status = command->run(argc - 1, argv + 1, &err);
    if (status != COP_OK && strcmp(err.message, cop_app_said) != 0) {
        (void)fprintf(stderr, "%s: %s\n", name,
                      err.message[0] != '\0' ? err.message : cop_status_text(status));
    }
    return cop_status_exit_code(status);
}
