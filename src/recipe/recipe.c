#include "recipe/scaling.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/noise/noise.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

/* Longer patterns could make fnmatch(3) take very long. */
enum { MAX_PATTERN_BYTES = 1024 };

static void free_scope(char **scope, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cop_memory_free(scope[i]);
    cop_memory_free(scope);
}

cop_status cop_recipe_create(cop_recipe **recipe, cop_error *err)
{
    static const char *const everything[] = {"*"};
    *recipe = cop_memory_alloc(1, sizeof **recipe, err);
    if (*recipe == NULL) return COP_ERR_MEMORY;
    const cop_status status = cop_recipe_set_scope(*recipe, everything, 1, err);
    if (status != COP_OK) cop_recipe_destroy(recipe);
    return status;
}

/* Copies a term of `length` components, those of amplitude zero left out. \return how many. */
static size_t copy_term(const cop_component *term, size_t length, cop_component *copy)
{
    size_t kept = 0;
    for (size_t i = 0; i < length; i++) {
        if (term[i].amplitude == 0.0F) continue;
        copy[kept].seed = term[i].seed;
        copy[kept].amplitude = term[i].amplitude;
        copy[kept].factor = term[i].factor;
        kept++;
    }
    if (kept > 0) copy[kept - 1].factor = term[length - 1].factor;
    return kept;
}

static cop_status copy_components(const cop_component *components, size_t count,
                                  cop_component *copy, size_t *kept, cop_error *err)
{
    *kept = 0;
    for (size_t i = 0; i < count; i++) {
        const bool in_sum = components[i].factor == COP_IN_SUM;
        COP_CHECK(isfinite(components[i].amplitude), err, COP_ERR_NUMERIC,
                  "the amplitude of component %zu is not a finite number", i);
        COP_CHECK(in_sum || isfinite(components[i].factor), err, COP_ERR_NUMERIC,
                  "the factor of the sum that ends with component %zu is not a finite number",
                  i);
    }
    for (size_t i = 0; i < count;) {
        const size_t length = cop_component_term(components, count, i);
        COP_CHECK(length > 0, err, COP_ERR_INTERNAL,
                  "the sum that begins with component %zu has no end", i);
        *kept += copy_term(components + i, length, copy + *kept);
        i += length;
    }
    return COP_OK;
}

cop_status cop_recipe_set_components(cop_recipe *recipe, const cop_component *components,
                                     size_t count, cop_error *err)
{
    cop_component *const copy = cop_memory_alloc(count, sizeof *copy, err);
    if (copy == NULL) return COP_ERR_MEMORY;
    size_t kept = 0;
    const cop_status status = copy_components(components, count, copy, &kept, err);
    if (status != COP_OK) {
        cop_memory_free(copy);
        return status;
    }
    cop_memory_free(recipe->components);
    recipe->components = copy;
    recipe->component_count = kept;
    assert(kept <= count);
    return COP_OK;
}

bool cop_recipe_is_valid(const cop_recipe *recipe)
{
    if (recipe->noise_rank > COP_MOST_RANK) return false;
    if (recipe->scope_count == 0 || recipe->scope == NULL) return false;
    for (size_t i = 0; i < recipe->scope_count; i++) {
        if (recipe->scope[i] == NULL || recipe->scope[i][0] == '\0') return false;
    }
    for (size_t i = 0; i < recipe->scale_count; i++) {
        if (!isfinite(recipe->scales[i].scale) || recipe->scales[i].scale < 0) return false;
        if (i > 0 && strcmp(recipe->scales[i - 1].name, recipe->scales[i].name) >= 0)
            return false;
    }
    size_t term = 0;
    for (size_t j = 0; j < recipe->component_count; j += term) {
        term = cop_component_term(recipe->components, recipe->component_count, j);
        if (term == 0 || !isfinite(recipe->components[j + term - 1].factor)) return false;
        for (size_t i = j; i < j + term; i++) {
            const float amplitude = recipe->components[i].amplitude;
            if (!isfinite(amplitude) || amplitude == 0.0F) return false;
        }
    }
    const size_t length = strlen(recipe->base_sha256);
    return length == 0 || length == COP_DIGEST_HEX_BYTES - 1;
}

static cop_status copy_pattern(const char *pattern, char **copy, cop_error *err)
{
    const size_t length = strlen(pattern);
    COP_CHECK(length > 0 && length <= MAX_PATTERN_BYTES, err, COP_ERR_CONFIG,
              "a pattern of the scope has %zu bytes, it must have 1 to %d", length,
              MAX_PATTERN_BYTES);
    json_t *const text = json_string(pattern);
    COP_CHECK(text != NULL, err, COP_ERR_CONFIG, "a pattern of the scope is not valid UTF-8");
    json_decref(text);
    *copy = cop_memory_copy_string(pattern, length, err);
    return *copy == NULL ? COP_ERR_MEMORY : COP_OK;
}

cop_status cop_recipe_set_scope(cop_recipe *recipe, const char *const *patterns, size_t count,
                                cop_error *err)
{
    COP_CHECK(count > 0, err, COP_ERR_CONFIG,
              "the scope has no pattern; \"*\" means all tensors");
    char **const scope = cop_memory_alloc(count, sizeof *scope, err);
    if (scope == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const cop_status status = copy_pattern(patterns[i], &scope[i], err);
        if (status != COP_OK) {
            free_scope(scope, count);
            return status;
        }
    }
    free_scope(recipe->scope, recipe->scope_count);
    recipe->scope = scope;
    recipe->scope_count = count;
    return COP_OK;
}

void cop_recipe_destroy(cop_recipe **recipe)
{
    if (recipe == NULL || *recipe == NULL) return;
    free_scope((*recipe)->scope, (*recipe)->scope_count);
    cop_recipe_free_scales(*recipe);
    cop_memory_free((*recipe)->components);
    cop_memory_free((*recipe)->metrics_json);
    cop_memory_free(*recipe);
    *recipe = NULL;
}
