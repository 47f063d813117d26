/* coppice reward */
#include "app/answers.h"
#include "app/app.h"
#include "app/task_options.h"

#include <string.h>

static error_t parse(int key, char *text, struct argp_state *state)
{
    (void)text;
    if (key != ARGP_KEY_INIT) return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

static const struct argp_child children[] = {{&cop_app_task_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
    NULL,
    parse,
    NULL,
    "Scores responses: JSON lines {\"response\", \"answer\"} in, {\"reward\", \"correct\", "
    "\"extracted\"} out, in the same order. Where the task wants an answer in some form "
    "('coppice tasks NAME' tells which), \"form\" says whether it has it; a \"note\" is there "
    "where a response could not be judged to the end.\v"
    "The answer is as the task's data has it: a string or number for gsm8k, {\"numbers\", "
    "\"target\"} for countdown. Task exec hands the whole line to a command of yours, see "
    "coppice(1).\n\n"
    "  echo '{\"response\": \"2 + 3 = 5\\n#### 5\", \"answer\": \"5\"}' | coppice reward "
    "--task "
    "gsm8k\n"
    "  coppice reward --task exec -- python3 jobs/reward_example.py <responses.jsonl",
    children,
    cop_app_help_tasks,
    NULL};

/* Responses that a command may have before the first is printed. */
enum { WINDOW = 1024 };

typedef struct session {
    const cop_task *task;
    cop_scorer *scorer;
    struct {
        cop_scoring *scoring;
        size_t line;
    } waiting[WINDOW]; /* a ring: [first, first + count) */
    size_t first, count;
    cop_error failure; /* of a line before the one at hand */
} session;

/* Prints the score of the line that has waited longest. */
static cop_status print_next(session *s)
{
    cop_score score = {0};
    const size_t line = s->waiting[s->first].line;
    cop_error *const err = &s->failure;
    cop_status status =
        cop_scorer_collect(s->scorer, &s->waiting[s->first].scoring, &score, NULL, NULL, err);
    s->first = (s->first + 1) % WINDOW;
    s->count--;
    if (status != COP_OK) return cop_error_prefix(err, "standard input, line %zu", line);
    json_t *const out = json_pack("{s:f, s:b, s:s?, s:o*, s:s*}", "reward", score.reward,
                                  "correct", score.correct, "extracted", score.extracted,
                                  "form", cop_app_form_json(score.form), "note", score.note);
    cop_score_free(&score);
    return cop_app_print_json(out, err);
}

static cop_status score_line(void *context, size_t number, const json_t *line, cop_error *err)
{
    session *const s = context;
    const json_t *const response = json_object_get(line, "response");
    const json_t *const prompt = json_object_get(line, "prompt");
    const json_t *answer = json_object_get(line, "answer");
    COP_CHECK(json_is_string(response), err, COP_ERR_FORMAT, "\"response\" must be a string");
    if (answer == NULL && s->task->scorer != NULL) answer = json_null(); /* it may need none */
    COP_CHECK(answer != NULL, err, COP_ERR_FORMAT, "\"answer\" is missing");
    if (s->count == WINDOW) COP_TRY(print_next(s));
    const cop_response one = {.id = number - 1,
                              .example = line,
                              .answer = answer,
                              .prompt = json_string_value(prompt),
                              .text = json_string_value(response),
                              .length = json_string_length(response)};
    const size_t at = (s->first + s->count) % WINDOW;
    COP_TRY(cop_scorer_submit(s->scorer, &one, 1, &s->waiting[at].scoring, err));
    s->waiting[at].line = number;
    s->count++;
    return s->task->scorer == NULL ? print_next(s) : COP_OK;
}

static cop_status score_all(session *s, cop_error *err)
{
    cop_status status = cop_app_each_line(score_line, s, err);
    while (s->count > 0 && status == COP_OK)
        status = print_next(s);
    if (s->failure.status != COP_OK) { /* the message is about that line */
        status = cop_error_set(err, s->failure.status, "%s", s->failure.message);
    }
    for (; s->count > 0; s->count--, s->first = (s->first + 1) % WINDOW) {
        (void)cop_scorer_collect(s->scorer, &s->waiting[s->first].scoring, NULL, NULL, NULL,
                                 NULL);
    }
    return status;
}

cop_status cop_command_reward(int argc, char **argv, cop_error *err)
{
    cop_app_task chosen;
    cop_task_setup setup = {0};
    session s = {0};
    cop_status status = cop_app_task_create(argc, &chosen, err);
    if (status == COP_OK) status = cop_app_parse(&argp, argc, argv, &chosen, err);
    if (status == COP_OK)
        status = cop_app_task_resolve("reward", &chosen, &s.task, &setup, err);
    if (status == COP_OK) status = cop_scorer_create(s.task, &setup, &s.scorer, err);
    if (status == COP_OK) {
        status = score_all(&s, err);
        cop_error flushing = {0};
        const cop_status flushed = cop_app_flush(&flushing);
        if (status == COP_OK && flushed != COP_OK)
            status = cop_error_set(err, flushed, "%s", flushing.message);
    }
    cop_scorer_destroy(&s.scorer);
    cop_app_task_free(&chosen);
    return status;
}
