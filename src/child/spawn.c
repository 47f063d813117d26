/* fork and exec, with what may and may not be done between them. */
#include "child/spawn.h"

#include "coppice/reaper/reaper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int move_up(int *end)
{
    if (*end >= COP_REAPER_DESCRIPTORS) return 0;
    const int moved = fcntl(*end, F_DUPFD_CLOEXEC, COP_REAPER_DESCRIPTORS);
    if (moved < 0) return errno;
    (void)close(*end);
    *end = moved;
    return 0;
}

int cop_spawn_pipe(int ends[2])
{
    int why = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
    if (why == 0) {
        why = move_up(&ends[0]);
        if (why == 0) why = move_up(&ends[1]);
        if (why == 0) return 0;
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
    ends[0] = ends[1] = -1;
    return why;
}

/* Everything but what the reaper is given is closed on exec, whoever opened it. */
static void mark_descriptors(void)
{
#ifdef SYS_close_range
    const unsigned int close_on_exec = 4; /* CLOSE_RANGE_CLOEXEC */
    if (syscall(SYS_close_range, (unsigned)COP_REAPER_DESCRIPTORS, ~0U, close_on_exec) == 0)
        return;
#endif
    const rlim_t most = 1 << 16; /* where an old kernel is asked one by one */
    struct rlimit limit = {.rlim_cur = most};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = COP_REAPER_DESCRIPTORS; (rlim_t)fd < limit.rlim_cur && (rlim_t)fd < most;
         fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* In the new process. This one's other threads are not there and may have left locks behind:
 * only calls that are safe in signal handlers. What goes wrong is written to `report`, which
 * the command's exec closes. */
static _Noreturn void become(const cop_spawn_options *options, int report)
{
    sigset_t none;
    const struct sigaction initial = {.sa_handler = SIG_DFL};
    bool ready = setpgid(0, 0) == 0;
    for (int fd = STDIN_FILENO; ready && fd <= STDERR_FILENO; fd++)
        ready = dup2(options->streams[fd], fd) == fd;
    ready = ready && dup2(options->control, COP_REAPER_CONTROL) >= 0 &&
            dup2(report, COP_REAPER_REPORT) >= 0;
    mark_descriptors();
    (void)sigaction(SIGPIPE, &initial, NULL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (ready) (void)execv(options->reaper, options->arguments);
    const int why = -errno;
    const ssize_t written = write(report, &why, sizeof why);
    _exit(written == sizeof why ? 127 : 126);
}

/* Waits for the command's exec. \return 0 or what COP_REAPER_REPORT says. */
static int read_report(int report)
{
    int why = 0;
    ssize_t got = 0;
    do {
        got = read(report, &why, sizeof why);
    } while (got < 0 && errno == EINTR);
    return got == sizeof why ? why : 0;
}

/* What hindered the start, as the report has it. */
static cop_status refuse(const cop_spawn_options *options, int why, cop_error *err)
{
    if (why < 0) {
        return cop_error_set(err, COP_ERR_UNIT, "command %s: no new process: %s: %s",
                             options->arguments[2], options->reaper, strerror(-why));
    }
    return cop_error_set(
        err, COP_ERR_CONFIG, "command %s: %s%s", options->arguments[2], strerror(why),
        why == ENOEXEC ? "; a script's first line must name its interpreter: #!..." : "");
}

cop_status cop_spawn(const cop_spawn_options *options, pid_t *pid, cop_error *err)
{
    int report[2];
    *pid = 0;
    int why = cop_spawn_pipe(report);
    COP_CHECK(why == 0, err, COP_ERR_UNIT, "command %s: no pipe to it: %s",
              options->arguments[2], strerror(why));
    const pid_t made = fork();
    if (made == 0) become(options, report[1]);
    why = errno;
    (void)close(report[1]);
    if (made > 0) {
        why = read_report(report[0]);
        if (why != 0) (void)waitpid(made, NULL, 0);
    }
    (void)close(report[0]);
    COP_CHECK(made > 0, err, COP_ERR_UNIT, "command %s: no new process: %s",
              options->arguments[2], strerror(why));
    if (why != 0) return refuse(options, why, err);
    *pid = made;
    return COP_OK;
}
