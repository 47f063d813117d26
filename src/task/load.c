/* A data set as a task sees it. */
#include "task/tasks.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <ctype.h>

typedef struct loader {
    const cop_task *task;
    const cop_fields *fields;
    /* of a scan: */
    const char *user; /* template of the prompt */
    uint64_t *keys;   /* [index] */
    size_t capacity;
    cop_text prompt;
} loader;

static cop_status fit_example(void *context, size_t index, json_t *example, cop_error *err)
{
    (void)index;
    const loader *const self = context;
    const json_t *answer = NULL;
    if (self->fields != NULL) COP_TRY(cop_fields_apply(self->fields, example, err));
    if (self->task->prepare != NULL) COP_TRY(self->task->prepare(example, err));
    return self->task->answer(example, &answer, err);
}

cop_status cop_task_load(const cop_task *task, const char *path, const cop_fields *fields,
                         const cop_dataset_options *options, cop_dataset **dataset,
                         cop_error *err)
{
    loader self = {.task = task, .fields = fields};
    cop_dataset_options fitting = {0};
    if (options != NULL) fitting = *options;
    fitting.edit = fit_example;
    fitting.context = &self;
    return cop_dataset_load(path, &fitting, dataset, err);
}

/* FNV-1a of a text, runs of white space counting as one and those at its ends not at all. */
static uint64_t key_of(const char *text, size_t length)
{
    uint64_t key = 14695981039346656037U;
    bool gap = false;
    bool begun = false;
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (isspace(c)) {
            gap = begun;
            continue;
        }
        if (gap) key = (key ^ ' ') * 1099511628211U;
        key = (key ^ c) * 1099511628211U;
        gap = false;
        begun = true;
    }
    return key;
}

static cop_status key_example(void *context, size_t index, json_t *example, cop_error *err)
{
    loader *const self = context;
    COP_TRY(fit_example(context, index, example, err));
    COP_GROW(self->keys, self->capacity, index + 1, err);
    cop_text_clear(&self->prompt);
    COP_TRY(cop_task_render(self->user, example, &self->prompt, err));
    self->keys[index] = key_of(self->prompt.data, self->prompt.length);
    return COP_OK;
}

cop_status cop_task_scan(const cop_task *task, const char *path, const cop_fields *fields,
                         const char *user, uint64_t **keys, size_t *count, cop_error *err)
{
    loader self = {
        .task = task, .fields = fields, .user = user != NULL ? user : task->default_user};
    const cop_status status = cop_dataset_scan(path, key_example, &self, count, err);
    cop_text_free(&self.prompt);
    if (status != COP_OK) cop_memory_free(self.keys);
    *keys = status == COP_OK ? self.keys : NULL;
    return status;
}
