/* Evaluators: what they are made of. */
#include "evaluate/evaluator.h"

#include "coppice/base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Stop tokens that the user names, by id or text, in place of the model's. */
static cop_status set_stops(const cop_answer_rules *rules, const cop_tokenizer *tokenizer,
                            cop_model_config *config, cop_error *err)
{
    if (rules->stop_token_count == 0) return COP_OK;
    config->stop_count = 0;
    for (size_t i = 0; i < rules->stop_token_count; i++) {
        const char *const text = rules->stop_tokens[i];
        const size_t length = strlen(text);
        if (strcmp(text, "none") == 0) continue;
        const bool number = length <= 9 && strspn(text, "0123456789") == length;
        const int32_t id =
            number ? (int32_t)strtol(text, NULL, 10) : cop_tokenizer_find(tokenizer, text);
        COP_CHECK(id >= 0 && id < config->vocabulary, err, COP_ERR_CONFIG,
                  "generation.stop_tokens: \"%s\" is no token of the model", text);
        COP_CHECK(config->stop_count < COP_MODEL_MAX_STOPS, err, COP_ERR_CONFIG,
                  "generation.stop_tokens: more than %d", (int)COP_MODEL_MAX_STOPS);
        config->stops[config->stop_count++] = id;
    }
    return COP_OK;
}

/* What the user says of answers, over what the model's files say. */
static cop_status set_rules(cop_evaluator *evaluator, cop_error *err)
{
    const cop_answer_rules *const by = &evaluator->options.answers;
    cop_generation_rules *const rules = &evaluator->config.rules;
    if (by->ignore_model) *rules = (cop_generation_rules){0};
    if (by->repetition_penalty > 0) rules->repetition_penalty = by->repetition_penalty;
    if (by->no_repeat_ngram != 0)
        rules->no_repeat_ngram = by->no_repeat_ngram < 0 ? 0 : (int32_t)by->no_repeat_ngram;
    if (by->min_new_tokens != 0) rules->min_length = 0;
    if (by->min_new_tokens != 0)
        rules->min_new_tokens = by->min_new_tokens < 0 ? 0 : (int32_t)by->min_new_tokens;
    return set_stops(by, evaluator->tokenizer, &evaluator->config, err);
}

/* Configuration, tokenizer and prompts, which take no weights. */
static cop_status load_prompts(cop_evaluator *evaluator, cop_error *err)
{
    const cop_evaluator_options *const options = &evaluator->options;
    COP_TRY(cop_model_config_load(options->model_dir, &evaluator->config, err));
    COP_TRY(cop_tokenizer_load_model(options->model_dir, &evaluator->tokenizer, err));
    COP_TRY(set_rules(evaluator, err));
    COP_TRY(cop_prompts_create(options, evaluator->tokenizer, &evaluator->config,
                               &evaluator->prompts, err));
    const size_t longest = evaluator->prompts.longest;
    const size_t positions = (size_t)evaluator->config.max_positions;
    COP_CHECK(longest + options->max_new_tokens <= positions + 1, err, COP_ERR_CONFIG,
              "generation.max_new_tokens: %zu after the longest prompt of %zu tokens is more "
              "than the model's "
              "%zu positions; at most %zu would fit",
              options->max_new_tokens, longest, positions,
              longest > positions ? 0 : positions + 1 - longest);
    return COP_OK;
}

static cop_status load_model(cop_evaluator *evaluator, cop_error *err)
{
    cop_evaluator_options *const options = &evaluator->options;
    COP_TRY(load_prompts(evaluator, err));
    const size_t longest = evaluator->prompts.longest;
    const size_t window = cop_evaluator_window(evaluator);
    const size_t text =
        evaluator->prompts.longest_text < window ? evaluator->prompts.longest_text : window;
    COP_TRY(cop_checkpoint_open(options->model_dir, &evaluator->checkpoint, err));
    COP_TRY(cop_model_settle(&evaluator->config, evaluator->checkpoint, err));
    COP_TRY(cop_model_config_notes(&evaluator->config, &evaluator->notes, err));
    if (evaluator->prompts.lacking)
        COP_TRY(cop_text_format(&evaluator->notes, err, "%s\n", COP_CHAT_LACKING));
    options->backend.storage = cop_model_storage(evaluator->checkpoint);
    COP_TRY(cop_backend_create(&options->backend, &evaluator->backend, err));
    const cop_model_limits limits = {.batch = options->batch,
                                     .prompt_tokens = longest > text ? longest : text,
                                     .new_tokens = options->max_new_tokens,
                                     .lanes = options->lanes,
                                     .fit_lanes = options->fit_lanes,
                                     .fit_batch = true,
                                     .noise_products = options->noise_products};
    return cop_model_create(&evaluator->config, evaluator->checkpoint, evaluator->backend,
                            &limits, &evaluator->unused, &evaluator->model, err);
}

