/* Generated Python against its asserts: MBPP. The programs are run by coppice-sandbox, a
 * process beside this one, while the next responses are generated. */
#include "task/tasks.h"

#include "coppice/base/memory.h"
#include "coppice/child/helper.h"
#include "coppice/task/scorer.h"
#include "task/characters.h"
#include "task/child_group.h"
#include "task/program/program.h"
#include "task/program/python_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char helper_name[] = "coppice-sandbox";
static const char helper_use[] =
    "the task mbpp runs generated programs with it; build and install it beside coppice (make, "
    "with Debian's libpython3-dev and libseccomp-dev)";
static const double default_timeout_s = 10;
static const double longest_timeout_s = 3600; /* the sandbox takes no longer one */
/* By the wall clock the sandbox gives a program at most this many times its timeout. */
static const double patience = 10;
/* What starting Python may take on a busy machine. */
static const double start_s = 60;

/* --- examples --- */

static cop_status check_tests(const json_t *example, cop_error *err)
{
    const json_t *tests = NULL;
    COP_TRY(cop_task_find_field(example, "test_list", &tests, err));
    COP_CHECK(json_is_array(tests) && json_array_size(tests) > 0, err, COP_ERR_FORMAT,
              "field \"test_list\" must be a list of asserts, not empty");
    for (size_t i = 0; i < json_array_size(tests); i++) {
        const json_t *const test = json_array_get(tests, i);
        COP_CHECK(json_is_string(test), err, COP_ERR_FORMAT,
                  "entry %zu of field \"test_list\" is not a string", i);
        COP_CHECK(strspn(json_string_value(test), " \t\r\n") < json_string_length(test), err,
                  COP_ERR_FORMAT, "entry %zu of field \"test_list\" is empty", i);
    }
    return COP_OK;
}

static cop_status append_lines(cop_text *text, const json_t *lines, cop_error *err)
{
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *const line = json_array_get(lines, i);
        if (i > 0) COP_TRY(cop_text_append(text, "\n", 1, err));
        COP_TRY(cop_text_append(text, json_string_value(line), json_string_length(line), err));
    }
    return COP_OK;
}

/* Some copies of the data have the setup code as a list of lines. */
static cop_status append_setup(cop_text *text, const json_t *example, cop_error *err)
{
    const json_t *const setup = json_object_get(example, "test_setup_code");
    if (setup == NULL || json_is_null(setup)) return COP_OK;
    if (json_is_string(setup))
        return cop_text_append(text, json_string_value(setup), json_string_length(setup), err);
    COP_CHECK(json_is_array(setup), err, COP_ERR_FORMAT,
              "field \"test_setup_code\" is neither a string nor a list of strings");
    for (size_t i = 0; i < json_array_size(setup); i++)
        COP_CHECK(json_is_string(json_array_get(setup, i)), err, COP_ERR_FORMAT,
                  "entry %zu of field \"test_setup_code\" is not a string", i);
    return append_lines(text, setup, err);
}

static cop_status prepare(json_t *example, cop_error *err)
{
    COP_TRY(check_tests(example, err));
    cop_text lines = {0};
    cop_status status = append_lines(&lines, json_object_get(example, "test_list"), err);
    if (status == COP_OK)
        status =
            cop_task_set_field(example, "tests", json_stringn(lines.data, lines.length), err);
    cop_text_free(&lines);
    return status;
}

static cop_status find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    *answer = NULL;
    COP_TRY(check_tests(example, err));
    *answer = example;
    return COP_OK;
}

/* --- the helper --- */

/* Runs in the child's thread. */
static cop_status check_reply(const json_t *reply, cop_error *err)
{
    COP_CHECK(json_is_boolean(json_object_get(reply, "passed")) ||
                  json_is_string(json_object_get(reply, "error")) ||
                  json_is_string(json_object_get(reply, "failed")),
              err, COP_ERR_UNIT, "it has none of \"passed\", \"error\" and \"failed\"");
    return COP_OK;
}

typedef struct mbpp_state {
    cop_child *child;
    double timeout_s;
} mbpp_state;

