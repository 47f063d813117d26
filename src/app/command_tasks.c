/* coppice tasks, and the list of tasks in other commands' help */
#include "app/app.h"

#include "coppice/task/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_COLUMNS = 100 };

/* --- for people --- */

/* Prints a label and its text, wrapped with the lines below it indented. */
static void print_item(const char *label, const char *text)
{
    enum { INDENT = 14 };
    size_t column = INDENT;
    if (text == NULL) return;
    (void)printf("  %-*s", INDENT - 2, label);
    while (*text != '\0') {
        const size_t length = strcspn(text, " ");
        const bool first = column == INDENT;
        if (!first && column + 1 + length > PAGE_COLUMNS) {
            (void)printf("\n%*s", INDENT, "");
            column = INDENT;
        } else if (!first) {
            (void)putchar(' ');
            column++;
        }
        (void)printf("%.*s", (int)length, text);
        column += length;
        text += length;
        text += *text == ' ';
    }
    (void)putchar('\n');
}

/* Prints a template as it is, every line indented. */
static void print_template(const char *label, const char *text)
{
    if (text == NULL) return;
    (void)printf("  %s\n", label);
    while (*text != '\0') {
        const size_t length = strcspn(text, "\n");
        (void)printf("    %.*s\n", (int)length, text);
        text += length;
        text += *text == '\n';
    }
}

static void print_field(const cop_task_field *field)
{
    (void)printf("    %-19s %s%s\n", field->name, field->kind,
                 field->made       ? " (made from the others, for templates)"
                 : field->optional ? " (optional)"
                                   : "");
}

enum { RANGE_BYTES = 64 };

static void print_range(const cop_task *task, char range[RANGE_BYTES])
{
    if (task->any_reward)
        (void)snprintf(range, RANGE_BYTES, "any finite number");
    else
        (void)snprintf(range, RANGE_BYTES, "0 .. %g", task->max_reward);
}

static void print_task(const cop_task *task)
{
    char range[RANGE_BYTES];
    print_range(task, range);
    (void)printf("%s: %s\n", task->name, task->summary);
    (void)printf("  fields\n");
    for (const cop_task_field *f = task->fields; f->name != NULL; f++)
        print_field(f);
    print_item("data", task->data);
    print_item("range", range);
    print_item("reward", task->reward);
    print_item("correct", task->correctness);
    print_item("vote", task->vote);
    print_item("form", task->form);
    print_template("system message, unless the job file has its own", task->default_system);
    print_template("user message", task->default_user);
    print_template("answer of a few-shot example", task->default_assistant);
}

/* One line a task, and what to ask next. */
static void print_table(void)
{
    for (size_t i = 0; cop_task_at(i) != NULL; i++) {
        const cop_task *const task = cop_task_at(i);
        (void)printf("%-11s %s\n", task->name, task->summary);
        (void)printf("%-11s fields:", "");
        for (const cop_task_field *f = task->fields; f->name != NULL; f++) {
            if (!f->made) (void)printf(" %s%s", f->name, f->optional ? "?" : "");
        }
        char range[RANGE_BYTES];
        print_range(task, range);
        (void)printf("; reward %s%s, right from %g\n", range, task->graded ? ", graded" : "",
                     task->correct_at);
    }
    (void)printf("\n'coppice tasks NAME' tells all about one: reward, vote, prompts. A field "
                 "with ? may be missing.\n");
}

/* --- for machines --- */

static json_t *field_json(const cop_task_field *field)
{
    return json_pack("{s:s, s:s, s:b, s:b}", "name", field->name, "kind", field->kind,
                     "optional", field->optional, "made", field->made);
}

static json_t *task_json(const cop_task *task)
{
    json_t *const fields = json_array();
    for (const cop_task_field *f = task->fields; f->name != NULL; f++)
        (void)json_array_append_new(fields, field_json(f));
    return json_pack(
        "{s:s, s:s, s:o, s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:f, s:b, s:{s:s?, s:s?, s:s?}}",
        "name", task->name, "summary", task->summary, "fields", fields, "data", task->data,
        "reward", task->reward, "correct", task->correctness, "vote", task->vote, "form",
        task->form, "max_reward", task->any_reward ? json_null() : json_real(task->max_reward),
        "correct_at", task->correct_at, "graded", task->graded, "prompt", "system",
        task->default_system, "user", task->default_user, "assistant", task->default_assistant);
}

static json_t *tasks_json(void)
{
    json_t *const list = json_array();
    for (size_t i = 0; cop_task_at(i) != NULL; i++)
        (void)json_array_append_new(list, task_json(cop_task_at(i)));
    return list;
}

/* --- command --- */

typedef struct arguments {
    const char *name;
    bool json;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *const a = state->input;
    switch (key) {
    case 'j':
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->name != NULL) argp_error(state, "one task only");
        a->name = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "Print a JSON list of objects, or with NAME one object", 0}, {0}};

static const struct argp argp = {
    options,
    parse,
    "[NAME]",
    "Lists the tasks: what each is made of, how responses are rewarded and what an ensemble "
    "votes on; with NAME all about one, its default prompts included.\v"
    "  coppice tasks math",
    NULL,
    NULL,
    NULL};

cop_status cop_command_tasks(int argc, char **argv, cop_error *err)
{
    arguments a = {0};
    const cop_task *only = NULL;
    COP_TRY(cop_app_parse(&argp, argc, argv, &a, err));
    if (a.name != NULL) COP_TRY(cop_task_find(a.name, &only, err));
    if (a.json) {
        COP_TRY(cop_app_print_json(only != NULL ? task_json(only) : tasks_json(), err));
    } else if (only != NULL) {
        print_task(only);
    } else {
        print_table();
    }
    return cop_app_flush(err);
}

char *cop_app_help_tasks(int key, const char *text, void *input)
{
    (void)input;
    char *all = NULL;
    size_t size = 0;
    if (key !=
        ARGP_KEY_HELP_EXTRA) { /* the text as it is: argp's type says less than it means */
        memcpy(&all, &text, sizeof all);
        return all;
    }
    FILE *const stream = open_memstream(&all, &size);
    if (stream == NULL) return NULL;
    (void)fprintf(stream, "Tasks ('coppice tasks' tells more):\n");
    for (size_t i = 0; cop_task_at(i) != NULL; i++)
        (void)fprintf(stream, "  %-11s %s\n", cop_task_at(i)->name, cop_task_at(i)->summary);
    return fclose(stream) == 0 ? all : NULL;
}
