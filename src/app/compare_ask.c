/* Has a model answer what both are asked. */
#include "app/compare.h"

#include "coppice/base/memory.h"
#include "coppice/search/search.h"

#include <stdio.h>
#include <string.h>

/* --- prompts that are of no task --- */

static cop_status no_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    (void)example;
    (void)err;
    *answer = json_null();
    return COP_OK;
}

static cop_status no_score(const char *response, size_t length, const json_t *answer,
                           cop_score *score, cop_error *err)
{
    (void)response;
    (void)length;
    (void)answer;
    (void)err;
    *score = (cop_score){0};
    return COP_OK;
}

static const cop_task off_task = {
    .name = "prompts", .default_user = "{prompt}", .answer = no_answer, .score = no_score};

/* --- how --- */

/* The command line's options over those of the run's job. */
static cop_status resolve(const cop_compare_arguments *a, const cop_compare_questions *q,
                          const cop_compare_side *side, cop_app_model *model,
                          cop_app_answering *how, cop_error *err)
{
    *model = a->model;
    *how = (cop_app_answering){0};
    model->dir = side->model_dir;
    if (q->run == NULL) return cop_app_model_resolve("compare", model, how, err);
    const cop_job *const job = cop_asked_job(q->run);
    if (model->chat == NULL) model->chat = job->task.chat;
    if (model->date == NULL) model->date = job->task.date;
    if (model->kind == NULL) model->kind = job->backend.kind;
    if (model->compute == NULL) model->compute = job->backend.compute;
    if (model->arithmetic == NULL) model->arithmetic = job->backend.arithmetic;
    how->batch = (size_t)job->backend.batch;
    COP_TRY(cop_app_model_resolve("compare", model, how, err));
    if (model->tokens == NULL) how->max_new_tokens = (size_t)job->generation.max_new_tokens;
    (void)cop_gemm_provider_parse(job->backend.gemm, &how->backend.gemm); /* a checked key */
    return COP_OK;
}

static void warn(const cop_evaluator *evaluator, const cop_app_model *model)
{
    const char *const unused = cop_evaluator_unused_tensors(evaluator);
    if (unused != NULL)
        (void)fprintf(stderr, "coppice compare: warning: %s: unused tensors: %s\n", model->dir,
                      unused);
    cop_app_warn_of_chat("compare", cop_evaluator_unstopped(evaluator),
                         cop_evaluator_asks_date(evaluator), model->date);
    cop_app_print_notes("compare", cop_evaluator_notes(evaluator));
}

static cop_status check_recipe(const cop_compare_side *side, const cop_app_model *model,
                               const cop_checkpoint *base, cop_error *err)
{
    if (side->recipe == NULL) return COP_OK;
    const bool own_template = model->chat == NULL || strcmp(model->chat, "auto") == 0;
    COP_TRY(
        cop_app_check_base(side->given, side->recipe, base, own_template, &model->accept, err));
    cop_app_announce_rebuild("compare", side->recipe, base);
    return COP_OK;
}

/* Examples [count] of options->dataset. */
static cop_status answer(cop_compare_side *side, const cop_app_model *model,
                         cop_evaluator_options *options, const size_t *examples, size_t count,
                         bool tell, const char *label, cop_app_answers *answers, cop_error *err)
{
    cop_evaluator *evaluator = NULL;
    cop_status status = COP_OK;
    COP_TRY_OUT(cop_evaluator_create(options, &evaluator, err));
    if (tell) warn(evaluator, model);
    COP_TRY_OUT(check_recipe(side, model, cop_evaluator_checkpoint(evaluator), err));
    const cop_app_asking asking = {.evaluator = evaluator,
                                   .recipe = side->recipe,
                                   .examples = examples,
                                   .count = count,
                                   .batch = options->batch,
                                   .label = label,
                                   .keep = true};
    COP_TRY_OUT(cop_app_answers_ask(&asking, answers, err));
out:
    cop_evaluator_destroy(&evaluator);
    return status;
}

static cop_status answer_prompts(const cop_compare_questions *q, cop_compare_side *side,
                                 const cop_app_model *model, const cop_evaluator_options *as,
                                 cop_error *err)
{
    const size_t count = cop_dataset_count(q->prompts);
    char label[64];
    cop_evaluator_options options = *as;
    size_t *const order = cop_memory_alloc(count, sizeof *order, err);
    if (order == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    options.task = &off_task;
    options.setup = NULL;
    options.dataset = q->prompts;
    options.system = options.user = options.assistant = NULL;
    options.examples = NULL;
    options.shots = 0;
    (void)snprintf(label, sizeof label, "%s, off task: ", side->name);
    const cop_status status =
        answer(side, model, &options, order, count, false, label, &side->off_task, err);
    cop_memory_free(order);
    return status;
}

/* A job takes an example for right by its reward. */
static void judge_as_job(const cop_compare_questions *q, cop_app_answers *answers)
{
    const cop_measure measure = {.correct_at = q->task->correct_at};
    if (q->run == NULL || q->task != cop_asked_task(q->run)) return;
    for (size_t i = 0; i < answers->count; i++)
        answers->correct[i] = cop_measure_value(&measure, answers->rewards[i]) > 0;
}

cop_status cop_compare_ask(const cop_compare_arguments *a, const cop_compare_questions *q,
                           cop_compare_side *side, bool first, cop_error *err)
{
    cop_app_model model;
    cop_app_answering how;
    char label[32];
    cop_evaluator_options options = q->options;
    COP_TRY(resolve(a, q, side, &model, &how, err));
    COP_CHECK(how.max_new_tokens > 0, err, COP_ERR_USAGE,
              "--max-new-tokens 0: an answer needs at least one");
    options.model_dir = side->model_dir;
    options.chat = model.chat;
    options.date = model.date;
    options.max_new_tokens = how.max_new_tokens;
    options.batch = how.batch;
    options.backend = how.backend;
    (void)snprintf(label, sizeof label, "%s: ", side->name);
    COP_TRY(answer(side, &model, &options, q->examples, q->count, first, label, &side->answers,
                   err));
    judge_as_job(q, &side->answers);
    return q->prompts == NULL ? COP_OK : answer_prompts(q, side, &model, &options, err);
}
