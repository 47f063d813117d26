/* What a tokenizer is made of, and reading one from memory. */
#ifndef COP_TOKENIZER_TOKENIZER_PARTS_H
#define COP_TOKENIZER_TOKENIZER_PARTS_H

#include "coppice/tokenizer/tokenizer.h"
#include "tokenizer/bpe.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/tokenizer_added.h"
#include "tokenizer/tokenizer_decode.h"
#include "tokenizer/tokenizer_normalize.h"
#include "tokenizer/tokenizer_side.h"
#include "tokenizer/tokenizer_template.h"

struct cop_tokenizer {
    cop_normalizer *normalizer;
    cop_pretokenizer *pretokenizer;
    cop_bpe *bpe;
    cop_added *added;
    cop_template plain;   /* what is put around a text without special tokens */
    cop_template special; /* with them */
    cop_decoder *decoder;
};

/* Reads the text of a tokenizer.json file, json [length], and what the files beside it have;
 * `side` NULL: nothing. Messages do not name the file. */
cop_status cop_tokenizer_parse(const char *json, size_t length, const cop_tokenizer_side *side,
                               cop_tokenizer **tokenizer, cop_error *err);

#endif
