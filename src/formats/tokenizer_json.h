/* Typed members of the objects in a tokenizer file, with messages that name the member. */
#ifndef COPPICE_FORMATS_TOKENIZER_JSON_H
#define COPPICE_FORMATS_TOKENIZER_JSON_H

#include "coppice/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Parts nest at most this deep (a Sequence in a Sequence ...). */
enum { COP_TOKENIZER_MAX_NESTING = 16 };

/* Ids are below this: far above any vocabulary, low enough for tables by id. */
enum { COP_TOKENIZER_MAX_IDS = 1 << 22 };

/* The "type" of a part ("normalizer", ...), a JSON object. */
cop_status cop_tokenizer_json_type(const json_t *json, const char *part, const char **type,
                                   cop_error *err);

/* A string of `length` bytes, NULs included; required. */
cop_status cop_tokenizer_json_string(const json_t *json, const char *key, const char **value,
                                     size_t *length, cop_error *err);

/* A string of exactly one character; required. */
cop_status cop_tokenizer_json_character(const json_t *json, const char *key, uint32_t *code,
                                        cop_error *err);

/* true or false; `fallback` if it is missing or null. */
cop_status cop_tokenizer_json_bool(const json_t *json, const char *key, bool fallback,
                                   bool *value, cop_error *err);

/* An integer from 0 to `most`; required. */
cop_status cop_tokenizer_json_count(const json_t *json, const char *key, size_t most,
                                    size_t *value, cop_error *err);

/* An array; required. */
cop_status cop_tokenizer_json_array(const json_t *json, const char *key, const json_t **value,
                                    cop_error *err);

#endif
