/* Own rewards: a command of the user's that scores responses, in whatever language. The
 * protocol is in the man page, coppice(1). */
#include "task/tasks.h"

#include "coppice/base/memory.h"
#include "coppice/task/scorer.h"
#include "task/child_group.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double default_timeout_s = 60;

/* One command. */
typedef struct exec_state {
    cop_child *child;
    double correct_at; /* 0: "correct" is as the command says */
    bool warned;
} exec_state;

/* --- answers --- */

/* Runs in the child's thread. */
static cop_status check_answer(const json_t *answer, cop_error *err)
{
    const json_t *const reward = json_object_get(answer, "reward");
    COP_CHECK(reward != NULL, err, COP_ERR_UNIT, "\"reward\" is missing");
    COP_CHECK(json_is_number(reward), err, COP_ERR_UNIT, "\"reward\" is not a number");
    /* Scores are kept as binary32. */
    COP_CHECK(fabs(json_number_value(reward)) <= (double)FLT_MAX, err, COP_ERR_UNIT,
              "\"reward\" is too large");
    const json_t *const correct = json_object_get(answer, "correct");
    COP_CHECK(correct == NULL || json_is_null(correct) || json_is_boolean(correct), err,
              COP_ERR_UNIT, "\"correct\" is neither true nor false");
    const json_t *const form = json_object_get(answer, "form");
    COP_CHECK(form == NULL || json_is_null(form) || json_is_boolean(form), err, COP_ERR_UNIT,
              "\"form\" is neither true nor false");
    const json_t *const extracted = json_object_get(answer, "extracted");
    COP_CHECK(extracted == NULL || json_is_null(extracted) || json_is_string(extracted) ||
                  json_is_number(extracted),
              err, COP_ERR_UNIT, "\"extracted\" is not a text");
    return COP_OK;
}

static cop_status read_extracted(const json_t *value, cop_score *score, cop_error *err)
{
    if (value == NULL || json_is_null(value)) return COP_OK;
    cop_text text = {0};
    cop_status status = json_is_string(value) ? cop_text_append(&text, json_string_value(value),
                                                                json_string_length(value), err)
                                              : cop_task_append_number(&text, value, err);
    if (status == COP_OK) {
        score->extracted = cop_memory_copy_string(text.data, text.length, err);
        if (score->extracted == NULL) status = COP_ERR_MEMORY;
    }
    cop_text_free(&text);
    return status;
}

/* A job knows an example's reward only and takes it for right from some value on. */
static void compare_correct(exec_state *state, const cop_score *score)
{
    if (state->correct_at <= 0 || state->warned) return;
    const bool right = (float)score->reward >= (float)state->correct_at;
    if (right == score->correct) return;
    state->warned = true;
    (void)fprintf(stderr,
                  "coppice: warning: task exec: the command calls a response %s whose reward "
                  "is %g, but a job takes those for right whose reward is at least %g: set "
                  "task.correct_at, or change the rewards\n",
                  score->correct ? "right" : "wrong", score->reward, state->correct_at);
}

/* `answer` has passed check_answer(). */
static cop_status read_answer(void *context, const json_t *answer, cop_score *score,
                              cop_error *err)
{
    exec_state *const state = context;
    const json_t *const correct = json_object_get(answer, "correct");
    *score = (cop_score){.reward = json_number_value(json_object_get(answer, "reward"))};
    const double right_at = state->correct_at > 0 ? state->correct_at : 1;
    score->correct = json_is_boolean(correct) ? json_is_true(correct)
                                              : (float)score->reward >= (float)right_at;
    const json_t *const form = json_object_get(answer, "form");
    if (json_is_boolean(form)) score->form = cop_form_of(json_is_true(form));
    compare_correct(state, score);
    return read_extracted(json_object_get(answer, "extracted"), score, err);
}

/* --- requests --- */

