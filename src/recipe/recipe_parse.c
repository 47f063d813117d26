/* Recipes from JSON. Strict: a field that is not known might change what the recipe means. */
#include "recipe/scaling.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/json/json.h"
#include "coppice/json/json_text.h"
#include "coppice/noise/noise.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* About six million components. */
enum { MAX_BYTES = 256 << 20 };

static cop_status check_fields(json_t *object, const char *const *known, size_t count,
                               cop_error *err)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(object, key, value)
    {
        COP_CHECK(cop_text_find_name(key, known, count) < count, err, COP_ERR_FORMAT,
                  "unknown field \"%s\"", key);
    }
    return COP_OK;
}

/* A version from 1 to `newest`. */
static cop_status check_version(const json_t *root, const char *key, int newest, cop_error *err)
{
    const json_t *const value = json_object_get(root, key);
    COP_CHECK(json_is_integer(value), err, COP_ERR_FORMAT,
              "\"%s\" is missing or not a whole number", key);
    COP_CHECK(json_integer_value(value) >= 1 && json_integer_value(value) <= newest, err,
              COP_ERR_UNSUPPORTED,
              "\"%s\" is %" JSON_INTEGER_FORMAT "; this program knows version%s %s%d", key,
              json_integer_value(value), newest == 1 ? "" : "s", newest == 1 ? "" : "1 to ",
              newest);
    return COP_OK;
}

/* A SHA-256 in lower case, or `other`. */
static bool is_digest(const char *hex, const char *other)
{
    return hex != NULL && (strcmp(hex, other) == 0 ||
                           (strlen(hex) == COP_DIGEST_HEX_BYTES - 1 &&
                            strspn(hex, "0123456789abcdef") == COP_DIGEST_HEX_BYTES - 1));
}

static cop_status parse_digest(const json_t *root, cop_recipe *recipe, cop_error *err)
{
    const char *const hex = json_string_value(json_object_get(root, "base_sha256"));
    COP_CHECK(
        is_digest(hex, ""), err, COP_ERR_FORMAT,
        "\"base_sha256\" is missing or neither 64 lower-case hexadecimal digits nor empty");
    memcpy(recipe->base_sha256, hex, strlen(hex) + 1);
    return COP_OK;
}

static cop_status parse_files(json_t *root, cop_recipe *recipe, cop_error *err)
{
    json_t *const files = json_object_get(root, "files");
    if (files == NULL) return COP_OK;
    COP_CHECK(json_is_object(files), err, COP_ERR_FORMAT, "\"files\" is not an object");
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(files, name, value)
    {
        const size_t index = cop_identity_find(name);
        const char *const hex = json_string_value(value);
        COP_CHECK(index < COP_IDENTITY_FILES, err, COP_ERR_FORMAT,
                  "\"files\" has \"%s\", which this program does not know", name);
        COP_CHECK(is_digest(hex, "none"), err, COP_ERR_FORMAT,
                  "\"files\", \"%s\" is neither 64 lower-case hexadecimal digits nor \"none\"",
                  name);
        memcpy(recipe->files.digest[index], hex, strlen(hex) + 1);
    }
    return COP_OK;
}

static cop_status parse_untied(const json_t *root, cop_recipe *recipe, cop_error *err)
{
    const json_t *const value = json_object_get(root, "untied_head");
    COP_CHECK(value == NULL || json_is_boolean(value), err, COP_ERR_FORMAT,
              "\"untied_head\" is not true or false");
    recipe->untied_head = json_is_true(value);
    return COP_OK;
}

static cop_status parse_scope(const json_t *root, cop_recipe *recipe, cop_error *err)
{
    const json_t *const list = json_object_get(root, "scope");
    const size_t count = json_array_size(list);
    COP_CHECK(count > 0, err, COP_ERR_FORMAT, "\"scope\" is missing or not a list of patterns");
    const char **const patterns = cop_memory_alloc(count, sizeof *patterns, err);
    if (patterns == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    for (size_t i = 0; i < count && status == COP_OK; i++) {
        const json_t *const pattern = json_array_get(list, i);
        patterns[i] = json_string_value(pattern);
        if (!cop_json_is_text(pattern)) {
            status =
                cop_error_set(err, COP_ERR_FORMAT, "\"scope\" entry %zu is not a string", i);
        }
    }
    if (status == COP_OK) status = cop_recipe_set_scope(recipe, patterns, count, err);
    if (status == COP_ERR_CONFIG) { /* the same mistake, but in a file */
        status = cop_error_set(err, COP_ERR_FORMAT, "%s", err == NULL ? "" : err->message);
    }
    cop_memory_free(patterns);
    return status;
}

static cop_status parse_scaling(const json_t *root, cop_recipe *recipe, cop_error *err)
{
    const char *const name = json_string_value(json_object_get(root, "scaling"));
    COP_CHECK(name != NULL, err, COP_ERR_FORMAT, "\"scaling\" is missing or not a string");
    COP_CHECK(
        cop_scaling_find(name, &recipe->scaling), err, COP_ERR_UNSUPPORTED,
        "\"scaling\" is \"%s\"; this program knows \"absolute\", \"rms\", \"spectral\" and "
        "\"modular\"",
        name);
    return COP_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const cop_tensor_scale *)a)->name, ((const cop_tensor_scale *)b)->name);
}

