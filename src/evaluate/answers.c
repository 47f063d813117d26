/* Answers of units: weights rebuilt, answers generated, those of several units side by side. */
#include "evaluate/evaluator.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <string.h>

size_t cop_evaluator_lanes(const cop_evaluator *evaluator)
{
    return cop_model_lanes(evaluator->model);
}

/* --- weights --- */

/* True if the lane holds the recipe's weights. */
static bool holds(const evaluator_lane *lane, const cop_recipe *recipe)
{
    const size_t count = recipe == NULL ? 0 : recipe->component_count;
    const size_t bytes = count * sizeof(cop_component);
    return lane->applied && lane->component_count == count &&
           (count == 0 || memcmp(lane->components, recipe->components, bytes) == 0);
}

/* Rebuilds the weights unless the lane already holds this recipe. */
static cop_status apply_recipe(cop_evaluator *evaluator, size_t index, const cop_recipe *recipe,
                               cop_error *err)
{
    evaluator_lane *const lane = &evaluator->lanes[index];
    const size_t count = recipe == NULL ? 0 : recipe->component_count;
    if (holds(lane, recipe)) return COP_OK;
    cop_component *const copy = cop_memory_alloc(count, sizeof *copy, err);
    if (copy == NULL) return COP_ERR_MEMORY;
    if (count > 0) memcpy(copy, recipe->components, count * sizeof *copy);
    cop_memory_free(lane->components);
    lane->components = copy;
    lane->component_count = count;
    lane->applied = false;
    COP_TRY(cop_model_apply(evaluator->model, index, recipe, err));
    lane->applied = true;
    return COP_OK;
}

/* --- generation --- */

size_t cop_evaluator_find_stop(const cop_evaluator_options *options, const cop_text *text)
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
    /* A token with a content gives at least one byte but for some: a margin for those. */
    size_t tail = 0;
    for (size_t with_text = 0; tail < ids->count && with_text < longest + 8; tail++)
        with_text +=
            cop_tokenizer_has_text(evaluator->tokenizer, ids->data[ids->count - 1 - tail]);
    cop_text text = {0};
    bool found = false;
    if (cop_tokenizer_decode(evaluator->tokenizer, ids->data + (ids->count - tail), tail, false,
                             &text, NULL) == COP_OK) {
        found = text.length > 0 &&
                cop_evaluator_find_stop(&evaluator->options, &text) < text.length;
    }
    cop_text_free(&text);
    return found;
}

cop_status cop_evaluator_answer(cop_evaluator *evaluator, const cop_unit *units, size_t count,
                                bool (*cancelled)(void *), void *context, cop_error *err)
{
    const cop_unit *const first = &units[0];
    const cop_generate_options options = {
        .max_new_tokens = evaluator->options.max_new_tokens,
        .sampling = first->sampling,
        .examples = first->examples,
        .lanes = count,
        .samples = evaluator->samples,
        .stop = evaluator->options.stop_count > 0 ? reached_stop : NULL,
        .stop_context = evaluator,
        .cancelled = cancelled,
        .cancelled_context = context};
    const prompt_set *const prompts = &evaluator->prompts;
    for (size_t i = 0; i < count; i++) {
        COP_TRY(apply_recipe(evaluator, i, units[i].recipe, err));
        evaluator->samples[i] = units[i].sampling.sample;
    }
    for (size_t i = 0; i < first->count; i++) {
        const size_t start = prompts->start[first->examples[i]];
        evaluator->batch_prompts[i] =
            (cop_prompt){.ids = prompts->ids.data + start,
                         .count = prompts->start[first->examples[i] + 1] - start};
    }
    return cop_model_generate(evaluator->model, evaluator->batch_prompts, first->count,
                              &options, evaluator->generations, err);
}
