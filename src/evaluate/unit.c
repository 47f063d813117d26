/* Units: have answers generated, hand them over for scoring; later, collect. */
#include "evaluate/evaluator.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct cop_unit_pending {
    size_t count;
    cop_text *responses;  /* [count] */
    cop_ids *ids;         /* [count] that they were generated as */
    cop_scoring *scoring; /* NULL where status is not COP_OK, and for texts */
    const evaluator_set *set;
    float *scores; /* [count] of texts; else NULL */
    cop_status status;
    uint64_t generated_tokens;
    double seconds;        /* of the beginning, its part of what was done together included */
    double reward_seconds; /* of these */
};

static void free_pending(cop_unit_pending *pending)
{
    for (size_t i = 0; pending->responses != NULL && i < pending->count; i++)
        cop_text_free(&pending->responses[i]);
    for (size_t i = 0; pending->ids != NULL && i < pending->count; i++)
        cop_ids_free(&pending->ids[i]);
    cop_memory_free(pending->responses);
    cop_memory_free(pending->ids);
    cop_memory_free(pending->scores);
    cop_memory_free(pending);
}

/* The text of a generation, without its stop string. */
static cop_status decode_response(const cop_evaluator *evaluator, const cop_ids *ids,
                                  cop_text *text, cop_error *err)
{
    COP_TRY(
        cop_tokenizer_decode(evaluator->tokenizer, ids->data, ids->count, false, text, err));
    COP_TRY(cop_text_append(text, "", 0, err));
    text->length = cop_evaluator_find_stop(&evaluator->options, text);
    text->data[text->length] = '\0';
    return COP_OK;
}

static cop_status fill_response(cop_evaluator *evaluator, const cop_text *text, size_t example,
                                cop_text *prompt, cop_response *response, cop_error *err)
{
    const evaluator_set *const set = cop_evaluator_set_of(evaluator, example);
    *response = (cop_response){.id = example,
                               .example = cop_evaluator_example(evaluator, example),
                               .text = text->data,
                               .length = text->length};
    const cop_task *const task = set->task;
    if (task->scorer != NULL) { /* functions have no use for the prompt */
        const cop_prompt given = cop_prompts_at(&evaluator->prompts, example);
        COP_TRY(cop_tokenizer_decode(evaluator->tokenizer, given.ids, given.count, false,
                                     prompt, err));
        response->prompt = prompt->data;
    }
    if (task->answer(response->example, &response->answer, err) != COP_OK)
        return cop_error_prefix(err, "example %zu", example - set->first + 1);
    return COP_OK;
}

static cop_status submit_unit(cop_evaluator *evaluator, const cop_unit *unit,
                              cop_unit_pending *pending, cop_error *err)
{
    cop_status status = COP_OK;
    cop_response *const responses = cop_memory_alloc(unit->count, sizeof *responses, err);
    cop_text *const prompts = cop_memory_alloc(unit->count, sizeof *prompts, err);
    if (responses == NULL || prompts == NULL) status = COP_ERR_MEMORY;
    for (size_t i = 0; i < unit->count && status == COP_OK; i++) {
        status = fill_response(evaluator, &pending->responses[i], unit->examples[i],
                               &prompts[i], &responses[i], err);
    }
    if (status == COP_OK) {
        status = cop_scorer_submit(pending->set->scorer, responses, unit->count,
                                   &pending->scoring, err);
    }
    for (size_t i = 0; prompts != NULL && i < unit->count; i++)
        cop_text_free(&prompts[i]);
    cop_memory_free(prompts);
    cop_memory_free(responses);
    return status;
}

/* --- beginning --- */

/* What became of the generations: texts, tokens, finite or not. */
static cop_status take_generations(cop_evaluator *evaluator, cop_generation *generations,
                                   cop_unit_pending *pending, cop_error *err)
{
    for (size_t i = 0; i < pending->count; i++) {
        pending->generated_tokens += generations[i].ids.count;
        if (!generations[i].finite) pending->status = COP_ERR_NUMERIC;
        COP_TRY(decode_response(evaluator, &generations[i].ids, &pending->responses[i], err));
        pending->ids[i] = generations[i].ids;
        generations[i].ids = (cop_ids){0};
    }
    return COP_OK;
}

/* The set of a unit's examples; the task's for a unit of none. */
static const evaluator_set *set_of(const cop_evaluator *evaluator, const cop_unit *unit)
{
    return unit->count > 0 ? cop_evaluator_set_of(evaluator, unit->examples[0])
                           : &evaluator->sets[0];
}

/* Hands what was generated for a unit to the scorer. `together_s` is its part of the time that
 * the generation took. */
