/* coppice status */
#include "app/app.h"
#include "app/run_options.h"

#include "coppice/base/timer.h"
#include "coppice/report/report.h"

#include <stdio.h>
#include <unistd.h>

typedef struct arguments {
    cop_app_run run;
    bool watch;
} arguments;

static const struct argp_option options[] = {
    {"watch", 'w', NULL, 0, "Print it again every two seconds, until the job has ended", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    (void)text;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->run;
        return 0;
    case 'w':
        a->watch = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cop_app_run_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
    options,
    parse,
    NULL,
    "Tells how a run is doing: phase, rate, ETA, best so far, ranks, age of the last "
    "checkpoint, and who works on it.\v"
    "It reads the run directory and writes nothing, so it can be asked from any machine that "
    "sees the directory, at any time. An owner on another machine is watched for a few seconds "
    "to see whether it lives.\n\n"
    "States: starting, running; silent (its owner is on another machine and gives no sign of "
    "life); stopped (killed: run the same command again to go on); interrupted (by a signal, "
    "with a checkpoint: the same); failed (with exit code and reason); done.",
    children,
    NULL,
    NULL};

static cop_status show(const arguments *a, bool *running, cop_error *err)
{
    static const char clear[] = "\033[H\033[J";
    cop_text text = {0};
    cop_status status = cop_run_status(a->run.path, a->run.json, &text, running, err);
    if (status == COP_OK) {
        const bool page = a->watch && !a->run.json && isatty(STDOUT_FILENO) == 1;
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
    COP_TRY(cop_app_parse(&argp, argc, argv, &a, err));
    bool running = true;
    COP_TRY(show(&a, &running, err));
    while (a.watch && running) {
        cop_timer_sleep(pause_s);
        COP_TRY(show(&a, &running, err));
    }
    return COP_OK;
}
