/** \file chat.h
 * Chat prompts: messages to the text that the model was trained on, by family of template.
 */
#ifndef COPPICE_CHAT_H
#define COPPICE_CHAT_H

#include "coppice/status.h"
#include "coppice/text.h"

#include <stdbool.h>
#include <stddef.h>

/** Families of chat templates. */
typedef enum cop_chat_family {
    COP_CHAT_PLAIN,   /**< contents one after the other, nothing added */
    COP_CHAT_CHATML,  /**< <|im_start|>role\n...<|im_end|>\n */
    COP_CHAT_QWEN2,   /**< ChatML with Qwen2.5's default system message */
    COP_CHAT_QWEN3,   /**< ChatML as Qwen3 renders it: without earlier answers' thoughts */
    COP_CHAT_LLAMA3,  /**< headers and <|eot_id|>, contents trimmed (3.0 and the first 3.1) */
    COP_CHAT_OLMO,    /**< <|user|>\n... and <|assistant|>\n (OLMo 2) */
    COP_CHAT_MISTRAL, /**< [INST] ...[/INST], as of 7B v0.3 */
    COP_CHAT_LLAMA31, /**< as COP_CHAT_LLAMA3, with the date lines of 3.1; always 26 Jul 2024 */
    COP_CHAT_OLMO3,   /**< ChatML with OLMo 3 Instruct's default system message */
    COP_CHAT_SMOLLM2, /**< ChatML with SmolLM2's default system message */
    COP_CHAT_ASSISTANT,  /**< ChatML with "You are a helpful assistant." by default (Qwen2) */
    COP_CHAT_QWEN2_MATH, /**< ChatML with Qwen2.5-Math's default system message */
    COP_CHAT_ZEPHYR,     /**< <|user|>\n...</s>\n (TinyLlama) */
    COP_CHAT_FAMILY_COUNT
} cop_chat_family;

/** One message of a conversation; strings not owned. */
typedef struct cop_chat_message {
    const char *role; /**< "system", "user" or "assistant" */
    const char *content;
} cop_chat_message;

/** "plain", "chatml", ... */
const char *cop_chat_family_name(cop_chat_family family);

/** The family of that name. \return COP_ERR_CONFIG with the known names otherwise. */
cop_status cop_chat_family_find(const char *name, cop_chat_family *family, cop_error *err);

/** Recognises the family of a model directory from chat_template.jinja or the chat_template of
 *  tokenizer_config.json. No template at all gives COP_CHAT_PLAIN; one that is not recognised
 *  is COP_ERR_UNSUPPORTED with a message that says how to choose a family or give ready-made
 *  prompts. */
cop_status cop_chat_family_detect(const char *model_dir, cop_chat_family *family,
                                  cop_error *err);

/** Appends the prompt of messages [count], ended so that the assistant's answer follows. A
 *  role that is unknown, or out of the order that the family asks for, is COP_ERR_FORMAT. The
 *  prompt has the begin-of-text token where the template writes one: encode it without the
 *  post-processor's. On failure *prompt is as it was. */
cop_status cop_chat_render(cop_chat_family family, const cop_chat_message *messages,
                           size_t count, cop_text *prompt, cop_error *err);

#endif
