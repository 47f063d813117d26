/* Recognising a chat template (chat.h). Templates are programs; only those that are known to
 * render as one of the families are taken, a near miss is not. */
#include "coppice/chat.h"
#include "coppice/json.h"
#include "coppice/memory.h"
#include "formats/chat_templates.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 64 << 20 };

/* What a model directory says about its prompts. */
typedef struct template_files {
    cop_text template; /* empty: there is none */
    char *begin;       /* content of the begin-of-text token, NULL: not given; owned */
    char *end;         /* the same of the end */
} template_files;

/* The tokens that a family's prompts are written with. */
typedef struct family_tokens {
    const char *begin; /* NULL: any */
    const char *end;
} family_tokens;

static const family_tokens tokens_of[COP_CHAT_FAMILY_COUNT] = {
    [COP_CHAT_LLAMA3] = {.begin = "<|begin_of_text|>"},
    [COP_CHAT_LLAMA31] = {.begin = "<|begin_of_text|>"},
    [COP_CHAT_OLMO] = {.begin = "<|endoftext|>", .end = "<|endoftext|>"},
    [COP_CHAT_OLMO3] = {.end = "<|endoftext|>"},
    [COP_CHAT_MISTRAL] = {.begin = "<s>", .end = "</s>"},
    [COP_CHAT_ZEPHYR] = {.end = "</s>"}};

/* --- reading --- */

/* Appends a template with its string literals' escapes undone and one kind of quotes. */
static cop_status append_plain(cop_text *out, const char *text, size_t length, cop_error *err)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        const char next = i + 1 < length ? text[i + 1] : '\0';
        if (c == '\\' && (next == 'n' || next == '\\')) {
            c = next == 'n' ? '\n' : '\\';
            i++;
        }
        if (c == '"') c = '\'';
        COP_TRY(cop_text_append(out, &c, 1, err));
    }
    return COP_OK;
}

/* Reads a file of the model into text; *found false: there is none. */
static cop_status read_file(const char *model_dir, const char *name, cop_text *text,
                            bool *found, cop_error *err)
{
    char *const path = cop_text_join_path(model_dir, name, err);
    if (path == NULL) return COP_ERR_MEMORY;
    *found = access(path, F_OK) == 0;
    const cop_status status =
        *found ? cop_text_read_file(text, path, MAX_FILE_BYTES, err) : COP_OK;
    cop_memory_free(path);
    return status;
}

/* The template called "default" where a file has several. */
static const json_t *find_default(const json_t *templates)
{
    for (size_t i = 0; i < json_array_size(templates); i++) {
        const json_t *const item = json_array_get(templates, i);
        const char *const name = json_string_value(json_object_get(item, "name"));
        if (name != NULL && strcmp(name, "default") == 0)
            return json_object_get(item, "template");
    }
    return NULL;
}

/* A token is given by its content, or by an object that has it. */
static cop_status read_token(const json_t *config, const char *key, char **content,
                             cop_error *err)
{
    const json_t *found = json_object_get(config, key);
    if (json_is_object(found)) found = json_object_get(found, "content");
    if (!json_is_string(found)) return COP_OK;
    *content = cop_memory_copy_string(json_string_value(found), json_string_length(found), err);
    return *content == NULL ? COP_ERR_MEMORY : COP_OK;
}

static cop_status read_config(const json_t *config, template_files *files, cop_error *err)
{
    COP_CHECK(json_is_object(config), err, COP_ERR_FORMAT, "it is not a JSON object");
    COP_TRY(read_token(config, "bos_token", &files->begin, err));
    COP_TRY(read_token(config, "eos_token", &files->end, err));
    const json_t *template = json_object_get(config, "chat_template");
    if (files->template.length > 0 || template == NULL || json_is_null(template)) return COP_OK;
    if (json_is_array(template)) template = find_default(template);
    COP_CHECK(json_is_string(template), err, COP_ERR_FORMAT,
              "\"chat_template\" must be a string, or a list with one named \"default\"");
    return append_plain(&files->template, json_string_value(template),
                        json_string_length(template), err);
}

static cop_status parse_config(const cop_text *text, template_files *files, cop_error *err)
{
    json_t *config = NULL;
    cop_status status = cop_json_read(text->data, text->length, 0, &config, err);
    if (status == COP_OK) status = read_config(config, files, err);
    json_decref(config);
    return status;
}

static cop_status read_files(const char *model_dir, template_files *files, cop_error *err)
{
    static const char config_name[] = "tokenizer_config.json";
    bool found = false;
    cop_text text = {0};
    cop_status status = COP_OK;
    COP_TRY_OUT(read_file(model_dir, "chat_template.jinja", &text, &found, err));
    if (found) COP_TRY_OUT(append_plain(&files->template, text.data, text.length, err));
    cop_text_clear(&text);
    COP_TRY_OUT(read_file(model_dir, config_name, &text, &found, err));
    if (!found) goto out;
    status = parse_config(&text, files, err);
    if (status != COP_OK) (void)cop_error_prefix(err, "%s/%s", model_dir, config_name);
out:
    cop_text_free(&text);
    return status;
}

