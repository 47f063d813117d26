/* The two large members of a tokenizer file apart from the rest. */
#ifndef COP_TOKENIZER_TOKENIZER_CUT_H
#define COP_TOKENIZER_TOKENIZER_CUT_H

#include "coppice/base/text.h"
#include "tokenizer/tokenizer_scan.h"

typedef struct cop_tokenizer_cuts {
    cop_text rest;   /* the file with null for both; owned */
    cop_scan vocab;  /* model.vocab; json NULL: there is none */
    cop_scan merges; /* model.merges, the same */
} cop_tokenizer_cuts;

/* Cuts json [length], which must stay as long as the cuts. What cannot be read here is left in
 * the rest, for the reader of that to complain about. */
cop_status cop_tokenizer_cut(const char *json, size_t length, cop_tokenizer_cuts *cuts,
                             cop_error *err);

#endif
