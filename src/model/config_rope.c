#include "model/config_rope.h"

#include "coppice/base/math.h"

#include <math.h>
#include <string.h>

/* What the values of one rope object default to. */
typedef struct rope_defaults {
    double theta;
    double original_positions;
    bool positions_decide; /* even where the object has others */
} rope_defaults;

static cop_status read_kind(const json_reader *reader, cop_rope_kind *kind, cop_error *err)
{
    static const char *const names[] = {[COP_ROPE_DEFAULT] = "default",
                                        [COP_ROPE_LINEAR] = "linear",
                                        [COP_ROPE_LLAMA3] = "llama3",
                                        [COP_ROPE_YARN] = "yarn"};
    const char *name = NULL;
    COP_TRY(cop_config_json_string(reader, "type", "default", &name, err));
    COP_TRY(cop_config_json_string(reader, "rope_type", name, &name, err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *kind = (cop_rope_kind)i;
            return COP_OK;
        }
    }
    return cop_error_set(
        err, COP_ERR_UNSUPPORTED,
        "%s: %srope_type %s is not implemented (default, linear, llama3 and yarn are)",
        reader->path, reader->scope, name);
}

static cop_status refuse_partial(const json_reader *reader, cop_error *err)
{
    double share = 1.0;
    COP_TRY(cop_config_json_positive(reader, "partial_rotary_factor", 1.0, &share, err));
    COP_CHECK(share == 1.0, err, COP_ERR_UNSUPPORTED,
              "%s: %spartial_rotary_factor %g is not implemented (1 is)", reader->path,
              reader->scope, share);
    return COP_OK;
}

static double yarn_mscale(double factor, double scale)
{
    return factor <= 1.0 ? 1.0 : 0.1 * scale * cop_math_log(factor) + 1.0;
}

/* A number above 0, or 0 or null, which count as not given, as transformers has it. */
static cop_status read_optional(const json_reader *reader, const char *key, double fallback,
                                double *value, cop_error *err)
{
    const json_t *const found = cop_config_json_get(reader, key);
    *value = fallback;
    if (json_is_number(found) && json_number_value(found) == 0.0) return COP_OK;
    return cop_config_json_positive(reader, key, fallback, value, err);
}

static cop_status read_yarn(const json_reader *reader, cop_rope *rope, cop_error *err)
{
    double scale = 0.0;
    double scale_all = 0.0;
    COP_TRY(read_optional(reader, "beta_fast", 32.0, &rope->beta_fast, err));
    COP_TRY(read_optional(reader, "beta_slow", 1.0, &rope->beta_slow, err));
    COP_TRY(cop_config_json_positive(reader, "attention_factor", 0.0, &rope->attention_factor,
                                     err));
    COP_TRY(read_optional(reader, "mscale", 0.0, &scale, err));
    COP_TRY(read_optional(reader, "mscale_all_dim", 0.0, &scale_all, err));
    COP_TRY(cop_config_json_bool(reader, "truncate", true, &rope->truncate, err));
    if (rope->attention_factor == 0.0 && scale > 0.0 && scale_all > 0.0) {
        rope->attention_factor =
            yarn_mscale(rope->factor, scale) / yarn_mscale(rope->factor, scale_all);
    }
    return COP_OK;
}

