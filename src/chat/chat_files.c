#include "coppice/chat/chat_files.h"

#include "coppice/base/memory.h"
#include "coppice/json/json.h"

#include <jansson.h>
#include <string.h>

enum { MAX_FILE_BYTES = 64 << 20 };

/* The template called "default" where a file has several. */
static const json_t *find_default(const json_t *templates)
{
    if (json_is_object(templates)) return json_object_get(templates, "default");
    for (size_t i = 0; i < json_array_size(templates); i++) {
        const json_t *const item = json_array_get(templates, i);
        const char *const name = json_string_value(json_object_get(item, "name"));
        if (name != NULL && strcmp(name, "default") == 0)
            return json_object_get(item, "template");
    }
    return NULL;
}

/* Takes the template of a configuration, if it has one and none was found before. */
static cop_status take_template(const char *model_dir, const char *name, const json_t *config,
                                cop_chat_files *files, cop_error *err)
{
    const json_t *template = json_object_get(config, "chat_template");
    if (files->source != NULL || template == NULL || json_is_null(template)) return COP_OK;
    if (!json_is_string(template)) template = find_default(template);
    COP_CHECK(json_is_string(template), err, COP_ERR_FORMAT,
              "%s/%s: \"chat_template\" must be a string, or several with one named "
              "\"default\"",
              model_dir, name);
    files->source = name;
    return cop_text_append(&files->template, json_string_value(template),
                           json_string_length(template), err);
}

/* Takes a special token, which is given by its content, or by an object that has it. */
static cop_status take_token(const char *name, json_t *token, cop_chat_files *files,
                             cop_error *err)
{
    json_t *const found = json_is_object(token) ? json_object_get(token, "content") : token;
    if (!json_is_string(found)) return COP_OK;
    COP_CHECK(json_object_set(files->tokens, name, found) == 0, err, COP_ERR_MEMORY,
              "no memory for the special tokens");
    return COP_OK;
}

/* Takes the special tokens: what is called NAME_token, whatever the model's own names are, and
 * those that an object lists under names of its own. */
static cop_status take_tokens(json_t *config, cop_chat_files *files, cop_error *err)
{
    static const char suffix[] = "_token";
    static const char *const lists[] = {"extra_special_tokens",
                                        "model_specific_special_tokens"};
    const size_t length = sizeof suffix - 1;
    const char *name;
    json_t *token;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        json_object_foreach(json_object_get(config, lists[i]), name, token)
        {
            COP_TRY(take_token(name, token, files, err));
        }
    }
    json_object_foreach(config, name, token)
    {
        const size_t all = strlen(name);
        if (all > length && strcmp(name + all - length, suffix) == 0)
            COP_TRY(take_token(name, token, files, err));
    }
    return COP_OK;
}

static cop_status read_configs(const char *model_dir, cop_chat_files *files, cop_error *err)
{
    static const char config_name[] = "tokenizer_config.json";
    static const char map_name[] = "special_tokens_map.json";
    static const char old_name[] = "chat_template.json";
    json_t *config = NULL;
    json_t *map = NULL;
    json_t *old = NULL;
    cop_status status = COP_OK;
    COP_TRY_OUT(cop_json_read_optional(model_dir, config_name, MAX_FILE_BYTES, &config, err));
    COP_TRY_OUT(take_template(model_dir, config_name, config, files, err));
    COP_TRY_OUT(take_tokens(config, files, err));
    if (json_object_get(config, "added_tokens_decoder") == NULL) {
        COP_TRY_OUT(cop_json_read_optional(model_dir, map_name, MAX_FILE_BYTES, &map, err));
        COP_TRY_OUT(take_tokens(map, files, err));
    }
    if (files->source == NULL) {
        COP_TRY_OUT(cop_json_read_optional(model_dir, old_name, MAX_FILE_BYTES, &old, err));
        COP_TRY_OUT(take_template(model_dir, old_name, old, files, err));
    }
out:
    json_decref(config);
    json_decref(map);
    json_decref(old);
    return status;
}

cop_status cop_chat_files_read(const char *model_dir, cop_chat_files *files, cop_error *err)
{
    static const char jinja_name[] = "chat_template.jinja";
    bool found = false;
    *files = (cop_chat_files){.tokens = json_object()};
    COP_CHECK(files->tokens != NULL, err, COP_ERR_MEMORY, "no memory for the special tokens");
    cop_status status = cop_text_read_optional(&files->template, model_dir, jinja_name,
                                               MAX_FILE_BYTES, &found, err);
    if (found) files->source = jinja_name;
    if (status == COP_OK) status = read_configs(model_dir, files, err);
    if (status != COP_OK) cop_chat_files_free(files);
    return status;
}

void cop_chat_files_free(cop_chat_files *files)
{
    cop_text_free(&files->template);
    json_decref(files->tokens);
    *files = (cop_chat_files){0};
}
