/* What words mean to the lexer of answers. */
#ifndef COP_TASK_MATH_STRICT_WORDS_H
#define COP_TASK_MATH_STRICT_WORDS_H

#include "task/math/strict.h"

typedef struct cop_strict_entry {
    const char *word;
    cop_strict_code code; /* COP_STRICT_END: means nothing */
    char detail;
    cop_strict_word name;
} cop_strict_entry;

/* The word after a backslash, and the word without one; NULL: not known. */
const cop_strict_entry *cop_strict_find_command(cop_slice word);
const cop_strict_entry *cop_strict_find_word(cop_slice word);

/* Whether a word is one of words [count]. */
bool cop_strict_is_among(const char *const *words, size_t count, cop_slice word);
bool cop_strict_is_unit(cop_slice word);
bool cop_strict_is_greek(cop_slice word);

#endif
