/* A guard over a process group: kills it when this process is gone, however that came about.
 * Private to task/. */
#ifndef COP_CHILD_GUARD_H
#define COP_CHILD_GUARD_H

#include "coppice/base/status.h"

#include <sys/types.h>

/* A process that waits for the end of this one. Start from COP_GUARD_NONE. */
typedef struct cop_guard {
    pid_t pid; /* 0: none */
    int held;  /* the end of a pipe that nobody else has; -1: none */
} cop_guard;

#define COP_GUARD_NONE ((cop_guard){.pid = 0, .held = -1})

/* Sets a guard over a process group. */
cop_status cop_guard_set(pid_t group, cop_guard *guard, cop_error *err);

/* Takes the guard away, before the group's leader is reaped: only until then its number is its
 * own. */
void cop_guard_lift(cop_guard *guard);

#endif