static cop_status make_request(const mbpp_state *state, cop_slice program,
                               const json_t *example, json_t **request, cop_error *err)
{
    cop_text setup = {0};
    COP_TRY(check_tests(example, err));
    cop_status status = append_setup(&setup, example, err);
    if (status == COP_OK) {
        json_t *const tests = json_deep_copy(json_object_get(example, "test_list"));
        *request = json_pack("{s:s%, s:o, s:s%, s:f}", "program", program.data, program.length,
                             "tests", tests, "setup", setup.length > 0 ? setup.data : "",
                             setup.length, "timeout", state->timeout_s);
        if (*request == NULL) {
            status = cop_error_set(err, COP_ERR_FORMAT,
                                   "a request to the sandbox cannot be made: is the response "
                                   "UTF-8?");
        }
    }
    cop_text_free(&setup);
    return status;
}

/* A program that must pass: whatever keeps the sandbox from running is then told at the start
 * of a job and not in the midst of it. */
static cop_status try_helper(mbpp_state *state, cop_error *err)
{
    static const char program[] = "def f(x):\n    return x + 1";
    json_t *const example = json_pack("{s:[s]}", "test_list", "assert f(1) == 2");
    COP_CHECK(example != NULL, err, COP_ERR_MEMORY, "no memory for a request");
    uint64_t id = 0;
    json_t *request = NULL;
    json_t *reply = NULL;
    cop_error reason = {0};
    cop_status status =
        make_request(state, (cop_slice){program, strlen(program)}, example, &request, &reason);
    json_decref(example);
    if (status == COP_OK) status = cop_child_send(state->child, request, &id, &reason);
    if (status == COP_OK)
        status = cop_child_receive(state->child, id, &reply, NULL, NULL, &reason);
    if (status == COP_OK && !json_is_true(json_object_get(reply, "passed"))) {
        char *const text = json_dumps(reply, JSON_COMPACT);
        status = cop_error_set(&reason, COP_ERR_CONFIG, "a plain program does not pass: %s",
                               text != NULL ? text : "");
        free(text); /* jansson's, by malloc */
    }
    json_decref(reply);
    COP_CHECK(status == COP_OK, err, COP_ERR_CONFIG, "the sandbox for generated programs: %s",
              reason.message);
    return COP_OK;
}

static cop_status start_helper(const cop_task_setup *setup, mbpp_state *state, cop_error *err)
{
    cop_text path = {0};
    char jobs[32];
    (void)snprintf(jobs, sizeof jobs, "%zu", setup->jobs);
    cop_status status = cop_helper_find(helper_name, helper_use, &path, err);
    if (status == COP_OK) {
        const char *const command[] = {path.data, "--ignore-signals", "--jobs", jobs};
        const cop_child_options options = {.name = "task mbpp",
                                           .command = command,
                                           .command_count = setup->jobs > 0 ? 4 : 2,
                                           .timeout_s = start_s + patience * state->timeout_s,
                                           .timeout_key = "task.timeout (--timeout)",
                                           .form = "{\"id\": N, \"passed\": true}",
                                           .check = check_reply};
        status = cop_child_create(&options, &state->child, err);
    }
    cop_text_free(&path);
    return status;
}

static void close_helper(void *context)
{
    mbpp_state *const state = context;
    cop_child_destroy(&state->child);
    cop_memory_free(state);
}

static cop_status open_helper(const cop_task_setup *setup, void **state, cop_error *err)
{
    COP_CHECK(setup->timeout_s <= longest_timeout_s, err, COP_ERR_CONFIG,
              "a timeout of %g s: task mbpp takes at most %g (task.timeout, --timeout)",
              setup->timeout_s, longest_timeout_s);
    mbpp_state *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->timeout_s = setup->timeout_s > 0 ? setup->timeout_s : default_timeout_s;
    cop_status status = start_helper(setup, made, err);
    if (status == COP_OK) status = try_helper(made, err);
    if (status != COP_OK) {
        close_helper(made);
        return status;
    }
    *state = made;
    return COP_OK;
}

