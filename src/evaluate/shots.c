#include "evaluate/shots.h"

#include "coppice/base/memory.h"

#include <string.h>

/* An example as two turns. */
typedef struct turns {
    cop_text user, assistant;
} turns;

struct cop_shots {
    const cop_evaluator_options *options;
    cop_splits order; /* all examples, in the first split */
    turns *turns;     /* [rendered] of the examples in that order; room for all */
    size_t rendered;
};

static const char *assistant_template(const cop_evaluator_options *options)
{
    return options->assistant != NULL ? options->assistant : options->task->default_assistant;
}

cop_status cop_shots_create(const cop_evaluator_options *options, cop_shots **shots,
                            cop_error *err)
{
    *shots = NULL;
    if (options->shots == 0) return COP_OK;
    COP_CHECK(options->examples != NULL, err, COP_ERR_CONFIG,
              "task.shots is %zu, but task.examples names no file to take them from",
              options->shots);
    COP_CHECK(assistant_template(options) != NULL, err, COP_ERR_CONFIG,
              "task.prompt.assistant: the task %s has no default for the answer of a few-shot "
              "example; give a template over its fields",
              options->task->name);
    cop_shots *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    const size_t total = cop_dataset_count(options->examples);
    const size_t counts[COP_SPLIT_COUNT] = {total};
    made->options = options;
    cop_status status =
        cop_splits_create(total, counts, 0, options->shot_seed, NULL, &made->order, err);
    if (status == COP_OK) {
        made->turns = cop_memory_alloc(total, sizeof *made->turns, err);
        if (made->turns == NULL) status = COP_ERR_MEMORY;
    }
    if (status != COP_OK) {
        cop_shots_destroy(&made);
        return status;
    }
    *shots = made;
    return COP_OK;
}

void cop_shots_destroy(cop_shots **shots)
{
    if (*shots == NULL) return;
    for (size_t i = 0; i < (*shots)->rendered; i++) {
        cop_text_free(&(*shots)->turns[i].user);
        cop_text_free(&(*shots)->turns[i].assistant);
    }
    cop_memory_free((*shots)->turns);
    cop_splits_free(&(*shots)->order);
    cop_memory_free(*shots);
    *shots = NULL;
}

/* Renders the next example of the order. */
static cop_status render_next(cop_shots *shots, cop_error *err)
{
    const cop_evaluator_options *const options = shots->options;
    const size_t index = shots->order.examples[0][shots->rendered];
    const json_t *const example = cop_dataset_at(options->examples, index);
    turns *const next = &shots->turns[shots->rendered];
    shots->rendered++;
    cop_status status =
        cop_task_render(options->user != NULL ? options->user : options->task->default_user,
                        example, &next->user, err);
    if (status == COP_OK) {
        status = cop_task_render(assistant_template(options), example, &next->assistant, err);
    }
    if (status == COP_OK) status = cop_text_append(&next->user, "", 0, err);
    if (status == COP_OK) status = cop_text_append(&next->assistant, "", 0, err);
    if (status != COP_OK) (void)cop_error_prefix(err, "few-shot example %zu", index + 1);
    return status;
}

cop_status cop_shots_choose(cop_shots *shots, const char *user, cop_chat_message *messages,
                            cop_error *err)
{
    const size_t total = shots->order.counts[0];
    const size_t wanted = shots->options->shots;
    size_t chosen = 0;
    for (size_t i = 0; i < total && chosen < wanted; i++) {
        if (i == shots->rendered) COP_TRY(render_next(shots, err));
        const turns *const one = &shots->turns[i];
        if (strcmp(one->user.data, user) == 0) continue;
        messages[2 * chosen] = (cop_chat_message){.role = "user", .content = one->user.data};
        messages[2 * chosen + 1] =
            (cop_chat_message){.role = "assistant", .content = one->assistant.data};
        chosen++;
    }
    COP_CHECK(chosen == wanted, err, COP_ERR_CONFIG,
              "task.shots asks for %zu examples, but task.examples has only %zu besides the "
              "question itself",
              wanted, chosen);
    return COP_OK;
}
