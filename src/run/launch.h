/* Whether the ranks are those that the batch system was asked for, and whether there may be
 * several. Private to run/. */
#ifndef COP_RUN_LAUNCH_H
#define COP_RUN_LAUNCH_H

#include "coppice/base/status.h"

#include <stdbool.h>

/* COP_ERR_USAGE where Slurm's environment promises another number of ranks than `size`: then
 * they did not find each other, and would be so many runs of the same job. `get` looks up a
 * variable, as getenv() does. */
cop_status cop_launch_check(int size, char *(*get)(const char *name), cop_error *err);

/* COP_ERR_USAGE where the environment is that of one of several processes which a launcher has
 * started; *speaks: this is the first of them. */
cop_status cop_launch_check_alone(char *(*get)(const char *name), bool *speaks, cop_error *err);

#endif
