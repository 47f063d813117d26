/* Commands of the program and what they share. Private to app/. */
#ifndef COP_APP_APP_H
#define COP_APP_APP_H

#include "coppice/backend/backend.h"
#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "coppice/checkpoint/checkpoint.h"
#include "coppice/recipe/recipe.h"

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A command: argv[0] is "coppice NAME". A failure's message is in *err and printed by main. */
typedef struct cop_command {
    const char *name;
    const char *summary;
    cop_status (*run)(int argc, char **argv, cop_error *err);
    bool alone; /* refuses to be one of several processes: computes for long, or writes files */
} cop_command;

cop_status cop_command_run(int argc, char **argv, cop_error *err);
cop_status cop_command_eval(int argc, char **argv, cop_error *err);
cop_status cop_command_compare(int argc, char **argv, cop_error *err);
cop_status cop_command_generate(int argc, char **argv, cop_error *err);
cop_status cop_command_tokenize(int argc, char **argv, cop_error *err);
cop_status cop_command_reward(int argc, char **argv, cop_error *err);
cop_status cop_command_tasks(int argc, char **argv, cop_error *err);
cop_status cop_command_merge(int argc, char **argv, cop_error *err);
cop_status cop_command_noise(int argc, char **argv, cop_error *err);
cop_status cop_command_export(int argc, char **argv, cop_error *err);
cop_status cop_command_inspect(int argc, char **argv, cop_error *err);
cop_status cop_command_status(int argc, char **argv, cop_error *err);
cop_status cop_command_analyze(int argc, char **argv, cop_error *err);
cop_status cop_command_bench(int argc, char **argv, cop_error *err);

/* The message of a failure that has been printed already: main adds nothing. */
extern const char cop_app_said[];

/* Calls `line` for every non-blank line of standard input, parsed as one JSON value (borrowed).
 * Messages name the line. */
cop_status cop_app_each_line(cop_status (*line)(void *context, size_t number,
                                                const json_t *value, cop_error *err),
                             void *context, cop_error *err);

/* Token ids as a list; NULL: no memory. */
json_t *cop_app_ids_json(const int32_t *ids, size_t count);

/* Prints a value as one line of JSON on standard output and releases it. ASCII only: some
 * readers take U+2028 and the like for ends of lines. */
cop_status cop_app_print_json(json_t *value, cop_error *err);

/* Warns on standard error of a token that ends answers in the template but stops none (NULL:
 * there is none), and of the date that a template gets which asks for it (NULL: the default).
 */
void cop_app_warn_of_chat(const char *command, const char *unstopped, bool asks_date,
                          const char *date);

/* Flushes standard output; a full disk or closed pipe shows here. */
cop_status cop_app_flush(cop_error *err);

/* Prints a text on standard output and flushes it. */
cop_status cop_app_print_text(const cop_text *text, cop_error *err);

/* Parses a command line; argp has said what is wrong with one. */
cop_status cop_app_parse(const struct argp *argp, int argc, char **argv, void *input,
                         cop_error *err);

/* Parses a number of an option; the whole text must be one within [low, high]. */
cop_status cop_app_parse_int(const char *option, const char *text, int64_t low, int64_t high,
                             int64_t *value, cop_error *err);

/* The same of an option that means what `key` of a job file does, within that key's bounds;
 * where text is NULL *value stays. */
cop_status cop_app_parse_like(const char *option, const char *key, const char *text,
                              int64_t *value, cop_error *err);

cop_status cop_app_parse_number(const char *option, const char *text, double low, double high,
                                double *value, cop_error *err);

/* "auto", "f32" or "bf16". */
cop_status cop_app_parse_compute(const char *text, cop_compute *compute, cop_error *err);

/* "auto", "cpu" or "cuda". */
cop_status cop_app_parse_backend(const char *text, cop_backend_kind *kind, cop_error *err);

/* Options of a backend for a command line: one thread per core unless `threads` > 0. */
cop_backend_options cop_app_backend_options(cop_compute compute, int64_t threads);

/* Reads a recipe file, or the recipe of a run directory, or of a run file. */
cop_status cop_app_read_recipe(const char *path, cop_recipe **recipe, cop_error *err);

/* Says on standard error how long the weights of a model will take to be made of a recipe,
 * measured on a piece of them, where that is more than a few seconds. */
void cop_app_announce_rebuild(const char *command, const cop_recipe *recipe,
                              const cop_checkpoint *base);

/* Files of the base that may differ from those that a recipe was found with: --accept. */
typedef struct cop_app_accept {
    const char *names[COP_IDENTITY_FILES];
    size_t count;
} cop_app_accept;

/* Takes a name of --accept; false: there is no such file. */
bool cop_app_accept_add(cop_app_accept *accept, const char *name);

/* Describes the argument for --help. */
#define COP_APP_ACCEPT_HELP                                                                 \
    "Take the base's FILE although it differs from the one that the recipe was found with " \
    "(config.json, ..., chat_template); may be repeated"

/* Checks that a recipe, read from `path`, belongs to the base: weights, and the files beside
 * them. One that does not tell of files is taken with a note on standard error. `own_template`:
 * the base's chat template is used. */
cop_status cop_app_check_base(const char *path, const cop_recipe *recipe,
                              const cop_checkpoint *base, bool own_template,
                              const cop_app_accept *accept, cop_error *err);

/* Prints notes, a line each, as warnings of a command on standard error. */
void cop_app_print_notes(const char *command, const cop_text *notes);

/* argp's help_filter of commands that take a task: the tasks' names follow the rest. */
char *cop_app_help_tasks(int key, const char *text, void *input);

/* An option is required. */
cop_status cop_app_require(const char *command, const char *option, const void *value,
                           cop_error *err);

#endif
