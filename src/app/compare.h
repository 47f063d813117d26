/* coppice compare: two models, what they are asked, what becomes of it. Private to app/. */
#ifndef COP_APP_COMPARE_H
#define COP_APP_COMPARE_H

#include "app/answers.h"
#include "app/app.h"
#include "app/model_options.h"
#include "app/question_options.h"
#include "app/task_options.h"

#include "coppice/report/comparison.h"
#include "coppice/run/asked.h"

/* The command line. */
typedef struct cop_compare_arguments {
    cop_app_task task;
    cop_app_model model;
    cop_app_question question;
    const char *split, *prompts, *answers, *show; /* NULL: not given */
    const char *operands[2];                      /* [operand_count] */
    size_t operand_count;
    bool json;
} cop_compare_arguments;

/* One of the models. All but `name` and `given` owned. */
typedef struct cop_compare_side {
    const char *name;   /* "base" or "result" */
    const char *given;  /* as on the command line; NULL: what the result was made of */
    char *model_dir;    /* NULL: not known yet */
    cop_recipe *recipe; /* NULL: the model as it is */
    cop_asked *run;     /* that it is of; NULL: none */
    cop_app_answers answers, off_task;
} cop_compare_side;

/* What both are asked. */
typedef struct cop_compare_questions {
    cop_asked *run;       /* whose questions they are by default, borrowed; NULL: none */
    const cop_task *task; /* borrowed */
    cop_task_setup setup; /* borrows */
    cop_evaluator_options options; /* all but the model; borrows */
    cop_fields fields;             /* of --field; owned, as all that follows */
    cop_dataset *dataset, *shots;  /* shots NULL: none, or the run's */
    size_t *examples;              /* [count] that are asked */
    size_t count;
    cop_dataset *prompts; /* off the task; NULL: none */
    cop_text title;       /* what the examples are, for people */
} cop_compare_questions;

/* (compare_sides.c) Finds out what the operands stand for. What *sides then hold is the
 * caller's, on failure too. */
cop_status cop_compare_find_sides(const cop_compare_arguments *a, cop_compare_side sides[2],
                                  cop_error *err);
void cop_compare_free_side(cop_compare_side *side);

/* (compare_questions.c) Finds out what they are asked, and loads it. Likewise. */
cop_status cop_compare_find_questions(const cop_compare_arguments *a,
                                      const cop_compare_side sides[2],
                                      cop_compare_questions *questions, cop_error *err);
void cop_compare_free_questions(cop_compare_questions *questions);

/* (compare_ask.c) Has a side answer. `first`: it says what there is to say of the model. */
cop_status cop_compare_ask(const cop_compare_arguments *a,
                           const cop_compare_questions *questions, cop_compare_side *side,
                           bool first, cop_error *err);

/* (compare_show.c) Writes all answers and the summary, an object, as JSON lines. */
cop_status cop_compare_write(const char *path, const cop_compare_questions *questions,
                             const cop_compare_side sides[2], json_t *summary, cop_error *err);

/* (compare_show.c) Appends the first `most` examples that were fixed, and broken. */
cop_status cop_compare_print_examples(const cop_compare_questions *questions,
                                      const cop_compare_side sides[2], size_t most,
                                      cop_text *text, cop_error *err);

/* (compare_show.c) Whether the models' tokenizers are the same, so that ids compare. */
cop_status cop_compare_same_words(const cop_compare_side sides[2], bool *same, cop_error *err);

#endif
