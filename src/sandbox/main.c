/* coppice-sandbox: runs programs that nobody vouches for. */
#include "sandbox/filter.h"
#include "sandbox/python.h"
#include "sandbox/server.h"
#include "sandbox/waits.h"
#include "sandbox/walls.h"
#include "sandbox/zygote.h"

#include "coppice/base/build_info.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, MOST_JOBS = 1024, DEFAULT_MEMORY_MIB = 512 };
static const double default_timeout_s = 10;

typedef struct arguments {
    double jobs, timeout_s, memory_mib; /* 0: the default */
    bool check, passes_signals_over;
} arguments;

static const struct argp_option options[] = {
    {"jobs", 'j', "N", 0, "Programs that run at a time (default: as many as cores)", 0},
    {"timeout", 't', "S", 0,
     "Seconds for a program with its tests, running or asleep, where the request does "
     "not say (default 10)",
     0},
    {"memory", 'm', "MIB", 0, "Memory for a program (default 512)", 0},
    {"ignore-signals", 'i', NULL, 0,
     "Leave at the end of the input only, not at SIGTERM, SIGINT or SIGHUP: for a job whose "
     "signals "
     "reach all its processes, while it still needs answers",
     0},
    {"check", 'c', NULL, 0, "Set everything up, say what stands, and leave", 0},
    {0}};

static const char help[] =
    "Runs Python programs that nobody vouches for against tests: JSON lines in, JSON lines "
    "out.\v"
    "A request is {\"id\", \"program\": text, \"tests\": [assert lines], \"setup\": code "
    "before "
    "the tests, \"timeout\": seconds}; id, program and tests are needed. The timeout counts "
    "the time that a program runs or sleeps, not the time that it waits for a processor. The "
    "answers, "
    "{\"id\", \"passed\", \"why\"}, come in any order; {\"id\", \"error\"} means that the "
    "request is wrong, {\"id\", \"failed\"} that the server could not do it. At the end of its "
    "input the server finishes what it has "
    "and leaves.\n\n"
    "A program runs in a process of its own that can compute and nothing else: seccomp allows "
    "no files, sockets, processes or threads; what else the kernel grants (namespaces, an "
    "empty root folder, another user) stands around it. The tests run in another process and "
    "see values only. Without seccomp the server does not start.\n\n"
    "  echo '{\"id\": 1, \"program\": \"def f(x): return x + 1\", \"tests\": "
    "[\"assert f(1) == 2\"]}' | coppice-sandbox";

static error_t take_number(const char *text, double least, double most, double *value,
                           struct argp_state *state)
{
    char *end = NULL;
    *value = strtod(text, &end);
    if (end == text || *end != '\0' || !(*value >= least && *value <= most))
        argp_error(state, "%s: must be a number from %g to %g", text, least, most);
    return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case 'j':
        return take_number(text, 1, MOST_JOBS, &a->jobs, state);
    case 't':
        return take_number(text, 0.01, 3600, &a->timeout_s, state);
    case 'm':
        return take_number(text, 16, 1 << 20, &a->memory_mib, state);
    case 'i':
        a->passes_signals_over = true;
        return 0;
    case 'c':
        a->check = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_version(FILE *stream, struct argp_state *state)
{
    (void)state;
    (void)fprintf(stream, "coppice-sandbox %s (%s), Python %s\n", cop_build_version(),
                  cop_build_git(), cop_python_version());
}

static size_t count_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return (size_t)CPU_COUNT(&set);
}

/* The environment goes, with the strings that the kernel passed; only the time zone is set, so
 * that nobody looks for a file of it. TMPDIR is what the walls may need. */
static cop_status clear_environment(cop_error *err)
{
    extern char **environ;
    const char *const base = getenv("TMPDIR");
    char *const kept = base != NULL ? strdup(base) : NULL;
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++)
        explicit_bzero(*entry, strlen(*entry));
    const bool done = clearenv() == 0 && setenv("TZ", "UTC0", 1) == 0 &&
                      (kept == NULL || setenv("TMPDIR", kept, 1) == 0);
    free(kept);
    COP_CHECK(done, err, COP_ERR_MEMORY, "the environment cannot be cleared");
    return COP_OK;
}

/* Moves input and output away from 0 and 1, which programs get as /dev/null. */
static cop_status move_streams(cop_server_options *server, int *null, cop_error *err)
{
    *null = open("/dev/null", O_RDWR | O_CLOEXEC);
    COP_CHECK(*null >= 0, err, COP_ERR_IO, "/dev/null: %s", strerror(errno));
    server->in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    server->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    COP_CHECK(server->in >= 0 && server->out >= 0 && dup2(*null, STDIN_FILENO) >= 0 &&
                  dup2(*null, STDOUT_FILENO) >= 0,
              err, COP_ERR_IO, "standard input and output: %s", strerror(errno));
    return COP_OK;
}

