/* Guards. The kernel tells only a command itself that its parent has died, not what the command
 * has started. So a shell waits for the end of a pipe that this process alone holds open. */
#include "child/guard.h"

#include "child/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* $0 is the group. Only the end of the pipe kills, for nothing is ever written to it. */
static const char script[] = "trap '' HUP INT TERM; read -r line || kill -s KILL -- \"-$0\"";

static void close_both(const int ends[2])
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

cop_status cop_guard_set(pid_t group, cop_guard *guard, cop_error *err)
{
    int ends[2];
    int nowhere[2]; /* what it would say: nobody reads that */
    *guard = COP_GUARD_NONE;
    int why = cop_spawn_pipe(ends);
    if (why == 0) {
        why = cop_spawn_pipe(nowhere);
        if (why != 0) close_both(ends);
    }
    COP_CHECK(why == 0, err, COP_ERR_UNIT, "no pipe to a guard: error %d", why);
    char number[32];
    char name[] = "sh";
    char option[] = "-c";
    char text[sizeof script];
    (void)snprintf(number, sizeof number, "%ld", (long)group);
    (void)snprintf(text, sizeof text, "%s", script);
    char *const arguments[] = {name, option, text, number, NULL};
    const cop_spawn_options options = {.program = "/bin/sh",
                                       .arguments = arguments,
                                       .streams = {ends[0], nowhere[1], nowhere[1]}};
    const cop_status status = cop_spawn(&options, &guard->pid, err);
    (void)close(ends[0]);
    close_both(nowhere);
    if (status == COP_OK) {
        guard->held = ends[1];
    } else {
        (void)close(ends[1]);
    }
    return status;
}

void cop_guard_lift(cop_guard *guard)
{
    if (guard->pid > 0) {
        (void)kill(guard->pid, SIGKILL);
        while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        (void)close(guard->held);
    }
    *guard = COP_GUARD_NONE;
}
