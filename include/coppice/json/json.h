/** \file json.h
 * Reading JSON that others wrote, with jansson as the tree. What is valid JSON, or is to the
 * usual tools, ends no job for what a field holds that nothing uses.
 */
#ifndef COPPICE_JSON_JSON_H
#define COPPICE_JSON_JSON_H

#include "coppice/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** With jansson's flags: integers beyond 64 bits become reals, not strings. */
#define COP_JSON_BIG_AS_REAL ((size_t)1 << 24)
/** The text is a line of something longer: a byte order mark is refused by name, and messages
 *  give the column alone. */
#define COP_JSON_LINE ((size_t)1 << 25)
/** NaN, Infinity and -Infinity are refused, as the standard has it; with COP_JSON_BIG_AS_REAL
 *  also what no double holds, so that no number becomes a string. */
#define COP_JSON_STRICT ((size_t)1 << 26)

/** Loads a text [length]; free *root with json_decref(). `flags` are jansson's. Besides what
 *  jansson reads:
 *  - a byte order mark at the start is skipped;
 *  - a number that 64 bits or a double do not hold becomes a string of its digits as written
 *    (see COP_JSON_BIG_AS_REAL), and so do NaN, Infinity and -Infinity, which Python writes: an
 *    id keeps every digit, and where a number is needed the type is refused;
 *  - strings may hold \u0000 (cop_json_is_text() tells which do not), U+FFFD stands for it in
 *    keys and for halves of surrogate pairs.
 *
 *  Other mistakes, zero bytes and nesting beyond 2048 are COP_ERR_FORMAT with line and column.
 */
cop_status cop_json_read(const char *text, size_t length, size_t flags, json_t **root,
                         cop_error *err);

/** Reads the JSON object in directory/name; *object NULL: there is no such file. Free it with
 *  json_decref(). COP_ERR_FORMAT, with the file's name: something else is in it. */
cop_status cop_json_read_optional(const char *directory, const char *name, size_t limit_bytes,
                                  json_t **object, cop_error *err);

/** Moves *text [*length] behind a byte order mark, if it starts with one. */
void cop_json_skip_mark(const char **text, size_t *length);

/** A number, or null for what JSON has no number for. */
json_t *cop_json_real(double value);

/** True for a string without \u0000: json_string_value() is all of it. */
bool cop_json_is_text(const json_t *value);

#endif
