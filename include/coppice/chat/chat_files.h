/** \file chat_files.h
 * What a model directory says about its prompts.
 */
#ifndef COPPICE_CHAT_CHAT_FILES_H
#define COPPICE_CHAT_CHAT_FILES_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <jansson.h>

/** The template of a model, and what it may name. */
typedef struct cop_chat_files {
    cop_text template;  /**< length 0: there is none */
    const char *source; /**< the file that it is from */
    json_t *tokens;     /**< bos_token, eos_token and the like by name, owned */
} cop_chat_files;

/** Reads chat_template.jinja, else the chat_template of tokenizer_config.json (of several the
 * one called "default"), else that of chat_template.json; and the special tokens that
 * tokenizer_config.json and, where that lists no added tokens, special_tokens_map.json name. */
cop_status cop_chat_files_read(const char *model_dir, cop_chat_files *files, cop_error *err);

/** Frees what was read. */
void cop_chat_files_free(cop_chat_files *files);

#endif
