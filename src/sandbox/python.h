/* The embedded Python: started once, forked per program. */
#ifndef COP_SANDBOX_PYTHON_H
#define COP_SANDBOX_PYTHON_H

#include "coppice/base/status.h"

#include <sys/types.h>

/** What a process made by cop_python_fork() does. */
typedef enum cop_role {
    COP_ROLE_GUEST, /**< runs the program; descriptors: link to the judge */
    COP_ROLE_JUDGE, /**< evaluates the tests; descriptors: link, request, verdict */
} cop_role;

/** Exit code of a guest that tells why it ended. A program can feign it: it is a word. */
enum { COP_EXIT_MEMORY = 101 };

/** How many descriptors a role has; they are 3 and up. */
size_t cop_role_descriptors(cop_role role);

/** Starts Python without site packages and environment, loads the harness and the usual modules
 *  and takes away the ways to load more. Strings hash the same in every run. */
cop_status cop_python_start(cop_error *err);

/** Version of Python, for people. */
const char *cop_python_version(void);

/** Forks; the child's parent is this process's parent. \return as fork(). */
pid_t cop_python_fork(void);

/** Plays a role and ends the process. */
_Noreturn void cop_python_play(cop_role role);

#endif
