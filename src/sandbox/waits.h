/* How long processes were kept waiting for a processor: what tells one that sleeps from one
 * that a busy machine does not let run. */
#ifndef COP_SANDBOX_WAITS_H
#define COP_SANDBOX_WAITS_H

#include <stdbool.h>
#include <sys/types.h>

/** Opens /proc for the functions below; before the walls are raised. \return -1 if there is
 * none.
 */
int cop_waits_open(void);

/** The number that /proc has for a child, which may be in a namespace of its own. \return 0 if
 * that cannot be told. */
pid_t cop_waits_find(int proc, pid_t child);

/** Adds the seconds that a process has waited for a processor, and notes if it waits for one,
 * or runs, right now. \return false if that cannot be told, or it has ended. */
bool cop_waits_add(int proc, pid_t found, double *seconds, bool *runs);

#endif
