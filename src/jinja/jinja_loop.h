/* A loop that runs. Its "if" is asked when an item's turn comes, as jinja2 does. */
#ifndef COP_JINJA_JINJA_LOOP_H
#define COP_JINJA_JINJA_LOOP_H

#include "jinja/jinja_eval.h"

typedef struct jinja_loop {
    const jinja_node *node;
    jinja_scope *outside;
    jinja_list source; /* items, from place `at` still to be asked about */
    size_t at;
    int64_t index; /* of the current item, from 0; -1 before the first */
    jinja_value before, current, after;
    jinja_value changed; /* the last arguments of loop.changed() */
    bool peeked, has_after;
    bool completed; /* a turn went through to its end */
    bool measured;  /* the source is what the "if" let pass of the items to come */
    int64_t length; /* where measured */
} jinja_loop;

/* Goes on to the next item, loop->current; *found false at the end. */
cop_status cop_jinja_loop_next(jinja_run *run, jinja_loop *loop, bool *found);

#endif
