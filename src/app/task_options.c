#include "app/task_options.h"

#include "app/app.h"

#include "coppice/base/memory.h"

#include <errno.h>
#include <stdlib.h>

enum { KEY_TASK = 't', KEY_COMMAND = 0x300, KEY_TIMEOUT };

static const double longest_s = 1e6;

static const struct argp_option options[] = {
    {"task", KEY_TASK, "T", 0, "Task: one of those below", 0},
    {"command", KEY_COMMAND, "WORD", 0,
     "Task exec: the command that scores, one word at a time. The words after -- are added: "
     "'--task exec -- python3 reward.py' is the same as '--command python3 --command "
     "reward.py'",
     0},
    {"timeout", KEY_TIMEOUT, "S", 0,
     "Longest time for one response, in seconds (exec: 60, mbpp: 10)", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    cop_app_task *const o = state->input;
    switch (key) {
    case KEY_TASK:
        o->name = text;
        return 0;
    case KEY_TIMEOUT:
        o->timeout = text;
        return 0;
    case KEY_COMMAND:
    case ARGP_KEY_ARG:
        o->words[o->word_count++] = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cop_app_task_argp = {options, parse, "[-- COMMAND...]", NULL, NULL,
                                       NULL,    NULL};

cop_status cop_app_task_create(int argc, cop_app_task *o, cop_error *err)
{
    *o = (cop_app_task){0};
    o->words = cop_memory_alloc((size_t)argc, sizeof *o->words, err);
    return o->words == NULL ? COP_ERR_MEMORY : COP_OK;
}

void cop_app_task_free(cop_app_task *o)
{
    cop_memory_free(o->words);
    *o = (cop_app_task){0};
}

cop_status cop_app_task_resolve(const char *command, const cop_app_task *o,
                                const cop_task **task, cop_task_setup *setup, cop_error *err)
{
    *setup = (cop_task_setup){.command = o->words, .command_count = o->word_count};
    COP_TRY(cop_app_require(command, "--task T", o->name, err));
    COP_TRY(cop_task_find(o->name, task, err));
    COP_CHECK((*task)->scorer != NULL || o->word_count == 0, err, COP_ERR_USAGE,
              "%s: task %s is not scored by a command; did you mean --task exec?", o->words[0],
              o->name);
    if (o->timeout == NULL) return COP_OK;
    char *end = NULL;
    errno = 0;
    setup->timeout_s = strtod(o->timeout, &end);
    COP_CHECK(errno == 0 && end != o->timeout && *end == '\0' && setup->timeout_s > 0 &&
                  setup->timeout_s <= longest_s,
              err, COP_ERR_USAGE,
              "--timeout %s: must be a number of seconds, above 0 and up to %g", o->timeout,
              longest_s);
    return COP_OK;
}
