/* scale(tensor): what a sigma is multiplied by. Two of the scalings are a table in closed forms
 * of the tensors' shapes, so that a sigma says how much a tensor's noise does rather than how
 * large its numbers are.
 *
 * The norm of Gaussian noise of a shape is known without drawing it. A matrix [m, n] has the
 * spectral norm sqrt(m) + sqrt(n) (Davidson and Szarek 2001, theorem II.13: its expectation is
 * at most that, and close). Of the rows [m, n] of an embedding, of which a token sees one, the
 * longest has sqrt(n) + sqrt(ln m); of a vector [n] the largest number is sqrt(2 ln n). Noise
 * of a low rank r has all of its size in few directions, and a larger norm: see product_norm(),
 * and sqrt(n) + sqrt(ln m) (1 + sqrt(n / r)) for the longest row.
 *
 * spectral: every tensor's noise has the norm sigma. modular (after Modular Norm RandOpt, 2026:
 * masses of modules): the norm sigma is shared out over the modules by their masses, and over
 * a module's tensors evenly. */
#include "recipe/scaling.h"

#include "coppice/base/math.h"
#include "coppice/base/memory.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

static const char *const scaling_names[] = {[COP_SCALING_ABSOLUTE] = "absolute",
                                            [COP_SCALING_RMS] = "rms",
                                            [COP_SCALING_SPECTRAL] = "spectral",
                                            [COP_SCALING_MODULAR] = "modular"};

bool cop_scaling_find(const char *name, cop_scaling *scaling)
{
    const size_t count = sizeof scaling_names / sizeof scaling_names[0];
    const size_t found = cop_text_find_name(name, scaling_names, count);
    if (found < count) *scaling = (cop_scaling)found;
    return found < count;
}

const char *cop_scaling_name(cop_scaling scaling)
{
    return scaling_names[scaling];
}

bool cop_scaling_has_table(cop_scaling scaling)
{
    return scaling == COP_SCALING_SPECTRAL || scaling == COP_SCALING_MODULAR;
}

/* Whether a tensor has a floating-point type, is used and in the recipe's scope. */
static bool has_in_scope(const cop_recipe *recipe, const cop_tensor_info *tensor)
{
    if (tensor->dtype == COP_DTYPE_OTHER || tensor->use == COP_TENSOR_UNUSED) return false;
    for (size_t i = 0; i < recipe->scope_count; i++)
        if (fnmatch(recipe->scope[i], tensor->name, 0) == 0) return true;
    return false;
}

/* --- the table --- */

typedef enum module_kind {
    MODULE_EMBEDDING,
    MODULE_ATTENTION,
    MODULE_MLP,
    MODULE_HEAD,
    MODULE_VECTORS, /* norms and biases */
    MODULE_COUNT
} module_kind;

static const double masses[MODULE_COUNT] = {[MODULE_EMBEDDING] = 1,
                                            [MODULE_ATTENTION] = 0.5,
                                            [MODULE_MLP] = 0.5,
                                            [MODULE_HEAD] = 1,
                                            [MODULE_VECTORS] = 0.1};

/* By the names that Hugging Face's models use. */
static module_kind module_of(const cop_tensor_info *tensor)
{
    if (tensor->rank < 2) return MODULE_VECTORS;
    if (strstr(tensor->name, "embed_tokens") != NULL) return MODULE_EMBEDDING;
    if (strstr(tensor->name, "lm_head") != NULL) return MODULE_HEAD;
    return strstr(tensor->name, "mlp") != NULL ? MODULE_MLP : MODULE_ATTENTION;
}

/* The largest singular value of a product of Gaussian factors [m, r] and [r, n]: the edge of
 * the spectrum of such products as they grow (Akemann, Ipsen and Kieburg 2013), sqrt(min over x
 * > 0 of (m + x) (n + x) (r + x) / x). At the minimum 1 / (m + x) + 1 / (n + x) + 1 / (r + x)
 * is 1 / x; the difference changes its sign once, between 0 and the mean of the three. */
static double product_norm(double m, double n, double r)
{
    double low = 0;
    double high = m + n + r;
    for (int step = 0; step < 100; step++) {
        const double x = (low + high) / 2;
        if (1 / (m + x) + 1 / (n + x) + 1 / (r + x) < 1 / x) {
            low = x;
        } else {
            high = x;
        }
    }
    return sqrt((m + low) * (n + low) * ((r + low) / low));
}

/* The norm of noise of standard deviation 1; `rows` of an embedding are looked up one by one.
 */
