/* What two models answered, side by side: on file, and a few for people. */
#include "app/compare.h"

#include "coppice/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is asked of the user's side. */
static cop_status append_prompt(const cop_compare_questions *q, size_t example, cop_text *text,
                                cop_error *err)
{
    const char *const user = q->options.user != NULL ? q->options.user : q->task->default_user;
    return cop_task_render(user, cop_dataset_at(q->dataset, example), text, err);
}

static const char *name_change(const cop_compare_side sides[2], size_t i)
{
    static const char *const names[2][2] = {{"both wrong", "fixed"}, {"broken", "both right"}};
    return names[sides[0].answers.correct[i]][sides[1].answers.correct[i]];
}

/* --- on file --- */

static cop_status write_example(FILE *file, const char *path, const cop_compare_questions *q,
                                const cop_compare_side sides[2], size_t i, cop_error *err)
{
    const size_t example = q->examples[i];
    const json_t *answer = NULL;
    cop_text prompt = {0};
    cop_status status = append_prompt(q, example, &prompt, err);
    if (status == COP_OK)
        status = q->task->answer(cop_dataset_at(q->dataset, example), &answer, err);
    if (status == COP_OK) {
        json_t *const line = json_pack("{s:I, s:s, s:s%, s:o?, s:o, s:o}", "example",
                                       (json_int_t)example, "change", name_change(sides, i),
                                       "prompt", prompt.data != NULL ? prompt.data : "",
                                       prompt.length, "reference", json_deep_copy(answer),
                                       "base", cop_app_answers_json(&sides[0].answers, i),
                                       "result", cop_app_answers_json(&sides[1].answers, i));
        status = cop_app_write_line(file, line, path, err);
    }
    cop_text_free(&prompt);
    return status;
}

static json_t *off_task_json(const cop_app_answers *answers, size_t i)
{
    return json_pack("{s:o, s:I}", "response", cop_app_response_json(answers, i), "tokens",
                     (json_int_t)answers->lengths[i]);
}

static cop_status write_prompt(FILE *file, const char *path, const cop_compare_questions *q,
                               const cop_compare_side sides[2], size_t i, cop_error *err)
{
    const cop_app_answers *const base = &sides[0].off_task;
    const cop_app_answers *const result = &sides[1].off_task;
    const bool same = cop_app_same_response(base, result, i);
    json_t *const line =
        json_pack("{s:I, s:O, s:b, s:o, s:o}", "off_task", (json_int_t)i, "prompt",
                  json_object_get(cop_dataset_at(q->prompts, i), "prompt"), "identical", same,
                  "base", off_task_json(base, i), "result", off_task_json(result, i));
    return cop_app_write_line(file, line, path, err);
}

static cop_status write_lines(FILE *file, const char *path, const cop_compare_questions *q,
                              const cop_compare_side sides[2], json_t *summary, cop_error *err)
{
    for (size_t i = 0; i < q->count; i++)
        COP_TRY(write_example(file, path, q, sides, i, err));
    for (size_t i = 0; i < sides[0].off_task.count; i++)
        COP_TRY(write_prompt(file, path, q, sides, i, err));
    return cop_app_write_line(file, json_pack("{s:O}", "summary", summary), path, err);
}

cop_status cop_compare_write(const char *path, const cop_compare_questions *questions,
                             const cop_compare_side sides[2], json_t *summary, cop_error *err)
{
    FILE *const file = fopen(path, "w");
    COP_CHECK(file != NULL, err, COP_ERR_IO, "%s: cannot create it: %s", path, strerror(errno));
    cop_status status = write_lines(file, path, questions, sides, summary, err);
    if (fclose(file) != 0 && status == COP_OK)
        status =
            cop_error_set(err, COP_ERR_IO, "%s: cannot write it: %s", path, strerror(errno));
    return status;
}

/* --- for people --- */

