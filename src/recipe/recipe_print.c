/* Recipes to JSON. Written by hand and not by a library, so that the same recipe is the same
 * bytes everywhere. */
#include "recipe/scaling.h"

#include "coppice/json/json_text.h"
#include "coppice/noise/noise.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cop_status print_string(const char *string, cop_text *text, cop_error *err)
{
    json_t *const value = json_string(string);
    COP_CHECK(value != NULL, err, COP_ERR_CONFIG,
              "a pattern of the scope, or a tensor's name, is not valid UTF-8");
    char *const quoted = json_dumps(value, JSON_ENCODE_ANY);
    json_decref(value);
    COP_CHECK(quoted != NULL, err, COP_ERR_MEMORY, "no memory to print a recipe");
    const cop_status status = cop_text_append(text, quoted, strlen(quoted), err);
    free(quoted);
    return status;
}

static cop_status print_scope(const cop_recipe *recipe, cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "  \"scope\": ["));
    for (size_t i = 0; i < recipe->scope_count; i++) {
        if (i > 0) COP_TRY(cop_text_append(text, ", ", 2, err));
        COP_TRY(print_string(recipe->scope[i], text, err));
    }
    return cop_text_append(text, "],\n", 3, err);
}

/* Nine significant digits, with a point whatever the locale's is. */
static void format_number(float value, char text[32])
{
    (void)snprintf(text, 32, "%.9g", (double)value);
    char *const comma = strchr(text, ',');
    if (comma != NULL) *comma = '.';
}

static cop_status print_scales(const cop_recipe *recipe, cop_text *text, cop_error *err)
{
    if (!cop_scaling_has_table(recipe->scaling)) return COP_OK;
    COP_TRY(cop_text_format(text, err, "  \"scales\": {"));
    for (size_t i = 0; i < recipe->scale_count; i++) {
        char scale[32];
        format_number(recipe->scales[i].scale, scale);
        COP_TRY(cop_text_format(text, err, "%s\n    ", i == 0 ? "" : ","));
        COP_TRY(print_string(recipe->scales[i].name, text, err));
        COP_TRY(cop_text_format(text, err, ": %s", scale));
    }
    return cop_text_format(text, err, "%s},\n", recipe->scale_count == 0 ? "" : "\n  ");
}

static cop_status print_files(const cop_recipe *recipe, cop_text *text, cop_error *err)
{
    bool first = true;
    for (size_t i = 0; i < COP_IDENTITY_FILES; i++) {
        if (recipe->files.digest[i][0] == '\0') continue;
        COP_TRY(cop_text_format(text, err, "%s\n    \"%s\": \"%s\"",
                                first ? "  \"files\": {" : ",", cop_identity_name(i),
                                recipe->files.digest[i]));
        first = false;
    }
    if (!first) COP_TRY(cop_text_append(text, "\n  },\n", 6, err));
    if (recipe->untied_head) COP_TRY(cop_text_format(text, err, "  \"untied_head\": true,\n"));
    return recipe->noise_rank == 0
               ? COP_OK
               : cop_text_format(text, err, "  \"noise\": \"rank-%zu\",\n", recipe->noise_rank);
}

/* Components [count], one a line, `indent` spaces in. */
static cop_status print_list(const cop_component *components, size_t count, int indent,
                             cop_text *text, cop_error *err)
{
    for (size_t i = 0; i < count; i++) {
        char amplitude[32];
        format_number(components[i].amplitude, amplitude);
        COP_TRY(cop_text_format(text, err,
                                "%s\n%*s{\"seed\": \"%" PRIu64 "\", \"amplitude\": %s}",
                                i == 0 ? "" : ",", indent, "", components[i].seed, amplitude));
    }
    return COP_OK;
}

static cop_status print_sum(const cop_component *components, size_t count, cop_text *text,
                            cop_error *err)
{
    char factor[32];
    format_number(components[count - 1].factor, factor);
    COP_TRY(cop_text_format(text, err, "\n    {\"factor\": %s, \"sum\": [", factor));
    COP_TRY(print_list(components, count, 6, text, err));
    return cop_text_format(text, err, "\n    ]}");
}

static cop_status print_components(const cop_recipe *recipe, cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_format(text, err, "  \"components\": ["));
    size_t length = 0;
    for (size_t i = 0; i < recipe->component_count; i += length) {
        const cop_component *const term = recipe->components + i;
        length = cop_component_term(recipe->components, recipe->component_count, i);
        assert(length > 0);
        if (i > 0) COP_TRY(cop_text_append(text, ",", 1, err));
        if (term[length - 1].factor != 0.0F) {
            COP_TRY(print_sum(term, length, text, err));
        } else {
            COP_TRY(print_list(term, 1, 4, text, err));
        }
    }
    return cop_text_format(text, err, "%s]", recipe->component_count == 0 ? "" : "\n  ");
}

static cop_status print_metrics(const char *metrics, cop_text *text, cop_error *err)
{
    if (metrics == NULL) return COP_OK;
    json_t *value = NULL;
    const bool is_object = cop_json_load(metrics, strlen(metrics), &value, NULL) == COP_OK &&
                           json_is_object(value);
    json_decref(value);
    COP_CHECK(is_object, err, COP_ERR_INTERNAL, "a recipe's metrics are not a JSON object");
    COP_TRY(cop_text_format(text, err, ",\n  \"metrics\": "));
    return cop_json_compact(metrics, strlen(metrics), text, err);
}

/* The lowest version that has all that the recipe says. */
static int version_of(const cop_recipe *recipe)
{
    if (recipe->noise_rank > 0) return COP_RECIPE_VERSION_RANK;
    for (size_t i = 0; i < recipe->component_count; i++) {
        if (recipe->components[i].factor != 0.0F) return COP_RECIPE_VERSION_SUMS;
    }
    return COP_RECIPE_VERSION;
}

cop_status cop_recipe_print(const cop_recipe *recipe, cop_text *text, cop_error *err)
{
    COP_TRY(cop_text_format(text, err,
                            "{\n  \"version\": %d,\n  \"noise_version\": %d,\n"
                            "  \"base_sha256\": \"%s\",\n",
                            version_of(recipe), COP_NOISE_VERSION, recipe->base_sha256));
    COP_TRY(print_scope(recipe, text, err));
    COP_TRY(cop_text_format(text, err, "  \"scaling\": \"%s\",\n",
                            cop_scaling_name(recipe->scaling)));
    COP_TRY(print_scales(recipe, text, err));
    COP_TRY(print_files(recipe, text, err));
    COP_TRY(print_components(recipe, text, err));
    COP_TRY(print_metrics(recipe->metrics_json, text, err));
    return cop_text_append(text, "\n}\n", 3, err);
}

cop_status cop_recipe_write(const cop_recipe *recipe, const char *path, cop_error *err)
{
    cop_text text = {0};
    cop_status status = cop_recipe_print(recipe, &text, err);
    if (status == COP_OK) status = cop_text_write_file(path, text.data, text.length, err);
    cop_text_free(&text);
    return status;
}
