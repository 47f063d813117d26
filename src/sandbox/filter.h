/* The seccomp filter: what a process may ask of the kernel. */
#ifndef COP_SANDBOX_FILTER_H
#define COP_SANDBOX_FILTER_H

#include "coppice/base/status.h"

#include <linux/filter.h>

/** A compiled filter; `program.filter` is owned. Free with cop_filter_free(). */
typedef struct cop_filter {
    struct sock_fprog program;
} cop_filter;

/** Compiles the filter. */
cop_status cop_filter_build(cop_filter *filter, cop_error *err);

/** Puts this process under no_new_privs and the filter, for good. \return 0 or errno. */
int cop_filter_enter(const cop_filter *filter);

/** Whether the kernel keeps to the filter: forks a process that enters it and then asks to
 *  send a signal, which must be its end. COP_ERR_UNSUPPORTED with the reason if not. */
cop_status cop_filter_check(const cop_filter *filter, cop_error *err);

/** Frees it. */
void cop_filter_free(cop_filter *filter);

#endif
