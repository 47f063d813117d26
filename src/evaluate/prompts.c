#include "evaluate/prompts.h"

#include "coppice/base/memory.h"
#include "coppice/data/passages.h"
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
    prompts->lacking = cop_chat_lacks_template(p->chat);
    return COP_OK;
}

/* The prompts of a data set, behind those of others. */
static cop_status encode_all(const prompter *p, const cop_tokenizer *tokenizer, size_t first,
                             prompt_set *prompts, cop_text *text, cop_error *err)
{
    const cop_dataset *const dataset = p->options->dataset;
    for (size_t n = 0; n < cop_dataset_count(dataset); n++) {
        const json_t *const example = cop_dataset_at(dataset, n);
        const size_t i = first + n;
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
        if (status != COP_OK) return cop_error_prefix(err, "example %zu", n + 1);
        prompts->start[i + 1] = prompts->ids.count;
        const size_t length = prompts->start[i + 1] - prompts->start[i];
        if (length > prompts->longest) prompts->longest = length;
    }
    return COP_OK;
}

/* The same of texts. */
static cop_status encode_texts(const cop_dataset *dataset, const cop_tokenizer *tokenizer,
                               size_t first, prompt_set *prompts, cop_error *err)
{
    for (size_t n = 0; n < cop_dataset_count(dataset); n++) {
        const json_t *const example = cop_dataset_at(dataset, n);
        const size_t start = prompts->start[first + n];
        const char *text = NULL;
        size_t length = 0;
        prompts->start[first + n + 1] = start;
        if (example == NULL) continue; /* not wanted */
        cop_status status = cop_passage_of(example, &text, &length, err);
        if (status == COP_OK)
            status = cop_tokenizer_encode(tokenizer, text, length, true, &prompts->ids, err);
        if (status == COP_OK && prompts->ids.count < start + 2)
            status = cop_error_set(
                err, COP_ERR_FORMAT,
                "the text has no second token, and the first does not count; leave "
                "it out of the file");
        if (status != COP_OK) return cop_error_prefix(err, "example %zu", n + 1);
        prompts->start[first + n + 1] = prompts->ids.count;
        if (prompts->ids.count - start > prompts->longest_text)
            prompts->longest_text = prompts->ids.count - start;
    }
    return COP_OK;
}

/* Those of guards, by the templates of their tasks and without few-shot examples. */
static cop_status encode_guards(const prompter *p, const cop_tokenizer *tokenizer,
                                prompt_set *prompts, cop_text *text, cop_error *err)
{
    size_t first = cop_dataset_count(p->options->dataset);
    for (size_t g = 0; g < p->options->guard_count; g++) {
        const cop_evaluator_guard *const guard = &p->options->guards[g];
        cop_evaluator_options own = *p->options;
        prompter alone = *p;
        own.task = guard->task;
        own.dataset = guard->dataset;
        own.system = own.user = own.assistant = NULL;
        own.shots = 0;
        alone.options = &own;
        alone.shots = NULL;
        const cop_status status =
            guard->task == NULL ? encode_texts(guard->dataset, tokenizer, first, prompts, err)
                                : encode_all(&alone, tokenizer, first, prompts, text, err);
        if (status != COP_OK) return cop_error_prefix(err, "guard %zu", g + 1);
        first += cop_dataset_count(guard->dataset);
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
    for (size_t g = 0; g < options->guard_count; g++)
        prompts->count += cop_dataset_count(options->guards[g].dataset);
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
    COP_TRY_OUT(encode_all(&p, tokenizer, 0, prompts, &text, err));
    COP_TRY_OUT(encode_guards(&p, tokenizer, prompts, &text, err));
out:
    cop_text_free(&text);
    cop_shots_destroy(&p.shots);
    cop_memory_free(p.messages);
    cop_chat_destroy(&p.chat);
    if (status != COP_OK) cop_prompts_free(prompts);
    return status;
}

cop_prompt cop_prompts_at(const prompt_set *prompts, size_t example)
{
    const size_t start = prompts->start[example];
    return (cop_prompt){.ids = prompts->ids.data + start,
                        .count = prompts->start[example + 1] - start};
}

void cop_prompts_free(prompt_set *prompts)
{
    cop_ids_free(&prompts->ids);
    cop_text_free(&prompts->unstopped);
    cop_memory_free(prompts->start);
    *prompts = (prompt_set){0};
}
