#include "evaluate/prompts.h"

#include "coppice/base/memory.h"
#include "evaluate/shots.h"

#include <string.h>

/* What prompts are made with. */
typedef struct prompter {
    const cop_evaluator_options *options;
    cop_chat *chat;
    cop_shots *shots;           /* NULL: none */
    cop_chat_message *messages; /* [2 + 2 * shots] */
} prompter;

/* Appends the text of one prompt: system message, few-shot examples, user message. */
static cop_status render(const prompter *p, const json_t *example, cop_text *prompt,
                         cop_error *err)
{
    const cop_evaluator_options *const options = p->options;
    const char *const system =
        options->system != NULL ? options->system : options->task->default_system;
    const char *const user =
        options->user != NULL ? options->user : options->task->default_user;
    cop_text parts[2] = {{0}, {0}};
    size_t count = 0;
    cop_status status = COP_OK;
    if (system != NULL && system[0] != '\0') {
        COP_TRY_OUT(cop_task_render(system, example, &parts[0], err));
        p->messages[count++] = (cop_chat_message){.role = "system", .content = parts[0].data};
    }
    COP_TRY_OUT(cop_task_render(user, example, &parts[1], err));
    COP_TRY_OUT(cop_text_append(&parts[1], "", 0, err));
    if (p->shots != NULL) {
        COP_TRY_OUT(cop_shots_choose(p->shots, parts[1].data, p->messages + count, err));
        count += 2 * options->shots;
    }
    p->messages[count++] = (cop_chat_message){.role = "user", .content = parts[1].data};
    status = cop_chat_render(p->chat, p->messages, count, prompt, err);
out:
    cop_text_free(&parts[0]);
    cop_text_free(&parts[1]);
    return status;
}

/* A token that ends answers in the template but stops none is said: they would go on to the
 * limit. */
static cop_status check_end(const prompter *p, const cop_tokenizer *tokenizer,
                            const cop_model_config *config, prompt_set *prompts, cop_error *err)
{
    int32_t id = -1;
    COP_TRY(cop_chat_find_end(p->chat, tokenizer, &id, &prompts->unstopped, err));
    bool stops = id < 0;
    for (int32_t i = 0; i < config->stop_count; i++)
        stops = stops || config->stops[i] == id;
    if (stops) cop_text_clear(&prompts->unstopped);
    prompts->asks_date = cop_chat_asks_date(p->chat);
    return COP_OK;
}

static cop_status encode_all(const prompter *p, const cop_tokenizer *tokenizer,
                             prompt_set *prompts, cop_text *text, cop_error *err)
{
    for (size_t i = 0; i < prompts->count; i++) {
        const json_t *const example = cop_dataset_at(p->options->dataset, i);
        prompts->start[i + 1] = prompts->start[i];
        if (example == NULL) continue; /* not wanted */
        cop_text_clear(text);
        cop_status status = render(p, example, text, err);
        /* The chat text already holds what the post-processor would add. */
        if (status == COP_OK) {
            status = cop_tokenizer_encode(tokenizer, text->data, text->length,
                                          cop_chat_is_plain(p->chat), &prompts->ids, err);
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
                              const cop_tokenizer *tokenizer, const cop_model_config *config,
                              prompt_set *prompts, cop_error *err)
{
    prompter p = {.options = options};
    cop_text text = {0};
    cop_status status = COP_OK;
    *prompts = (prompt_set){.count = cop_dataset_count(options->dataset)};
    prompts->start = cop_memory_alloc(prompts->count + 1, sizeof *prompts->start, err);
    p.messages = cop_memory_alloc(2 + 2 * options->shots, sizeof *p.messages, err);
    if (prompts->start == NULL || p.messages == NULL) {
        status = COP_ERR_MEMORY;
        goto out;
    }
    const cop_chat_options chat = {
        .model_dir = options->model_dir, .family = options->chat, .date = options->date};
    COP_TRY_OUT(cop_chat_create(&chat, &p.chat, err));
    COP_TRY_OUT(check_end(&p, tokenizer, config, prompts, err));
    COP_TRY_OUT(cop_shots_create(options, &p.shots, err));
    COP_TRY_OUT(encode_all(&p, tokenizer, prompts, &text, err));
out:
    cop_text_free(&text);
    cop_shots_destroy(&p.shots);
    cop_memory_free(p.messages);
    cop_chat_destroy(&p.chat);
    if (status != COP_OK) cop_prompts_free(prompts);
    return status;
}

void cop_prompts_free(prompt_set *prompts)
{
    cop_ids_free(&prompts->ids);
    cop_text_free(&prompts->unstopped);
    cop_memory_free(prompts->start);
    *prompts = (prompt_set){0};
}
