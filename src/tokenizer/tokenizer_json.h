/* Typed members of the objects in a tokenizer file, with messages that name the member. */
#ifndef COP_TOKENIZER_TOKENIZER_JSON_H
#define COP_TOKENIZER_TOKENIZER_JSON_H

#include "coppice/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ids are below this: far above any vocabulary, low enough for tables by id. */
enum { COP_TOKENIZER_MAX_IDS = 1 << 22 };

/* A kind of parts: one object with a "type", or a Sequence of them. */
typedef struct cop_tokenizer_parts {
    const char *name; /* "normalizer" */
    const char *list; /* what a Sequence calls its parts: "normalizers" */
    /* Takes in one part that is not a Sequence. */
    cop_status (*add)(void *self, const char *type, const json_t *json, cop_error *err);
} cop_tokenizer_parts;

/* Adds the parts of `json` to `self` in order, those of Sequences within too; NULL and null are
 * no parts. After a failure some are added. */
cop_status cop_tokenizer_json_parts(const json_t *json, const cop_tokenizer_parts *parts,
                                    void *self, cop_error *err);

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
