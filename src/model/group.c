/* A group's passes and choices: what prefill and decode share. */
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

cop_status cop_group_accept(sequence_group *group, sequence *of, int32_t id, cop_error *err)
{
    const cop_generate_options *const options = group->options;
    cop_generation *const out = of->out;
    of->active = false;
    if (id < 0) out->finite = false;
    if (id < 0 || options->max_new_tokens == 0) return COP_OK;
    if (cop_model_stops_at(group->model->config, id)) {
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

void cop_group_free(sequence_group *group)
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

cop_status cop_group_alloc(sequence_group *group, cop_error *err)
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
