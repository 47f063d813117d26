#include "coppice/evaluate.h"

#include "coppice/memory.h"
#include "coppice/timer.h"
#include "evaluate/prompts.h"

#include <string.h>

struct cop_evaluator {
    cop_evaluator_options options;
    cop_model_config config;
    cop_tokenizer *tokenizer;
    cop_checkpoint *checkpoint;
    cop_backend *backend;
    cop_model *model;
    prompt_set prompts;
    cop_text unused;           /* tensors that the configuration has no use for */
    bool applied;              /* the model holds `components` on the base */
    cop_component *components; /* [component_count] of the recipe applied last */
    size_t component_count;
    cop_text *responses; /* [batch] texts of the last unit */
    size_t response_count;
    cop_generation *generations; /* [batch] */
    cop_prompt *batch_prompts;   /* [batch] */
};

/* The dtype of the largest tensor stands for the base's. */
static cop_dtype storage_dtype(const cop_checkpoint *checkpoint)
{
    const cop_tensor_info *largest = NULL;
    for (size_t i = 0; i < cop_checkpoint_count(checkpoint); i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(checkpoint, i);
        if (info->dtype == COP_DTYPE_OTHER) continue;
        if (largest == NULL || info->count > largest->count) largest = info;
    }
    return largest == NULL ? COP_F32 : largest->dtype;
}

static cop_status load_model(cop_evaluator *evaluator, cop_error *err)
{
    cop_evaluator_options *const options = &evaluator->options;
    COP_TRY(cop_model_config_load(options->model_dir, &evaluator->config, err));
    char *const path = cop_text_join_path(options->model_dir, "tokenizer.json", err);
    if (path == NULL) return COP_ERR_MEMORY;
    const cop_status status = cop_tokenizer_load(path, &evaluator->tokenizer, err);
    cop_memory_free(path);
    COP_TRY(status);
    COP_TRY(cop_prompts_create(options, evaluator->tokenizer, &evaluator->prompts, err));
    const size_t longest = evaluator->prompts.longest;
    const size_t positions = (size_t)evaluator->config.max_positions;
    COP_CHECK(longest + options->max_new_tokens <= positions + 1, err, COP_ERR_CONFIG,
              "generation.max_new_tokens: %zu after the longest prompt of %zu tokens is more "
              "than the model's "
              "%zu positions; at most %zu would fit",
              options->max_new_tokens, longest, positions,
              longest > positions ? 0 : positions + 1 - longest);
    COP_TRY(cop_checkpoint_open(options->model_dir, &evaluator->checkpoint, err));
    options->backend.storage = storage_dtype(evaluator->checkpoint);
    COP_TRY(cop_backend_create_cpu(&options->backend, &evaluator->backend, err));
    const cop_model_limits limits = {.batch = options->batch,
                                     .prompt_tokens = longest,
                                     .new_tokens = options->max_new_tokens};
    return cop_model_create(&evaluator->config, evaluator->checkpoint, evaluator->backend,
                            &limits, &evaluator->unused, &evaluator->model, err);
}

cop_status cop_evaluator_create(const cop_evaluator_options *options, cop_evaluator **evaluator,
                                cop_error *err)
{
    *evaluator = NULL;
    cop_evaluator *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    created->options = *options;
    created->applied = true; /* cop_model_create() loads the base */
    created->responses = cop_memory_alloc(options->batch, sizeof *created->responses, err);
    created->generations = cop_memory_alloc(options->batch, sizeof *created->generations, err);
    created->batch_prompts =
        cop_memory_alloc(options->batch, sizeof *created->batch_prompts, err);
    cop_status status = COP_ERR_MEMORY;
    if (created->responses != NULL && created->generations != NULL &&
        created->batch_prompts != NULL) {
        status = load_model(created, err);
    }
    if (status != COP_OK) {
        cop_evaluator_destroy(&created);
        return status;
    }
    *evaluator = created;
    return COP_OK;
}

