/* What stands around the whole server besides the filter: namespaces, an empty root, no rights.
 */
#ifndef COP_SANDBOX_WALLS_H
#define COP_SANDBOX_WALLS_H

#include "coppice/base/status.h"

#include <stdbool.h>

/** What the kernel granted. The filter does not count on any of it. */
typedef struct cop_walls {
    bool user, mount, pid, net, ipc, uts; /**< namespaces of its own */
    bool nobody;                          /**< does not run as root */
    const char *root; /**< "empty file system", "removed folder" or "shared" */
} cop_walls;

/** Raises what can be raised around this process and those it will start: namespaces (user
 *  namespaces only where it has no rights of its own), a root folder without anything in it,
 * the user nobody if it is root, no capabilities. Single-threaded callers only. From here on no
 * file can be opened, and a child process is the first of its pid namespace. Only capabilities
 * that cannot be given up are a failure. */
cop_status cop_walls_raise(cop_walls *walls, cop_error *err);

#endif