/* The table of a scaling that has one; in any order. */
static cop_status parse_scales(json_t *root, cop_recipe *recipe, cop_error *err)
{
    json_t *const table = json_object_get(root, "scales");
    const bool wanted = cop_scaling_has_table(recipe->scaling);
    COP_CHECK(wanted || table == NULL, err, COP_ERR_FORMAT,
              "\"scales\" belongs to the scalings \"spectral\" and \"modular\" alone");
    if (!wanted) return COP_OK;
    COP_CHECK(json_is_object(table), err, COP_ERR_FORMAT,
              "\"scales\" is missing or not an object of tensors and numbers");
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(table, name, value)
    {
        const float scale = (float)json_number_value(value);
        COP_CHECK(json_is_number(value) && isfinite(scale) && scale >= 0, err, COP_ERR_FORMAT,
                  "\"scales\", \"%s\" is not a number of binary32 from 0 on", name);
        COP_TRY(cop_recipe_add_scale(recipe, name, scale, err));
    }
    if (recipe->scale_count > 0)
        qsort(recipe->scales, recipe->scale_count, sizeof *recipe->scales, compare_names);
    return COP_OK;
}

/* One spelling for each recipe: full noise goes without saying. */
static cop_status parse_noise(const json_t *root, cop_recipe *recipe, cop_error *err)
{
    const json_t *const value = json_object_get(root, "noise");
    if (value == NULL) return COP_OK;
    COP_CHECK(json_integer_value(json_object_get(root, "version")) >= COP_RECIPE_VERSION_RANK,
              err, COP_ERR_FORMAT, "unknown field \"noise\", which is of version %d",
              COP_RECIPE_VERSION_RANK);
    COP_CHECK(cop_json_is_text(value) &&
                  cop_noise_kind_parse(json_string_value(value), &recipe->noise_rank) &&
                  recipe->noise_rank > 0,
              err, COP_ERR_UNSUPPORTED,
              "\"noise\" is not \"rank-1\" to \"rank-%d\", which this program knows",
              COP_MOST_RANK);
    return COP_OK;
}

/* Decimal digits without sign, space or leading zeros: one spelling for each number. */
static cop_status parse_seed(const json_t *value, uint64_t *seed, cop_error *err)
{
    const char *const text = json_string_value(value);
    COP_CHECK(text != NULL && text[0] != '\0' && (text[0] != '0' || text[1] == '\0'), err,
              COP_ERR_FORMAT, "\"seed\" is not a decimal number in a string");
    uint64_t number = 0;
    for (const char *c = text; *c != '\0'; c++) {
        COP_CHECK(*c >= '0' && *c <= '9' && !__builtin_mul_overflow(number, 10U, &number) &&
                      !__builtin_add_overflow(number, (uint64_t)(*c - '0'), &number),
                  err, COP_ERR_FORMAT,
                  "\"seed\" is not a decimal number of up to 64 bits in a string");
    }
    *seed = number;
    return COP_OK;
}

/* Member `key` as a number of binary32. */
static cop_status parse_number(json_t *entry, const char *key, float *number, cop_error *err)
{
    const json_t *const value = json_object_get(entry, key);
    COP_CHECK(json_is_number(value), err, COP_ERR_FORMAT, "\"%s\" is missing or not a number",
              key);
    const double wide = json_number_value(value);
    *number = (float)wide;
    COP_CHECK(isfinite(*number) && (*number != 0.0F || wide == 0.0), err, COP_ERR_FORMAT,
              "\"%s\" is %.9g, beyond the range of binary32", key, wide);
    return COP_OK;
}

static cop_status parse_component(json_t *entry, cop_component *component, cop_error *err)
{
    static const char *const known[] = {"seed", "amplitude"};
    COP_CHECK(json_is_object(entry), err, COP_ERR_FORMAT, "not an object");
    COP_TRY(check_fields(entry, known, 2, err));
    COP_TRY(parse_seed(json_object_get(entry, "seed"), &component->seed, err));
    return parse_number(entry, "amplitude", &component->amplitude, err);
}

/* Components as they are read. */
typedef struct component_list {
    cop_component *items; /* [count] */
    size_t count, capacity;
} component_list;

static cop_status add_component(component_list *list, json_t *entry, float factor,
                                cop_error *err)
{
    cop_component component = {.factor = factor};
    COP_TRY(parse_component(entry, &component, err));
    COP_GROW(list->items, list->capacity, list->count + 1, err);
    list->items[list->count++] = component;
    return COP_OK;
}