/* Appends a text on one line, in quotes: the end of a long one, or its beginning. */
static cop_status append_quoted(const char *data, size_t length, bool end, cop_text *text,
                                cop_error *err)
{
    enum { MOST = 160 };
    const char *from = data;
    size_t shown = length;
    if (length > MOST) {
        shown = MOST;
        if (end) from = data + (length - MOST);
        while (end && shown > 0 && ((unsigned char)*from & 0xC0U) == 0x80U) {
            from++;
            shown--;
        }
        while (!end && shown > 0 && ((unsigned char)data[shown] & 0xC0U) == 0x80U)
            shown--;
    }
    json_t *const value = json_stringn(from, shown);
    char *const quoted = value == NULL ? NULL : json_dumps(value, JSON_ENCODE_ANY);
    json_decref(value);
    COP_CHECK(quoted != NULL, err, COP_ERR_MEMORY, "no memory for a line of text");
    const bool cut = shown < length;
    const cop_status status = cop_text_format(text, err, "%s%s%s\n", cut && end ? "..." : "",
                                              quoted, cut && !end ? "..." : "");
    free(quoted);
    return status;
}

static cop_status print_side(const cop_compare_side *side, size_t i, cop_text *text,
                             cop_error *err)
{
    const cop_app_answers *const a = &side->answers;
    const char *const form = a->forms[i] == COP_FORM_FOUND     ? "in form"
                             : a->forms[i] == COP_FORM_MISSING ? "no form"
                                                               : "";
    COP_TRY(cop_text_format(text, err, "    %-7s %-5s %-7s %4u tokens  ", side->name,
                            a->correct[i] ? "right" : "wrong", form, a->lengths[i]));
    return append_quoted(a->responses[i].data, a->responses[i].length, true, text, err);
}

static cop_status print_example(const cop_compare_questions *q, const cop_compare_side sides[2],
                                size_t i, cop_text *text, cop_error *err)
{
    cop_text prompt = {0};
    cop_status status = append_prompt(q, q->examples[i], &prompt, err);
    if (status == COP_OK)
        status = cop_text_format(text, err, "  example %zu  ", q->examples[i] + 1);
    if (status == COP_OK)
        status = append_quoted(prompt.data != NULL ? prompt.data : "", prompt.length, false,
                               text, err);
    for (size_t s = 0; s < 2 && status == COP_OK; s++)
        status = print_side(&sides[s], i, text, err);
    cop_text_free(&prompt);
    return status;
}

static cop_status print_changed(const char *change, const cop_compare_questions *q,
                                const cop_compare_side sides[2], size_t most, cop_text *text,
                                cop_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < q->count; i++)
        count += strcmp(name_change(sides, i), change) == 0;
    if (count == 0 || most == 0) return COP_OK;
    COP_TRY(cop_text_format(text, err, "\n%s, %zu of %zu:\n", change,
                            count < most ? count : most, count));
    size_t shown = 0;
    for (size_t i = 0; i < q->count && shown < most; i++) {
        if (strcmp(name_change(sides, i), change) != 0) continue;
        COP_TRY(print_example(q, sides, i, text, err));
        shown++;
    }
    return COP_OK;
}

cop_status cop_compare_print_examples(const cop_compare_questions *questions,
                                      const cop_compare_side sides[2], size_t most,
                                      cop_text *text, cop_error *err)
{
    COP_TRY(print_changed("fixed", questions, sides, most, text, err));
    return print_changed("broken", questions, sides, most, text, err);
}

/* --- tokenizers --- */

cop_status cop_compare_same_words(const cop_compare_side sides[2], bool *same, cop_error *err)
{
    cop_identity found[2];
    const size_t words = cop_identity_find("tokenizer.json");
    *same = strcmp(sides[0].model_dir, sides[1].model_dir) == 0;
    if (*same) return COP_OK;
    for (size_t s = 0; s < 2; s++)
        COP_TRY(cop_identity_read(sides[s].model_dir, false, &found[s], err));
    *same = strcmp(found[0].digest[words], found[1].digest[words]) == 0;
    return COP_OK;
}
