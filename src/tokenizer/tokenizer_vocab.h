/* A vocabulary: contents to ids and back. */
#ifndef COP_TOKENIZER_TOKENIZER_VOCAB_H
#define COP_TOKENIZER_TOKENIZER_VOCAB_H

#include "coppice/base/status.h"
#include "tokenizer/tokenizer_scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a token's content lies in `bytes`. */
typedef struct cop_vocab_token {
    uint32_t offset;
    uint32_t length; /* COP_VOCAB_ABSENT: the id is not used */
} cop_vocab_token;

#define COP_VOCAB_ABSENT UINT32_MAX

typedef struct cop_vocab {
    char *bytes;             /* all contents, one after the other, owned */
    cop_vocab_token *tokens; /* [size], owned */
    size_t size;             /* largest id plus one */
    size_t count;            /* tokens */
    uint64_t *slots;         /* [slot_mask + 1] hash above id plus one, 0: empty; owned */
    size_t slot_mask;
} cop_vocab;

/* Reads an object of content -> id. Both must be distinct, ids within the limit. */
cop_status cop_vocab_parse(cop_scan json, cop_vocab *vocab, cop_error *err);

/* The id of a content, -1 if there is none. */
int32_t cop_vocab_find(const cop_vocab *vocab, const char *content, size_t length);

/* The content of an id, which may be anything. \return false if the id is not used. */
bool cop_vocab_content(const cop_vocab *vocab, int64_t id, const char **content,
                       size_t *length);

/* Frees the memory; the vocabulary is then {0} again. */
void cop_vocab_free(cop_vocab *vocab);

#endif