/* Rebuilds the weights unless the model already holds this recipe. */
static cop_status apply_recipe(cop_evaluator *evaluator, const cop_recipe *recipe,
                               cop_error *err)
{
    const size_t count = recipe == NULL ? 0 : recipe->component_count;
    const size_t bytes = count * sizeof(cop_component);
    if (evaluator->applied && evaluator->component_count == count &&
        (count == 0 || memcmp(evaluator->components, recipe->components, bytes) == 0)) {
        return COP_OK;
    }
    cop_component *const copy = cop_memory_alloc(count, sizeof *copy, err);
    if (copy == NULL) return COP_ERR_MEMORY;
    if (count > 0) memcpy(copy, recipe->components, bytes);
    cop_memory_free(evaluator->components);
    evaluator->components = copy;
    evaluator->component_count = count;
    evaluator->applied = false;
    COP_TRY(cop_model_apply(evaluator->model, recipe, err));
    evaluator->applied = true;
    return COP_OK;
}

/* Where the first stop string begins in text; its length if there is none. */
static size_t find_stop(const cop_evaluator_options *options, const cop_text *text)
{
    size_t cut = text->length;
    for (size_t i = 0; i < options->stop_count; i++) {
        const char *const stop = options->stop[i];
        const char *const found = memmem(text->data, text->length, stop, strlen(stop));
        if (found != NULL && (size_t)(found - text->data) < cut)
            cut = (size_t)(found - text->data);
    }
    return cut;
}

/* Stop strings: looks at the text of the last tokens, enough of them to hold the longest. */
static bool reached_stop(void *context, size_t index, const cop_ids *ids)
{
    (void)index;
    const cop_evaluator *const evaluator = context;
    size_t longest = 0;
    for (size_t i = 0; i < evaluator->options.stop_count; i++) {
        const size_t length = strlen(evaluator->options.stop[i]);
        if (length > longest) longest = length;
    }
    /* Every token gives at least one byte, except special ones: a margin for those. */
    const size_t tail = ids->count < longest + 8 ? ids->count : longest + 8;
    cop_text text = {0};
    bool found = false;
    if (cop_tokenizer_decode(evaluator->tokenizer, ids->data + (ids->count - tail), tail, false,
                             &text, NULL) == COP_OK) {
        found = text.length > 0 && find_stop(&evaluator->options, &text) < text.length;
    }
    cop_text_free(&text);
    return found;
}

/* Turns generation `slot` into a response and its reward. */
static cop_status score_response(cop_evaluator *evaluator, size_t slot, size_t example,
                                 cop_unit_result *result, cop_error *err)
{
    const cop_evaluator_options *const options = &evaluator->options;
    cop_text *const text = &evaluator->responses[slot];
    const cop_ids *const ids = &evaluator->generations[slot].ids;
    cop_text_clear(text);
    COP_TRY(
        cop_tokenizer_decode(evaluator->tokenizer, ids->data, ids->count, false, text, err));
    COP_TRY(cop_text_append(text, "", 0, err));
    text->length = find_stop(options, text);
    text->data[text->length] = '\0';
    const json_t *answer = NULL;
    cop_score score = {0};
    cop_status status =
        options->task->answer(cop_dataset_at(options->dataset, example), &answer, err);
    if (status == COP_OK)
        status = options->task->score(text->data, text->length, answer, &score, err);
    if (status != COP_OK) return cop_error_prefix(err, "example %zu", example + 1);
    result->rewards[slot] = (float)score.reward;
    if (result->extracted != NULL) {
        result->extracted[slot] = score.extracted;
        score.extracted = NULL;
    }
    cop_score_free(&score);
    return COP_OK;
}

