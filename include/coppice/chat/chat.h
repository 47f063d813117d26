/** \file chat.h
 * Chat prompts: messages to the text that the model was trained on, by the model's own template
 * or by the rules of a family of templates.
 */
#ifndef COPPICE_CHAT_CHAT_H
#define COPPICE_CHAT_CHAT_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "coppice/tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Families of chat templates whose rules are known, for models without a template. */
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
    COP_CHAT_GEMMA,      /**< <start_of_turn>user\n...<end_of_turn>\n (Gemma 2 and 3) */
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

/** Appends the prompt of messages [count] by the rules of a family, ended so that the
 *  assistant's answer follows. A role that is unknown, or out of the order that the family asks
 *  for, is COP_ERR_FORMAT. On failure *prompt is as it was. */
cop_status cop_chat_render_family(cop_chat_family family, const cop_chat_message *messages,
                                  size_t count, cop_text *prompt, cop_error *err);

/** The date that templates get which ask for today's, unless another is named. */
#define COP_CHAT_DEFAULT_DATE "2024-07-26"

/** COP_ERR_CONFIG unless `date` is a day, YYYY-MM-DD. */
cop_status cop_chat_check_date(const char *date, cop_error *err);

/** How prompts are made. Strings are needed while the object is made only. */
typedef struct cop_chat_options {
    const char *model_dir;
    const char *family; /**< its name; NULL or "auto": the model's own template */
    const char *date;   /**< YYYY-MM-DD; NULL: COP_CHAT_DEFAULT_DATE */
} cop_chat_options;

/** Makes prompts of conversations. It does not change: threads may share it. */
typedef struct cop_chat cop_chat;

/** Takes the family's rules, or the template that the model directory has: chat_template.jinja,
 *  or the chat_template of tokenizer_config.json or chat_template.json. It is run as
 *  transformers runs it: the same variables (messages, add_generation_prompt, bos_token and the
 *  other special tokens; tools and documents are none), the same rules of white space. A
 *  directory without a template makes plain prompts. What a template is written in that is not
 *  known is COP_ERR_UNSUPPORTED by name and line, here or where it is reached. */
cop_status cop_chat_create(const cop_chat_options *options, cop_chat **chat, cop_error *err);

/** Frees *chat and sets it to NULL; NULL is allowed. */
void cop_chat_destroy(cop_chat **chat);

/** What to say where cop_chat_lacks_template(). */
#define COP_CHAT_LACKING                                                                       \
    "no chat template: the texts of messages are put one after the other, as with \"plain\"; " \
    "task.chat, or --chat, names a family's rules, or says plain"

/** True if a template was looked for and the directory has none. */
bool cop_chat_lacks_template(const cop_chat *chat);

/** True if contents are put one after the other and nothing is added: encode such prompts with
 *  what the tokenizer's post-processor adds, and all others without, for they have it. */
bool cop_chat_is_plain(const cop_chat *chat);

/** True if the template may ask for today's date. */
bool cop_chat_asks_date(const cop_chat *chat);

/** Appends the prompt of messages [count], ended so that the assistant's answer follows. A
 *  conversation that the template refuses is COP_ERR_FORMAT. Special tokens in contents are
 *  not guarded: they are encoded as such, as transformers does. On failure *prompt is as it
 *  was. */
cop_status cop_chat_render(const cop_chat *chat, const cop_chat_message *messages, size_t count,
                           cop_text *prompt, cop_error *err);

/** The special token by which an answer ends in a conversation: *id, -1 if there is none; its
 *  content is appended. */
cop_status cop_chat_find_end(const cop_chat *chat, const cop_tokenizer *tokenizer, int32_t *id,
                             cop_text *content, cop_error *err);

#endif
