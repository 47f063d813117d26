/* Answers: prompts in groups, and how tokens are chosen and taken. */
#include "model/group.h"

#include "coppice/memory.h"
#include "coppice/noise.h"
#include "model/forward.h"

#include <float.h>

cop_status cop_group_poll(const sequence_group *group, cop_error *err)
{
    const cop_generate_options *const options = group->options;
    if (options->cancelled != NULL && options->cancelled(options->cancelled_context)) {
        return cop_error_set(err, COP_INTERRUPTED, "the generation was cancelled");
    }
    return COP_OK;
}

cop_status cop_group_forward(sequence_group *group, cop_error *err)
{
    COP_TRY(cop_group_poll(group, err));
    COP_TRY(cop_model_forward(group->model, group->ids, &group->batch, err));
    group->batch.rows = 0;
    group->batch.span_count = 0;
    return COP_OK;
}

double cop_group_uniform(const sequence_group *group, const sequence *of, size_t position)
{
    const cop_sampling *const how = &group->options->sampling;
    const size_t *const examples = group->options->examples;
    const size_t example = examples == NULL ? of->index : examples[of->index];
    const uint64_t index = (uint64_t)how->sample << 32 | position;
    return cop_noise_uniform(how->seed, COP_STREAM_SAMPLING, (uint32_t)example, index);
}

cop_status cop_group_choose(sequence_group *group, size_t count, cop_error *err)
{
    cop_model *const model = group->model;
    cop_backend *const backend = model->backend;
    const cop_sampling *const how = &group->options->sampling;
    const size_t vocabulary = (size_t)model->config->vocabulary;
    COP_TRY(cop_model_logits(model, group->rows, count, err));
    if (how->temperature == 0) {
        return backend->ops->argmax(backend, model->scratch.logits, count, vocabulary,
                                    group->results, err);
    }
    for (size_t i = 0; i < count; i++) {
        const sequence *const of = group->owners[i];
        group->uniform[i] = cop_group_uniform(group, of, of->out->ids.count);
    }
    const cop_draw draw = {
        .temperature = how->temperature, .top_p = how->top_p, .uniform = group->uniform};
    return backend->ops->sample(backend, model->scratch.logits, count, vocabulary, &draw,
                                group->results, err);
}

static bool is_stop(const cop_model_config *config, int32_t id)
{
    for (int32_t i = 0; i < config->stop_count; i++) {
        if (config->stops[i] == id) return true;
    }
    return false;
}

cop_status cop_group_accept(sequence_group *group, sequence *of, int32_t id, cop_error *err)
{
    const cop_generate_options *const options = group->options;
    cop_generation *const out = of->out;
    of->active = false;
    if (id < 0) out->finite = false;
    if (id < 0 || options->max_new_tokens == 0) return COP_OK;
    if (is_stop(group->model->config, id)) {
        out->stopped = true;
        return COP_OK;
    }
    COP_TRY(cop_ids_append(&out->ids, id, err));
    group->model->counters.generated_tokens++;
    if (options->stop != NULL && options->stop(options->stop_context, of->index, &out->ids)) {
        out->stopped = true;
        return COP_OK;
    }
    of->next = id;
    of->active = out->ids.count < options->max_new_tokens;
    return COP_OK;
}

static void group_free(sequence_group *group)
{
    cop_memory_free(group->sequences);
    cop_memory_free(group->spans);
    cop_memory_free(group->ids);
    cop_memory_free(group->rows);
    cop_memory_free(group->results);
    cop_memory_free(group->targets);
    cop_memory_free(group->scores);
    cop_memory_free(group->uniform);
    cop_memory_free(group->owners);
    cop_memory_free(group->fed);
    cop_memory_free(group->tokens);
}

static cop_status group_alloc(sequence_group *group, cop_error *err)
{
    const model_scratch *const s = &group->model->scratch;
    const size_t batch = group->model->limits.batch;
    const size_t steps = group->model->backend->decode_steps;
    const size_t draws = steps * batch > s->head_rows ? steps * batch : s->head_rows;
    group->sequences = cop_memory_alloc(batch, sizeof *group->sequences, err);
    group->spans = cop_memory_alloc(batch + 1, sizeof *group->spans, err);
    group->ids = cop_memory_alloc(s->rows, sizeof *group->ids, err);
    group->rows = cop_memory_alloc(s->head_rows, sizeof *group->rows, err);
    group->results = cop_memory_alloc(s->head_rows, sizeof *group->results, err);
    group->targets = cop_memory_alloc(s->head_rows, sizeof *group->targets, err);
    group->scores = cop_memory_alloc(s->head_rows, sizeof *group->scores, err);
    group->uniform = cop_memory_alloc(draws, sizeof *group->uniform, err);
    group->owners = cop_memory_alloc(s->head_rows, sizeof *group->owners, err);
    group->fed = cop_memory_alloc(batch, sizeof *group->fed, err);
    group->tokens = cop_memory_alloc(steps * batch, sizeof *group->tokens, err);
    const bool ok = group->sequences != NULL && group->spans != NULL && group->ids != NULL &&
                    group->rows != NULL && group->results != NULL && group->targets != NULL &&
                    group->scores != NULL && group->uniform != NULL && group->owners != NULL &&
                    group->fed != NULL && group->tokens != NULL;
    return ok ? COP_OK : COP_ERR_MEMORY;
}

