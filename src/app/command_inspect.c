/* coppice inspect */
#include "app/app.h"
#include "app/run_options.h"

#include "coppice/report/report.h"

#include <stdio.h>

static error_t parse(int key, char *text, struct argp_state *state)
{
    (void)text;
    if (key != ARGP_KEY_INIT) return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

static const struct argp_child children[] = {{&cop_app_run_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
    NULL,
    parse,
    NULL,
    "Shows what a run directory or run.h5 holds: phases and how far they are, gate "
    "decisions, result. Safe beside a running job.\v"
    "With --json everything, as nested objects named like the groups of the file; "
    "64-bit seeds are strings, scores not evaluated yet are null.",
    children,
    NULL,
    NULL};

cop_status cop_command_inspect(int argc, char **argv, cop_error *err)
{
    cop_app_run a = {0};
    COP_TRY(cop_app_parse(&argp, argc, argv, &a, err));
    cop_text text = {0};
    cop_status status = cop_run_inspect(a.path, a.json, &text, err);
    if (status == COP_OK) status = cop_app_print_text(&text, err);
    cop_text_free(&text);
    return status;
}
