/* A model's description from the bytes of its files. */
#ifndef COP_MODEL_CONFIG_PARSE_H
#define COP_MODEL_CONFIG_PARSE_H

#include "coppice/model/model.h"

/* A file's content; borrowed. */
typedef struct cop_config_text {
    const char *data;
    size_t length;
    const char *path; /* for messages */
} cop_config_text;

/* What cop_model_config_load() does once the files are read; `generation` may be NULL. On
 * failure *config is all zeros. */
cop_status cop_model_config_parse(const cop_config_text *text,
                                  const cop_config_text *generation, cop_model_config *config,
                                  cop_error *err);

#endif
