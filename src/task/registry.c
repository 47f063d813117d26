/* The table of tasks. */
#include "task/tasks.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"

static const cop_task *const tasks[] = {
    &cop_task_gsm8k,     &cop_task_arith, &cop_task_math,   &cop_task_math_strict,
    &cop_task_countdown, &cop_task_order, &cop_task_choice, &cop_task_exact,
    &cop_task_contains,  &cop_task_regex, &cop_task_json,   &cop_task_mbpp,
    &cop_task_exec,
};

enum { TASK_COUNT = sizeof tasks / sizeof tasks[0] };

void cop_score_free(cop_score *score)
{
    cop_memory_free(score->extracted);
    *score = (cop_score){0};
}

const cop_task *cop_task_at(size_t index)
{
    return index < TASK_COUNT ? tasks[index] : NULL;
}

cop_status cop_task_find(const char *name, const cop_task **task, cop_error *err)
{
    const char *names[TASK_COUNT];
    for (size_t i = 0; i < TASK_COUNT; i++)
        names[i] = tasks[i]->name;
    *task = cop_task_at(cop_text_find_name(name, names, TASK_COUNT));
    return *task != NULL ? COP_OK
                         : cop_text_refuse_name("task", "tasks", name, names, TASK_COUNT, err);
}
