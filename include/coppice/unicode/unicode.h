/** \file unicode.h
 * UTF-8, and what tokenizers need of Unicode: repair of invalid bytes, character classes,
 * normalisation forms, and the printable characters by which byte-level vocabularies spell
 * bytes.
 */
#ifndef COPPICE_UNICODE_UNICODE_H
#define COPPICE_UNICODE_UNICODE_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cop_unicode_form {
    COP_UNICODE_NFC,
    COP_UNICODE_NFD,
    COP_UNICODE_NFKC,
    COP_UNICODE_NFKD
} cop_unicode_form;

/** True if bytes [length] are well-formed UTF-8 (no surrogates, no overlong forms). */
bool cop_unicode_is_valid(const char *bytes, size_t length);

/** Appends bytes [length] with U+FFFD for every maximal part that is not well-formed. */
cop_status cop_unicode_repair(cop_text *text, const char *bytes, size_t length, cop_error *err);

/** The character at text[0 .. length), which is valid and not empty. \return its bytes. */
size_t cop_unicode_decode(const char *text, size_t length, uint32_t *code);

/** Writes a character as UTF-8. \return its bytes, 1 to 4. */
size_t cop_unicode_encode(uint32_t code, char bytes[4]);

/** Where the character that ends before `end` (> 0) starts. */
size_t cop_unicode_previous(const char *text, size_t end);

/** The bytes of text [length] to show where at most `most` are wanted: no character is cut. */
int cop_unicode_clip(const char *text, size_t length, size_t most);

/** The property White_Space. */
bool cop_unicode_is_space(uint32_t code);

/** Appends text [length], which is valid, in a normalisation form. */
cop_status cop_unicode_normalize(cop_unicode_form form, const char *text, size_t length,
                                 cop_text *out, cop_error *err);

/** The character that stands for a byte in byte-level vocabularies. */
uint32_t cop_unicode_of_byte(uint8_t byte);

/** The byte that a character stands for, -1 if it stands for none. */
int cop_unicode_to_byte(uint32_t code);

#endif
