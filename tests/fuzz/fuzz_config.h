/* What must hold for any bytes taken as a model's configuration: a message that names the file,
 * or a description that a model can be built from. A broken promise aborts. */
#ifndef TESTS_FUZZ_FUZZ_CONFIG_H
#define TESTS_FUZZ_FUZZ_CONFIG_H

#include "model/config_family.h"
#include "model/config_parse.h"
#include "model/rope.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void fuzz_config_require(int promise)
{
    if (!promise) abort();
}

/* Every angle that the rotary embedding will be computed from is a number. */
static inline void fuzz_check_rope(const cop_model_config *config, const cop_rope *rope)
{
    double frequencies[COP_MOST_HEAD_SIZE / 2];
    const double factor = cop_rope_frequencies(rope, config->head_size, frequencies);
    fuzz_config_require(isfinite((float)factor));
    for (int32_t i = 0; i < config->head_size / 2; i++) {
        fuzz_config_require(isfinite(frequencies[i] * config->max_positions));
    }
}

static inline void fuzz_check_config(const cop_model_config *c)
{
    fuzz_config_require(c->model_type[0] != '\0');
    fuzz_config_require(c->layers >= 1 && c->layers <= COP_MODEL_MAX_LAYERS);
    fuzz_config_require(c->width >= 1 && c->feed_forward >= 1 && c->vocabulary >= 1);
    fuzz_config_require(c->heads >= 1 && c->kv_heads >= 1 && c->heads % c->kv_heads == 0);
    fuzz_config_require(c->head_size >= 2 && c->head_size % 2 == 0 &&
                        c->head_size <= COP_MOST_HEAD_SIZE);
    fuzz_config_require(c->heads * (int64_t)c->head_size <= INT32_MAX);
    fuzz_config_require(c->max_positions >= 1);
    fuzz_config_require(c->norm_eps > 0.0F && c->norm_eps < 1.0F);
    fuzz_config_require(c->stop_count >= 0 && c->stop_count <= COP_MODEL_MAX_STOPS);
    for (int32_t i = 0; i < c->stop_count; i++)
        fuzz_config_require(c->stops[i] >= 0);
    for (int32_t i = 0; i < c->layers; i++)
        fuzz_config_require(!c->sliding[i] || c->window > 0);
    fuzz_check_rope(c, &c->rope[0]);
    fuzz_check_rope(c, &c->rope[1]);
}

/* The bytes up to the first NUL are config.json, those after it generation_config.json.
 * \return 1 if they were accepted. */
static inline int fuzz_config(const uint8_t *data, size_t size)
{
    const char *const bytes = (const char *)data;
    const char *const end = size == 0 ? NULL : memchr(bytes, '\0', size);
    const size_t length = end == NULL ? size : (size_t)(end - bytes);
    const cop_config_text text = {bytes, length, "config.json"};
    cop_config_text generation = {.path = "generation_config.json"};
    if (end != NULL) {
        generation.data = end + 1;
        generation.length = size - length - 1;
    }
    cop_model_config config;
    cop_error err = {0};
    const cop_status status =
        cop_model_config_parse(&text, end == NULL ? NULL : &generation, &config, &err);
    if (status == COP_OK) {
        fuzz_check_config(&config);
        return 1;
    }
    fuzz_config_require(status == COP_ERR_FORMAT || status == COP_ERR_UNSUPPORTED);
    fuzz_config_require(err.status == status && strstr(err.message, "config.json") != NULL);
    fuzz_config_require(config.layers == 0 && config.model_type[0] == '\0');
    return 0;
}

#endif
