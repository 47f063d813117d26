/* The process that others are forked from: it holds the started Python and has never seen a
 * request, so neither have its children. */
#ifndef COP_SANDBOX_ZYGOTE_H
#define COP_SANDBOX_ZYGOTE_H

#include "sandbox/filter.h"
#include "sandbox/python.h"

#include "coppice/base/status.h"

#include <stdint.h>

typedef struct cop_zygote {
    pid_t pid;
    int socket; /**< orders go here */
} cop_zygote;

/** Limits of one process. */
typedef struct cop_limits {
    uint64_t memory_bytes; /**< address space beyond what Python takes */
    double timeout_s;      /**< processor time stays a little above it */
} cop_limits;

/** Forks the zygote; `null` is a descriptor of /dev/null. Python must have been started. */
cop_status cop_zygote_start(const cop_filter *filter, uint64_t memory_bytes, int null,
                            cop_zygote *zygote, cop_error *err);

/** Has it fork a process, a child of this one, that plays a role with `descriptors`
 *  [cop_role_descriptors(role)] and nothing else open, in a session of its own, under limits
 * and filter, and dies with this process. */
cop_status cop_zygote_spawn(const cop_zygote *zygote, cop_role role, const int *descriptors,
                            double timeout_s, pid_t *pid, cop_error *err);

#endif
