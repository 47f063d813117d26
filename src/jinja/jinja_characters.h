/* Classes of characters, as Python's strings have them. */
#ifndef COP_JINJA_JINJA_CHARACTERS_H
#define COP_JINJA_JINJA_CHARACTERS_H

#include <stdbool.h>
#include <stdint.h>

/* str.isspace() and str.isprintable() of a character. */
bool cop_jinja_is_space(uint32_t code);
bool cop_jinja_is_printable(uint32_t code);

/* The general categories that str.isalpha(), isdecimal() and isalnum() ask for. */
bool cop_jinja_is_alpha(uint32_t code);
bool cop_jinja_is_decimal(uint32_t code);
bool cop_jinja_is_numeric(uint32_t code);

#endif
