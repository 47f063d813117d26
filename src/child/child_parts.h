/* What the two sides of a child share: the callers' (child.c) and its thread's (child_io.c).
 * Private to child/. */
#ifndef COP_CHILD_CHILD_PARTS_H
#define COP_CHILD_CHILD_PARTS_H

#include "child/process.h"
#include "coppice/base/text.h"
#include "coppice/child/child.h"

#include <pthread.h>

enum { COP_CHILD_WORDS_BYTES = 240 };

typedef enum cop_child_state {
    COP_CHILD_DUE,
    COP_CHILD_ANSWERED,
    COP_CHILD_FAILED
} cop_child_state;

/* A request on its way, or its answer. */
typedef struct cop_child_call {
    uint64_t id;
    json_t *answer; /* owned; only where ANSWERED */
    cop_child_state state;
    bool dropped; /* nobody wants the answer */
    bool gone;    /* received, or dropped and answered */
} cop_child_call;

struct cop_child {
    cop_child_options options;
    char *name, *timeout_key, *form;
    char **command; /* [options.command_count] */
    pthread_t thread;
    int wake; /* eventfd: there is something to do for the thread */

    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    cop_child_call *calls; /* [count] by rising id, the first `settled` of them gone */
    size_t call_count, call_capacity, settled;
    uint64_t next_id;
    size_t due;        /* calls that are COP_CHILD_DUE */
    cop_text requests; /* lines for the command */
    size_t taken;      /* bytes of them that it has taken */
    cop_error failure; /* the last one */
    bool started;      /* the first start has been tried */
    bool closing;

    /* Of the thread alone. */
    cop_process process;
    cop_text answers;                       /* what has come of a line */
    cop_text errors;                        /* the same, of standard error */
    char last_words[COP_CHILD_WORDS_BYTES]; /* last line of standard error */
    double
        errors_room; /* bytes of standard error that are passed on before more are left out */
    double errors_s; /* when that room was last told */
    size_t lines_left_out, bytes_left_out;
    double progress_s; /* when the command last took or gave anything */
    bool idle;         /* no answers were due when last looked */
};

/* The thread: `context` is the child. */
void *cop_child_serve(void *context);

/* The call of that id, NULL if there is none or it is gone. With the mutex held. */
cop_child_call *cop_child_find(cop_child *child, uint64_t id);

/* Marks a call as gone and forgets those at the front, which moves the others. With the mutex
 * held. */
void cop_child_settle(cop_child *child, cop_child_call *call);

/* Forgets the calls at the front that are gone. With the mutex held. */
void cop_child_compact(cop_child *child);

#endif
