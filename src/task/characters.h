/* Text as Python's str sees it: characters, its white space, its decimal digits. The published
 * rewards are defined in these terms. */
#ifndef COP_TASK_CHARACTERS_H
#define COP_TASK_CHARACTERS_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "task/tasks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at the beginning of text [length > 0]; a byte that begins none is U+FFFD.
 * \return its bytes. */
size_t cop_character_decode(const char *text, size_t length, uint32_t *code);

/* What str.isspace() and a regular expression's \s take for white space. */
bool cop_character_is_space(uint32_t code);

/* 0 to 9 for a decimal digit of any script (\d), else -1. */
int cop_character_digit(uint32_t code);

/* Writes the lower-case form as UTF-8. \return its bytes. */
size_t cop_character_lower(uint32_t code, char bytes[4]);

/* The end of a text, `count` characters long; bytes that continue a UTF-8 sequence do not
 * count, wherever they stand. */
cop_slice cop_slice_tail(const char *text, size_t length, size_t count);

/* Without the white space at both ends. */
cop_slice cop_slice_strip(cop_slice slice);

bool cop_slice_equal(cop_slice a, cop_slice b);
bool cop_slice_is(cop_slice slice, const char *text);
bool cop_slice_begins(cop_slice slice, const char *text);

/* Bytes of the minus sign that ends at `end`, ASCII's or U+2212; 0 for none. */
size_t cop_slice_minus_before(cop_slice text, size_t end);

cop_slice cop_slice_of(const cop_text *text);

/* Appends a slice with U+FFFD for every byte that is not part of a UTF-8 sequence. */
cop_status cop_characters_append(cop_text *text, cop_slice slice, cop_error *err);

/* Appends a slice with every run of white space as one space, none at the ends. */
cop_status cop_characters_append_collapsed(cop_text *text, cop_slice slice, cop_error *err);

/* Replaces every occurrence of `from` by `to`, from left to right; replacements are not looked
 * at again. */
cop_status cop_characters_replace(cop_text *text, const char *from, const char *to,
                                  cop_error *err);

/* The value that Python's float() gives to a text. \return false where it raises ValueError. */
bool cop_characters_to_number(cop_slice slice, double *value);

#endif
