/* What two models are asked: by default what the run was tested on, as the run asks it. */
#include "app/compare.h"

#include "coppice/base/memory.h"
#include "coppice/data/prompt_lines.h"

#include <stdio.h>
#include <string.h>

/* --split of a whole file. */
static const char everything[] = "all";

/* True if the questions are of the run's task. */
static bool is_own_task(const cop_compare_questions *q)
{
    return q->run != NULL && q->task == cop_asked_task(q->run);
}

static const char *or_else(const char *given, const char *otherwise)
{
    return given != NULL ? given : otherwise;
}

/* The task, and of its setup what the command line says over what the job does. */
static cop_status find_task(const cop_compare_arguments *a, cop_compare_questions *q,
                            cop_error *err)
{
    cop_app_task given = a->task;
    const char *const own = q->run != NULL ? cop_asked_task(q->run)->name : NULL;
    if (given.name == NULL) given.name = own;
    COP_TRY(cop_app_task_resolve("compare", &given, &q->task, &q->setup, err));
    if (own == NULL || strcmp(given.name, own) != 0) return COP_OK;
    const cop_task_setup said = q->setup;
    q->task = cop_asked_task(q->run);
    q->setup = *cop_asked_setup(q->run);
    if (said.command_count > 0) q->setup.command = said.command;
    if (said.command_count > 0) q->setup.command_count = said.command_count;
    if (said.timeout_s > 0) q->setup.timeout_s = said.timeout_s;
    return COP_OK;
}

/* Prompts, and how answers end: the run's where the task is, but for what the command line
 * says. */
static cop_status set_prompts(const cop_compare_arguments *a, cop_compare_questions *q,
                              cop_error *err)
{
    const cop_app_question *const given = &a->question;
    cop_app_question_numbers numbers = {0};
    if (q->run != NULL) q->options = cop_asked_options(q->run);
    if (q->run != NULL && !is_own_task(q)) {
        q->options.system = q->options.user = q->options.assistant = NULL;
        q->options.examples = NULL;
        q->options.shots = 0;
    }
    numbers.shots = (int64_t)q->options.shots;
    numbers.shot_seed = q->options.shot_seed;
    COP_TRY(cop_app_question_resolve(given, &numbers, err));
    q->options.task = q->task;
    q->options.setup = &q->setup;
    q->options.system = or_else(given->system, q->options.system);
    q->options.user = or_else(given->user, q->options.user);
    q->options.assistant = or_else(given->assistant, q->options.assistant);
    q->options.shots = (size_t)numbers.shots;
    q->options.shot_seed = numbers.shot_seed;
    if (given->stop_count > 0) {
        q->options.stop = given->stops;
        q->options.stop_count = given->stop_count;
    }
    q->options.stop_decided = false; /* lengths are compared, too */
    return COP_OK;
}

/* --- examples --- */

static cop_status load(cop_compare_questions *q, const char *path, const cop_fields *fields,
                       const cop_dataset_options *options, cop_error *err)
{
    COP_TRY(cop_task_load(q->task, path, fields, options, &q->dataset, err));
    q->examples = cop_memory_alloc(cop_dataset_count(q->dataset), sizeof *q->examples, err);
    return q->examples == NULL ? COP_ERR_MEMORY : COP_OK;
}

/* The examples of the run's data that are in a split; all of them, if that is wanted. */
static cop_status take_split(const char *name, int64_t limit, cop_compare_questions *q,
                             const cop_fields *fields, cop_error *err)
{
    static const char *const names[] = {"support", "probe", "validate", "test", everything};
    enum { NAMES = sizeof names / sizeof names[0] };
    const cop_job *const job = cop_asked_job(q->run);
    const size_t split = cop_text_find_name(name, names, NAMES);
    COP_CHECK(split < NAMES, err, COP_ERR_USAGE,
              "--split %s: must be support, probe, validate, test or all", name);
    COP_TRY(cop_asked_divide(q->run, err));
    const cop_splits *const splits = cop_asked_splits(q->run);
    const bool all = split == COP_SPLIT_COUNT;
    COP_CHECK(all || splits->counts[split] > 0, err, COP_ERR_USAGE,
              "the run has no %s examples (splits.%s: 0): choose others by --split, or by "
              "--data FILE",
              name, name);
    COP_TRY(load(q, job->task.data, fields, NULL, err));
    const size_t total = all ? cop_dataset_count(q->dataset) : splits->counts[split];
    q->count = limit > 0 && (size_t)limit < total ? (size_t)limit : total;
    for (size_t i = 0; i < q->count; i++)
        q->examples[i] = all ? i : splits->examples[split][i];
    return cop_text_format(&q->title, err, "%s examples of %s", name, job->task.data);
}

