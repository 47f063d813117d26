/* coppice eval */
#include "app/answers.h"
#include "app/app.h"
#include "app/eval_perplexity.h"
#include "app/model_options.h"
#include "app/question_options.h"
#include "app/task_options.h"

#include "coppice/base/memory.h"
#include "coppice/evaluate/evaluate.h"
#include "coppice/search/search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arguments {
    cop_app_task task;
    cop_app_model model;
    cop_app_question question;
    const char *answers;             /* NULL: not given */
    const char *perplexity, *window; /* a file of text, and a number */
    bool json;
} arguments;

enum { KEY_ANSWERS = 0x100, KEY_JSON, KEY_PERPLEXITY, KEY_WINDOW };

static const struct argp_option options[] = {
    {"answers", KEY_ANSWERS, "FILE", 0,
     "Also write every answer, JSON lines: prompt_ids, reference, response, reward, correct, "
     "extracted, form, tokens",
     0},
    {"responses", 0, NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 0},
    {"perplexity", KEY_PERPLEXITY, "FILE", 0,
     "Instead of a task: how likely the model finds text, plain (UTF-8) or, in a file whose "
     "name ends in .jsonl, the field \"text\" of each line",
     0},
    {"window", KEY_WINDOW, "N", 0,
     "With --perplexity: longer texts are cut into windows of N tokens (default: the model's "
     "context)",
     0},
    {"json", KEY_JSON, NULL, 0, "Print the result as JSON", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->task;
        state->child_inputs[1] = &a->model;
        state->child_inputs[2] = &a->question;
        return 0;
    case KEY_JSON:
        a->json = true;
        return 0;
    case KEY_ANSWERS:
        a->answers = text;
        return 0;
    case KEY_PERPLEXITY:
        a->perplexity = text;
        return 0;
    case KEY_WINDOW:
        a->window = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cop_app_task_argp, 0, NULL, 0},
                                             {&cop_app_model_argp, 0, NULL, 0},
                                             {&cop_app_question_argp, 0, NULL, 0},
                                             {0}};

static const struct argp argp = {
    options,
    parse,
    NULL,
    "Generates greedy answers to the examples of a task and scores them, or tells how likely "
    "plain text is.\v"
    "  coppice eval --model jobs/demo/model --task gsm8k --data jobs/demo/arith.jsonl --limit "
    "400\n"
    "  coppice eval --model jobs/demo/model --recipe runs/demo --task gsm8k --data "
    "jobs/demo/arith.jsonl\n"
    "  coppice eval --model M --task math --data MATH-500.jsonl --field question=problem\n"
    "  coppice eval --model M --recipe runs/demo --perplexity text.txt\n\n"
    "Perplexity is e to the power of minus the mean natural logarithm of the probability that "
    "each token has after those before it. A text's first token has none before it and does "
    "not count; what the tokenizer puts before a text (begin-of-text) is such a first token. A "
    "text longer than a window is cut into windows of that many tokens, each beginning with "
    "the "
    "token that the one before ended in, so that every other token counts once.",
    children,
    cop_app_help_tasks,
    NULL};

/* A running evaluation. */
typedef struct evaluation {
    cop_evaluator *evaluator;
    const cop_task *task;
    cop_task_setup setup;
    cop_dataset *dataset;
    cop_dataset *examples; /* few-shot; NULL: none */
    FILE *file;            /* for answers; NULL: not wanted */
    const char *path;      /* of that */
    size_t *order;         /* [answers.count] examples */
    cop_app_answers answers;
} evaluation;

/* What the model was asked, and what `coppice reward` takes for the right answer. */
static cop_status describe_question(const evaluation *e, size_t example, json_t **line,
                                    cop_error *err)
{
    const json_t *reference = NULL;
    const cop_prompt prompt = cop_evaluator_prompt(e->evaluator, example);
    COP_TRY(e->task->answer(cop_dataset_at(e->dataset, example), &reference, err));
    *line = json_pack("{s:I, s:o, s:o?}", "example", (json_int_t)example, "prompt_ids",
                      cop_app_ids_json(prompt.ids, prompt.count), "reference",
                      json_deep_copy(reference));
    return COP_OK;
}

