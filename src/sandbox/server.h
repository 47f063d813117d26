/* Requests from a descriptor, answers to another, several at work at a time. */
#ifndef COP_SANDBOX_SERVER_H
#define COP_SANDBOX_SERVER_H

#include "sandbox/zygote.h"

#include <stddef.h>

typedef struct cop_server_options {
    size_t jobs;      /**< requests at work at a time, at least 1 */
    double timeout_s; /**< for requests that do not say */
    int in, out;      /**< requests, answers */
    int proc;         /**< of cop_waits_open() */
} cop_server_options;

/** Serves until the end of `in`, then finishes what is at work. Failure of the server itself,
 *  not of a request, is a failure; then everything it started has been killed. */
cop_status cop_server_run(const cop_server_options *options, const cop_zygote *zygote,
                          cop_error *err);

#endif
