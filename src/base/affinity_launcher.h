/* Whether who started this process may use fewer processors than it: a launcher's own binding
 * takes whole machines for its own, whatever taskset has left it. */
#ifndef COP_BASE_AFFINITY_LAUNCHER_H
#define COP_BASE_AFFINITY_LAUNCHER_H

#include "coppice/base/affinity.h"

/* Looks for the nearest ancestor that must not use all of this process's processors. False:
 * there is none, or it cannot be told. `root` is put before /proc: "" for this machine. */
bool cop_affinity_find_widened(const char *root, cop_affinity_widened *found);

#endif
