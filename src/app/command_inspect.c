/* coppice inspect */
#include "app/app.h"

#include "coppice/report/report.h"

#include <stdio.h>

typedef struct arguments {
    const char *run;
    bool json;
} arguments;

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "Print everything as JSON", 0}, {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case 'j':
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->run != NULL) argp_error(state, "one run only");
        a->run = text;
        return 0;
    case ARGP_KEY_END:
        if (a->run == NULL) argp_error(state, "which run? For example runs/demo");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse,
    "RUN",
    "Shows what a run directory or run.h5 holds: phases and how far they are, gate "
    "decisions, result. Safe beside a running job.\v"
    "With --json everything, as nested objects named like the groups of the file; "
    "64-bit seeds are strings, scores not evaluated yet are null.",
    NULL,
    NULL,
    NULL};

cop_status cop_command_inspect(int argc, char **argv, cop_error *err)
{
    arguments a = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &a) != 0) {
        return cop_error_set(err, COP_ERR_USAGE, "wrong arguments");
    }
    cop_text text = {0};
    cop_status status = cop_run_inspect(a.run, a.json, &text, err);
    if (status == COP_OK && fputs(text.data, stdout) == EOF) {
        status = cop_error_set(err, COP_ERR_IO, "standard output cannot be written");
    }
    cop_text_free(&text);
    return status == COP_OK ? cop_app_flush(err) : status;
}
