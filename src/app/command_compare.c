/* coppice compare */
#include "app/compare.h"

#include "coppice/base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SPLIT = 0x100, KEY_PROMPTS, KEY_ANSWERS, KEY_SHOW, KEY_JSON };

static const struct argp_option options[] = {
    {"split", KEY_SPLIT, "NAME", 0,
     "Which of the run's examples: test (default), support, probe, validate or all. With "
     "--data, all keeps those that the run was made with",
     0},
    {"prompts", KEY_PROMPTS, "FILE", 0,
     "Also answer these prompts, which have nothing to do with the task, and tell how far both "
     "say the same: one a line, or, in a file whose name ends in .jsonl, the field \"prompt\" "
     "of each line",
     0},
    {"answers", KEY_ANSWERS, "FILE", 0,
     "Also write both answers to every example, JSON lines, the last one the summary: what "
     "coppice-report --compare draws as a page",
     0},
    {"show", KEY_SHOW, "N", 0, "Show so many examples fixed and broken (default 3)", 0},
    {"json", KEY_JSON, NULL, 0, "Print the result as JSON", 0},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state)
{
    cop_compare_arguments *const a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->task;
        state->child_inputs[1] = &a->model;
        state->child_inputs[2] = &a->question;
        return 0;
    case KEY_SPLIT:
        a->split = text;
        return 0;
    case KEY_PROMPTS:
        a->prompts = text;
        return 0;
    case KEY_ANSWERS:
        a->answers = text;
        return 0;
    case KEY_SHOW:
        a->show = text;
        return 0;
    case KEY_JSON:
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->operand_count == 2) argp_error(state, "more than BASE and RUN: %s", text);
        a->operands[a->operand_count++] = text;
        return 0;
    case ARGP_KEY_END:
        if (a->operand_count == 0) argp_error(state, "which run?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cop_app_task_argp, 0, NULL, 0},
                                             {&cop_app_model_argp, 0, NULL, 0},
                                             {&cop_app_question_argp, 0, NULL, 0},
                                             {0}};

static const struct argp argp = {
    options,
    parse,
    "[BASE] RUN",
    "Tells what changed: has two models answer the same examples and shows which were fixed "
    "and broken, and whether it was the form of the answers that was learnt or what is in "
    "them.\v"
    "BASE and RUN are each a run (a directory, or run.h5), which stands for the model that it "
    "ended with; a recipe; or a model directory. Without BASE, it is the model that the run "
    "was made of. --model DIR says where that is now, if it has moved, and what a recipe "
    "changes.\n"
    "\n"
    "The task, its prompts and how answers are generated are the run's, unless options say "
    "otherwise; the examples are its test split, which decided nothing in it. Of other --data "
    "those examples are left out that the run was made with. Without a run, --task and --data "
    "are needed.\n"
    "\n"
    "  coppice compare runs/demo\n"
    "  coppice compare runs/demo --prompts prompts.txt --answers changed.jsonl\n"
    "  coppice compare runs/first runs/second --split validate\n"
    "  coppice compare jobs/demo/model better-model --task arith --data jobs/demo/arith.jsonl",
    children,
    cop_app_help_tasks,
    NULL};

/* Answers as figures are made of them; `formed` [count] is filled in. */
static cop_side side_of(const cop_app_answers *answers, int8_t *formed)
{
    static const int8_t values[] = {[COP_FORM_NONE] = COP_FORMED_UNKNOWN,
                                    [COP_FORM_MISSING] = COP_FORMED_NOT,
                                    [COP_FORM_FOUND] = COP_FORMED};
    for (size_t i = 0; i < answers->count; i++)
        formed[i] = values[answers->forms[i]];
    return (cop_side){.correct = answers->correct,
                      .rewards = answers->rewards,
                      .formed = formed,
                      .lengths = answers->lengths};
}

static cop_status compare(const cop_compare_questions *q, const cop_compare_side sides[2],
                          cop_comparison *comparison, cop_error *err)
{
    const uint64_t seed = q->run == NULL ? 0 : (uint64_t)cop_asked_job(q->run)->population.seed;
    int8_t *const formed = cop_memory_alloc(2 * q->count, sizeof *formed, err);
    if (formed == NULL) return COP_ERR_MEMORY;
    const cop_side base = side_of(&sides[0].answers, formed);
    const cop_side result = side_of(&sides[1].answers, formed + q->count);
    const cop_status status =
        cop_comparison_make(&base, &result, q->count, seed, comparison, err);
    cop_memory_free(formed);
    return status;
}

static cop_status agree(const cop_compare_side sides[2], cop_agreement *agreement,
                        cop_error *err)
{
    const cop_app_answers *const base = &sides[0].off_task;
    const cop_app_answers *const result = &sides[1].off_task;
    bool same_words = true;
    COP_TRY(cop_compare_same_words(sides, &same_words, err));
    agreement->other_words = !same_words;
    for (size_t i = 0; i < base->count; i++) {
        const cop_ids *const a = &base->ids[i];
        const cop_ids *const b = &result->ids[i];
        cop_agreement_add(agreement, cop_app_same_response(base, result, i),
                          cop_agreement_prefix(a->data, a->count, b->data, b->count), a->count);
    }
    return COP_OK;
}

static json_t *model_json(const cop_compare_side *side)
{
    return json_pack("{s:s, s:s*}", "model", side->model_dir, "recipe",
                     side->recipe != NULL ? side->given : NULL);
}

