/* Decoders: the contents of tokens as text. */
#ifndef COP_TOKENIZER_TOKENIZER_DECODE_H
#define COP_TOKENIZER_TOKENIZER_DECODE_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <jansson.h>
#include <stddef.h>

typedef struct cop_decoder cop_decoder;

/* Strings one after the other; start from {0}. */
typedef struct cop_strings {
    cop_text bytes;
    size_t *ends; /* [count] where each ends in `bytes`, owned */
    size_t count;
    size_t capacity;
} cop_strings;

/* Ends the string whose bytes were appended to strings->bytes. */
cop_status cop_strings_close(cop_strings *strings, cop_error *err);

/* Frees the memory; the list is then {0} again. */
void cop_strings_free(cop_strings *strings);

/* Reads "decoder"; null joins the contents with spaces. */
cop_status cop_decoder_parse(const json_t *json, cop_decoder **decoder, cop_error *err);

/* Frees *decoder and sets it to NULL; NULL is allowed. */
void cop_decoder_destroy(cop_decoder **decoder);

/* Appends the text of tokens; *tokens is used up. */
cop_status cop_decoder_run(const cop_decoder *decoder, cop_strings *tokens, cop_text *text,
                           cop_error *err);

/* Keeps of the tokens those that are such that, whatever tokens follow, the text of all begins
 * with the text of these, but for incomplete characters at its end; none where that cannot be
 * said. */
void cop_decoder_keep_settled(const cop_decoder *decoder, cop_strings *tokens);

#endif
