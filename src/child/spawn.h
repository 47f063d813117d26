/* One new process with given standard streams and nothing else of this one's. Private to task/.
 */
#ifndef COP_CHILD_SPAWN_H
#define COP_CHILD_SPAWN_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct cop_spawn_options {
    const char *program;    /* path */
    char *const *arguments; /* NULL-terminated */
    int streams[3];         /* what become its standard streams; each 3 or higher */
    bool dies_with_thread;  /* is killed when the calling thread ends */
} cop_spawn_options;

/* Starts it in a process group of its own, with this process's environment and directory and no
 * signal blocked. COP_ERR_CONFIG if the program cannot be started, COP_ERR_UNIT if there can be
 * no process at all. */
cop_status cop_spawn(const cop_spawn_options *options, pid_t *pid, cop_error *err);

/* A pipe: [0] to read from, [1] to write to, both closed on exec and none of the standard
 * streams, even where those are closed. \return 0 or errno; then the ends are -1. */
int cop_spawn_pipe(int ends[2]);

#endif
