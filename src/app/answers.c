#include "app/answers.h"

#include "coppice/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static cop_status make_room(size_t count, cop_app_answers *a, cop_error *err)
{
    a->count = count;
    a->rewards = cop_memory_alloc(count, sizeof *a->rewards, err);
    a->correct = cop_memory_alloc(count, sizeof *a->correct, err);
    a->forms = cop_memory_alloc(count, sizeof *a->forms, err);
    a->lengths = cop_memory_alloc(count, sizeof *a->lengths, err);
    a->ids = cop_memory_alloc(count, sizeof *a->ids, err);
    a->responses = cop_memory_alloc(count, sizeof *a->responses, err);
    a->extracted = cop_memory_alloc(count, sizeof *a->extracted, err);
    return a->rewards != NULL && a->correct != NULL && a->forms != NULL && a->lengths != NULL &&
                   a->ids != NULL && a->responses != NULL && a->extracted != NULL
               ? COP_OK
               : COP_ERR_MEMORY;
}

static void drop_texts(cop_app_answers *a, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        if (a->responses != NULL) cop_text_free(&a->responses[i]);
        if (a->extracted != NULL) cop_memory_free(a->extracted[i]);
        if (a->ids != NULL) cop_ids_free(&a->ids[i]);
        if (a->extracted != NULL) a->extracted[i] = NULL;
    }
}

static cop_status ask_batch(const cop_app_asking *asking, cop_app_answers *a, size_t first,
                            size_t count, cop_error *err)
{
    const cop_unit unit = {
        .recipe = asking->recipe, .examples = asking->examples + first, .count = count};
    cop_unit_result result = {.rewards = a->rewards + first,
                              .correct = a->correct + first,
                              .extracted = a->extracted + first,
                              .responses = a->responses + first,
                              .forms = a->forms + first,
                              .ids = a->ids + first};
    COP_TRY(cop_evaluator_run(asking->evaluator, &unit, NULL, NULL, &result, err));
    a->tokens += result.generated_tokens;
    a->seconds += result.seconds;
    a->reward_seconds += result.reward_seconds;
    COP_CHECK(result.status == COP_OK, err, COP_ERR_NUMERIC, "%s: logits are not finite",
              cop_checkpoint_directory(cop_evaluator_checkpoint(asking->evaluator)));
    for (size_t i = first; i < first + count; i++)
        a->lengths[i] = (uint32_t)a->ids[i].count;
    return asking->done == NULL ? COP_OK : asking->done(asking->context, a, first, count, err);
}

cop_status cop_app_answers_ask(const cop_app_asking *asking, cop_app_answers *answers,
                               cop_error *err)
{
    const bool show = asking->label != NULL && isatty(STDERR_FILENO) == 1;
    cop_status status = make_room(asking->count, answers, err);
    for (size_t first = 0; first < asking->count && status == COP_OK; first += asking->batch) {
        const size_t left = asking->count - first;
        const size_t count = left < asking->batch ? left : asking->batch;
        if (show) (void)fprintf(stderr, "\r%s%zu of %zu", asking->label, first, asking->count);
        status = ask_batch(asking, answers, first, count, err);
        if (!asking->keep) drop_texts(answers, first, count);
    }
    if (show) (void)fprintf(stderr, "\r\033[K");
    COP_TRY(status);
    return cop_checkpoint_check_unchanged(cop_evaluator_checkpoint(asking->evaluator), err);
}

json_t *cop_app_form_json(cop_form form)
{
    return form == COP_FORM_NONE ? NULL : json_boolean(form == COP_FORM_FOUND);
}

json_t *cop_app_response_json(const cop_app_answers *a, size_t i)
{
    return json_stringn(a->responses[i].data, a->responses[i].length);
}

bool cop_app_same_response(const cop_app_answers *a, const cop_app_answers *b, size_t i)
{
    return a->responses[i].length == b->responses[i].length &&
           memcmp(a->responses[i].data, b->responses[i].data, a->responses[i].length) == 0;
}

json_t *cop_app_answers_json(const cop_app_answers *a, size_t i)
{
    return json_pack("{s:o, s:f, s:b, s:s?, s:o?, s:I}", "response",
                     cop_app_response_json(a, i), "reward", (double)a->rewards[i], "correct",
                     a->correct[i], "extracted", a->extracted[i], "form",
                     cop_app_form_json(a->forms[i]), "tokens", (json_int_t)a->lengths[i]);
}

cop_status cop_app_write_line(FILE *file, json_t *value, const char *path, cop_error *err)
{
    /* A response that is not UTF-8 cannot be: the tokenizer has replaced such bytes. */
    COP_CHECK(value != NULL, err, COP_ERR_MEMORY, "%s: no memory for a line of it", path);
    const bool ok = json_dumpf(value, file, JSON_COMPACT) == 0 && fputc('\n', file) != EOF;
    const int why = errno;
    json_decref(value);
    COP_CHECK(ok, err, COP_ERR_IO, "%s: cannot write it: %s", path, strerror(why));
    return COP_OK;
}

void cop_app_answers_free(cop_app_answers *answers)
{
    drop_texts(answers, 0, answers->count);
    cop_memory_free(answers->rewards);
    cop_memory_free(answers->correct);
    cop_memory_free(answers->forms);
    cop_memory_free(answers->lengths);
    cop_memory_free(answers->ids);
    cop_memory_free(answers->responses);
    cop_memory_free(answers->extracted);
    *answers = (cop_app_answers){0};
}