/* Which of a file's examples the run has chosen by; none where that cannot be told. */
static void find_seen(const cop_compare_questions *q, const char *path,
                      const cop_fields *fields, bool **seen, size_t *count)
{
    cop_error why = {0};
    *seen = NULL;
    if (cop_asked_divide(q->run, &why) == COP_OK &&
        cop_asked_find_seen(q->run, path, fields, seen, count, &why) == COP_OK)
        return;
    cop_memory_free(*seen);
    *seen = NULL;
    (void)fprintf(stderr,
                  "coppice compare: note: whether the run was made with examples of %s cannot "
                  "be told: %s\n",
                  path, why.message);
}

/* The examples of a file, without those that the run has seen unless they are asked for. */
static cop_status take_file(const cop_compare_arguments *a, int64_t limit,
                            cop_compare_questions *q, const cop_fields *fields, cop_error *err)
{
    const char *const path = a->question.data;
    const bool whole = a->split != NULL;
    bool *seen = NULL;
    size_t known = 0;
    size_t left_out = 0;
    COP_CHECK(!whole || strcmp(a->split, everything) == 0, err, COP_ERR_USAGE,
              "--split %s is one of the run's own data: leave out --data, or say --split all "
              "for all of its examples",
              a->split);
    if (q->run != NULL && !whole) find_seen(q, path, fields, &seen, &known);
    const cop_dataset_options some = {.limit = seen == NULL ? (size_t)limit : 0};
    cop_status status = load(q, path, fields, &some, err);
    if (status == COP_OK && seen != NULL && known == cop_dataset_count(q->dataset))
        status = cop_asked_mark_guarded(q->run, q->dataset, seen, known, err);
    for (size_t i = 0; status == COP_OK && i < cop_dataset_count(q->dataset); i++) {
        const bool mine = seen != NULL && i < known && seen[i];
        if (limit > 0 && q->count == (size_t)limit) break;
        left_out += mine;
        if (!mine) q->examples[q->count++] = i;
    }
    cop_memory_free(seen);
    COP_TRY(status);
    COP_CHECK(q->count > 0, err, COP_ERR_USAGE,
              "%s: the run was made with every one of its examples; take others, or say "
              "--split all",
              path);
    COP_TRY(cop_text_format(&q->title, err, "examples of %s", path));
    if (left_out == 0) return COP_OK;
    return cop_text_format(&q->title, err, ", without %zu that the run was made with",
                           left_out);
}

static cop_status find_examples(const cop_compare_arguments *a, cop_compare_questions *q,
                                cop_error *err)
{
    const cop_app_question *const given = &a->question;
    cop_app_question_numbers numbers = {0};
    COP_TRY(cop_app_question_resolve(given, &numbers, err));
    COP_TRY(cop_app_question_fields(given, &q->fields, err));
    const cop_fields *fields = &q->fields;
    if (q->run != NULL && given->field_count == 0 && (is_own_task(q) || given->data == NULL))
        fields = &cop_asked_job(q->run)->task.fields;
    if (q->run == NULL) COP_TRY(cop_app_require("compare", "--data FILE", given->data, err));
    COP_CHECK(q->run != NULL || a->split == NULL, err, COP_ERR_USAGE,
              "--split needs a run: these models have no splits");
    if (given->data == NULL) {
        COP_TRY(take_split(or_else(a->split, "test"), numbers.limit, q, fields, err));
    } else {
        COP_TRY(take_file(a, numbers.limit, q, fields, err));
    }
    q->options.dataset = q->dataset;
    if (given->examples != NULL) {
        COP_TRY(cop_task_load(q->task, given->examples, fields, NULL, &q->shots, err));
        q->options.examples = q->shots;
        return COP_OK;
    }
    if (!is_own_task(q) || q->options.shots == 0) return COP_OK;
    COP_TRY(cop_asked_load_shots(q->run, err));
    q->options.examples = cop_asked_options(q->run).examples;
    return COP_OK;
}

cop_status cop_compare_find_questions(const cop_compare_arguments *a,
                                      const cop_compare_side sides[2],
                                      cop_compare_questions *questions, cop_error *err)
{
    questions->run = sides[1].run != NULL ? sides[1].run : sides[0].run;
    COP_TRY(find_task(a, questions, err));
    COP_TRY(set_prompts(a, questions, err));
    COP_TRY(find_examples(a, questions, err));
    return a->prompts == NULL ? COP_OK
                              : cop_prompt_lines_load(a->prompts, &questions->prompts, err);
}

void cop_compare_free_questions(cop_compare_questions *questions)
{
    cop_fields_free(&questions->fields);
    cop_dataset_destroy(&questions->dataset);
    cop_dataset_destroy(&questions->shots);
    cop_dataset_destroy(&questions->prompts);
    cop_memory_free(questions->examples);
    cop_text_free(&questions->title);
}
