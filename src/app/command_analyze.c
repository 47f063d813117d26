/* coppice analyze */
#include "app/app.h"
#include "app/run_options.h"

#include "coppice/base/affinity.h"
#include "coppice/base/timer.h"
#include "coppice/report/report.h"

#include <stdio.h>
#include <unistd.h>

typedef struct arguments {
    cop_app_run run;
    const char *halvings, *permutations, *seed, *threads;
    bool within_sigma;
} arguments;

enum { KEY_HALVINGS = 0x100, KEY_PERMUTATIONS, KEY_SEED, KEY_WITHIN };

static const struct argp_option options[] = {
    {"halvings", KEY_HALVINGS, "R", 0, "Random halvings of the support examples (100)", 0},
    {"permutations", KEY_PERMUTATIONS, "P", 0,
     "Data sets with permuted scores that show what chance does (1000)", 0},
    {"seed", KEY_SEED, "SEED", 0, "Of halvings and permutations (the job's population.seed)",
     0},
    {"within-sigma", KEY_WITHIN, NULL, 0,
     "Permute scores among candidates of equal sigma only: what is left is not sigma's doing",
     0},
    {"threads", 't', "COUNT", 0, "Threads (all cores); the numbers do not depend on it", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->run;
        return 0;
    case KEY_HALVINGS:
        a->halvings = text;
        return 0;
    case KEY_PERMUTATIONS:
        a->permutations = text;
        return 0;
    case KEY_SEED:
        a->seed = text;
        return 0;
    case KEY_WITHIN:
        a->within_sigma = true;
        return 0;
    case 't':
        a->threads = text;
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
    "Is the structure in a run's rewards real, and how many dimensions does it have? Halves "
    "the "
    "support examples of its population at random, over and over, and compares the halves: the "
    "rewards, the merged directions, the leading subspaces of the scores.\v"
    "RUN is a run directory or run.h5 whose population is scored to its end; it is only read. "
    "A job does the same analysis by itself (analysis.split_half).\n"
    "Agreement is compared with that of scores permuted over the candidates, example by "
    "example: "
    "p is the share of permuted data sets that agree as well.",
    children,
    NULL,
    NULL};

/* A line on standard error while it works, where that is a terminal. */
static bool show(void *context, size_t done, size_t total)
{
    double *const shown_s = context;
    const double now_s = cop_timer_now_s();
    if (now_s - *shown_s < 0.2) return false;
    *shown_s = now_s;
    (void)fprintf(stderr, "\r\033[Ksplit-half analysis: %zu of %zu", done, total);
    (void)fflush(stderr);
    return false;
}

/* A number of an option, `otherwise` where it is not given. */
static cop_status number(const char *option, const char *text, int64_t low, int64_t high,
                         int64_t otherwise, int64_t *value, cop_error *err)
{
    *value = otherwise;
    return text == NULL ? COP_OK : cop_app_parse_int(option, text, low, high, value, err);
}

static cop_status read_arguments(const arguments *a, cop_analyze_options *to, cop_error *err)
{
    enum { MOST = 10000000 };
    int64_t halvings = 0;
    int64_t permutations = 0;
    int64_t threads = cop_affinity_core_count();
    COP_TRY(number("halvings", a->halvings, 1, MOST, 0, &halvings, err));
    COP_TRY(number("permutations", a->permutations, 1, MOST, 0, &permutations, err));
    COP_TRY(number("seed", a->seed, 0, INT64_MAX, -1, &to->seed, err));
    COP_TRY(cop_app_parse_like("threads", "backend.threads", a->threads, &threads, err));
    to->halvings = (size_t)halvings;
    to->permutations = (size_t)permutations;
    to->threads = (int)threads;
    to->json = a->run.json;
    to->within_sigma = a->within_sigma;
    return COP_OK;
}

cop_status cop_command_analyze(int argc, char **argv, cop_error *err)
{
    arguments a = {0};
    COP_TRY(cop_app_parse(&argp, argc, argv, &a, err));
    double shown_s = 0;
    cop_analyze_options how = {0};
    COP_TRY(read_arguments(&a, &how, err));
    if (isatty(STDERR_FILENO) == 1) {
        how.tick = show;
        how.context = &shown_s;
    }
    cop_text text = {0};
    cop_status status = cop_run_analyze(a.run.path, &how, &text, err);
    if (shown_s > 0) (void)fprintf(stderr, "\r\033[K");
    if (status == COP_OK) status = cop_app_print_text(&text, err);
    cop_text_free(&text);
    return status;
}
