/* What must hold for any bytes taken as a tokenizer file and a text: a message that says what
 * is wrong, or a tokenizer that encodes the same way twice and decodes what it encoded. */
#ifndef COP_FUZZ_TOKENIZER_H
#define COP_FUZZ_TOKENIZER_H

#include "coppice/base/text.h"
#include "tokenizer/tokenizer_parts.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline _Bool cop_fuzz_encode(const cop_tokenizer *tokenizer, const char *text,
                                    size_t length)
{
    cop_ids first = {0};
    cop_ids second = {0};
    cop_text decoded = {0};
    cop_error err = {0};
    const cop_status status = cop_tokenizer_encode(tokenizer, text, length, true, &first, &err);
    _Bool holds = status == COP_OK || err.message[0] != '\0';
    if (status == COP_OK) {
        holds = cop_tokenizer_encode(tokenizer, text, length, true, &second, &err) == COP_OK &&
                first.count == second.count;
        for (size_t i = 0; holds && i < first.count; i++) {
            holds = first.data[i] == second.data[i] && first.data[i] >= 0 &&
                    (size_t)first.data[i] < cop_tokenizer_size(tokenizer);
        }
        holds = holds && (cop_tokenizer_decode(tokenizer, first.data, first.count, false,
                                               &decoded, &err) == COP_OK ||
                          err.message[0] != '\0');
    }
    cop_ids_free(&first);
    cop_ids_free(&second);
    cop_text_free(&decoded);
    return holds;
}

/* The bytes up to the first NUL are the file, the rest is a text to encode. *accepted says
 * whether the file was one. Returns false if what must hold does not. */
static inline _Bool cop_fuzz_tokenizer(const uint8_t *data, size_t size, _Bool *accepted)
{
    static const char plain[] = "Hello, <s> w\xC3\xB6rld  123\n\xE2\x96\x81 ab\xFF";
    const char *const file = (const char *)data;
    const uint8_t *const end = size == 0 ? NULL : memchr(data, '\0', size);
    const size_t length = end == NULL ? size : (size_t)(end - data);
    cop_tokenizer *tokenizer = NULL;
    cop_error err = {0};
    const cop_status status = cop_tokenizer_parse(file, length, NULL, &tokenizer, &err);
    *accepted = status == COP_OK;
    if (status != COP_OK) return tokenizer == NULL && err.message[0] != '\0';
    _Bool holds = cop_fuzz_encode(tokenizer, plain, sizeof plain - 1);
    if (end != NULL) {
        holds = holds && cop_fuzz_encode(tokenizer, file + length + 1, size - length - 1);
    }
    cop_tokenizer_destroy(&tokenizer);
    return holds;
}

#endif
