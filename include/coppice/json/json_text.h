/** \file json_text.h
 * JSON as text: loading it strictly, and taking parts of it verbatim (a recipe's metrics keep
 * every digit that they were written with).
 */
#ifndef COPPICE_JSON_JSON_TEXT_H
#define COPPICE_JSON_JSON_TEXT_H

#include "coppice/base/status.h"
#include "coppice/base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** cop_json_read() of an object or a list; duplicate keys are COP_ERR_FORMAT like any other
 * mistake. */
cop_status cop_json_load(const char *text, size_t length, json_t **root, cop_error *err);

/** Appends json [length], which is valid, without the white space between its tokens. */
cop_status cop_json_compact(const char *json, size_t length, cop_text *text, cop_error *err);

/** The text of member `key` of the object json [length], which is valid: *value
 * [*value_length]. \return false if there is none with the key spelt without escapes. */
bool cop_json_find_member(const char *json, size_t length, const char *key, const char **value,
                          size_t *value_length);

#endif
