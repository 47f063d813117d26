/* Reading typed values out of a JSON object, with messages that name file and key. */
#ifndef COP_MODEL_CONFIG_JSON_H
#define COP_MODEL_CONFIG_JSON_H

#include "coppice/base/status.h"
#include "model/config_parse.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* An object of a JSON file. */
typedef struct json_reader {
    const json_t *object; /* borrowed */
    const char *path;     /* of the file, for messages */
    const char *scope;    /* "" or "rope_parameters." and the like, put before keys */
} json_reader;

enum { COP_JSON_REQUIRED = -1 }; /* as a fallback: the key must be there */

/* Parses a file that is one JSON object; *root is then owned (json_decref), NULL on failure. */
cop_status cop_config_json_parse(const cop_config_text *text, json_t **root, cop_error *err);

/* The value of a key; NULL if it is absent or null. */
const json_t *cop_config_json_get(const json_reader *reader, const char *key);

/* An integer in 1 .. most; absent or null: the fallback. */
cop_status cop_config_json_size(const json_reader *reader, const char *key, int32_t most,
                                int32_t fallback, int32_t *value, cop_error *err);

/* A number in 1e-15 .. 1e15; absent or null: the fallback. */
cop_status cop_config_json_positive(const json_reader *reader, const char *key, double fallback,
                                    double *value, cop_error *err);

/* A boolean; absent or null: the fallback. */
cop_status cop_config_json_bool(const json_reader *reader, const char *key, bool fallback,
                                bool *value, cop_error *err);

/* A string, borrowed; absent or null: the fallback (may be NULL). */
cop_status cop_config_json_string(const json_reader *reader, const char *key,
                                  const char *fallback, const char **value, cop_error *err);

#endif