/* A job's signals reach its whole process group, or all processes of a batch job; with
 * --ignore-signals this server leaves at the end of its input, when the job no longer needs it.
 */
static void ignore_signals(bool all)
{
    static const int passed_over[] = {SIGPIPE, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP};
    const size_t count = all ? sizeof passed_over / sizeof *passed_over : 1;
    for (size_t i = 0; i < count; i++)
        (void)signal(passed_over[i], SIG_IGN);
}

/* Address space of this process, which children begin with. */
static uint64_t address_space_bytes(void)
{
    unsigned long pages = 0;
    FILE *const file = fopen("/proc/self/statm", "re");
    const bool got = file != NULL && fscanf(file, "%lu", &pages) == 1;
    if (file != NULL) (void)fclose(file);
    enum { TYPICAL_MIB = 128 };
    return got ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE)
               : (uint64_t)TYPICAL_MIB * MIB;
}

static int report(cop_status status, const cop_error *err)
{
    if (status != COP_OK) (void)fprintf(stderr, "coppice-sandbox: %s\n", err->message);
    return cop_status_exit_code(status);
}

static void print_walls(const cop_walls *walls, int out)
{
    (void)dprintf(out,
                  "{\"python\": \"%s\", \"seccomp\": true, \"namespaces\": "
                  "{\"user\": %s, \"mount\": %s, \"pid\": %s, \"net\": %s, \"ipc\": %s, "
                  "\"uts\": %s}, \"root\": \"%s\", \"nobody\": %s}\n",
                  cop_python_version(), walls->user ? "true" : "false",
                  walls->mount ? "true" : "false", walls->pid ? "true" : "false",
                  walls->net ? "true" : "false", walls->ipc ? "true" : "false",
                  walls->uts ? "true" : "false", walls->root, walls->nobody ? "true" : "false");
}

typedef struct plan {
    cop_server_options server;
    cop_filter filter;
    uint64_t memory_bytes;
    int null;
} plan;

/* Behind the walls: what the first process of the pid namespace does. */
static cop_status serve(const plan *p, cop_error *err)
{
    cop_zygote zygote;
    COP_TRY(cop_filter_check(&p->filter, err));
    COP_TRY(cop_zygote_start(&p->filter, p->memory_bytes, p->null, &zygote, err));
    return cop_server_run(&p->server, &zygote, err);
}

/* The first process forked after the walls is the first of its pid namespace, and with it goes
 * all that is in there. This process stays outside and waits. */
static int serve_as_child(const plan *p)
{
    const pid_t pid = fork();
    cop_error err = {0};
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        const cop_status status = serve(p, &err);
        _exit(report(status, &err));
    }
    if (pid < 0)
        return report(
            cop_error_set(&err, COP_ERR_IO, "cannot start a process: %s", strerror(errno)),
            &err);
    (void)close(p->server.in);
    (void)close(p->server.out);
    int how = 0;
    while (waitpid(pid, &how, 0) < 0)
        if (errno != EINTR) break;
    return WIFEXITED(how) ? WEXITSTATUS(how) : cop_status_exit_code(COP_ERR_INTERNAL);
}

static cop_status prepare(const arguments *a, plan *p, cop_walls *walls, cop_error *err)
{
    p->server.jobs = a->jobs > 0 ? (size_t)a->jobs : count_cores();
    p->server.timeout_s = a->timeout_s > 0 ? a->timeout_s : default_timeout_s;
    COP_TRY(clear_environment(err));
    COP_TRY(move_streams(&p->server, &p->null, err));
    ignore_signals(a->passes_signals_over);
    p->server.proc = cop_waits_open();
    struct sigaction interrupt;
    (void)sigaction(SIGINT, NULL, &interrupt);
    COP_TRY(cop_python_start(err));
    (void)sigaction(SIGINT, &interrupt, NULL); /* its module signal has set a handler */
    const double mib = a->memory_mib > 0 ? a->memory_mib : DEFAULT_MEMORY_MIB;
    p->memory_bytes = address_space_bytes() + (uint64_t)mib * MIB;
    COP_TRY(cop_filter_build(&p->filter, err));
    COP_TRY(cop_walls_raise(walls, err));
    (void)prctl(PR_SET_DUMPABLE, 0);
    return COP_OK;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {options, parse_option, NULL, help, NULL, NULL, NULL};
    argp_program_version_hook = print_version;
    argp_err_exit_status = cop_status_exit_code(COP_ERR_USAGE);
    arguments a = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &a) != 0)
        return cop_status_exit_code(COP_ERR_USAGE);
    plan p = {0};
    cop_walls walls;
    cop_error err = {0};
    cop_status status = prepare(&a, &p, &walls, &err);
    if (status == COP_OK && a.check) {
        status = cop_filter_check(&p.filter, &err);
        if (status == COP_OK) print_walls(&walls, p.server.out);
        return report(status, &err);
    }
    if (status != COP_OK) return report(status, &err);
    return serve_as_child(&p);
}