/* One rope object; an absent one is {}. */
static cop_status read_one(const json_reader *reader, const rope_defaults *defaults,
                           cop_rope *rope, cop_error *err)
{
    *rope = (cop_rope){.factor = 1.0};
    COP_TRY(read_kind(reader, &rope->kind, err));
    COP_TRY(refuse_partial(reader, err));
    COP_TRY(cop_config_json_positive(reader, "rope_theta", defaults->theta, &rope->theta, err));
    COP_CHECK(rope->theta > 1.0, err, COP_ERR_FORMAT, "%s: %srope_theta is %g, not above 1",
              reader->path, reader->scope, rope->theta);
    if (rope->kind == COP_ROPE_DEFAULT) return COP_OK;
    COP_TRY(cop_config_json_positive(reader, "factor", COP_JSON_REQUIRED, &rope->factor, err));
    if (rope->kind == COP_ROPE_LINEAR) return COP_OK;
    COP_TRY(cop_config_json_positive(reader, "original_max_position_embeddings",
                                     defaults->original_positions, &rope->original_positions,
                                     err));
    if (defaults->positions_decide) rope->original_positions = defaults->original_positions;
    if (rope->kind == COP_ROPE_YARN) return read_yarn(reader, rope, err);
    COP_TRY(cop_config_json_positive(reader, "low_freq_factor", COP_JSON_REQUIRED,
                                     &rope->low_frequency_factor, err));
    COP_TRY(cop_config_json_positive(reader, "high_freq_factor", COP_JSON_REQUIRED,
                                     &rope->high_frequency_factor, err));
    COP_CHECK(rope->high_frequency_factor > rope->low_frequency_factor, err, COP_ERR_FORMAT,
              "%s: %shigh_freq_factor is not above low_freq_factor", reader->path,
              reader->scope);
    return COP_OK;
}

/* A member that must be an object; NULL if it is absent, null or empty. */
static cop_status find_object(const json_reader *reader, const char *key, const json_t **object,
                              cop_error *err)
{
    *object = cop_config_json_get(reader, key);
    COP_CHECK(*object == NULL || json_is_object(*object), err, COP_ERR_FORMAT,
              "%s: %s%s is not an object", reader->path, reader->scope, key);
    if (*object != NULL && json_object_size(*object) == 0) *object = NULL;
    return COP_OK;
}

static cop_status read_flat(const json_reader *reader, const cop_family *of,
                            const rope_defaults defaults[2], cop_rope rope[2], cop_error *err)
{
    COP_TRY(read_one(reader, &defaults[0], &rope[0], err));
    rope[1] = rope[0];
    if (of->scale_full_only) rope[1] = (cop_rope){.theta = rope[0].theta, .factor = 1.0};
    if (of->local_theta > 0.0) rope[1].theta = defaults[1].theta;
    return COP_OK;
}

static cop_status read_nested(const json_reader *reader, const rope_defaults defaults[2],
                              cop_rope rope[2], cop_error *err)
{
    static const char *const keys[] = {"full_attention", "sliding_attention"};
    static const char *const scopes[] = {"rope_parameters.full_attention.",
                                         "rope_parameters.sliding_attention."};
    for (size_t i = 0; i < 2; i++) {
        json_reader inner = {.path = reader->path, .scope = scopes[i]};
        COP_TRY(find_object(reader, keys[i], &inner.object, err));
        COP_TRY(read_one(&inner, &defaults[i], &rope[i], err));
    }
    return COP_OK;
}

/* Kinds of layers have ropes of their own. */
static bool has_kinds(const cop_family *of)
{
    return of->scale_full_only || of->local_theta > 0.0;
}

/* What the objects of full and sliding layers default to. As transformers has it, a number of
 * positions outside of them goes before theirs, or for kinds of layers is passed over. */
static cop_status read_defaults(const json_reader *reader, const cop_family *of,
                                int32_t max_positions, rope_defaults defaults[2],
                                cop_error *err)
{
    COP_TRY(cop_config_json_positive(reader, "rope_theta", of->theta, &defaults[0].theta, err));
    COP_TRY(cop_config_json_positive(reader, "original_max_position_embeddings",
                                     (double)max_positions, &defaults[0].original_positions,
                                     err));
    defaults[0].positions_decide =
        !has_kinds(of) &&
        cop_config_json_get(reader, "original_max_position_embeddings") != NULL;
    if (has_kinds(of)) defaults[0].original_positions = (double)max_positions;
    defaults[1] = defaults[0];
    if (of->local_theta == 0.0) return COP_OK;
    COP_TRY(cop_config_json_positive(reader, "rope_local_base_freq", of->local_theta,
                                     &defaults[1].theta, err));
    COP_CHECK(defaults[1].theta > 1.0, err, COP_ERR_FORMAT,
              "%s: rope_local_base_freq is %g, not above 1", reader->path, defaults[1].theta);
    return COP_OK;
}