/* A sum; one whose factor is zero is left out, as a component of amplitude zero is. */
static cop_status add_sum(component_list *list, json_t *entry, cop_error *err)
{
    static const char *const known[] = {"factor", "sum"};
    json_t *const sum = json_object_get(entry, "sum");
    const size_t count = json_array_size(sum);
    const size_t before = list->count;
    float factor = 0;
    COP_TRY(check_fields(entry, known, 2, err));
    COP_TRY(parse_number(entry, "factor", &factor, err));
    COP_CHECK(count > 0, err, COP_ERR_FORMAT, "\"sum\" is not a list of components");
    for (size_t i = 0; i < count; i++) {
        const cop_status status = add_component(list, json_array_get(sum, i), COP_IN_SUM, err);
        if (status != COP_OK) return cop_error_prefix(err, "\"sum\" entry %zu", i);
    }
    list->items[list->count - 1].factor = factor;
    if (factor == 0.0F) list->count = before;
    return COP_OK;
}

static cop_status read_components(const json_t *root, component_list *list, cop_error *err)
{
    const json_t *const entries = json_object_get(root, "components");
    const bool has_sums =
        json_integer_value(json_object_get(root, "version")) >= COP_RECIPE_VERSION_SUMS;
    COP_CHECK(json_is_array(entries), err, COP_ERR_FORMAT,
              "\"components\" is missing or not a list");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        json_t *const entry = json_array_get(entries, i);
        const bool is_sum = has_sums && json_object_get(entry, "sum") != NULL;
        const cop_status status =
            is_sum ? add_sum(list, entry, err) : add_component(list, entry, 0, err);
        if (status != COP_OK) return cop_error_prefix(err, "\"components\" entry %zu", i);
    }
    return COP_OK;
}

static cop_status parse_components(const json_t *root, cop_recipe *recipe, cop_error *err)
{
    component_list list = {0};
    cop_status status = read_components(root, &list, err);
    if (status == COP_OK)
        status = cop_recipe_set_components(recipe, list.items, list.count, err);
    cop_memory_free(list.items);
    return status;
}

static cop_status parse_metrics(const json_t *root, const char *json, size_t length,
                                cop_recipe *recipe, cop_error *err)
{
    const json_t *const metrics = json_object_get(root, "metrics");
    if (metrics == NULL) return COP_OK;
    COP_CHECK(json_is_object(metrics), err, COP_ERR_FORMAT, "\"metrics\" is not an object");
    const char *text = NULL;
    size_t text_length = 0;
    COP_CHECK(cop_json_find_member(json, length, "metrics", &text, &text_length), err,
              COP_ERR_FORMAT, "\"metrics\" is spelt with escapes");
    cop_text compact = {0};
    const cop_status status = cop_json_compact(text, text_length, &compact, err);
    if (status != COP_OK) {
        cop_text_free(&compact);
        return status;
    }
    recipe->metrics_json = compact.data;
    return COP_OK;
}

static cop_status parse_root(json_t *root, const char *json, size_t length, cop_recipe *recipe,
                             cop_error *err)
{
    static const char *const known[] = {
        "version", "noise_version", "base_sha256", "scope",      "scaling", "scales",
        "files",   "untied_head",   "noise",       "components", "metrics"};
    COP_CHECK(json_is_object(root), err, COP_ERR_FORMAT, "not a JSON object");
    /* The version first: another one may well have other fields. */
    COP_TRY(check_version(root, "version", COP_RECIPE_VERSION_RANK, err));
    COP_TRY(check_version(root, "noise_version", COP_NOISE_VERSION, err));
    COP_TRY(check_fields(root, known, sizeof known / sizeof known[0], err));
    COP_TRY(parse_digest(root, recipe, err));
    COP_TRY(parse_scope(root, recipe, err));
    COP_TRY(parse_scaling(root, recipe, err));
    COP_TRY(parse_scales(root, recipe, err));
    COP_TRY(parse_files(root, recipe, err));
    COP_TRY(parse_untied(root, recipe, err));
    COP_TRY(parse_noise(root, recipe, err));
    COP_TRY(parse_components(root, recipe, err));
    return parse_metrics(root, json, length, recipe, err);
}

cop_status cop_recipe_parse(const char *json, size_t length, const char *origin,
                            cop_recipe **recipe, cop_error *err)
{
    *recipe = NULL;
    cop_recipe *parsed = NULL;
    cop_status status = cop_recipe_create(&parsed, err);
    if (status != COP_OK) return status;
    json_t *root = NULL;
    cop_json_skip_mark(&json, &length);
    status = cop_json_load(json, length, &root, err);
    if (status == COP_OK) status = parse_root(root, json, length, parsed, err);
    json_decref(root);
    if (status != COP_OK) {
        (void)cop_error_prefix(err, "%s", origin);
        cop_recipe_destroy(&parsed);
    }
    *recipe = parsed;
    return status;
}

cop_status cop_recipe_read(const char *path, cop_recipe **recipe, cop_error *err)
{
    *recipe = NULL;
    cop_text text = {0};
    cop_status status = cop_text_read_file(&text, path, MAX_BYTES, err);
    if (status == COP_OK) status = cop_recipe_parse(text.data, text.length, path, recipe, err);
    cop_text_free(&text);
    return status;
}
