/* config.json and generation_config.json -> description. */
#include "coppice/model/model.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "model/config_family.h"
#include "model/config_generation.h"
#include "model/config_json.h"
#include "model/config_parse.h"
#include "model/config_rope.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Features of related architectures that would change the result if they were passed over. */
static cop_status refuse_features(const json_reader *reader, const cop_family *of,
                                  cop_error *err)
{
    static const char *const features[] = {"quantization_config",
                                           "compression_config",
                                           "attn_logit_softcapping",
                                           "final_logit_softcapping",
                                           "num_experts",
                                           "num_local_experts",
                                           "n_routed_experts",
                                           "clip_qkv",
                                           "no_rope_layers",
                                           "use_bidirectional_attention",
                                           "embedding_multiplier",
                                           "attention_multiplier",
                                           "residual_multiplier",
                                           "logits_scaling",
                                           "query_pre_attn_scalar"};
    const size_t all = sizeof features / sizeof features[0];
    const size_t count = of->query_scalar > 0.0 ? all - 1 : all;
    for (size_t i = 0; i < count; i++) {
        const json_t *const value = cop_config_json_get(reader, features[i]);
        const bool off = value == NULL || json_is_false(value) ||
                         (json_is_number(value) && json_number_value(value) == 0.0);
        COP_CHECK(off, err, COP_ERR_UNSUPPORTED, "%s: %s is not implemented", reader->path,
                  features[i]);
    }
    return COP_OK;
}

static cop_status read_activation(const json_reader *reader, const cop_family *of,
                                  cop_activation *activation, cop_error *err)
{
    static const struct {
        const char *name;
        cop_activation activation;
    } known[] = {{"silu", COP_SILU}, {"swish", COP_SILU}, {"gelu_pytorch_tanh", COP_GELU_TANH}};
    const char *name = NULL;
    *activation = of->activation;
    COP_TRY(cop_config_json_string(reader, of->activation_key, NULL, &name, err));
    if (name == NULL) return COP_OK;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        *activation = known[i].activation;
        if (strcmp(name, known[i].name) == 0) return COP_OK;
    }
    return cop_error_set(err, COP_ERR_UNSUPPORTED,
                         "%s: %s \"%s\" is not implemented (silu and gelu_pytorch_tanh are)",
                         reader->path, of->activation_key, name);
}

/* What embeddings and scores are multiplied by. */
static cop_status read_scales(const json_reader *reader, const cop_family *of,
                              cop_model_config *config, cop_error *err)
{
    double scalar = 0.0;
    if (of->scaled_embedding) config->embedding_scale = (float)sqrt((double)config->width);
    if (of->query_scalar == 0.0) return COP_OK;
    COP_TRY(cop_config_json_positive(reader, "query_pre_attn_scalar", of->query_scalar, &scalar,
                                     err));
    config->query_scalar = (float)scalar;
    return COP_OK;
}

static cop_status read_heads(const json_reader *reader, const cop_family *of,
                             cop_model_config *config, cop_error *err)
{
    COP_TRY(cop_config_json_size(reader, "num_attention_heads", COP_MOST_HEADS,
                                 COP_JSON_REQUIRED, &config->heads, err));
    const bool has_kv_key = json_object_get(reader->object, "num_key_value_heads") != NULL;
    const int32_t kv_heads = has_kv_key || of->kv_heads == 0 ? config->heads : of->kv_heads;
    COP_TRY(cop_config_json_size(reader, "num_key_value_heads", COP_MOST_HEADS, kv_heads,
                                 &config->kv_heads, err));
    COP_CHECK(config->heads % config->kv_heads == 0, err, COP_ERR_FORMAT,
              "%s: num_attention_heads %d is not a multiple of num_key_value_heads %d",
              reader->path, (int)config->heads, (int)config->kv_heads);
    const bool has_size_key = json_object_get(reader->object, "head_dim") != NULL;
    const bool derived =
        cop_config_json_get(reader, "head_dim") == NULL && (has_size_key || of->head_size == 0);
    COP_CHECK(!derived || config->width % config->heads == 0, err, COP_ERR_FORMAT,
              "%s: hidden_size %d is not a multiple of num_attention_heads %d and there is no "
              "head_dim",
              reader->path, (int)config->width, (int)config->heads);
    const int32_t size = derived ? config->width / config->heads : of->head_size;
    COP_TRY(cop_config_json_size(reader, "head_dim", COP_MOST_HEAD_SIZE, size,
                                 &config->head_size, err));
    COP_CHECK(config->head_size % 2 == 0 && config->head_size <= COP_MOST_HEAD_SIZE, err,
              COP_ERR_FORMAT, "%s: head_dim %d is odd or larger than %d", reader->path,
              (int)config->head_size, (int)COP_MOST_HEAD_SIZE);
    return COP_OK;
}

