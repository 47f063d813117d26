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

cop_status cop_evaluator_apply(cop_evaluator *evaluator, size_t index, const cop_recipe *recipe,
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
static bool reached_stop(const cop_evaluator *evaluator, const cop_ids *ids)
{
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

/* --- answers that nothing can change any more --- */

/* What the model asks after each token: whose answer it is, and what is wanted of it. */
typedef struct asking {
    const cop_evaluator *evaluator;
    const cop_task *task;   /* of the examples */
    const size_t *examples; /* of the prompts */
    bool rewards_only;
} asking;

/* How much of a text is before a stop string, whatever follows it: before one that is there,
 * and before what may turn out to be the beginning of one. */
static size_t find_possible_stop(const cop_evaluator_options *options, const cop_text *text)
{
    size_t cut = cop_evaluator_find_stop(options, text);
    for (size_t i = 0; i < options->stop_count; i++) {
        const size_t most = strlen(options->stop[i]) - 1;
        for (size_t at = text->length > most ? text->length - most : 0; at < cut; at++) {
            if (memcmp(text->data + at, options->stop[i], text->length - at) == 0) cut = at;
        }
    }
    return cut;
}

static bool is_decided(const asking *a, size_t index, const cop_ids *ids)
{
    const cop_evaluator_options *const options = &a->evaluator->options;
    const cop_task *const task = a->task;
    const json_t *answer = NULL;
    cop_text text = {0};
    cop_decided decided = COP_DECIDED_NOTHING;
    if (cop_tokenizer_decode_settled(a->evaluator->tokenizer, ids->data, ids->count, &text,
                                     NULL) == COP_OK &&
        task->answer(cop_evaluator_example(a->evaluator, a->examples[index]), &answer, NULL) ==
            COP_OK)
        decided = task->decided(text.data, find_possible_stop(options, &text), answer);
    cop_text_free(&text);
    return decided == COP_DECIDED_ALL || (decided == COP_DECIDED_REWARD && a->rewards_only);
}

/* All of the text is looked at: of a long answer only at every fourth token. */
static bool is_due(size_t tokens)
{
    enum { SHORT = 32, EVERY = 4 };
    return tokens <= SHORT || tokens % EVERY == 0;
}

static bool is_over(void *context, size_t index, const cop_ids *ids)
{
    const asking *const a = context;
    const cop_evaluator_options *const options = &a->evaluator->options;
    if (options->stop_count > 0 && reached_stop(a->evaluator, ids)) return true;
    return options->stop_decided && a->task->decided != NULL && is_due(ids->count) &&
           is_decided(a, index, ids);
}

void cop_evaluator_list_prompts(cop_evaluator *evaluator, const cop_unit *unit)
{
    for (size_t i = 0; i < unit->count; i++)
        evaluator->batch_prompts[i] = cop_prompts_at(&evaluator->prompts, unit->examples[i]);
}

cop_status cop_evaluator_answer(cop_evaluator *evaluator, const cop_unit *units, size_t count,
                                bool (*cancelled)(void *), void *context, cop_error *err)
{
    const cop_unit *const first = &units[0];
    const cop_evaluator_options *const own = &evaluator->options;
    const cop_task *const task = first->count > 0
                                     ? cop_evaluator_set_of(evaluator, first->examples[0])->task
                                     : own->task;
    asking all = {evaluator, task, first->examples, true};
    for (size_t i = 0; i < count; i++)
        all.rewards_only = all.rewards_only && units[i].rewards_only;
    const bool asks = own->stop_count > 0 || (own->stop_decided && task->decided != NULL);
    const cop_generate_options options = {.max_new_tokens = evaluator->options.max_new_tokens,
                                          .sampling = first->sampling,
                                          .examples = first->examples,
                                          .lanes = count,
                                          .samples = evaluator->samples,
                                          .stop = asks ? is_over : NULL,
                                          .stop_context = &all,
                                          .cancelled = cancelled,
                                          .cancelled_context = context};
    for (size_t i = 0; i < count; i++) {
        COP_TRY(cop_evaluator_apply(evaluator, i, units[i].recipe, err));
        evaluator->samples[i] = units[i].sampling.sample;
    }
    cop_evaluator_list_prompts(evaluator, first);
    return cop_model_generate(evaluator->model, evaluator->batch_prompts, first->count,
                              &options, evaluator->generations, err);
}
