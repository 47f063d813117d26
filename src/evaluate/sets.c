/* The sets of examples that an evaluator knows: the task's, and those of guards. */
#include "evaluate/evaluator.h"

#include "coppice/base/memory.h"

cop_status cop_evaluator_make_sets(cop_evaluator *e, cop_error *err)
{
    const cop_evaluator_options *const o = &e->options;
    size_t first = cop_dataset_count(o->dataset);
    e->sets = cop_memory_alloc(1 + o->guard_count, sizeof *e->sets, err);
    if (e->sets == NULL) return COP_ERR_MEMORY;
    e->sets[0] = (evaluator_set){.task = o->task, .dataset = o->dataset};
    COP_TRY(cop_scorer_create(o->task, o->setup, &e->sets[0].scorer, err));
    for (size_t g = 0; g < o->guard_count; g++) {
        evaluator_set *const set = &e->sets[1 + g];
        *set = (evaluator_set){
            .task = o->guards[g].task, .dataset = o->guards[g].dataset, .first = first};
        first += cop_dataset_count(set->dataset);
        if (set->task != NULL) COP_TRY(cop_scorer_create(set->task, NULL, &set->scorer, err));
    }
    return COP_OK;
}

const evaluator_set *cop_evaluator_set_of(const cop_evaluator *evaluator, size_t example)
{
    size_t s = evaluator->options.guard_count;
    while (s > 0 && example < evaluator->sets[s].first)
        s--;
    return &evaluator->sets[s];
}

const json_t *cop_evaluator_example(const cop_evaluator *evaluator, size_t example)
{
    const evaluator_set *const set = cop_evaluator_set_of(evaluator, example);
    return cop_dataset_at(set->dataset, example - set->first);
}

size_t cop_evaluator_window(const cop_evaluator *evaluator)
{
    const size_t context = (size_t)evaluator->config.max_positions;
    return context < COP_TEXT_WINDOW ? context : COP_TEXT_WINDOW;
}

void cop_evaluator_free_sets(cop_evaluator *e)
{
    for (size_t s = 0; e->sets != NULL && s <= e->options.guard_count; s++)
        cop_scorer_destroy(&e->sets[s].scorer);
    cop_memory_free(e->sets);
    e->sets = NULL;
}