/* Where all layers have one rope, transformers passes over objects for kinds of them. */
static cop_status refuse_kinds(const json_reader *reader, const cop_family *of, bool nested,
                               cop_error *err)
{
    COP_CHECK(!nested || has_kinds(of), err, COP_ERR_UNSUPPORTED,
              "%s: %sfull_attention and sliding_attention are not implemented for %s, whose "
              "layers have one rope",
              reader->path, reader->scope, of->model_type);
    return COP_OK;
}

/* Where kinds of layers have ropes of their own, transformers passes over what else a
 * rope_scaling has. */
static cop_status refuse_passed_over(const json_reader *scaling, const cop_family *of,
                                     bool nested, cop_error *err)
{
    if (!has_kinds(of)) return COP_OK;
    COP_CHECK(
        !nested, err, COP_ERR_UNSUPPORTED,
        "%s: rope_scaling with full_attention or sliding_attention is not implemented for "
        "%s; give them in rope_parameters",
        scaling->path, of->model_type);
    const char *const type = json_string_value(cop_config_json_get(scaling, "type"));
    COP_CHECK(type == NULL || strcmp(type, "default") == 0 ||
                  cop_config_json_get(scaling, "rope_type") != NULL,
              err, COP_ERR_UNSUPPORTED,
              "%s: rope_scaling with type alone is not implemented for %s; give rope_type",
              scaling->path, of->model_type);
    return COP_OK;
}

/* Where kinds of layers have bases of their own, transformers passes over the values of a flat
 * rope_parameters, and mixes what is given in both spellings. */
static cop_status refuse_mixture(const json_reader *reader, const cop_family *of, bool scaled,
                                 bool nested, cop_error *err)
{
    const json_t *const other = cop_config_json_get(reader, "rope_parameters");
    if (of->local_theta == 0.0 || json_object_size(other) == 0) return COP_OK;
    COP_CHECK(!scaled, err, COP_ERR_UNSUPPORTED,
              "%s: rope_scaling beside rope_parameters is not implemented for %s", reader->path,
              of->model_type);
    COP_CHECK(nested, err, COP_ERR_UNSUPPORTED,
              "%s: rope_parameters without full_attention and sliding_attention is not "
              "implemented for %s",
              reader->path, of->model_type);
    return COP_OK;
}

cop_status cop_config_read_rope(const json_reader *reader, const cop_family *of,
                                int32_t max_positions, cop_rope rope[2], cop_error *err)
{
    rope_defaults defaults[2];
    COP_TRY(refuse_partial(reader, err));
    COP_TRY(read_defaults(reader, of, max_positions, defaults, err));
    json_reader inner = {.path = reader->path, .scope = "rope_scaling."};
    COP_TRY(find_object(reader, "rope_scaling", &inner.object, err));
    const bool scaled = inner.object != NULL;
    if (!scaled) {
        inner.scope = "rope_parameters.";
        COP_TRY(find_object(reader, "rope_parameters", &inner.object, err));
    }
    const bool nested = json_object_get(inner.object, "full_attention") != NULL ||
                        json_object_get(inner.object, "sliding_attention") != NULL;
    COP_TRY(refuse_kinds(&inner, of, nested, err));
    COP_TRY(refuse_mixture(reader, of, scaled, nested, err));
    if (scaled) COP_TRY(refuse_passed_over(&inner, of, nested, err));
    return nested ? read_nested(&inner, defaults, rope, err)
                  : read_flat(&inner, of, defaults, rope, err);
}
