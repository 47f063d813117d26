/* A command as a process of its own, with pipes to all three standard streams. Private to
 * child/. */
#ifndef COP_CHILD_PROCESS_H
#define COP_CHILD_PROCESS_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A started command. Start from COP_PROCESS_NONE. */
typedef struct cop_process {
    pid_t pid;        /* of its reaper, which ends as the command does; 0: none */
    int in, out, err; /* this side's ends: not blocking, closed on exec; -1: closed */
    int held;         /* when nobody holds this any more, the reaper kills; -1: closed */
} cop_process;

#define COP_PROCESS_NONE ((cop_process){.pid = 0, .in = -1, .out = -1, .err = -1, .held = -1})

/* Starts command [count]: the program is looked for as a shell would, and gets the environment
 * and directory of this process, a process group of its own and no descriptor but its standard
 * streams. It runs below a reaper, which kills it and all that it has started, sessions and
 * daemons too, when the calling thread or this process ends: call this from a thread that lives
 * as long as the command should. When the command ends, what it has started is killed as well.
 * COP_ERR_CONFIG if there is no such program. */
cop_status cop_process_start(const char *const *command, size_t count, cop_process *process,
                             cop_error *err);

/* Whether the command has ended, and with it what it has started; then `how` [size] says how
 * the command did ("exit code 1"). The reaper stays to be waited for by cop_process_finish().
 */
bool cop_process_has_ended(const cop_process *process, char *how, size_t size);

/* Sends SIGTERM to the command's process group. */
void cop_process_ask_to_end(const cop_process *process);

/* Kills the command and all that it has started, waits until they are gone, closes the pipes.
 * Processes of other users and such that hang in the kernel are given up after 10 s. */
void cop_process_finish(cop_process *process);

#endif
