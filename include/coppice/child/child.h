/** \file child.h
 * A command beside this process that answers JSON objects with JSON objects, a line each.
 *
 * The command is started once and gets any number of requests before it has answered the first;
 * it may answer in any order. A thread of its own feeds it and listens to it, so that neither
 * side ever waits for the other to read. What the command writes on its standard error is
 * passed on, line by line.
 *
 * The protocol: a request has an "id", a whole number that is never used twice; its answer
 * repeats it. A command that ends, is silent, or says anything else fails all requests on their
 * way (COP_ERR_UNIT) and is ended; the next request starts it again.
 */
#ifndef COPPICE_CHILD_CHILD_H
#define COPPICE_CHILD_CHILD_H

#include "coppice/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** All is copied. */
typedef struct cop_child_options {
    const char *name;           /**< for messages and before each line of its standard error */
    const char *const *command; /**< [command_count] program and arguments */
    size_t command_count;
    /** Longest time in which the command neither takes nor answers anything while answers are
     * due, its own start included. */
    double timeout_s;
    const char *timeout_key; /**< what to raise where that is too short, for messages */
    const char *form;   /**< what an answer looks like, for messages; NULL: {"id": N, ...} */
    double grace_s;     /**< what it is given to end by itself, twice; 0: 2 s */
    size_t line_bytes;  /**< longest answer; 0: 1 MiB */
    size_t queue_bytes; /**< most of requests that it has not taken yet; 0: 64 MiB */
    /** Whether an answer has what its user needs; the message says what not. Called in the
     * thread of the child. NULL: every object will do. */
    cop_status (*check)(const json_t *answer, cop_error *err);
} cop_child_options;

typedef struct cop_child cop_child;

/** Starts the command; COP_ERR_CONFIG if that cannot be done. */
cop_status cop_child_create(const cop_child_options *options, cop_child **child,
                            cop_error *err);

/** Sends a request; "id" is set in it. Its reference is taken over, also on failure; NULL is
 * COP_ERR_MEMORY. Waits only while more than queue_bytes are on their way. Every *id is given
 * to cop_child_receive() or cop_child_drop() once. One thread at a time sends. */
cop_status cop_child_send(cop_child *child, json_t *request, uint64_t *id, cop_error *err);

/** Waits for the answer of a request (the caller's reference). `cancelled` (may be NULL) is
 * polled, true gives COP_INTERRUPTED. COP_ERR_UNIT: what happened, its last words, the remedy.
 */
cop_status cop_child_receive(cop_child *child, uint64_t id, json_t **answer,
                             bool (*cancelled)(void *), void *context, cop_error *err);

/** Does without the answer of a request. */
void cop_child_drop(cop_child *child, uint64_t id);

/** Ends the command and all that it has started: end of input, then SIGTERM, then SIGKILL.
 * Frees *child and sets it to NULL; NULL is allowed. */
void cop_child_destroy(cop_child **child);

#endif
