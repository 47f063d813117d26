/* Commands: which program, its pipes, its end. */
#include "child/process.h"

#include "child/spawn.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/child/helper.h"

#include <assert.h>
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

/* Words before the program's: the reaper's name, this process's number, the program's path. */
enum { REAPER_WORDS = 3 };
enum { CONTROL = STDERR_FILENO + 1, PIPES };

static const char reaper_name[] = "coppice-reaper";
static const char reaper_use[] = "commands are started with it; build and install it beside "
                                 "coppice (make)";

static void close_end(int *fd)
{
    if (*fd >= 0) (void)close(*fd);
    *fd = -1;
}

/* The standard streams, and what tells the reaper that this process is gone. This side's ends
 * do not block. */
static cop_status open_pipes(int pipes[PIPES][2], cop_error *err)
{
    for (int i = 0; i < PIPES; i++) {
        int why = cop_spawn_pipe(pipes[i]);
        const int mine = pipes[i][i == STDIN_FILENO || i == CONTROL ? 1 : 0];
        if (why == 0 && fcntl(mine, F_SETFL, O_NONBLOCK) != 0) why = errno;
        COP_CHECK(why == 0, err, COP_ERR_UNIT, "no pipe to the command: %s", strerror(why));
    }
    return COP_OK;
}

/* Takes over this side's ends of the pipes on success. */
static cop_status start_program(const char *reaper, char *const *arguments, int pipes[PIPES][2],
                                cop_process *process, cop_error *err)
{
    const cop_spawn_options options = {
        .reaper = reaper,
        .arguments = arguments,
        .streams = {pipes[STDIN_FILENO][0], pipes[STDOUT_FILENO][1], pipes[STDERR_FILENO][1]},
        .control = pipes[CONTROL][0]};
    COP_TRY(cop_spawn(&options, &process->pid, err));
    process->in = pipes[STDIN_FILENO][1];
    process->out = pipes[STDOUT_FILENO][0];
    process->err = pipes[STDERR_FILENO][0];
    process->held = pipes[CONTROL][1];
    pipes[STDIN_FILENO][1] = pipes[STDOUT_FILENO][0] = pipes[STDERR_FILENO][0] =
        pipes[CONTROL][1] = -1;
    return COP_OK;
}

/* Words of the reaper and its command [REAPER_WORDS + count]. */
static cop_status make_arguments(const char *program, const char *const *command, size_t count,
                                 char **arguments, cop_error *err)
{
    char number[32];
    (void)snprintf(number, sizeof number, "%ld", (long)getpid());
    const char *const before[REAPER_WORDS] = {reaper_name, number, program};
    for (size_t i = 0; i < REAPER_WORDS + count; i++) {
        const char *const word = i < REAPER_WORDS ? before[i] : command[i - REAPER_WORDS];
        assert(word != NULL);
        arguments[i] = cop_memory_copy_string(word, strlen(word), err);
        if (arguments[i] == NULL) return COP_ERR_MEMORY;
    }
    return COP_OK;
}

cop_status cop_process_start(const char *const *command, size_t count, cop_process *process,
                             cop_error *err)
{
    *process = COP_PROCESS_NONE;
    int pipes[PIPES][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    char *program = NULL;
    cop_text reaper = {0};
    const size_t words = REAPER_WORDS + count;
    char **const arguments = cop_memory_alloc(words + 1, sizeof *arguments, err);
    if (arguments == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    COP_TRY_OUT(find_program(command[0], &program, err));
    COP_TRY_OUT(cop_helper_find(reaper_name, reaper_use, &reaper, err));
    COP_TRY_OUT(make_arguments(program, command, count, arguments, err));
    COP_TRY_OUT(open_pipes(pipes, err));
    status = start_program(reaper.data, arguments, pipes, process, err);
out:
    for (int i = 0; i < PIPES; i++) {
        close_end(&pipes[i][0]);
        close_end(&pipes[i][1]);
    }
    for (size_t i = 0; i < words; i++)
        cop_memory_free(arguments[i]);
    cop_memory_free(arguments);
    cop_text_free(&reaper);
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

void cop_process_ask_to_end(const cop_process *process)
{
    if (process->pid > 0) (void)kill(process->pid, SIGTERM);
}

void cop_process_finish(cop_process *process)
{
    close_end(&process->held); /* now the reaper kills */
    if (process->pid > 0) {
        (void)kill(process->pid, SIGCONT); /* also if the command has stopped it */
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    close_end(&process->in);
    close_end(&process->out);
    close_end(&process->err);
    *process = COP_PROCESS_NONE;
}
