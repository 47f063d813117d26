/* Answers: prompts in groups, and how tokens are chosen and taken. */
#include "model/group.h"

#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"
#include "model/forward.h"
#include "model/rules.h"

#include <float.h>

cop_status cop_group_poll(const sequence_group *group, cop_error *err)
{
    const cop_generate_options *const options = group->options;
    if (options->cancelled != NULL && options->cancelled(options->cancelled_context)) {
        return cop_error_set(err, COP_INTERRUPTED, "the generation was cancelled");
    }
    return COP_OK;
}

/* The pass that was put together for the first lane, for the others too. */
static cop_batch repeat_for_lanes(sequence_group *group)
{
    cop_batch batch = group->batch;
    const int32_t vocabulary = group->model->config->vocabulary;
    for (size_t l = 1; l < group->lanes; l++) {
        for (size_t s = 0; s < group->batch.span_count; s++) {
            cop_span span = group->spans[s];
            span.slot += (int32_t)(l * group->model->slots);
            span.first_row += (int32_t)(l * group->batch.rows);
            group->spans[batch.span_count++] = span;
        }
        for (size_t r = 0; r < group->batch.rows; r++)
            group->ids[batch.rows++] = group->ids[r] + (int32_t)l * vocabulary;
    }
    return batch;
}

cop_status cop_group_forward(sequence_group *group, cop_error *err)
{
    COP_TRY(cop_group_poll(group, err));
    const cop_batch batch = repeat_for_lanes(group);
    COP_TRY(cop_model_forward(group->model, group->ids, &batch, err));
    group->batch.rows = 0;
    group->batch.span_count = 0;
    return COP_OK;
}

double cop_group_uniform(const sequence_group *group, const sequence *of, size_t position)
{
    const cop_sampling *const how = &group->options->sampling;
    const size_t *const examples = group->options->examples;
    const size_t example = examples == NULL ? of->index : examples[of->index];
    const uint32_t *const samples = group->options->samples;
    const uint32_t sample = samples == NULL ? how->sample : samples[of->lane];
    const uint64_t index = (uint64_t)sample << 32 | position;
    return cop_noise_uniform(how->seed, COP_STREAM_SAMPLING, (uint32_t)example, index);
}

cop_status cop_group_choose(sequence_group *group, size_t count, cop_error *err)
{
    cop_model *const model = group->model;
    cop_backend *const backend = model->backend;
    const cop_sampling *const how = &group->options->sampling;
    const size_t vocabulary = (size_t)model->config->vocabulary;
    const bool ruled = cop_rules_are_active(&model->config->rules);
    COP_TRY(cop_model_logits(model, group->rows, count, err));
    for (size_t i = 0; i < count && ruled && how->temperature > 0; i++)
        group->uniform[i] = cop_group_uniform(group, group->owners[i], 0);
    if (ruled)
        return cop_rules_choose(group, group->owners, count, group->uniform, group->results,
                                err);
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
    const size_t batch = group->lanes * group->model->limits.batch;
    const size_t head_rows = group->lanes * s->head_rows;
    const size_t steps = group->model->backend->decode_steps;
    const size_t draws = steps * batch > head_rows ? steps * batch : head_rows;
    group->sequences = cop_memory_alloc(batch, sizeof *group->sequences, err);
    group->spans = cop_memory_alloc(batch + group->lanes, sizeof *group->spans, err);
    group->ids = cop_memory_alloc(group->lanes * s->rows, sizeof *group->ids, err);
    group->rows = cop_memory_alloc(head_rows, sizeof *group->rows, err);
    group->results = cop_memory_alloc(head_rows, sizeof *group->results, err);
    group->targets = cop_memory_alloc(s->head_rows, sizeof *group->targets, err);
    group->scores = cop_memory_alloc(s->head_rows, sizeof *group->scores, err);
    group->uniform = cop_memory_alloc(draws, sizeof *group->uniform, err);
    group->owners = cop_memory_alloc(head_rows, sizeof *group->owners, err);
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
                                const cop_generate_options *options, cop_error *err)
{
    const size_t max_new_tokens = options->max_new_tokens;
    COP_CHECK(options->lanes <= model->lanes, err, COP_ERR_INTERNAL,
              "%zu candidates are to answer, but the model holds %zu", options->lanes,
              model->lanes);
    COP_CHECK(options->lanes <= 1 || !options->want_logits, err, COP_ERR_INTERNAL,
              "logits of several candidates at a time");
    COP_CHECK(max_new_tokens <= model->limits.new_tokens, err, COP_ERR_CONFIG,
              "%zu tokens are to be generated, but the model was set up for at most %zu",
              max_new_tokens, model->limits.new_tokens);
    for (size_t i = 0; i < count; i++) {
        COP_TRY(check_prompt(model, &prompts[i], i, max_new_tokens, err));
    }
    return COP_OK;
}

/* The prompts and answers of a call: [count] and [lanes, count]. */
typedef struct request {
    const cop_prompt *prompts;
    cop_generation *generations;
    size_t count;
} request;

static cop_status run_group(sequence_group *group, const request *all, size_t first,
                            size_t count, cop_error *err)
{
    const size_t slots = group->model->slots;
    for (size_t l = 0; l < group->lanes; l++) {
        for (size_t i = 0; i < count; i++) {
            group->sequences[l * count + i] =
                (sequence){.prompt = &all->prompts[first + i],
                           .out = &all->generations[l * all->count + first + i],
                           .lane = l,
                           .index = first + i,
                           .slot = (int32_t)(l * slots + i)};
        }
    }
    group->count = count;
    group->batch =
        (cop_batch){.spans = group->spans, .lane_slots = group->lanes > 1 ? (int32_t)slots : 0};
    COP_TRY(cop_group_prefill(group, err));
    return cop_group_decode(group, err);
}

static cop_status run_groups(sequence_group *group, const request *all, cop_error *err)
{
    const size_t batch = group->model->limits.batch;
    COP_TRY(group_alloc(group, err));
    for (size_t first = 0; first < all->count; first += group->count) {
        const size_t left = all->count - first;
        COP_TRY(run_group(group, all, first, left < batch ? left : batch, err));
    }
    return COP_OK;
}

/* What the backend is to know of the calls to come. */
static void set_rows(cop_backend *backend, size_t lanes, size_t pass_rows, size_t step_rows)
{
    backend->lanes = lanes;
    backend->pass_rows = pass_rows;
    backend->step_rows = step_rows;
}

cop_status cop_model_generate(cop_model *model, const cop_prompt *prompts, size_t count,
                              const cop_generate_options *options, cop_generation *generations,
                              cop_error *err)
{
    const size_t lanes = options->lanes == 0 ? 1 : options->lanes;
    const request all = {.prompts = prompts, .generations = generations, .count = count};
    for (size_t i = 0; i < lanes * count; i++)
        generations[i] = (cop_generation){.finite = true};
    sequence_group group = {.model = model, .options = options, .lanes = lanes};
    cop_status status = check_request(model, prompts, count, options, err);
    if (status == COP_OK) status = check_sampling(options, count, err);
    set_rows(model->backend, lanes, model->pass_rows, model->step_rows);
    if (status == COP_OK) status = run_groups(&group, &all, err);
    set_rows(model->backend, 1, 0, 0);
    if (status != COP_OK) {
        for (size_t i = 0; i < lanes * count; i++)
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