static cop_status make_room(cop_evaluator *evaluator, cop_error *err)
{
    cop_evaluator *const e = evaluator;
    const size_t batch = e->options.batch;
    const size_t lanes = cop_evaluator_lanes(e);
    e->lanes = cop_memory_alloc(lanes, sizeof *e->lanes, err);
    e->generations = cop_memory_alloc(lanes * batch, sizeof *e->generations, err);
    e->samples = cop_memory_alloc(lanes, sizeof *e->samples, err);
    e->batch_prompts = cop_memory_alloc(batch, sizeof *e->batch_prompts, err);
    if (e->lanes == NULL || e->generations == NULL || e->samples == NULL ||
        e->batch_prompts == NULL)
        return COP_ERR_MEMORY;
    for (size_t l = 0; l < lanes; l++)
        e->lanes[l].applied = true; /* cop_model_create() loads the base */
    return COP_OK;
}

cop_status cop_evaluator_create(const cop_evaluator_options *options, cop_evaluator **evaluator,
                                cop_error *err)
{
    *evaluator = NULL;
    cop_evaluator *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    created->options = *options;
    cop_status status = cop_evaluator_make_sets(created, err);
    if (status == COP_OK) status = load_model(created, err);
    if (status == COP_OK) status = make_room(created, err);
    if (status != COP_OK) {
        cop_evaluator_destroy(&created);
        return status;
    }
    *evaluator = created;
    return COP_OK;
}

cop_status cop_evaluator_check(const cop_evaluator_options *options, cop_error *err)
{
    cop_evaluator *tried = cop_memory_alloc(1, sizeof *tried, err);
    if (tried == NULL) return COP_ERR_MEMORY;
    tried->options = *options;
    const cop_status status = load_prompts(tried, err);
    cop_evaluator_destroy(&tried);
    return status;
}

bool cop_evaluator_overlaps(const cop_evaluator *evaluator)
{
    bool overlaps = false;
    for (size_t s = 0; s <= evaluator->options.guard_count; s++) {
        const cop_task *const task = evaluator->sets[s].task;
        overlaps = overlaps || (task != NULL && task->scorer != NULL);
    }
    return overlaps;
}

const char *cop_evaluator_unused_tensors(const cop_evaluator *evaluator)
{
    return evaluator->unused.length > 0 ? evaluator->unused.data : NULL;
}

const char *cop_evaluator_unstopped(const cop_evaluator *evaluator)
{
    return evaluator->prompts.unstopped.length > 0 ? evaluator->prompts.unstopped.data : NULL;
}

bool cop_evaluator_asks_date(const cop_evaluator *evaluator)
{
    return evaluator->prompts.asks_date;
}

const cop_text *cop_evaluator_notes(const cop_evaluator *evaluator)
{
    return &evaluator->notes;
}

cop_prompt cop_evaluator_prompt(const cop_evaluator *evaluator, size_t example)
{
    return cop_prompts_at(&evaluator->prompts, example);
}

cop_checkpoint *cop_evaluator_checkpoint(const cop_evaluator *evaluator)
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
    for (size_t l = 0; e->lanes != NULL && l < cop_evaluator_lanes(e); l++)
        cop_memory_free(e->lanes[l].components);
    cop_evaluator_free_sets(e);
    cop_model_destroy(&e->model);
    cop_backend_destroy(&e->backend);
    cop_checkpoint_close(&e->checkpoint);
    cop_prompts_free(&e->prompts);
    cop_tokenizer_destroy(&e->tokenizer);
    cop_text_free(&e->unused);
    cop_text_free(&e->notes);
    cop_memory_free(e->lanes);
    cop_memory_free(e->generations);
    cop_memory_free(e->samples);
    cop_memory_free(e->batch_prompts);
    cop_memory_free(e);
    *evaluator = NULL;
}
