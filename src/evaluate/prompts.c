#include "evaluate/prompts.h"

#include "coppice/memory.h"

#include <string.h>

/* Appends the text of one prompt: the system and user messages of the templates. */
static cop_status render(const cop_evaluator_options *options, cop_chat_family family,
                         const json_t *example, cop_text *prompt, cop_error *err)
{
    const char *const system =
        options->system != NULL ? options->system : options->task->default_system;
    const char *const user =
        options->user != NULL ? options->user : options->task->default_user;
    cop_text parts[2] = {{0}, {0}};
    cop_chat_message messages[2];
    size_t count = 0;
    cop_status status = COP_OK;
    if (system != NULL && system[0] != '\0') {
        COP_TRY_OUT(cop_task_render(system, example, &parts[0], err));
        messages[count++] = (cop_chat_message){.role = "system", .content = parts[0].data};
    }
    COP_TRY_OUT(cop_task_render(user, example, &parts[1], err));
    COP_TRY_OUT(cop_text_append(&parts[1], "", 0, err));
    messages[count++] = (cop_chat_message){.role = "user", .content = parts[1].data};
    status = cop_chat_render(family, messages, count, prompt, err);
out:
    cop_text_free(&parts[0]);
    cop_text_free(&parts[1]);
    return status;
}

static cop_status find_family(const cop_evaluator_options *options, cop_chat_family *family,
                              cop_error *err)
{
    if (options->chat == NULL || strcmp(options->chat, "auto") == 0) {
        return cop_chat_family_detect(options->model_dir, family, err);
    }
    return cop_chat_family_find(options->chat, family, err);
}

static cop_status encode_all(const cop_evaluator_options *options,
                             const cop_tokenizer *tokenizer, prompt_set *prompts,
                             cop_text *text, cop_error *err)
{
    cop_chat_family family = COP_CHAT_PLAIN;
    COP_TRY(find_family(options, &family, err));
    for (size_t i = 0; i < prompts->count; i++) {
        const json_t *const example = cop_dataset_at(options->dataset, i);
        cop_text_clear(text);
        cop_status status = render(options, family, example, text, err);
        /* The chat text already holds what the post-processor would add. */
        if (status == COP_OK) {
            status = cop_tokenizer_encode(tokenizer, text->data, text->length,
                                          family == COP_CHAT_PLAIN, &prompts->ids, err);
        }
        if (status == COP_OK && prompts->ids.count == prompts->start[i]) {
            status = cop_error_set(err, COP_ERR_CONFIG, "the prompt is empty");
        }
        if (status != COP_OK) return cop_error_prefix(err, "example %zu", i + 1);
        prompts->start[i + 1] = prompts->ids.count;
        const size_t length = prompts->start[i + 1] - prompts->start[i];
        if (length > prompts->longest) prompts->longest = length;
    }
    return COP_OK;
}

cop_status cop_prompts_create(const cop_evaluator_options *options,
                              const cop_tokenizer *tokenizer, prompt_set *prompts,
                              cop_error *err)
{
    *prompts = (prompt_set){.count = cop_dataset_count(options->dataset)};
    prompts->start = cop_memory_alloc(prompts->count + 1, sizeof *prompts->start, err);
    if (prompts->start == NULL) return COP_ERR_MEMORY;
    cop_text text = {0};
    const cop_status status = encode_all(options, tokenizer, prompts, &text, err);
    cop_text_free(&text);
    if (status != COP_OK) cop_prompts_free(prompts);
    return status;
}

void cop_prompts_free(prompt_set *prompts)
{
    cop_ids_free(&prompts->ids);
    cop_memory_free(prompts->start);
    *prompts = (prompt_set){0};
}