static cop_status run_unit(cop_evaluator *evaluator, const cop_unit *unit,
                           const cop_generate_options *generate, cop_unit_result *result,
                           cop_error *err)
{
    COP_CHECK(unit->count <= evaluator->options.batch, err, COP_ERR_INTERNAL,
              "a unit of %zu examples does not fit a batch of %zu", unit->count,
              evaluator->options.batch);
    COP_TRY(apply_recipe(evaluator, unit->recipe, err));
    const prompt_set *const prompts = &evaluator->prompts;
    for (size_t i = 0; i < unit->count; i++) {
        const size_t start = prompts->start[unit->examples[i]];
        evaluator->batch_prompts[i] =
            (cop_prompt){.ids = prompts->ids.data + start,
                         .count = prompts->start[unit->examples[i] + 1] - start};
    }
    cop_status status = cop_model_generate(evaluator->model, evaluator->batch_prompts,
                                           unit->count, generate, evaluator->generations, err);
    evaluator->response_count = status == COP_OK ? unit->count : 0;
    result->status = COP_OK;
    for (size_t i = 0; i < unit->count && status == COP_OK; i++) {
        result->generated_tokens += evaluator->generations[i].ids.count;
        if (!evaluator->generations[i].finite) result->status = COP_ERR_NUMERIC;
        status = score_response(evaluator, i, unit->examples[i], result, err);
    }
    for (size_t i = 0; i < unit->count; i++)
        cop_generation_free(&evaluator->generations[i]);
    if (result->status != COP_OK)
        memset(result->rewards, 0, unit->count * sizeof *result->rewards);
    return status;
}

cop_status cop_evaluator_run(cop_evaluator *evaluator, const cop_unit *units, size_t count,
                             bool (*cancelled)(void *), void *context, cop_unit_result *results,
                             cop_error *err)
{
    const cop_generate_options generate = {
        .max_new_tokens = evaluator->options.max_new_tokens,
        .stop = evaluator->options.stop_count > 0 ? reached_stop : NULL,
        .stop_context = evaluator,
        .cancelled = cancelled,
        .cancelled_context = context};
    for (size_t i = 0; i < count; i++) {
        const double start_s = cop_timer_now_s();
        results[i].generated_tokens = 0;
        COP_TRY(run_unit(evaluator, &units[i], &generate, &results[i], err));
        results[i].seconds = cop_timer_now_s() - start_s;
    }
    return COP_OK;
}

const char *cop_evaluator_response(const cop_evaluator *evaluator, size_t index)
{
    return index < evaluator->response_count ? evaluator->responses[index].data : NULL;
}

const char *cop_evaluator_unused_tensors(const cop_evaluator *evaluator)
{
    return evaluator->unused.length > 0 ? evaluator->unused.data : NULL;
}

const cop_model_config *cop_evaluator_config(const cop_evaluator *evaluator)
{
    return &evaluator->config;
}

const cop_checkpoint *cop_evaluator_checkpoint(const cop_evaluator *evaluator)
{
    return evaluator->checkpoint;
}

const cop_backend *cop_evaluator_backend(const cop_evaluator *evaluator)
{
    return evaluator->backend;
}

cop_model *cop_evaluator_model(cop_evaluator *evaluator)
{
    return evaluator->model;
}

void cop_evaluator_destroy(cop_evaluator **evaluator)
{
    if (evaluator == NULL || *evaluator == NULL) return;
    cop_evaluator *const e = *evaluator;
    cop_model_destroy(&e->model);
    cop_backend_destroy(&e->backend);
    cop_checkpoint_close(&e->checkpoint);
    cop_prompts_free(&e->prompts);
    cop_tokenizer_destroy(&e->tokenizer);
    cop_text_free(&e->unused);
    cop_memory_free(e->components);
    for (size_t i = 0; e->responses != NULL && i < e->options.batch; i++) {
        cop_text_free(&e->responses[i]);
    }
    cop_memory_free(e->responses);
    cop_memory_free(e->generations);
    cop_memory_free(e->batch_prompts);
    cop_memory_free(e);
    *evaluator = NULL;
}
