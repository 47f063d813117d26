/* coppice status */
#include "app/app.h"

#include "coppice/base/timer.h"
#include "coppice/report/report.h"

#include <stdio.h>
#include <unistd.h>

typedef struct arguments {
    const char *run;
    bool json, watch;
} arguments;

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "Print one line of JSON", 0},
    {"watch", 'w', NULL, 0, "Print it again every two seconds, until the job has ended", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case 'j':
        a->json = true;
        return 0;
    case 'w':
        a->watch = true;
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
    "Tells how a run is doing: phase, rate, ETA, best so far, ranks, age of the last "
    "checkpoint, and who works on it.\v"
    "It reads the run directory and writes nothing, so it can be asked from any machine that "
    "sees the directory, at any time. An owner on another machine is watched for a few seconds "
    "to see whether it lives.\n\n"
    "States: starting, running; silent (its owner is on another machine and gives no sign of "
    "life); stopped (killed: run the same command again to go on); interrupted (by a signal, "
    "with a checkpoint: the same); failed (with exit code and reason); done.",
    NULL,
    NULL,
    NULL};

static cop_status show(const arguments *a, bool *running, cop_error *err)
{
    static const char clear[] = "\033[H\033[J";
    cop_text text = {0};
    cop_status status = cop_run_status(a->run, a->json, &text, running, err);
    if (status == COP_OK) {
        const bool page = a->watch && !a->json && isatty(STDOUT_FILENO) == 1;
        (void)printf("%s%s", page ? clear : "", text.data);
        status = cop_app_flush(err);
    }
    cop_text_free(&text);
    return status;
}

cop_status cop_command_status(int argc, char **argv, cop_error *err)
{
    static const double pause_s = 2;
    arguments a = {0};
    if (argp_parse(&argp, argc, argv, 0, NULL, &a) != 0) {
        return cop_error_set(err, COP_ERR_USAGE, "wrong arguments");
    }
    bool running = true;
    COP_TRY(show(&a, &running, err));
    while (a.watch && running) {
        cop_timer_sleep(pause_s);
        COP_TRY(show(&a, &running, err));
    }
    return COP_OK;
}
