/* Groups of responses that a child process scores: what tasks exec and mbpp have in common. */
#ifndef COP_TASK_CHILD_GROUP_H
#define COP_TASK_CHILD_GROUP_H

#include "coppice/child/child.h"
#include "coppice/task/scorer.h"

/* How a task asks and reads. `context` is the caller's. */
typedef struct cop_child_rules {
    /* The request for a response (ownership passes); NULL where the score is known without the
     * child. `score` is {0} and may be begun. */
    cop_status (*ask)(void *context, const cop_response *response, json_t **request,
                      cop_score *score, cop_error *err);
    /* Ends a score by the child's answer, which has passed cop_child_options.check. */
    cop_status (*read)(void *context, const json_t *answer, cop_score *score, cop_error *err);
} cop_child_rules;

/* cop_scorer_ops.submit and .collect by these rules. */
cop_status cop_child_group_submit(cop_child *child, const cop_child_rules *rules, void *context,
                                  const cop_response *responses, size_t count, void **group,
                                  cop_error *err);

/* What collecting waits with: cop_scorer_collect()'s last arguments. */
typedef struct cop_child_wait {
    bool (*cancelled)(void *);
    void *context;
} cop_child_wait;
cop_status cop_child_group_collect(cop_child *child, void *group, cop_score *scores,
                                   cop_child_wait wait, cop_error *err);

#endif
