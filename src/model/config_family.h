/* The architectures: what their configurations do not say, and what they default to. */
#ifndef COP_MODEL_CONFIG_FAMILY_H
#define COP_MODEL_CONFIG_FAMILY_H

#include "coppice/model/model.h"
#include "model/config_json.h"

/* Bounds that no real model comes near; they keep products of sizes far from overflow. */
enum {
    COP_MOST_WIDTH = 1 << 18,
    COP_MOST_HEADS = 1 << 12,
    COP_MOST_HEAD_SIZE = 1 << 12,
    COP_MOST_FEED_FORWARD = 1 << 21,
    COP_MOST_VOCABULARY = 1 << 24,
    COP_MOST_POSITIONS = 1 << 28
};

/* Whether q, k and v have biases. */
typedef enum cop_bias_rule { COP_BIAS_NEVER, COP_BIAS_ALWAYS, COP_BIAS_BY_KEY } cop_bias_rule;

/* Which layers have a sliding window, unless layer_types says so. */
typedef enum cop_window_rule {
    COP_WINDOW_NONE,
    COP_WINDOW_ALL,        /* all, if sliding_window is set */
    COP_WINDOW_FROM,       /* from max_window_layers on, if use_sliding_window */
    COP_WINDOW_ALL_BUT_NTH /* all but every cop_family::full_every-th */
} cop_window_rule;

/* An architecture, with the defaults of keys that its files may leave out. */
typedef struct cop_family {
    const char *model_type;
    cop_bias_rule qkv_bias;
    bool o_bias_by_key, mlp_bias_by_key;
    cop_norm_placement norm_placement;
    cop_qk_norm qk_norm;
    float norm_offset; /* added to a norm's weights as they are stored */
    const char *activation_key;
    cop_activation activation;
    bool tied_head;
    bool scaled_embedding; /* by the root of the width */
    double query_scalar;   /* query_pre_attn_scalar; 0: no such key, the head size */
    cop_window_rule window;
    int32_t full_every;
    const char *full_every_key; /* of another number; NULL: none */
    int32_t head_size;          /* 0: hidden_size / num_attention_heads */
    int32_t kv_heads;           /* 0: num_attention_heads */
    int32_t max_positions;
    double eps;
    double theta;
    double local_theta;   /* of sliding layers, which have a key of their own; 0: theta */
    bool scale_full_only; /* rope scaling leaves sliding layers alone */
} cop_family;

/* The family of config.json's model_type; one that is not in the table is COP_ERR_UNSUPPORTED.
 */
cop_status cop_config_find_family(const json_reader *reader, const cop_family **found,
                                  cop_error *err);

/* Which layers have a sliding window, and how wide it is: config->sliding, config->window.
 * config->layers is set already. */
cop_status cop_config_read_sliding(const json_reader *reader, const cop_family *of,
                                   cop_model_config *config, cop_error *err);

#endif
