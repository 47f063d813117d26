/* What the tasks share: fields of examples, reference answers. */
#include "task/tasks.h"

#include "coppice/base/memory.h"

#include <string.h>

cop_status cop_task_find_field(const json_t *example, const char *name, const json_t **value,
                               cop_error *err)
{
    *value = json_object_get(example, name);
    COP_CHECK(*value != NULL, err, COP_ERR_FORMAT,
              "the example has no field \"%s\"; if the data calls it otherwise, say so with "
              "task.fields: {%s: ...}, of eval and compare with --field %s=... (which guards "
              "have not: their data must have the field)",
              name, name, name);
    return COP_OK;
}

cop_status cop_task_find_answer(const json_t *example, const json_t **answer, cop_error *err)
{
    return cop_task_find_field(example, "answer", answer, err);
}

cop_status cop_task_set_field(json_t *example, const char *name, json_t *value, cop_error *err)
{
    COP_CHECK(json_object_set_new(example, name, value) == 0, err, COP_ERR_MEMORY,
              "no memory for field \"%s\"", name);
    return COP_OK;
}

cop_status cop_task_append_answer(cop_text *text, const json_t *answer, cop_error *err)
{
    if (json_is_number(answer)) return cop_task_append_number(text, answer, err);
    COP_CHECK(json_is_string(answer), err, COP_ERR_FORMAT,
              "field \"answer\" must be a string or a number");
    return cop_text_append(text, json_string_value(answer), json_string_length(answer), err);
}

cop_status cop_task_set_extracted(cop_slice answer, cop_score *score, cop_error *err)
{
    if (answer.length == 0) return COP_OK;
    score->extracted = cop_memory_copy_string(answer.data, answer.length, err);
    return score->extracted != NULL ? COP_OK : COP_ERR_MEMORY;
}
