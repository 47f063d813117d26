/* Scorers: tasks that are functions are scored when their responses are handed over. */
#include "coppice/task/scorer.h"

#include "coppice/base/memory.h"

#include <assert.h>

struct cop_scorer {
    const cop_task *task;
    void *state; /* of task->scorer */
};

struct cop_scoring {
    size_t count;
    void *group;       /* of task->scorer, NULL for functions */
    cop_score *scores; /* [count] for functions */
};

cop_status cop_scorer_create(const cop_task *task, const cop_task_setup *setup,
                             cop_scorer **scorer, cop_error *err)
{
    static const cop_task_setup nothing = {0};
    *scorer = NULL;
    cop_scorer *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    created->task = task;
    if (task->scorer != NULL) {
        const cop_status status =
            task->scorer->open(setup != NULL ? setup : &nothing, &created->state, err);
        if (status != COP_OK) {
            cop_memory_free(created);
            return cop_error_prefix(err, "task %s", task->name);
        }
    }
    *scorer = created;
    return COP_OK;
}

static void free_scoring(cop_scoring *scoring)
{
    for (size_t i = 0; scoring->scores != NULL && i < scoring->count; i++)
        cop_score_free(&scoring->scores[i]);
    cop_memory_free(scoring->scores);
    cop_memory_free(scoring);
}

static cop_status score_now(const cop_task *task, const cop_response *responses,
                            cop_scoring *scoring, cop_error *err)
{
    scoring->scores = cop_memory_alloc(scoring->count, sizeof *scoring->scores, err);
    if (scoring->scores == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < scoring->count; i++) {
        const cop_response *const r = &responses[i];
        if (task->score(r->text, r->length, r->answer, &scoring->scores[i], err) != COP_OK)
            return cop_error_prefix(err, "example %llu", (unsigned long long)r->id + 1);
    }
    return COP_OK;
}

cop_status cop_scorer_submit(cop_scorer *scorer, const cop_response *responses, size_t count,
                             cop_scoring **scoring, cop_error *err)
{
    *scoring = NULL;
    cop_scoring *created = cop_memory_alloc(1, sizeof *created, err);
    if (created == NULL) return COP_ERR_MEMORY;
    created->count = count;
    const cop_task *const task = scorer->task;
    const cop_status status =
        task->scorer == NULL
            ? score_now(task, responses, created, err)
            : task->scorer->submit(scorer->state, responses, count, &created->group, err);
    if (status != COP_OK) {
        free_scoring(created);
        return status;
    }
    *scoring = created;
    return COP_OK;
}

cop_status cop_scorer_collect(cop_scorer *scorer, cop_scoring **scoring, cop_score *scores,
                              bool (*cancelled)(void *), void *context, cop_error *err)
{
    assert(*scoring != NULL);
    cop_scoring *const taken = *scoring;
    *scoring = NULL;
    cop_status status = COP_OK;
    if (scorer->task->scorer != NULL) {
        status = scorer->task->scorer->collect(scorer->state, taken->group, scores, cancelled,
                                               context, err);
    } else {
        for (size_t i = 0; scores != NULL && i < taken->count; i++) {
            scores[i] = taken->scores[i]; /* moved */
            taken->scores[i] = (cop_score){0};
        }
    }
    free_scoring(taken);
    return status;
}

void cop_scorer_destroy(cop_scorer **scorer)
{
    if (scorer == NULL || *scorer == NULL) return;
    if ((*scorer)->task->scorer != NULL) (*scorer)->task->scorer->close((*scorer)->state);
    cop_memory_free(*scorer);
    *scorer = NULL;
}
