/* A command as a process of its own, with pipes to all three standard streams. Private to
 * task/.
 */
#ifndef COP_CHILD_PROCESS_H
#define COP_CHILD_PROCESS_H

#include "child/guard.h"
#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A started command. Start from COP_PROCESS_NONE. */
typedef struct cop_process {
    pid_t pid;        /* also of its process group; 0: none */
    int in, out, err; /* this side's ends: not blocking, closed on exec; -1: closed */
    cop_guard guard;
} cop_process;

#define COP_PROCESS_NONE \
    ((cop_process){.pid = 0, .in = -1, .out = -1, .err = -1, .guard = COP_GUARD_NONE})

/* Starts command [count]: the program is looked for as a shell would, and gets the environment
 * and directory of this process, a process group of its own and no descriptor but its standard
 * streams. It is killed when the calling thread ends, and its process group when this process
 * does, so that what stays in it does not outlive a killed rank: call this from a thread that
 * lives as long as the command should. COP_ERR_CONFIG if there is no such program. */
cop_status cop_process_start(const char *const *command, size_t count, cop_process *process,
                             cop_error *err);

/* Whether the command has ended, whatever it has started; then `how` [size] says how ("exit
 * code 1"). The process stays to be reaped by cop_process_finish(), and so its group's number
 * stays its own. */
bool cop_process_has_ended(const cop_process *process, char *how, size_t size);

/* Sends a signal to the command and all that it has started. */
void cop_process_signal(const cop_process *process, int number);

/* Kills what is left of the group, reaps the command, closes the pipes. */
void cop_process_finish(cop_process *process);

#endif