static cop_status read_sizes(const json_reader *reader, const cop_family *of,
                             cop_model_config *config, cop_error *err)
{
    COP_TRY(cop_config_json_size(reader, "num_hidden_layers", COP_MODEL_MAX_LAYERS,
                                 COP_JSON_REQUIRED, &config->layers, err));
    COP_TRY(cop_config_json_size(reader, "hidden_size", COP_MOST_WIDTH, COP_JSON_REQUIRED,
                                 &config->width, err));
    COP_TRY(cop_config_json_size(reader, "intermediate_size", COP_MOST_FEED_FORWARD,
                                 COP_JSON_REQUIRED, &config->feed_forward, err));
    COP_TRY(cop_config_json_size(reader, "vocab_size", COP_MOST_VOCABULARY, COP_JSON_REQUIRED,
                                 &config->vocabulary, err));
    COP_TRY(cop_config_json_size(reader, "max_position_embeddings", COP_MOST_POSITIONS,
                                 of->max_positions, &config->max_positions, err));
    double eps = 0.0;
    COP_TRY(cop_config_json_positive(reader, "rms_norm_eps", of->eps, &eps, err));
    COP_CHECK(eps < 1.0, err, COP_ERR_FORMAT, "%s: rms_norm_eps is %g, not below 1",
              reader->path, eps);
    config->norm_eps = (float)eps;
    return read_heads(reader, of, config, err);
}

static cop_status read_biases(const json_reader *reader, const cop_family *of,
                              cop_model_config *config, cop_error *err)
{
    bool attention = false;
    bool mlp = false;
    COP_TRY(cop_config_json_bool(reader, "tie_word_embeddings", of->tied_head,
                                 &config->tied_head, err));
    COP_TRY(cop_config_json_bool(reader, "attention_bias", false, &attention, err));
    COP_TRY(cop_config_json_bool(reader, "mlp_bias", false, &mlp, err));
    config->qkv_bias =
        of->qkv_bias == COP_BIAS_ALWAYS || (of->qkv_bias == COP_BIAS_BY_KEY && attention);
    config->o_bias = of->o_bias_by_key && attention;
    config->mlp_bias = of->mlp_bias_by_key && mlp;
    return COP_OK;
}

static cop_status add_stop(const char *path, const json_t *value, cop_model_config *config,
                           cop_error *err)
{
    const json_int_t id = json_integer_value(value);
    COP_CHECK(json_is_integer(value) && id >= 0 && id < INT32_MAX, err, COP_ERR_FORMAT,
              "%s: eos_token_id is not a token id or a list of token ids", path);
    COP_CHECK(config->stop_count < COP_MODEL_MAX_STOPS, err, COP_ERR_UNSUPPORTED,
              "%s: eos_token_id has more than %d ids", path, (int)COP_MODEL_MAX_STOPS);
    config->stops[config->stop_count++] = (int32_t)id;
    return COP_OK;
}

static cop_status read_stops(const json_reader *reader, cop_model_config *config,
                             cop_error *err)
{
    const json_t *const value = cop_config_json_get(reader, "eos_token_id");
    if (value == NULL) return COP_OK;
    if (!json_is_array(value)) return add_stop(reader->path, value, config, err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        COP_TRY(add_stop(reader->path, json_array_get(value, i), config, err));
    }
    return COP_OK;
}

static cop_status read_generation(const json_reader *reader, cop_model_config *config,
                                  cop_error *err)
{
    COP_TRY(read_stops(reader, config, err));
    return cop_config_read_generation(reader, &config->rules, err);
}

/* As transformers 5 does: a generation_config.json alone decides, with or without a key; only
 * without one does config.json; and where neither names a token, none stops. */
static cop_status find_generation(const json_reader *reader, const cop_config_text *generation,
                                  cop_model_config *config, cop_error *err)
{
    json_t *root = NULL;
    if (generation == NULL) return read_generation(reader, config, err);
    COP_TRY(cop_config_json_parse(generation, &root, err));
    const json_reader inner = {.object = root, .path = generation->path, .scope = ""};
    const cop_status status = read_generation(&inner, config, err);
    json_decref(root);
    return status;
}

