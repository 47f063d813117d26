#include "app/run_options.h"

static const struct argp_option options[] = {{"json", 'j', NULL, 0, "Print it all as JSON", 0},
                                             {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    cop_app_run *const o = state->input;
    switch (key) {
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->path != NULL) argp_error(state, "one run only");
        o->path = text;
        return 0;
    case ARGP_KEY_END:
        if (o->path == NULL) argp_error(state, "which run? For example runs/demo");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cop_app_run_argp = {options, parse, "RUN", NULL, NULL, NULL, NULL};