/* --- responses --- */

/* A response without a program needs no sandbox: it is wrong. */
static cop_status ask(void *context, const cop_response *response, json_t **request,
                      cop_score *score, cop_error *err)
{
    COP_TRY(check_tests(response->answer, err));
    cop_text tests = {0};
    cop_text program = {0};
    cop_status status =
        append_lines(&tests, json_object_get(response->answer, "test_list"), err);
    if (status == COP_OK)
        status = cop_program_find((cop_slice){response->text, response->length},
                                  cop_slice_of(&tests), &program, err);
    score->form = cop_form_of(
        program.length > 0 &&
        cop_python_rank_of(cop_slice_of(&program), cop_slice_of(&tests)) != COP_PYTHON_NONE);
    if (status == COP_OK && program.length > 0) {
        score->extracted = cop_memory_copy_string(program.data, program.length, err);
        status = score->extracted == NULL ? COP_ERR_MEMORY
                                          : make_request(context, cop_slice_of(&program),
                                                         response->answer, request, err);
    }
    cop_text_free(&tests);
    cop_text_free(&program);
    return status;
}

/* `reply` has passed check_reply(). */
static cop_status read_reply(void *context, const json_t *reply, cop_score *score,
                             cop_error *err)
{
    (void)context;
    const char *const error = json_string_value(json_object_get(reply, "error"));
    const char *const failed = json_string_value(json_object_get(reply, "failed"));
    COP_CHECK(error == NULL, err, COP_ERR_FORMAT, "the sandbox refuses the asserts: %s", error);
    COP_CHECK(failed == NULL, err, COP_ERR_UNIT, "the sandbox: %s", failed);
    score->correct = json_is_true(json_object_get(reply, "passed"));
    score->reward = score->correct ? 1 : 0;
    return COP_OK;
}

static const cop_child_rules rules = {.ask = ask, .read = read_reply};

static cop_status submit(void *context, const cop_response *responses, size_t count,
                         void **group, cop_error *err)
{
    mbpp_state *const state = context;
    return cop_child_group_submit(state->child, &rules, state, responses, count, group, err);
}

static cop_status collect(void *context, void *group, cop_score *scores,
                          bool (*cancelled)(void *), void *cancel_context, cop_error *err)
{
    const mbpp_state *const state = context;
    return cop_child_group_collect(state->child, group, scores,
                                   (cop_child_wait){cancelled, cancel_context}, err);
}

static const cop_scorer_ops ops = {
    .open = open_helper, .submit = submit, .collect = collect, .close = close_helper};

static const cop_task_field fields[] = {
    {.name = "text", .kind = "string: what the program is to do"},
    {.name = "test_list", .kind = "list of strings: asserts"},
    {.name = "test_setup_code",
     .kind = "string or list of strings: Python that runs between the program and the asserts",
     .optional = true},
    {.name = "code", .kind = "string: a solution, for few-shot examples", .optional = true},
    {.name = "tests", .kind = "string: the asserts, one a line", .made = true},
    {0},
};

const cop_task cop_task_mbpp = {
    .name = "mbpp",
    .summary = "Python programs, run in a sandbox against asserts",
    .fields = fields,
    .data = "MBPP as it is",
    .reward = "1 if all asserts hold, else 0",
    .correctness =
        "the program passes all asserts. It is what defines a name that they use: in the last "
        "<answer> that has it, else between [BEGIN] and [DONE], else anywhere; of fenced "
        "blocks "
        "the last one, with those that it needs, else the lines that are Python",
    .vote = "the program's text",
    .form = "a program that defines a name that the asserts use",
    .default_system = "You write correct, plain Python.",
    .default_user =
        "{text}\n\nThe code has to pass these tests:\n{tests}\n\nThink first, then give the "
        "whole code, without the tests, between <answer> and </answer>.",
    .default_assistant = "<answer>\n{code}\n</answer>",
    .max_reward = 1.0,
    .correct_at = 1.0,
    .prepare = prepare,
    .answer = find_answer,
    .scorer = &ops,
};