static cop_status hand_over(cop_evaluator *evaluator, const cop_unit *unit,
                            cop_generation *generations, double together_s,
                            cop_unit_pending **pending, cop_error *err)
{
    cop_status status = COP_ERR_MEMORY;
    const double start_s = cop_timer_now_s();
    cop_unit_pending *const begun = cop_memory_alloc(1, sizeof *begun, err);
    if (begun == NULL) return COP_ERR_MEMORY;
    begun->count = unit->count;
    begun->set = set_of(evaluator, unit);
    begun->responses = cop_memory_alloc(unit->count, sizeof *begun->responses, err);
    begun->ids = cop_memory_alloc(unit->count, sizeof *begun->ids, err);
    if (begun->responses == NULL || begun->ids == NULL) goto out;
    COP_TRY_OUT(take_generations(evaluator, generations, begun, err));
    const double generated_s = cop_timer_now_s();
    if (begun->status == COP_OK) COP_TRY_OUT(submit_unit(evaluator, unit, begun, err));
    const double end_s = cop_timer_now_s();
    begun->reward_seconds = end_s - generated_s;
    begun->seconds = together_s + end_s - start_s;
    *pending = begun;
    return COP_OK;
out:
    free_pending(begun);
    return status;
}

/* Begins units [count] of which each has a lane. Fails if nothing could be generated, which is
 * no unit's own failure yet. */
static cop_status begin_together(cop_evaluator *evaluator, const cop_unit *units, size_t count,
                                 bool (*cancelled)(void *), void *context,
                                 cop_unit_pending **pending, cop_error *failures)
{
    cop_error failure = {0};
    const size_t examples = units[0].count;
    const double start_s = cop_timer_now_s();
    failure.status =
        cop_evaluator_answer(evaluator, units, count, cancelled, context, &failure);
    const double together_s = (cop_timer_now_s() - start_s) / (double)count;
    for (size_t u = 0; u < count; u++) {
        cop_generation *const generations = &evaluator->generations[u * examples];
        failures[u] = failure;
        if (failure.status != COP_OK) continue;
        failures[u].status =
            hand_over(evaluator, &units[u], generations, together_s, &pending[u], &failures[u]);
        for (size_t i = 0; i < examples; i++)
            cop_generation_free(&generations[i]);
    }
    return failure.status;
}

/* Scores a unit of texts, which is all that there is to do for it. */
static cop_status begin_text(cop_evaluator *evaluator, const cop_unit *unit,
                             bool (*cancelled)(void *), void *context,
                             cop_unit_pending **pending, cop_error *err)
{
    const double start_s = cop_timer_now_s();
    bool finite = true;
    cop_unit_pending *const begun = cop_memory_alloc(1, sizeof *begun, err);
    if (begun == NULL) return COP_ERR_MEMORY;
    begun->count = unit->count;
    begun->set = set_of(evaluator, unit);
    begun->scores = cop_memory_alloc(unit->count, sizeof *begun->scores, err);
    cop_status status = begun->scores == NULL
                            ? COP_ERR_MEMORY
                            : cop_evaluator_measure(evaluator, unit, cancelled, context,
                                                    begun->scores, &finite, err);
    begun->status = finite ? COP_OK : COP_ERR_NUMERIC;
    begun->seconds = cop_timer_now_s() - start_s;
    if (status == COP_OK) {
        *pending = begun;
    } else {
        free_pending(begun);
    }
    return status;
}

/* All but the number of the sample. */
static bool draws_alike(const cop_sampling *a, const cop_sampling *b)
{
    return a->temperature == b->temperature && a->top_p == b->top_p && a->seed == b->seed;
}

/* Whether the units can be begun together. */
static cop_status check_units(const cop_evaluator *evaluator, const cop_unit *units,
                              size_t count, cop_error *err)
{
    const cop_unit *const first = &units[0];
    COP_CHECK(first->count <= evaluator->options.batch, err, COP_ERR_INTERNAL,
              "a unit of %zu examples does not fit a batch of %zu", first->count,
              evaluator->options.batch);
    COP_CHECK(count <= cop_evaluator_lanes(evaluator), err, COP_ERR_INTERNAL,
              "%zu units side by side in %zu lanes", count, cop_evaluator_lanes(evaluator));
    for (size_t u = 1; u < count; u++) {
        const bool same_examples =
            units[u].count == first->count &&
            (first->count == 0 || memcmp(units[u].examples, first->examples,
                                         first->count * sizeof *first->examples) == 0);
        COP_CHECK(same_examples && draws_alike(&units[u].sampling, &first->sampling), err,
                  COP_ERR_INTERNAL, "units side by side are not of the same examples");
    }
    for (size_t i = 1; i < first->count; i++)
        COP_CHECK(cop_evaluator_set_of(evaluator, first->examples[i]) ==
                      cop_evaluator_set_of(evaluator, first->examples[0]),
                  err, COP_ERR_INTERNAL, "a unit of examples of several sets");
    return COP_OK;
}