/* Writes answers as they come, so that a long evaluation can be looked at. */
static cop_status write_answers(void *context, const cop_app_answers *answers, size_t first,
                                size_t count, cop_error *err)
{
    const evaluation *const e = context;
    for (size_t i = first; i < first + count && e->file != NULL; i++) {
        json_t *line = NULL;
        COP_TRY(describe_question(e, e->order[i], &line, err));
        json_t *const answer = cop_app_answers_json(answers, i);
        const bool ok = line != NULL && answer != NULL && json_object_update(line, answer) == 0;
        json_decref(answer);
        if (!ok) json_decref(line);
        COP_CHECK(ok, err, COP_ERR_MEMORY, "no memory for a line of answers");
        COP_TRY(cop_app_write_line(e->file, line, e->path, err));
    }
    return COP_OK;
}

static cop_status print_result(const evaluation *e, const arguments *a, cop_error *err)
{
    const cop_app_answers *const got = &e->answers;
    double reward = 0;
    size_t right = 0;
    for (size_t i = 0; i < got->count; i++) {
        reward += (double)got->rewards[i];
        right += got->correct[i];
    }
    const double accuracy = (double)right / (double)got->count;
    double low = 0;
    double high = 0;
    cop_stats_wilson(right, got->count, 0.95, &low, &high);
    reward /= (double)got->count;
    char backend[256];
    cop_evaluator_backend(e->evaluator)
        ->ops->describe(cop_evaluator_backend(e->evaluator), backend, sizeof backend);
    if (a->json) {
        COP_TRY(cop_app_print_json(
            json_pack("{s:s, s:I, s:I, s:f, s:[f,f], s:f, s:I, s:f, s:f, s:s}", "task",
                      e->task->name, "examples", (json_int_t)got->count, "correct",
                      (json_int_t)right, "accuracy", accuracy, "accuracy_95", low, high,
                      "reward", reward, "generated_tokens", (json_int_t)got->tokens, "seconds",
                      got->seconds, "reward_seconds", got->reward_seconds, "backend", backend),
            err));
        return cop_app_flush(err);
    }
    (void)printf("%s, %zu examples of %s\n", e->task->name, got->count, a->question.data);
    (void)printf("accuracy  %.3f  (95%%: %.3f .. %.3f), %zu right\n", accuracy, low, high,
                 right);
    (void)printf("reward    %.4f\n", reward);
    (void)printf("speed     %.0f tokens/s: %llu tokens in %.1f s (%s)\n",
                 (double)got->tokens / got->seconds, (unsigned long long)got->tokens,
                 got->seconds, backend);
    (void)printf("scoring   %.2f%% of that time: %.3f s\n",
                 100.0 * got->reward_seconds / got->seconds, got->reward_seconds);
    return cop_app_flush(err);
}