/* --- recognising --- */

static bool has(const char *template, const char *part)
{
    return strstr(template, part) != NULL;
}

/* The family whose default system message stands written out at `text`. */
static bool find_system(const char *text, cop_chat_family *family)
{
    for (size_t i = 0; i < COP_CHAT_FAMILY_COUNT; i++) {
        const char *const system = cop_chat_default_system((cop_chat_family)i);
        if (system == NULL) continue;
        const size_t length = strlen(system);
        if (strncmp(text, system, length) != 0) continue;
        if (strncmp(text + length, "<|im_end|>", 10) != 0) continue;
        *family = (cop_chat_family)i;
        return true;
    }
    return false;
}

static bool recognise_chatml(const char *template, cop_chat_family *family)
{
    static const char opening[] = "<|im_start|>system\n";
    static const char *const foreign[] = {
        "<|im_sep|>",     "<|im_start|>assistant\n<think>",    "'<think>\n'", "system_message",
        "default_system", "' You do not currently have access"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        if (has(template, foreign[i])) return false;
    }
    if (!has(template, "<|im_end|>") || !has(template, "<|im_start|>assistant\n")) return false;
    if (has(template, "last_query_index")) {
        *family = COP_CHAT_QWEN3;
        return has(template, "enable_thinking is defined and enable_thinking is false") &&
               has(template, "loop.last or (not loop.last and reasoning_content)");
    }
    if (has(template, "</think>") || has(template, "trim") || has(template, "strip(")) {
        return false;
    }
    *family = COP_CHAT_CHATML;
    const char *at = template;
    while ((at = strstr(at, opening)) != NULL) {
        at += sizeof opening - 1;
        if (*at == '\'' || *at == '{') continue; /* the message's own content follows */
        if (!find_system(at, family)) return false;
    }
    return true;
}

static bool recognise_llama3(const char *template, cop_chat_family *family)
{
    *family = COP_CHAT_LLAMA3;
    if (!has(template, "<|eot_id|>") || !has(template, "trim") || has(template, "think")) {
        return false;
    }
    if (!has(template, "bos_token") && !has(template, "<|begin_of_text|>")) return false;
    if (!has(template, "Cutting Knowledge Date")) return true;
    *family = COP_CHAT_LLAMA31;
    return has(template, "Cutting Knowledge Date: December 2023\n") &&
           has(template, "'26 Jul 2024'");
}

static bool recognise_mistral(const char *template, cop_chat_family *family)
{
    *family = COP_CHAT_MISTRAL;
    return has(template, "bos_token") &&
           has(template, "'[INST] ' + message['content'] + '[/INST]'") &&
           has(template,
               "'[INST] ' + system_message + '\n\n' + message['content'] + '[/INST]'") &&
           has(template, "' ' + message['content']|trim + eos_token");
}

static bool recognise_tags(const char *template, cop_chat_family *family)
{
    if (has(template, "think")) return false;
    *family = COP_CHAT_ZEPHYR;
    if (has(template, "'<|user|>\n' + message['content'] + eos_token }}\n")) {
        return has(template, "'<|system|>\n' + message['content'] + eos_token }}\n") &&
               has(template, "'<|assistant|>' }}\n") && !has(template, "bos_token");
    }
    *family = COP_CHAT_OLMO;
    return has(template, "bos_token") &&
           has(template, "'<|user|>\n' + message['content'] + '\n'") &&
           has(template, "'<|system|>\n' + message['content'] + '\n'") &&
           has(template, "message['content'] + eos_token + '\n'");
}

static bool recognise(const template_files *files, cop_chat_family *family)
{
    const char *const template = files->template.data;
    bool known = false;
    if (has(template, "<|im_start|>")) {
        known = recognise_chatml(template, family);
    } else if (has(template, "<|start_header_id|>")) {
        known = recognise_llama3(template, family);
    } else if (has(template, "[INST]")) {
        known = recognise_mistral(template, family);
    } else if (has(template, "<|user|>\n")) {
        known = recognise_tags(template, family);
    }
    if (!known) return false;
    const family_tokens tokens = tokens_of[*family];
    const bool other_begin =
        tokens.begin != NULL && files->begin != NULL && strcmp(tokens.begin, files->begin) != 0;
    const bool other_end =
        tokens.end != NULL && files->end != NULL && strcmp(tokens.end, files->end) != 0;
    return !other_begin && !other_end;
}

cop_status cop_chat_family_detect(const char *model_dir, cop_chat_family *family,
                                  cop_error *err)
{
    *family = COP_CHAT_PLAIN;
    template_files files = {0};
    cop_status status = read_files(model_dir, &files, err);
    if (status == COP_OK && files.template.length > 0 && !recognise(&files, family)) {
        *family = COP_CHAT_PLAIN;
        status = cop_error_set(
            err, COP_ERR_UNSUPPORTED,
            "%s: its chat template is none of those that are known; name a family that renders "
            "alike in task.chat, or write whole prompts and set task.chat to \"plain\"",
            model_dir);
    }
    cop_text_free(&files.template);
    cop_memory_free(files.begin);
    cop_memory_free(files.end);
    return status;
}
