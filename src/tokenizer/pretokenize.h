/* Pre-tokenizers: a text in pieces, within which tokens are merged. */
#ifndef COP_TOKENIZER_PRETOKENIZE_H
#define COP_TOKENIZER_PRETOKENIZE_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "tokenizer/pretokenize_pattern.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct cop_pretokenizer cop_pretokenizer;

/* How a text is cut at the matches of a pattern. */
typedef enum cop_split_behavior {
    COP_SPLIT_ISOLATED,    /* matches are pieces of their own */
    COP_SPLIT_REMOVED,     /* matches are left out */
    COP_SPLIT_WITH_BEFORE, /* a match ends the piece before it */
    COP_SPLIT_WITH_NEXT,   /* a match starts the piece after it */
    COP_SPLIT_CONTIGUOUS   /* neighbouring matches are one piece */
} cop_split_behavior;

/* Where Metaspace puts its mark before a piece. */
typedef enum cop_metaspace_scheme {
    COP_METASPACE_ALWAYS,
    COP_METASPACE_FIRST, /* only at the start of the input */
    COP_METASPACE_NEVER
} cop_metaspace_scheme;

/* Spaces spelt by a visible mark, as a pre-tokenizer and a decoder describe it. */
typedef struct cop_metaspace {
    uint32_t mark;
    cop_metaspace_scheme scheme;
    bool split; /* marks start pieces */
} cop_metaspace;

/* Text on its way through the steps; start from {0} and keep it for the next text. */
typedef struct cop_pieces {
    cop_text text;
    cop_spans spans;  /* the pieces, none of them empty, in order, within `text` */
    bool at_start;    /* the first piece starts where the whole input starts */
    cop_text spare;   /* the steps' scratch */
    cop_spans cuts;   /* the same */
    cop_spans marked; /* the same */
} cop_pieces;

/* Reads the members of a Metaspace pre-tokenizer or decoder. */
cop_status cop_metaspace_parse(const json_t *json, cop_metaspace *metaspace, cop_error *err);

/* Reads "pre_tokenizer"; null means one piece. */
cop_status cop_pretokenizer_parse(const json_t *json, cop_pretokenizer **pretokenizer,
                                  cop_error *err);

/* Frees *pretokenizer and sets it to NULL; NULL is allowed. */
void cop_pretokenizer_destroy(cop_pretokenizer **pretokenizer);

/* True if the pieces are to be read as bytes, each spelt by its character (byte-level). */
bool cop_pretokenizer_is_byte_level(const cop_pretokenizer *pretokenizer);

/* Cuts pieces->text; pieces->at_start is set by the caller. */
cop_status cop_pretokenizer_run(const cop_pretokenizer *pretokenizer, cop_matcher *matcher,
                                cop_pieces *pieces, cop_error *err);

/* Merges the spans (matches and what lies between) as the behaviour says. With `invert` what
 * lies between plays the matches' part. Empty pieces are dropped. */
cop_status cop_spans_cut(const cop_spans *spans, cop_split_behavior behavior, bool invert,
                         cop_spans *pieces, cop_error *err);

/* Frees the memory; the pieces are then {0} again. */
void cop_pieces_free(cop_pieces *pieces);

#endif
