/* One new process below coppice-reaper, with given streams and nothing else of this one's.
 * Private to child/.
 */
#ifndef COP_CHILD_SPAWN_H
#define COP_CHILD_SPAWN_H

#include "coppice/base/status.h"

#include <sys/types.h>

typedef struct cop_spawn_options {
    const char *reaper; /* path of coppice-reaper */
    /* [NULL-terminated] the reaper's own: its name, this process's number, the program's path,
     * the words of the command. */
    char *const *arguments;
    int streams[3]; /* what become the command's standard streams: of cop_spawn_pipe() */
    int control;    /* the reaper's end of a pipe that only this process holds open; likewise */
} cop_spawn_options;

/* Starts the command in a process group of its own, with this process's environment and
 * directory and no signal blocked; `pid` is the reaper's, which ends as the command does.
 * COP_ERR_CONFIG if the program cannot be started, COP_ERR_UNIT if there can be no process at
 * all. */
cop_status cop_spawn(const cop_spawn_options *options, pid_t *pid, cop_error *err);

/* A pipe: [0] to read from, [1] to write to, both closed on exec and none of the numbers that a
 * reaper is given, even where those are closed. \return 0 or errno; then the ends are -1. */
int cop_spawn_pipe(int ends[2]);

#endif
