/* Added tokens: contents that are found in the text before anything else is done to it. */
#ifndef COP_TOKENIZER_TOKENIZER_ADDED_H
#define COP_TOKENIZER_TOKENIZER_ADDED_H

#include "coppice/base/status.h"
#include "tokenizer/pretokenize_pattern.h"
#include "tokenizer/tokenizer_normalize.h"
#include "tokenizer/tokenizer_vocab.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One added token. */
typedef struct cop_added_token {
    char *content; /* owned */
    size_t length;
    char *pattern; /* what decoding starts from, and what is looked for in the normalised text:
                      the content, normalised if the token is or was; owned */
    size_t pattern_length;
    int32_t id;
    bool single_word; /* not within a word */
    bool lstrip;      /* takes the spaces before it */
    bool rstrip;      /* takes the spaces after it */
    bool normalized;  /* is looked for in the normalised text */
    bool special;
    bool was_normalized; /* before a later listing of its content */
} cop_added_token;

typedef struct cop_added cop_added;

/* A part of a text: an added token, or (NULL) text between. */
typedef struct cop_added_part {
    const cop_added_token *token;
    size_t start;
    size_t end;
} cop_added_part;

/* A growing list of parts; start from {0}. */
typedef struct cop_added_parts {
    cop_added_part *data; /* [count], owned */
    size_t count;
    size_t capacity;
} cop_added_parts;

/* Reads "added_tokens". A content in the vocabulary has its id there; the others get the ids
 * behind it in order. `vocab` is needed until cop_added_finish(). */
cop_status cop_added_parse(const json_t *json, const cop_vocab *vocab, cop_added **added,
                           cop_error *err);

/* Adds one more, its content copied; a content that is there takes the new flags. */
cop_status cop_added_add(cop_added *added, const cop_added_token *token, cop_error *err);

/* Prepares the tokens for being looked for; none can be added after it. */
cop_status cop_added_finish(cop_added *added, const cop_normalizer *normalizer, cop_error *err);

/* Frees *added and sets it to NULL; NULL is allowed. */
void cop_added_destroy(cop_added **added);

/* Largest id plus one, 0 without tokens. */
size_t cop_added_size(const cop_added *added);

/* The token of that content or id, NULL if there is none. */
const cop_added_token *cop_added_find(const cop_added *added, const char *content,
                                      size_t length);
const cop_added_token *cop_added_of_id(const cop_added *added, int64_t id);

/* Cuts a text [length] at the tokens that are looked for in the normalised text, or at the
 * others; the leftmost and then the longest wins. */
cop_status cop_added_split(const cop_added *added, bool normalized, const char *text,
                           size_t length, cop_added_parts *parts, cop_error *err);

/* Frees the memory; the list is then {0} again. */
void cop_added_parts_free(cop_added_parts *parts);

#endif