/* The rope_theta of an object; absent: the fallback. */
static double theta_of(const json_t *object, double fallback)
{
    const json_t *const value = json_object_get(object, "rope_theta");
    return json_is_number(value) ? json_number_value(value) : fallback;
}

/* OLMo 3 was trained with one base for all layers and a scaling for those with full attention.
 * Where a file has these in one, transformers 5.24 leaves sliding layers at the usual base, and
 * passes over a rope_parameters altogether. */
static bool differs_in_rope(const json_reader *reader, const cop_family *of,
                            const cop_rope rope[2])
{
    if (!of->scale_full_only || of->local_theta > 0.0) return false;
    const json_t *const scaling = cop_config_json_get(reader, "rope_scaling");
    const json_t *const given = cop_config_json_get(reader, "rope_parameters");
    const json_t *const full = json_object_get(given, "full_attention");
    const json_t *const sliding = json_object_get(given, "sliding_attention");
    const double theta = theta_of(full, theta_of(reader->object, of->theta));
    const bool passed_over = json_object_size(scaling) == 0 && full == NULL &&
                             sliding == NULL && rope[0].kind != COP_ROPE_DEFAULT;
    return passed_over || rope[0].theta != theta_of(scaling, theta) ||
           rope[1].theta != theta_of(sliding, of->theta);
}

static cop_status read_config(const json_reader *reader, const cop_config_text *generation,
                              cop_model_config *config, cop_error *err)
{
    const cop_family *of = NULL;
    COP_TRY(cop_config_find_family(reader, &of, err));
    (void)snprintf(config->model_type, sizeof config->model_type, "%s", of->model_type);
    config->norm_placement = of->norm_placement;
    config->norm_offset = of->norm_offset;
    config->qk_norm = of->qk_norm;
    COP_TRY(refuse_features(reader, of, err));
    COP_TRY(read_activation(reader, of, &config->activation, err));
    COP_TRY(read_sizes(reader, of, config, err));
    COP_TRY(read_scales(reader, of, config, err));
    COP_TRY(read_biases(reader, of, config, err));
    COP_TRY(cop_config_read_sliding(reader, of, config, err));
    COP_TRY(cop_config_read_rope(reader, of, config->max_positions, config->rope, err));
    config->differs_in_rope = differs_in_rope(reader, of, config->rope);
    return find_generation(reader, generation, config, err);
}

cop_status cop_model_config_parse(const cop_config_text *text,
                                  const cop_config_text *generation, cop_model_config *config,
                                  cop_error *err)
{
    cop_model_config read = {0};
    *config = read;
    json_t *root = NULL;
    COP_TRY(cop_config_json_parse(text, &root, err));
    const json_reader reader = {.object = root, .path = text->path, .scope = ""};
    const cop_status status = read_config(&reader, generation, &read, err);
    if (status == COP_OK) *config = read;
    json_decref(root);
    return status;
}

enum { MAX_FILE_BYTES = 4 << 20 };

cop_status cop_model_config_load(const char *directory, cop_model_config *config,
                                 cop_error *err)
{
    *config = (cop_model_config){0};
    cop_text text = {0};
    cop_text generation = {0};
    bool has_generation = false;
    char *const path = cop_text_join_path(directory, "config.json", err);
    char *const other = cop_text_join_path(directory, "generation_config.json", err);
    cop_status status = path == NULL || other == NULL ? COP_ERR_MEMORY : COP_OK;
    if (status == COP_OK)
        status = cop_text_read_needed(&text, path, MAX_FILE_BYTES,
                                      "a model is a directory in Hugging Face layout on this "
                                      "machine: fetch it first",
                                      err);
    if (status == COP_OK)
        status = cop_text_read_optional(&generation, directory, "generation_config.json",
                                        MAX_FILE_BYTES, &has_generation, err);
    if (status == COP_OK) {
        const cop_config_text first = {text.data, text.length, path};
        const cop_config_text second = {generation.data, generation.length, other};
        status = cop_model_config_parse(&first, has_generation ? &second : NULL, config, err);
    }
    cop_text_free(&text);
    cop_text_free(&generation);
    cop_memory_free(path);
    cop_memory_free(other);
    return status;
}