/* All fields of the example, and over them those of the protocol. */
static json_t *make_request(const cop_response *response)
{
    json_t *const request = json_object();
    json_t *example = NULL;
    /* jansson counts references also in what is only read. */
    memcpy(&example, &response->example, sizeof example);
    json_t *answer = NULL;
    memcpy(&answer, &response->answer, sizeof answer);
    const bool whole =
        request != NULL && (example == NULL || json_object_update(request, example) == 0) &&
        json_object_set_new(request, "prompt",
                            response->prompt != NULL ? json_string(response->prompt)
                                                     : json_null()) == 0 &&
        json_object_set_new(request, "response",
                            json_stringn(response->text, response->length)) == 0 &&
        json_object_set(request, "answer", answer) == 0;
    if (whole) return request;
    json_decref(request);
    return NULL;
}

static cop_status ask(void *context, const cop_response *response, json_t **request,
                      cop_score *score, cop_error *err)
{
    (void)context;
    (void)score;
    *request = make_request(response);
    COP_CHECK(*request != NULL, err, COP_ERR_FORMAT,
              "example %llu: its request to the command cannot be made: is its text UTF-8?",
              (unsigned long long)response->id + 1);
    return COP_OK;
}

static const cop_child_rules rules = {.ask = ask, .read = read_answer};

static cop_status submit(void *context, const cop_response *responses, size_t count,
                         void **group, cop_error *err)
{
    exec_state *const state = context;
    return cop_child_group_submit(state->child, &rules, state, responses, count, group, err);
}

static cop_status collect(void *context, void *group, cop_score *scores,
                          bool (*cancelled)(void *), void *cancel_context, cop_error *err)
{
    const exec_state *const state = context;
    return cop_child_group_collect(state->child, group, scores,
                                   (cop_child_wait){cancelled, cancel_context}, err);
}

/* --- life --- */

static cop_status open_command(const cop_task_setup *setup, void **state, cop_error *err)
{
    COP_CHECK(setup->command_count > 0, err, COP_ERR_CONFIG,
              "there is no command to score with; give task.command in a job file, such as "
              "[python3, ./reward.py], or on the command line -- python3 reward.py");
    exec_state *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->correct_at = setup->correct_at;
    const cop_child_options options = {.name = "task exec",
                                       .command = setup->command,
                                       .command_count = setup->command_count,
                                       .timeout_s = setup->timeout_s > 0 ? setup->timeout_s
                                                                         : default_timeout_s,
                                       .timeout_key = "task.timeout (--timeout)",
                                       .form = "{\"id\": N, \"reward\": X, \"correct\": true}",
                                       .check = check_answer};
    const cop_status status = cop_child_create(&options, &made->child, err);
    if (status != COP_OK) {
        cop_memory_free(made);
        return status;
    }
    *state = made;
    return COP_OK;
}

static void close_command(void *context)
{
    exec_state *const state = context;
    cop_child_destroy(&state->child);
    cop_memory_free(state);
}

static const cop_scorer_ops ops = {
    .open = open_command, .submit = submit, .collect = collect, .close = close_command};

/* The field "answer", where there is one: what is made of it is the command's business. */
static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    (void)err;
    const json_t *const given = json_object_get(example, "answer");
    *answer = given != NULL ? given : json_null();
    return COP_OK;
}

static const cop_task_field fields[] = {
    {.name = "question", .kind = "string"},
    {.name = "answer", .kind = "anything", .optional = true},
    {0},
};

const cop_task cop_task_exec = {
    .name = "exec",
    .summary = "a command of your own scores the responses: task.command, see coppice(1)",
    .fields = fields,
    .data = "the command gets all fields of an example; a prompt of your own needs no question",
    .reward = "what the command says: any finite number, by custom 0 to 1",
    .correctness =
        "a job goes by the reward, from task.correct_at (1) on; eval and reward go by "
        "what the command says, where it does",
    .vote = "what the command says that it has extracted",
    .form = "where the command says \"form\": true",
    .default_user = "{question}",
    .default_assistant = "{answer}",
    .max_reward = 1.0,
    .any_reward = true,
    .correct_at = 1.0,
    .answer = find_answer,
    .scorer = &ops,
};