static cop_status evaluate_all(evaluation *e, const arguments *a, size_t batch, cop_error *err)
{
    const size_t count = cop_dataset_count(e->dataset);
    cop_recipe *recipe = NULL;
    cop_status status = COP_OK;
    e->order = cop_memory_alloc(count, sizeof *e->order, err);
    if (e->order == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        e->order[i] = i;
    COP_TRY_OUT(cop_app_model_recipe("eval", &a->model, cop_evaluator_checkpoint(e->evaluator),
                                     &recipe, err));
    const cop_app_asking asking = {.evaluator = e->evaluator,
                                   .recipe = recipe,
                                   .examples = e->order,
                                   .count = count,
                                   .batch = batch,
                                   .label = a->json ? NULL : "",
                                   .done = write_answers,
                                   .context = e};
    COP_TRY_OUT(cop_app_answers_ask(&asking, &e->answers, err));
out:
    cop_recipe_destroy(&recipe);
    return status;
}

/* The data set and the few-shot examples, their fields renamed. */
static cop_status load_data(const arguments *a, size_t limit, evaluation *e, cop_error *err)
{
    const cop_app_question *const q = &a->question;
    const cop_dataset_options some = {.limit = limit};
    cop_fields fields = {0};
    cop_status status = COP_OK;
    COP_TRY_OUT(cop_app_question_fields(q, &fields, err));
    COP_TRY_OUT(cop_task_load(e->task, q->data, &fields, &some, &e->dataset, err));
    if (q->examples != NULL)
        COP_TRY_OUT(cop_task_load(e->task, q->examples, &fields, NULL, &e->examples, err));
out:
    cop_fields_free(&fields);
    return status;
}

/* Options of a task have no meaning for plain text. */
static cop_status measure_text(const arguments *a, cop_error *err)
{
    const cop_app_question *const q = &a->question;
    const struct {
        const char *name;
        const void *value;
    } others[] = {{"task", a->task.name},
                  {"data", q->data},
                  {"field", q->field_count > 0 ? q->fields[0] : NULL},
                  {"limit", q->limit},
                  {"system", q->system},
                  {"user", q->user},
                  {"examples", q->examples},
                  {"shots", q->shots},
                  {"shot-seed", q->shot_seed},
                  {"assistant", q->assistant},
                  {"stop", q->stop_count > 0 ? q->stops[0] : NULL},
                  {"answers", a->answers},
                  {"command", a->task.word_count > 0 ? a->task.words : NULL},
                  {"timeout", a->task.timeout},
                  {"chat", a->model.chat},
                  {"date", a->model.date},
                  {"max-new-tokens", a->model.tokens}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        COP_CHECK(others[i].value == NULL, err, COP_ERR_USAGE,
                  "--%s has no meaning with --perplexity: nothing is asked and answered",
                  others[i].name);
    }
    const cop_app_perplexity wanted = {
        .model = &a->model, .path = a->perplexity, .window = a->window, .json = a->json};
    return cop_app_eval_perplexity(&wanted, err);
}

static cop_status run(const arguments *a, evaluation *e, cop_error *err)
{
    const cop_app_question *const q = &a->question;
    cop_app_question_numbers numbers = {0};
    cop_app_answering how = {0};
    if (a->perplexity != NULL) return measure_text(a, err);
    COP_CHECK(a->window == NULL, err, COP_ERR_USAGE, "--window needs --perplexity FILE");
    COP_TRY(cop_app_question_resolve(q, &numbers, err));
    COP_TRY(cop_app_model_resolve("eval", &a->model, &how, err));
    COP_CHECK(how.max_new_tokens > 0, err, COP_ERR_USAGE,
              "--max-new-tokens 0: an answer needs at least one");
    COP_TRY(cop_app_require("eval", "--data FILE", q->data, err));
    COP_CHECK(numbers.shots == 0 || q->examples != NULL, err, COP_ERR_CONFIG,
              "--shots %s needs --examples FILE (task.examples of a job) to take them from",
              q->shots);
    COP_CHECK(numbers.shots > 0 || q->examples == NULL, err, COP_ERR_USAGE,
              "--examples needs --shots N: how many of them stand before each question");
    COP_TRY(cop_app_task_resolve("eval", &a->task, &e->task, &e->setup, err));
    COP_TRY(load_data(a, (size_t)numbers.limit, e, err));
    if (a->answers != NULL) {
        e->path = a->answers;
        e->file = fopen(a->answers, "w");
        COP_CHECK(e->file != NULL, err, COP_ERR_IO, "%s: cannot create it: %s", a->answers,
                  strerror(errno));
    }
    cop_evaluator_options made = {.model_dir = a->model.dir,
                                  .task = e->task,
                                  .setup = &e->setup,
                                  .dataset = e->dataset,
                                  .system = q->system,
                                  .user = q->user,
                                  .assistant = q->assistant,
                                  .examples = e->examples,
                                  .shots = (size_t)numbers.shots,
                                  .shot_seed = numbers.shot_seed,
                                  .chat = a->model.chat,
                                  .date = a->model.date,
                                  .stop = q->stops,
                                  .stop_count = q->stop_count,
                                  .max_new_tokens = how.max_new_tokens,
                                  .batch = how.batch,
                                  .backend = how.backend};
    COP_TRY(cop_evaluator_create(&made, &e->evaluator, err));
    const char *const unused = cop_evaluator_unused_tensors(e->evaluator);
    if (unused != NULL)
        (void)fprintf(stderr, "coppice eval: warning: unused tensors: %s\n", unused);
    cop_app_warn_of_chat("eval", cop_evaluator_unstopped(e->evaluator),
                         cop_evaluator_asks_date(e->evaluator), a->model.date);
    cop_app_print_notes("eval", cop_evaluator_notes(e->evaluator));
    COP_TRY(evaluate_all(e, a, how.batch, err));
    return print_result(e, a, err);
}

cop_status cop_command_eval(int argc, char **argv, cop_error *err)
{
    arguments a = {0};
    evaluation e = {0};
    cop_status status = cop_app_task_create(argc, &a.task, err);
    if (status == COP_OK) status = cop_app_parse(&argp, argc, argv, &a, err);
    if (status == COP_OK) status = run(&a, &e, err);
    if (e.file != NULL && fclose(e.file) != 0 && status == COP_OK) {
        status =
            cop_error_set(err, COP_ERR_IO, "%s: cannot write it: %s", e.path, strerror(errno));
    }
    cop_evaluator_destroy(&e.evaluator);
    cop_dataset_destroy(&e.dataset);
    cop_dataset_destroy(&e.examples);
    cop_memory_free(e.order);
    cop_app_answers_free(&e.answers);
    cop_app_task_free(&a.task);
    return status;
}
