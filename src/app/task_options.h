/* The options that say what scores: a task, and for some tasks a command. Private to app/. */
#ifndef COP_APP_TASK_OPTIONS_H
#define COP_APP_TASK_OPTIONS_H

#include "coppice/task/scorer.h"

#include <argp.h>

typedef struct cop_app_task {
    const char *name, *timeout;
    const char **words; /* [word_count] of the command, capacity argc */
    size_t word_count;
} cop_app_task;

/* Parses --task, --command, --timeout and the words after --; its input is a cop_app_task. For
 * argp's children. */
extern const struct argp cop_app_task_argp;

/* Makes room for the words of a command line; free with cop_app_task_free(). */
cop_status cop_app_task_create(int argc, cop_app_task *options, cop_error *err);

void cop_app_task_free(cop_app_task *options);

/* The task and what it is set up with; borrows from `options`. */
cop_status cop_app_task_resolve(const char *command, const cop_app_task *options,
                                const cop_task **task, cop_task_setup *setup, cop_error *err);

#endif
