/* Byte-pair encoding: the symbols of a piece are merged in the order in which the merges were
 * learnt. */
#ifndef COP_TOKENIZER_BPE_H
#define COP_TOKENIZER_BPE_H

#include "coppice/base/status.h"
#include "coppice/tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_scan.h"
#include "tokenizer/tokenizer_vocab.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A merge of two neighbouring symbols. */
typedef struct cop_bpe_merge {
    uint64_t pair;   /* left id in the upper half, right id in the lower */
    uint32_t rank;   /* the lowest goes first */
    int32_t product; /* id, -1: the slot is empty */
} cop_bpe_merge;

/* What the characters outside the vocabulary become. */
typedef struct cop_bpe_unknown {
    char *content; /* of the token, owned; NULL: they are dropped */
    int32_t id;    /* -1: the file names it but the vocabulary has none */
    bool fuse;     /* neighbouring ones become a single token */
} cop_bpe_unknown;

typedef struct cop_bpe {
    cop_vocab vocab;
    cop_bpe_merge *merges; /* [merge_mask + 1] hashed by pair, owned */
    size_t merge_mask;
    cop_bpe_unknown unknown;
    bool byte_fallback;    /* characters outside the vocabulary become tokens <0x..> of bytes */
    bool ignore_merges;    /* pieces in the vocabulary are taken whole */
    bool byte_level;       /* pieces are bytes, spelt by the character of each */
    int32_t byte_ids[256]; /* with byte_level: of the byte's character, -1: none */
    int32_t fallback_ids[256]; /* with byte_fallback: of <0x..>, -1: none */
} cop_bpe;

/* One call's working memory; start from {0} and keep it for the next piece. */
typedef struct cop_bpe_scratch cop_bpe_scratch;

/* Where a model is read from. */
typedef struct cop_bpe_source {
    const json_t *model; /* without the two large members */
    cop_scan vocab;
    cop_scan merges;
    bool byte_level; /* as the pre-tokenizer says */
} cop_bpe_source;

cop_status cop_bpe_parse(const cop_bpe_source *source, cop_bpe **bpe, cop_error *err);

/* Frees *bpe and sets it to NULL; NULL is allowed. */
void cop_bpe_destroy(cop_bpe **bpe);

cop_status cop_bpe_scratch_create(cop_bpe_scratch **scratch, cop_error *err);

/* Frees *scratch and sets it to NULL; NULL is allowed. */
void cop_bpe_scratch_destroy(cop_bpe_scratch **scratch);

/* Appends the ids of a piece, text [length], not empty, valid UTF-8. */
cop_status cop_bpe_encode(const cop_bpe *bpe, cop_bpe_scratch *scratch, const char *text,
                          size_t length, cop_ids *ids, cop_error *err);

/* The merge of two neighbours, NULL if there is none. */
const cop_bpe_merge *cop_bpe_find_merge(const cop_bpe *bpe, int32_t left, int32_t right);

/* Merges symbols [count] in place. \return through *left how many are left. */
cop_status cop_bpe_merge_symbols(const cop_bpe *bpe, cop_bpe_scratch *scratch, int32_t *symbols,
                                 size_t count, size_t *left, cop_error *err);

#endif
