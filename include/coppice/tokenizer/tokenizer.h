/** \file tokenizer.h
 * Hugging Face tokenizer.json: byte-level BPE (GPT-2, Qwen, Llama 3, OLMo, SmolLM) and
 * SentencePiece-style BPE with byte fallback (Mistral, TinyLlama, Gemma). The splitting pattern
 * is read from the file and run by PCRE2. "truncation" and "padding" are not applied.
 */
#ifndef COPPICE_TOKENIZER_TOKENIZER_H
#define COPPICE_TOKENIZER_TOKENIZER_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A growing list of token ids; start from {0}. */
typedef struct cop_ids {
    int32_t *data; /**< [count], owned */
    size_t count;
    size_t capacity;
} cop_ids;

/** Appends one id. */
cop_status cop_ids_append(cop_ids *ids, int32_t id, cop_error *err);

/** Frees the memory; the list is then {0} again. */
void cop_ids_free(cop_ids *ids);

typedef struct cop_tokenizer cop_tokenizer;

/** Loads a tokenizer.json file alone. Features that are not implemented are refused by name
 *  (COP_ERR_UNSUPPORTED). */
cop_status cop_tokenizer_load(const char *path, cop_tokenizer **tokenizer, cop_error *err);

/** Loads a model directory's tokenizer.json with the tokens and flags that only
 *  tokenizer_config.json, special_tokens_map.json and added_tokens.json beside it have, as
 *  transformers 5 does. */
cop_status cop_tokenizer_load_model(const char *model_dir, cop_tokenizer **tokenizer,
                                    cop_error *err);

/** Number of ids: the largest id of vocabulary and added tokens plus one. */
size_t cop_tokenizer_size(const cop_tokenizer *tokenizer);

/** The id of a token by its content (added tokens first), -1 if there is none. */
int32_t cop_tokenizer_find(const cop_tokenizer *tokenizer, const char *content);

/** Appends the ids of text [length] (UTF-8; invalid bytes are replaced by U+FFFD as the usual
 *  tools do). Added tokens inside the text are recognised. `special` adds the
 *  special tokens of the post-processor (for example begin-of-text); what it does to a text
 *  besides, it always does. Thread-safe on one tokenizer. On failure
 *  *ids is as it was. */
cop_status cop_tokenizer_encode(const cop_tokenizer *tokenizer, const char *text, size_t length,
                                bool special, cop_ids *ids, cop_error *err);

/** True if a token has this id, which may be any number, and has a content: what is decoded is
 *  then longer by it. */
bool cop_tokenizer_has_text(const cop_tokenizer *tokenizer, int32_t id);

/** Appends the text of ids [count]. `skip_special` leaves special added tokens out. An id that
 *  no token has, in a gap of the vocabulary or beyond it, has no text. Incomplete UTF-8 becomes
 *  U+FFFD. Thread-safe on one tokenizer. */
cop_status cop_tokenizer_decode(const cop_tokenizer *tokenizer, const int32_t *ids,
                                size_t count, bool skip_special, cop_text *text,
                                cop_error *err);

/** Appends what of the text of ids [count] no ids that may follow change: the text of all of
 *  them together, special tokens not left out, begins with it. Empty, whatever the ids, where
 *  the tokenizer's decoder may look back. Thread-safe on one tokenizer. */
cop_status cop_tokenizer_decode_settled(const cop_tokenizer *tokenizer, const int32_t *ids,
                                        size_t count, cop_text *text, cop_error *err);

/** Frees *tokenizer and sets it to NULL; NULL is allowed. */
void cop_tokenizer_destroy(cop_tokenizer **tokenizer);

#endif
