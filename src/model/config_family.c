#include "model/config_family.h"

#include <stdio.h>
#include <string.h>

static const cop_family families[] = {
    {.model_type = "qwen2",
     .activation_key = "hidden_act",
     .qkv_bias = COP_BIAS_ALWAYS,
     .window = COP_WINDOW_FROM,
     .kv_heads = 32,
     .max_positions = 32768,
     .eps = 1e-6,
     .theta = 1e4},
    {.model_type = "qwen3",
     .activation_key = "hidden_act",
     .qkv_bias = COP_BIAS_BY_KEY,
     .o_bias_by_key = true,
     .qk_norm = COP_QK_NORM_HEAD,
     .window = COP_WINDOW_FROM,
     .head_size = 128,
     .kv_heads = 32,
     .max_positions = 32768,
     .eps = 1e-6,
     .theta = 1e4},
    {.model_type = "llama",
     .activation_key = "hidden_act",
     .qkv_bias = COP_BIAS_BY_KEY,
     .o_bias_by_key = true,
     .mlp_bias_by_key = true,
     .max_positions = 2048,
     .eps = 1e-6,
     .theta = 1e4},
    {.model_type = "mistral",
     .activation_key = "hidden_act",
     .window = COP_WINDOW_ALL,
     .kv_heads = 8,
     .max_positions = 131072,
     .eps = 1e-6,
     .theta = 1e4},
    {.model_type = "olmo2",
     .activation_key = "hidden_act",
     .qkv_bias = COP_BIAS_BY_KEY,
     .o_bias_by_key = true,
     .norm_placement = COP_NORM_AFTER,
     .qk_norm = COP_QK_NORM_WIDTH,
     .max_positions = 2048,
     .eps = 1e-5,
     .theta = 1e4},
    {.model_type = "olmo3",
     .activation_key = "hidden_act",
     .qkv_bias = COP_BIAS_BY_KEY,
     .o_bias_by_key = true,
     .norm_placement = COP_NORM_AFTER,
     .qk_norm = COP_QK_NORM_WIDTH,
     .window = COP_WINDOW_ALL_BUT_NTH,
     .full_every = 4,
     .max_positions = 2048,
     .eps = 1e-5,
     .theta = 5e5,
     .scale_full_only = true},
    {.model_type = "gemma3_text",
     .qkv_bias = COP_BIAS_BY_KEY,
     .o_bias_by_key = true,
     .norm_placement = COP_NORM_AROUND,
     .norm_offset = 1.0F,
     .qk_norm = COP_QK_NORM_HEAD,
     .activation_key = "hidden_activation",
     .activation = COP_GELU_TANH,
     .tied_head = true,
     .scaled_embedding = true,
     .query_scalar = 256.0,
     .window = COP_WINDOW_ALL_BUT_NTH,
     .full_every = 6,
     .full_every_key = "sliding_window_pattern",
     .head_size = 256,
     .kv_heads = 4,
     .max_positions = 131072,
     .eps = 1e-6,
     .theta = 1e6,
     .local_theta = 1e4,
     .scale_full_only = true},
};
enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

cop_status cop_config_find_family(const json_reader *reader, const cop_family **found,
                                  cop_error *err)
{
    const char *type = NULL;
    COP_TRY(cop_config_json_string(reader, "model_type", NULL, &type, err));
    COP_CHECK(type != NULL, err, COP_ERR_FORMAT, "%s: model_type is missing", reader->path);
    char known[256] = "";
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (strcmp(type, families[i].model_type) == 0) {
            *found = &families[i];
            return COP_OK;
        }
        const size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ",
                       families[i].model_type);
    }
    return cop_error_set(err, COP_ERR_UNSUPPORTED,
                         "%s: model_type \"%s\" is not implemented (%s are)", reader->path,
                         type, known);
}