static double norm_of(const cop_tensor_info *tensor, size_t rank, bool rows)
{
    if (tensor->rank == 0 || tensor->count < 2) return 1;
    if (tensor->rank == 1) return sqrt(2 * cop_math_log((double)tensor->count));
    const double m = (double)tensor->shape[0];
    const double n = (double)tensor->count / m;
    if (rank == 0) return sqrt(n) + (rows ? sqrt(cop_math_log(m)) : sqrt(m));
    const double r = (double)rank;
    if (!rows) return product_norm(m, n, r) / sqrt(r);
    return sqrt(n) + sqrt(cop_math_log(m)) * (1 + sqrt(n / r));
}

/* Whether it gets noise at all. */
static bool takes_noise(const cop_recipe *recipe, const cop_tensor_info *tensor)
{
    return tensor->original == NULL && tensor->count > 0 && has_in_scope(recipe, tensor);
}

static float scale_of(const cop_recipe *recipe, const cop_tensor_info *tensor,
                      const size_t counts[MODULE_COUNT])
{
    const module_kind module = module_of(tensor);
    const double norm = norm_of(tensor, recipe->noise_rank, module == MODULE_EMBEDDING);
    if (recipe->scaling == COP_SCALING_SPECTRAL) return (float)(1 / norm);
    double total = 0;
    for (size_t k = 0; k < MODULE_COUNT; k++)
        if (counts[k] > 0) total += masses[k];
    return (float)(masses[module] / total / (double)counts[module] / norm);
}

void cop_recipe_free_scales(cop_recipe *recipe)
{
    for (size_t i = 0; i < recipe->scale_count; i++)
        cop_memory_free(recipe->scales[i].name);
    cop_memory_free(recipe->scales);
    recipe->scales = NULL;
    recipe->scale_count = 0;
    recipe->scale_capacity = 0;
}

cop_status cop_recipe_add_scale(cop_recipe *recipe, const char *name, float scale,
                                cop_error *err)
{
    COP_GROW(recipe->scales, recipe->scale_capacity, recipe->scale_count + 1, err);
    char *const copy = cop_memory_copy_string(name, strlen(name), err);
    if (copy == NULL) return COP_ERR_MEMORY;
    recipe->scales[recipe->scale_count++] = (cop_tensor_scale){copy, scale};
    return COP_OK;
}

cop_status cop_recipe_set_scales(cop_recipe *recipe, const cop_checkpoint *base, cop_error *err)
{
    size_t counts[MODULE_COUNT] = {0};
    cop_recipe_free_scales(recipe);
    if (!cop_scaling_has_table(recipe->scaling)) return COP_OK;
    for (size_t i = 0; i < cop_checkpoint_count(base); i++) {
        const cop_tensor_info *const tensor = cop_checkpoint_at(base, i);
        if (takes_noise(recipe, tensor)) counts[module_of(tensor)]++;
    }
    for (size_t i = 0; i < cop_checkpoint_count(base); i++) { /* in rising order of names */
        const cop_tensor_info *const tensor = cop_checkpoint_at(base, i);
        if (!takes_noise(recipe, tensor)) continue;
        COP_TRY(
            cop_recipe_add_scale(recipe, tensor->name, scale_of(recipe, tensor, counts), err));
    }
    return COP_OK;
}

/* The scale of a tensor by its name, 0 where the table has none. */
static float find_scale(const cop_recipe *recipe, const char *name)
{
    size_t first = 0;
    size_t end = recipe->scale_count;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        const int order = strcmp(name, recipe->scales[middle].name);
        if (order == 0) return recipe->scales[middle].scale;
        if (order < 0) {
            end = middle;
        } else {
            first = middle + 1;
        }
    }
    return 0.0F;
}

cop_low_rank cop_recipe_low_rank(const cop_recipe *recipe, const cop_tensor_info *tensor)
{
    if (recipe->noise_rank == 0 || tensor->rank < 2 || tensor->count == 0)
        return (cop_low_rank){0};
    const size_t columns = (size_t)tensor->shape[tensor->rank - 1];
    return (cop_low_rank){recipe->noise_rank, tensor->count / columns, columns};
}

float cop_recipe_scale(const cop_recipe *recipe, const cop_checkpoint *base,
                       const cop_tensor_info *tensor)
{
    if (tensor->dtype == COP_DTYPE_OTHER || tensor->use == COP_TENSOR_UNUSED) return 0.0F;
    if (tensor->original != NULL) tensor = tensor->original;
    if (!has_in_scope(recipe, tensor)) return 0.0F;
    if (recipe->scaling == COP_SCALING_RMS) return cop_checkpoint_rms(base, tensor);
    return cop_scaling_has_table(recipe->scaling) ? find_scale(recipe, tensor->name) : 1.0F;
}
