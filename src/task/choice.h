/* Labels of multiple choice, and which of them a response settles on. */
#ifndef COP_TASK_CHOICE_H
#define COP_TASK_CHOICE_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "task/tasks.h"

#include <stdbool.h>
#include <stddef.h>

enum { COP_CHOICE_MOST = 26 };

/* The labels of an example's choices: "A", "B", ..., or its own. */
typedef struct cop_choice_labels {
    cop_text texts[COP_CHOICE_MOST]; /* [count] letters and digits, all different, owned */
    size_t count;
    bool own;     /* not letters by default */
    bool assumed; /* how many choices there are is not known */
} cop_choice_labels;

/* What labels are made of. */
typedef enum cop_choice_kind {
    COP_CHOICE_LETTERS,       /* single letters, in capitals */
    COP_CHOICE_SMALL_LETTERS, /* single letters */
    COP_CHOICE_NUMBERS,
    COP_CHOICE_WORDS /* anything else: several letters, letters and numbers */
} cop_choice_kind;

cop_choice_kind cop_choice_find_kind(const cop_choice_labels *labels);

/* *chosen: the label that a response (valid UTF-8) settles on; SIZE_MAX for none, and for one
 * that the example does not have. */
cop_status cop_choice_find(cop_slice response, const cop_choice_labels *labels, size_t *chosen,
                           cop_error *err);

#endif