static cop_status check_prompt(const cop_model *model, const cop_prompt *prompt, size_t index,
                               size_t max_new_tokens, cop_error *err)
{
    const cop_model_config *const c = model->config;
    COP_CHECK(prompt->count >= 1, err, COP_ERR_CONFIG, "prompt %zu is empty", index);
    COP_CHECK(prompt->count <= model->limits.prompt_tokens, err, COP_ERR_CONFIG,
              "prompt %zu has %zu tokens, but the model was set up for at most %zu", index,
              prompt->count, model->limits.prompt_tokens);
    /* The last generated token is never fed. */
    const size_t fed = prompt->count + (max_new_tokens == 0 ? 0 : max_new_tokens - 1);
    COP_CHECK(
        fed <= model->length, err, COP_ERR_CONFIG,
        "prompt %zu has %zu tokens and up to %zu are to be generated, but the model has only "
        "%d positions",
        index, prompt->count, max_new_tokens, (int)c->max_positions);
    for (size_t i = 0; i < prompt->count; i++) {
        COP_CHECK(
            prompt->ids[i] >= 0 && prompt->ids[i] < c->vocabulary, err, COP_ERR_FORMAT,
            "prompt %zu: token %zu has id %d, but the model's vocabulary has %d: tokenizer "
            "and model do not belong together",
            index, i, (int)prompt->ids[i], (int)c->vocabulary);
    }
    return COP_OK;
}

static cop_status check_sampling(const cop_generate_options *options, size_t count,
                                 cop_error *err)
{
    const cop_sampling *const how = &options->sampling;
    COP_CHECK(how->temperature >= 0 && how->temperature <= DBL_MAX, err, COP_ERR_CONFIG,
              "temperature %g is not a number from 0 on", how->temperature);
    if (how->temperature == 0) return COP_OK;
    COP_CHECK(how->top_p > 0 && how->top_p <= 1, err, COP_ERR_CONFIG,
              "top-p %g is not above 0 and at most 1", how->top_p);
    for (size_t i = 0; i < count; i++) {
        const size_t example = options->examples == NULL ? i : options->examples[i];
        COP_CHECK(example <= UINT32_MAX, err, COP_ERR_CONFIG,
                  "example %zu has no random numbers: only the first 2^32 have", example);
    }
    return COP_OK;
}

static cop_status check_request(const cop_model *model, const cop_prompt *prompts, size_t count,
                                size_t max_new_tokens, cop_error *err)
{
    COP_CHECK(max_new_tokens <= model->limits.new_tokens, err, COP_ERR_CONFIG,
              "%zu tokens are to be generated, but the model was set up for at most %zu",
              max_new_tokens, model->limits.new_tokens);
    for (size_t i = 0; i < count; i++) {
        COP_TRY(check_prompt(model, &prompts[i], i, max_new_tokens, err));
    }
    return COP_OK;
}

static cop_status run_group(sequence_group *group, const cop_prompt *prompts, size_t first,
                            size_t count, cop_generation *generations, cop_error *err)
{
    for (size_t i = 0; i < count; i++) {
        group->sequences[i] = (sequence){.prompt = &prompts[first + i],
                                         .out = &generations[first + i],
                                         .index = first + i,
                                         .slot = (int32_t)i};
    }
    group->count = count;
    group->batch = (cop_batch){.spans = group->spans};
    COP_TRY(cop_group_prefill(group, err));
    return cop_group_decode(group, err);
}

cop_status cop_model_generate(cop_model *model, const cop_prompt *prompts, size_t count,
                              const cop_generate_options *options, cop_generation *generations,
                              cop_error *err)
{
    for (size_t i = 0; i < count; i++)
        generations[i] = (cop_generation){.finite = true};
    sequence_group group = {.model = model, .options = options};
    cop_status status = check_request(model, prompts, count, options->max_new_tokens, err);
    if (status == COP_OK) status = check_sampling(options, count, err);
    if (status == COP_OK) status = group_alloc(&group, err);
    for (size_t first = 0; first < count && status == COP_OK; first += group.count) {
        const size_t left = count - first;
        const size_t size = left < model->limits.batch ? left : model->limits.batch;
        status = run_group(&group, prompts, first, size, generations, err);
    }
    if (status != COP_OK) {
        for (size_t i = 0; i < count; i++)
            cop_generation_free(&generations[i]);
    }
    group_free(&group);
    return status;
}

void cop_generation_free(cop_generation *generation)
{
    cop_ids_free(&generation->ids);
    cop_memory_free(generation->logits);
    *generation = (cop_generation){0};
}
