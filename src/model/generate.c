/* Answers: what is asked for is checked, and prompts go through the model in groups. */
#include "model/group.h"

#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"
#include "model/forward.h"
#include "model/rules.h"

#include <float.h>

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
    COP_TRY(cop_group_alloc(group, err));
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
    cop_group_free(&group);
    return status;
}

void cop_generation_free(cop_generation *generation)
{
    cop_ids_free(&generation->ids);
    cop_memory_free(generation->logits);
    *generation = (cop_generation){0};
}
