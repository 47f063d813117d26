/** \file task.h
 * Tasks: from an example to a prompt, from a response to a reward.
 */
#ifndef COPPICE_TASK_TASK_H
#define COPPICE_TASK_TASK_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "coppice/data/dataset.h"
#include "coppice/data/fields.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** Whether a response has its answer in the form that its task wants, right or wrong. */
typedef enum cop_form {
    COP_FORM_NONE,    /**< the task wants none, or it is not known */
    COP_FORM_MISSING, /**< not there */
    COP_FORM_FOUND    /**< there: what is in it is what counts, and may be wrong */
} cop_form;

/** COP_FORM_FOUND or COP_FORM_MISSING. */
static inline cop_form cop_form_of(bool found)
{
    return found ? COP_FORM_FOUND : COP_FORM_MISSING;
}

/** What a response earned. Free with cop_score_free(). */
typedef struct cop_score {
    double reward;    /**< within the task's range */
    bool correct;     /**< counts as a right answer */
    char *extracted;  /**< the answer found in the response (what an ensemble votes on), NULL if
                           none; owned */
    cop_form form;    /**< by what found the answer; a right one may lack it */
    const char *note; /**< why the response was not judged to the end, for a warning; NULL: it
                           was; constant */
} cop_score;

/** Frees what a score owns. */
void cop_score_free(cop_score *score);

/** How a task that needs a process scores: see scorer.h. */
typedef struct cop_scorer_ops cop_scorer_ops;

/** A field of a task's data. */
typedef struct cop_task_field {
    const char *name;
    const char *kind; /**< "string", "list of strings", ... */
    bool optional;
    bool made; /**< by `prepare`, from other fields: for templates */
} cop_task_field;

/** What the beginning of a response settles, whatever follows it. */
typedef enum cop_decided {
    COP_DECIDED_NOTHING,
    COP_DECIDED_REWARD, /**< reward and `correct`; what is extracted may still change */
    COP_DECIDED_ALL     /**< what is extracted, too */
} cop_decided;

/** A task. Tasks are constant data. Texts for people are sentences without a full stop. */
typedef struct cop_task {
    const char *name;
    const char *summary;
    const cop_task_field *fields; /**< up to the one without a name */
    const char *data;   /**< how published data fit: names, mappings; NULL: nothing to say */
    const char *reward; /**< what the reward is made of */
    const char *correctness; /**< when an example counts as correct */
    const char *vote;        /**< what an ensemble votes on */
    const char *form;        /**< in which an answer is wanted: cop_score.form; NULL: in none */
    const char *default_system; /**< template, NULL for none */
    const char *default_user;   /**< template over the fields of the data */
    const char
        *default_assistant; /**< template, a few-shot example's answer; NULL: must be given */
    double max_reward;
    bool any_reward;   /**< rewards are any finite numbers: 0 .. max_reward is a custom */
    double correct_at; /**< an example is right if and only if its reward is at least this */
    bool graded; /**< rewards between wrong and right tell better answers from worse ones */
    /** Adds to an example, once, what templates and answer need besides its own fields (a
     * shuffled order, lettered options); NULL for nothing. */
    cop_status (*prepare)(json_t *example, cop_error *err);
    /** The reference answer of an example, borrowed; COP_ERR_FORMAT names the missing field. */
    cop_status (*answer)(const json_t *example, const json_t **answer, cop_error *err);
    /** Scores response [length] against a reference answer. A response can never fail; a
     *  malformed answer can. NULL where the task needs `scorer`. */
    cop_status (*score)(const char *response, size_t length, const json_t *answer,
                        cop_score *score, cop_error *err);
    const cop_scorer_ops *scorer; /**< for tasks that are not functions, else NULL */
    /** What a beginning [length] of a response, whole characters of UTF-8, settles: `score`
     * gives the same for it and for every text that begins with it. NULL: there is no such
     * rule. */
    cop_decided (*decided)(const char *beginning, size_t length, const json_t *answer);
} cop_task;

/** The task of that name; COP_ERR_CONFIG with the known names otherwise. */
cop_status cop_task_find(const char *name, const cop_task **task, cop_error *err);

/** Task `index`, NULL past the last. */
const cop_task *cop_task_at(size_t index);

/** Loads a task's data set: the examples with their fields renamed by `fields` (may be NULL),
 * prepared, and each with an answer that the task understands. Of `options` (may be NULL) what
 * is kept counts; `edit` is the task's. */
cop_status cop_task_load(const cop_task *task, const char *path, const cop_fields *fields,
                         const cop_dataset_options *options, cop_dataset **dataset,
                         cop_error *err);

/** Looks at every example of a data set in the same way and keeps none: *keys [*count], equal
 * for examples whose prompts (`user`, NULL: the task's template) differ in white space only.
 * Free with cop_memory_free(). */
cop_status cop_task_scan(const cop_task *task, const char *path, const cop_fields *fields,
                         const char *user, uint64_t **keys, size_t *count, cop_error *err);

/** Appends a template with {field} replaced by the example's field, or {a.b} by field b of the
 * object a: strings as they are, numbers in their shortest form, lists as "[1, 2, 3]", objects
 * as "{"a": 0.1}"; "{{" and "}}" give braces. An unknown field is COP_ERR_CONFIG and named with
 * those that there are; a string with a zero character is COP_ERR_FORMAT. */
cop_status cop_task_render(const char *template_text, const json_t *example, cop_text *text,
                           cop_error *err);

#endif
