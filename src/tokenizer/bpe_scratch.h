/* Working memory of byte-pair encoding, shared by its sources. */
#ifndef COP_TOKENIZER_BPE_SCRATCH_H
#define COP_TOKENIZER_BPE_SCRATCH_H

#include "coppice/base/text.h"
#include "tokenizer/bpe.h"

struct cop_bpe_scratch {
    int32_t *symbols; /* of the piece */
    size_t symbol_count;
    size_t symbol_capacity;
    void *nodes; /* of bpe_merge.c */
    size_t node_capacity;
    void *heap; /* the same */
    size_t heap_capacity;
    cop_text spelling; /* of a byte-level piece, in the vocabulary's characters */
};

#endif
