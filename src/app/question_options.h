/* The options that say what is asked: the data, its fields, the prompts made of them, and what
 * ends an answer. Private to app/. */
#ifndef COP_APP_QUESTION_OPTIONS_H
#define COP_APP_QUESTION_OPTIONS_H

#include "coppice/base/status.h"
#include "coppice/data/fields.h"

#include <argp.h>
#include <stddef.h>
#include <stdint.h>

enum { COP_APP_MOST_FIELDS = 64, COP_APP_MOST_STOPS = 64 };

typedef struct cop_app_question {
    const char *data, *system, *user, *assistant, *examples; /* NULL: not given */
    const char *limit, *shots, *shot_seed;                   /* numbers, as text */
    const char *fields[COP_APP_MOST_FIELDS];
    size_t field_count;
    const char *stops[COP_APP_MOST_STOPS]; /* as generation.stop */
    size_t stop_count;
} cop_app_question;

/* Parses --data, --field, --limit, --system, --user, --assistant, --examples, --shots,
 * --shot-seed and --stop; its input is a cop_app_question. For argp's children. */
extern const struct argp cop_app_question_argp;

/* What the numbers come to; those that are not given stay as they are. */
typedef struct cop_app_question_numbers {
    int64_t limit; /* 0: none */
    int64_t shots, shot_seed;
} cop_app_question_numbers;

cop_status cop_app_question_resolve(const cop_app_question *question,
                                    cop_app_question_numbers *numbers, cop_error *err);

/* Adds the pairs of --field to *fields, the caller's. */
cop_status cop_app_question_fields(const cop_app_question *question, cop_fields *fields,
                                   cop_error *err);

#endif
