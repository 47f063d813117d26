/* What commands over one run are given: RUN and --json. Private to app/. */
#ifndef COP_APP_RUN_OPTIONS_H
#define COP_APP_RUN_OPTIONS_H

#include <argp.h>
#include <stdbool.h>

typedef struct cop_app_run {
    const char *path; /* a run directory or run.h5 */
    bool json;
} cop_app_run;

/* Parses RUN, which is required, and --json; its input is a cop_app_run. For argp's children.
 */
extern const struct argp cop_app_run_argp;

#endif