void cop_evaluator_begin(cop_evaluator *evaluator, const cop_unit *units, size_t count,
                         bool (*cancelled)(void *), void *context, cop_unit_pending **pending,
                         cop_error *failures)
{
    assert(count >= 1);
    cop_error wrong = {0};
    wrong.status = check_units(evaluator, units, count, &wrong);
    for (size_t u = 0; u < count; u++) {
        pending[u] = NULL;
        failures[u] = wrong;
    }
    if (wrong.status != COP_OK) return;
    if (set_of(evaluator, &units[0])->task == NULL) {
        for (size_t u = 0; u < count; u++)
            failures[u].status =
                begin_text(evaluator, &units[u], cancelled, context, &pending[u], &failures[u]);
        return;
    }
    cop_status status =
        begin_together(evaluator, units, count, cancelled, context, pending, failures);
    if (status == COP_OK || status == COP_INTERRUPTED || count == 1) return;
    /* Which of them it was is not known, and there may be room for one where there is none for
     * several. */
    for (size_t u = 0; u < count; u++) {
        status = begin_together(evaluator, &units[u], 1, cancelled, context, &pending[u],
                                &failures[u]);
        if (status != COP_INTERRUPTED) continue;
        for (size_t later = u + 1; later < count; later++)
            failures[later] = failures[u];
        return;
    }
}

/* --- finishing --- */

/* Warns once of responses that were not judged to the end. */
static void tell_notes(cop_evaluator *evaluator, const cop_task *task, const cop_score *scores,
                       size_t count)
{
    for (size_t i = 0; i < count && !evaluator->noted; i++) {
        if (scores[i].note == NULL) continue;
        evaluator->noted = true;
        (void)fprintf(
            stderr,
            "coppice: warning: task %s: a response could not be judged to the end: %s "
            "(said once)\n",
            task->name, scores[i].note);
    }
}

/* Moves scores and texts to where they are wanted. */
static void give_scores(cop_score *scores, cop_unit_pending *pending, cop_unit_result *result)
{
    for (size_t i = 0; i < pending->count; i++) {
        const float *const text = pending->status == COP_OK ? pending->scores : NULL;
        result->rewards[i] = text != NULL ? text[i] : (float)scores[i].reward;
        if (result->correct != NULL) result->correct[i] = scores[i].correct;
        if (result->forms != NULL) result->forms[i] = scores[i].form;
        if (result->extracted != NULL) {
            result->extracted[i] = scores[i].extracted;
            scores[i].extracted = NULL;
        }
        if (result->responses != NULL) {
            result->responses[i] = (cop_text){0};
            if (pending->responses == NULL) continue;
            result->responses[i] = pending->responses[i];
            pending->responses[i] = (cop_text){0};
        }
        if (result->ids != NULL && pending->ids != NULL) {
            result->ids[i] = pending->ids[i];
            pending->ids[i] = (cop_ids){0};
        }
    }
}

cop_status cop_evaluator_finish(cop_evaluator *evaluator, cop_unit_pending **pending,
                                bool (*cancelled)(void *), void *context,
                                cop_unit_result *result, cop_error *err)
{
    const double start_s = cop_timer_now_s();
    cop_unit_pending *const taken = *pending;
    assert(taken != NULL);
    *pending = NULL;
    cop_status status = COP_OK;
    cop_score *const scores = cop_memory_alloc(taken->count, sizeof *scores, err);
    if (scores == NULL) status = COP_ERR_MEMORY;
    if (taken->scoring != NULL) {
        cop_score *const wanted = result != NULL ? scores : NULL;
        const cop_status collected =
            cop_scorer_collect(taken->set->scorer, &taken->scoring, wanted, cancelled, context,
                               status == COP_OK ? err : NULL);
        if (status == COP_OK) status = collected;
    }
    if (status == COP_OK && result != NULL) {
        if (taken->set->task != NULL)
            tell_notes(evaluator, taken->set->task, scores, taken->count);
        give_scores(scores, taken, result);
        result->status = taken->status;
        result->generated_tokens = taken->generated_tokens;
        const double waited_s = cop_timer_now_s() - start_s;
        result->seconds = taken->seconds + waited_s;
        result->reward_seconds = taken->reward_seconds + waited_s;
    }
    for (size_t i = 0; scores != NULL && i < taken->count; i++)
        cop_score_free(&scores[i]);
    cop_memory_free(scores);
    free_pending(taken);
    return status;
}

cop_status cop_evaluator_run(cop_evaluator *evaluator, const cop_unit *unit,
                             bool (*cancelled)(void *), void *context, cop_unit_result *result,
                             cop_error *err)
{
    cop_unit_pending *pending = NULL;
    cop_error failure = {0};
    cop_evaluator_begin(evaluator, unit, 1, cancelled, context, &pending, &failure);
    COP_CHECK(failure.status == COP_OK, err, failure.status, "%s", failure.message);
    return cop_evaluator_finish(evaluator, &pending, cancelled, context, result, err);
}
