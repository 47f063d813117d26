/* Sliding windows: layer_types, or the family's own rule. */
#include "model/config_family.h"

#include <string.h>

/* layer_types, one string per layer, into config->sliding. */
static cop_status read_layer_types(const json_reader *reader, const json_t *types,
                                   cop_model_config *config, cop_error *err)
{
    COP_CHECK(json_is_array(types) && json_array_size(types) == (size_t)config->layers, err,
              COP_ERR_FORMAT, "%s: layer_types is not a list of num_hidden_layers %d names",
              reader->path, (int)config->layers);
    for (int32_t i = 0; i < config->layers; i++) {
        const char *const name = json_string_value(json_array_get(types, (size_t)i));
        COP_CHECK(name != NULL, err, COP_ERR_FORMAT, "%s: layer_types[%d] is not a string",
                  reader->path, (int)i);
        config->sliding[i] = strcmp(name, "sliding_attention") == 0;
        COP_CHECK(config->sliding[i] || strcmp(name, "full_attention") == 0, err,
                  COP_ERR_UNSUPPORTED,
                  "%s: layer_types[%d] \"%s\" is not implemented (full_attention and "
                  "sliding_attention are)",
                  reader->path, (int)i, name);
    }
    return COP_OK;
}

/* The window and the layers that have it by the family's own rule. */
static cop_status read_window(const json_reader *reader, const cop_family *of,
                              cop_model_config *config, cop_error *err)
{
    enum { DEFAULT_WINDOW = 4096, DEFAULT_FROM = 28 };
    bool use = of->window != COP_WINDOW_NONE;
    int64_t from = 0;
    if (of->window == COP_WINDOW_FROM) {
        COP_TRY(cop_config_json_bool(reader, "use_sliding_window", false, &use, err));
        const json_t *const value = cop_config_json_get(reader, "max_window_layers");
        COP_CHECK(value == NULL || (json_is_integer(value) && json_integer_value(value) >= 0),
                  err, COP_ERR_FORMAT, "%s: max_window_layers is not an integer from 0 up",
                  reader->path);
        from = value == NULL ? DEFAULT_FROM : json_integer_value(value);
    }
    const json_t *const window = json_object_get(reader->object, "sliding_window");
    const bool windowed = use && !json_is_null(window);
    if (windowed) {
        COP_TRY(cop_config_json_size(reader, "sliding_window", COP_MOST_POSITIONS,
                                     DEFAULT_WINDOW, &config->window, err));
    }
    int32_t every = of->full_every;
    if (of->full_every_key != NULL)
        COP_TRY(cop_config_json_size(reader, of->full_every_key, COP_MODEL_MAX_LAYERS,
                                     of->full_every, &every, err));
    for (int32_t i = 0; i < config->layers; i++) {
        const bool rule =
            of->window == COP_WINDOW_ALL_BUT_NTH ? (i + 1) % every != 0 : windowed;
        config->sliding[i] = use && i >= from && rule;
    }
    return COP_OK;
}

cop_status cop_config_read_sliding(const json_reader *reader, const cop_family *of,
                                   cop_model_config *config, cop_error *err)
{
    bool by_rule[COP_MODEL_MAX_LAYERS];
    COP_TRY(read_window(reader, of, config, err));
    memcpy(by_rule, config->sliding, sizeof by_rule);
    const json_t *const types = cop_config_json_get(reader, "layer_types");
    if (types != NULL) COP_TRY(read_layer_types(reader, types, config, err));
    const bool fixed = of->window == COP_WINDOW_NONE || of->window == COP_WINDOW_ALL;
    for (int32_t i = 0; i < config->layers; i++) {
        COP_CHECK(!fixed || config->sliding[i] == by_rule[i], err, COP_ERR_UNSUPPORTED,
                  "%s: layer_types[%d] other than %s is not implemented for %s", reader->path,
                  (int)i, by_rule[i] ? "sliding_attention" : "full_attention", of->model_type);
        COP_CHECK(!config->sliding[i] || config->window > 0, err, COP_ERR_FORMAT,
                  "%s: layer %d has a sliding window, but sliding_window is not set",
                  reader->path, (int)i);
    }
    return COP_OK;
}
