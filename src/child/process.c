/* Commands: which program, its pipes, its end. */
#include "child/process.h"

#include "child/spawn.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- finding the program --- */

static bool is_program(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

/* Why a path is no program. */
static cop_status refuse_path(const char *path, cop_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        return cop_error_set(err, COP_ERR_CONFIG, "command %s: %s", path, strerror(errno));
    }
    COP_CHECK(S_ISREG(info.st_mode), err, COP_ERR_CONFIG, "command %s: not a file", path);
    return cop_error_set(err, COP_ERR_CONFIG,
                         "command %s: not executable; chmod +x it, or name its interpreter "
                         "first: [python3, %s]",
                         path, path);
}

static cop_status search_path(const char *name, char **program, cop_error *err)
{
    const char *const path = getenv("PATH");
    cop_text candidate = {0};
    cop_status status = COP_OK;
    for (const char *at = path != NULL ? path : "/usr/bin:/bin"; *program == NULL;) {
        const size_t length = strcspn(at, ":");
        cop_text_clear(&candidate);
        COP_TRY_OUT(cop_text_format(&candidate, err, "%.*s%s%s", (int)length, at,
                                    length > 0 ? "/" : "", name));
        if (is_program(candidate.data)) {
            *program = candidate.data;
            return COP_OK;
        }
        if (at[length] == '\0') break;
        at += length + 1;
    }
    status = cop_error_set(
        err, COP_ERR_CONFIG, "command %s: there is no such program in PATH%s", name,
        strchr(name, ' ') == NULL
            ? ""
            : "; program and arguments are items of their own: [python3, reward.py]");
out:
    cop_text_free(&candidate);
    return status;
}

/* The program's path: a name with a slash as it is, any other from PATH. */
static cop_status find_program(const char *name, char **program, cop_error *err)
{
    *program = NULL;
    COP_CHECK(name[0] != '\0', err, COP_ERR_CONFIG, "the command's program is empty");
    if (strchr(name, '/') == NULL) return search_path(name, program, err);
    if (!is_program(name)) return refuse_path(name, err);
    *program = cop_memory_copy_string(name, strlen(name), err);
    return *program == NULL ? COP_ERR_MEMORY : COP_OK;
}

/* --- its start --- */

static void close_end(int *fd)
{
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}

/* Three pipes; this side's ends do not block. */
static cop_status open_pipes(int pipes[3][2], cop_error *err)
{
    for (int i = 0; i < 3; i++) {
        int why = cop_spawn_pipe(pipes[i]);
        const int mine = pipes[i][i == STDIN_FILENO ? 1 : 0];
        if (why == 0 && fcntl(mine, F_SETFL, O_NONBLOCK) != 0) why = errno;
        COP_CHECK(why == 0, err, COP_ERR_UNIT, "no pipe to the command: %s", strerror(why));
    }
    return COP_OK;
}

static cop_status start_program(const cop_spawn_options *options, int pipes[3][2],
                                cop_process *process, cop_error *err)
{
    COP_TRY(cop_spawn(options, &process->pid, err));
    process->in = pipes[STDIN_FILENO][1];
    process->out = pipes[STDOUT_FILENO][0];
    process->err = pipes[STDERR_FILENO][0];
    pipes[STDIN_FILENO][1] = pipes[STDOUT_FILENO][0] = pipes[STDERR_FILENO][0] = -1;
    const cop_status status = cop_guard_set(process->pid, &process->guard, err);
    if (status != COP_OK) cop_process_finish(process);
    return status;
}

static cop_status copy_arguments(const char *const *command, size_t count, char **arguments,
                                 cop_error *err)
{
    for (size_t i = 0; i < count; i++) {
        arguments[i] = cop_memory_copy_string(command[i], strlen(command[i]), err);
        if (arguments[i] == NULL) return COP_ERR_MEMORY;
    }
    return COP_OK;
}

cop_status cop_process_start(const char *const *command, size_t count, cop_process *process,
                             cop_error *err)
{
    *process = COP_PROCESS_NONE;
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    char *program = NULL;
    char **const arguments = cop_memory_alloc(count + 1, sizeof *arguments, err);
    if (arguments == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    COP_TRY_OUT(find_program(command[0], &program, err));
    COP_TRY_OUT(copy_arguments(command, count, arguments, err));
    COP_TRY_OUT(open_pipes(pipes, err));
    const cop_spawn_options options = {
        .program = program,
        .arguments = arguments,
        .streams = {pipes[STDIN_FILENO][0], pipes[STDOUT_FILENO][1], pipes[STDERR_FILENO][1]},
        .dies_with_thread = true};
    status = start_program(&options, pipes, process, err);
out:
    for (int i = 0; i < 3; i++) {
        close_end(&pipes[i][0]);
        close_end(&pipes[i][1]);
    }
    for (size_t i = 0; i < count; i++)
        cop_memory_free(arguments[i]);
    cop_memory_free(arguments);
    cop_memory_free(program);
    return status;
}

/* --- its end --- */

bool cop_process_has_ended(const cop_process *process, char *how, size_t size)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
        /* Somebody else took it: that is an end, too. */
        (void)snprintf(how, size, "no exit code: %s", strerror(errno));
        return errno == ECHILD;
    }
    if (info.si_pid == 0) return false;
    if (info.si_code == CLD_EXITED) {
        (void)snprintf(how, size, "exit code %d", info.si_status);
    } else {
        (void)snprintf(how, size, "signal %d, %s", info.si_status, strsignal(info.si_status));
    }
    return true;
}

void cop_process_signal(const cop_process *process, int number)
{
    if (process->pid > 0) (void)kill(-process->pid, number);
}

void cop_process_finish(cop_process *process)
{
    cop_guard_lift(&process->guard);
    if (process->pid > 0) {
        cop_process_signal(process, SIGKILL);
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    close_end(&process->in);
    close_end(&process->out);
    close_end(&process->err);
    *process = COP_PROCESS_NONE;
}