/* All figures, and what they are of. */
static json_t *summary_json(const cop_compare_questions *q, const cop_compare_side sides[2],
                            const cop_comparison *comparison, const cop_agreement *agreement)
{
    json_t *const figures = cop_comparison_json(comparison, agreement);
    json_t *const summary =
        json_pack("{s:s, s:s?, s:s, s:{s:o, s:o}}", "task", q->task->name, "form",
                  q->task->form, "data", q->title.data, "models", "base", model_json(&sides[0]),
                  "result", model_json(&sides[1]));
    if (summary == NULL || figures == NULL || json_object_update(summary, figures) != 0) {
        json_decref(summary);
        json_decref(figures);
        return NULL;
    }
    json_decref(figures);
    return summary;
}

static cop_status append_model(const cop_compare_side *side, cop_text *text, cop_error *err)
{
    return side->recipe == NULL
               ? cop_text_format(text, err, "%-9s %s\n", side->name, side->model_dir)
               : cop_text_format(text, err, "%-9s %s, on %s\n", side->name, side->given,
                                 side->model_dir);
}

static cop_status print(const cop_compare_questions *q, const cop_compare_side sides[2],
                        const cop_comparison *comparison, const cop_agreement *agreement,
                        size_t most, cop_error *err)
{
    cop_text text = {0};
    cop_status status = COP_OK;
    for (size_t s = 0; s < 2; s++)
        COP_TRY_OUT(append_model(&sides[s], &text, err));
    COP_TRY_OUT(
        cop_text_format(&text, err, "asked     %s, %s\n", q->task->name, q->title.data));
    if (q->task->form != NULL)
        COP_TRY_OUT(cop_text_format(&text, err, "form      %s\n", q->task->form));
    COP_TRY_OUT(cop_text_append(&text, "\n", 1, err));
    COP_TRY_OUT(cop_comparison_print(comparison, agreement, &text, err));
    COP_TRY_OUT(cop_compare_print_examples(q, sides, most, &text, err));
    COP_TRY_OUT(cop_app_print_text(&text, err));
out:
    cop_text_free(&text);
    return status;
}

static cop_status show(const cop_compare_arguments *a, const cop_compare_questions *q,
                       const cop_compare_side sides[2], size_t most, cop_error *err)
{
    cop_comparison comparison;
    cop_agreement off_task = {0};
    const cop_agreement *const agreement = q->prompts != NULL ? &off_task : NULL;
    COP_TRY(compare(q, sides, &comparison, err));
    if (agreement != NULL) COP_TRY(agree(sides, &off_task, err));
    json_t *const summary = summary_json(q, sides, &comparison, agreement);
    COP_CHECK(summary != NULL, err, COP_ERR_MEMORY, "no memory for the summary");
    cop_status status = COP_OK;
    if (!a->json) {
        status = print(q, sides, &comparison, agreement, most, err);
    } else {
        status = cop_app_print_json(json_incref(summary), err);
        if (status == COP_OK) status = cop_app_flush(err);
    }
    if (status == COP_OK && a->answers != NULL)
        status = cop_compare_write(a->answers, q, sides, summary, err);
    json_decref(summary);
    return status;
}

/* What cannot be written is told before hours are spent on it. */
static cop_status check_writable(const char *path, cop_error *err)
{
    if (path == NULL) return COP_OK;
    FILE *const file = fopen(path, "a");
    COP_CHECK(file != NULL && fclose(file) == 0, err, COP_ERR_IO, "%s: cannot create it: %s",
              path, strerror(errno));
    return COP_OK;
}

static cop_status run(const cop_compare_arguments *a, cop_compare_side sides[2],
                      cop_compare_questions *questions, cop_error *err)
{
    int64_t most = 3;
    if (a->show != NULL) COP_TRY(cop_app_parse_int("show", a->show, 0, INT64_MAX, &most, err));
    COP_CHECK(a->model.recipe == NULL, err, COP_ERR_USAGE,
              "--recipe: name the recipe as BASE or RUN, coppice compare %s --model DIR",
              a->model.recipe);
    COP_TRY(check_writable(a->answers, err));
    COP_TRY(cop_compare_find_sides(a, sides, err));
    COP_TRY(cop_compare_find_questions(a, sides, questions, err));
    for (size_t s = 0; s < 2; s++)
        COP_TRY(cop_compare_ask(a, questions, &sides[s], s == 0, err));
    return show(a, questions, sides, (size_t)most, err);
}

/* The words behind -- are taken by hand: argp moves the operands behind it, too. */
static cop_status parse_line(int argc, char **argv, cop_compare_arguments *a, cop_error *err)
{
    int end = 1;
    while (end < argc && strcmp(argv[end], "--") != 0)
        end++;
    COP_TRY(cop_app_parse(&argp, end, argv, a, err));
    for (int i = end + 1; i < argc; i++)
        a->task.words[a->task.word_count++] = argv[i];
    return COP_OK;
}

cop_status cop_command_compare(int argc, char **argv, cop_error *err)
{
    cop_compare_arguments a = {0};
    cop_compare_side sides[2] = {0};
    cop_compare_questions questions = {0};
    cop_status status = cop_app_task_create(argc, &a.task, err);
    if (status == COP_OK) status = parse_line(argc, argv, &a, err);
    if (status == COP_OK) status = run(&a, sides, &questions, err);
    for (size_t s = 0; s < 2; s++)
        cop_compare_free_side(&sides[s]);
    cop_compare_free_questions(&questions);
    cop_app_task_free(&a.task);
    return status;
}
