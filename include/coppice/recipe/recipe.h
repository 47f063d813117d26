/** \file recipe.h
 * A recipe: what is added to a base model, as (seed, amplitude) components and sums of these.
 *
 * On disk: JSON {"version": 1, "noise_version": 1, "base_sha256": "...", "scope": ["*"],
 * "scaling": "absolute", "files": {"config.json": "..."}, "components": [{"seed": "123",
 * "amplitude": 0.00123}], "metrics": {...}}; "files" (cop_identity) may be missing, and
 * "untied_head": true may stand after it. Seeds are decimal strings (64 bits do not fit a JSON
 * number), amplitudes have nine significant digits, so that binary32 survives the round trip.
 * The scalings "spectral" and "modular" have "scales": {"tensor": 0.00123} behind them.
 * Version 2 is the same with sums among the components: {"factor": 0.00123, "sum": [...]}.
 * Version 3 adds "noise": "rank-4" before the components, for noise of low rank. jobs/RECIPE.md
 * defines them all.
 */
#ifndef COPPICE_RECIPE_RECIPE_H
#define COPPICE_RECIPE_RECIPE_H

#include "coppice/base/digest.h"
#include "coppice/base/status.h"
#include "coppice/base/text.h"
#include "coppice/checkpoint/checkpoint.h"
#include "coppice/rebuild/rebuild.h"
#include "coppice/recipe/identity.h"

#include <stdbool.h>
#include <stddef.h>

/** Versions that are read; a recipe is written as the lowest that can say it. */
enum { COP_RECIPE_VERSION = 1, COP_RECIPE_VERSION_SUMS = 2, COP_RECIPE_VERSION_RANK = 3 };

/** How scale(tensor) is chosen. */
typedef enum cop_scaling {
    COP_SCALING_ABSOLUTE, /**< scale = 1 for every tensor */
    COP_SCALING_RMS,      /**< scale = cop_checkpoint_rms() of the base's tensor */
    COP_SCALING_SPECTRAL, /**< noise of amplitude 1 has norm 1 in every tensor */
    COP_SCALING_MODULAR   /**< ... its module's share of 1 */
} cop_scaling;

/** A row of the table of scales. */
typedef struct cop_tensor_scale {
    char *name;  /**< of the tensor */
    float scale; /**< finite, not negative */
} cop_tensor_scale;

/** A recipe in memory. Owns all it points to. */
typedef struct cop_recipe {
    char
        base_sha256[COP_DIGEST_HEX_BYTES]; /**< cop_checkpoint_digest() of the base; "" = any */
    cop_identity files;                    /**< of the base besides its weights */
    bool untied_head; /**< the base's config.json ties a head that its weights do not */
    char **scope;     /**< [scope_count] glob patterns over tensor names */
    size_t scope_count;
    cop_scaling scaling;
    /** [scale_count] by rising name; what is not in it is not perturbed. Spectral and modular
     *  alone. */
    cop_tensor_scale *scales;
    size_t scale_count;
    size_t scale_capacity;
    size_t noise_rank;         /**< of the noise of matrices, up to COP_MOST_RANK; 0: full */
    cop_component *components; /**< [component_count], in the order of accumulation */
    size_t component_count;
    char *metrics_json; /**< a JSON object as text, or NULL */
} cop_recipe;

/** An empty recipe (the base itself) over all floating-point tensors. */
cop_status cop_recipe_create(cop_recipe **recipe, cop_error *err);

/** True if it has a scope, amplitudes that are finite and not zero, and sums with an end and a
 * finite factor. For tests and assertions. */
bool cop_recipe_is_valid(const cop_recipe *recipe);

/** Replaces the components by a copy of components [count]; zero amplitudes are dropped, one
 * that is not finite (COP_ERR_NUMERIC), or a sum without an end, leaves the recipe as it was.
 */
cop_status cop_recipe_set_components(cop_recipe *recipe, const cop_component *components,
                                     size_t count, cop_error *err);

/** Replaces the scope by a copy of patterns [count] (fnmatch(3)); no pattern at all, or one
 * that is empty or not UTF-8, is COP_ERR_CONFIG and leaves the recipe as it was. */
cop_status cop_recipe_set_scope(cop_recipe *recipe, const char *const *patterns, size_t count,
                                cop_error *err);

/** Fills in the table of scales by the shapes of the base's tensors in scope, where the scaling
 * has one (jobs/RECIPE.md has the formulas). To be called once scaling and scope are set. */
cop_status cop_recipe_set_scales(cop_recipe *recipe, const cop_checkpoint *base,
                                 cop_error *err);

/** scale(tensor) of a tensor of the base: 0 if it is out of scope, not floating point or not
 * used by the model. An alias has its original's. */
float cop_recipe_scale(const cop_recipe *recipe, const cop_checkpoint *base,
                       const cop_tensor_info *tensor);

/** What cop_rebuild_piece::low is for a tensor of the base: all zero where its noise is full,
 * as that of a vector is in any recipe. The columns of a matrix are its last dimension. */
cop_low_rank cop_recipe_low_rank(const cop_recipe *recipe, const cop_tensor_info *tensor);

/** The scaling of that name ("absolute", "rms", "spectral", "modular") and the name of a
 * scaling; false for none. */
bool cop_scaling_find(const char *name, cop_scaling *scaling);
const char *cop_scaling_name(cop_scaling scaling);

/** Reads a recipe file; unknown versions (COP_ERR_UNSUPPORTED), unknown, duplicate or malformed
 *  fields (COP_ERR_FORMAT) are refused. */
cop_status cop_recipe_read(const char *path, cop_recipe **recipe, cop_error *err);

/** Parses recipe JSON; `origin` names it in messages. */
cop_status cop_recipe_parse(const char *json, size_t length, const char *origin,
                            cop_recipe **recipe, cop_error *err);

/** Appends the recipe as JSON, the same bytes for the same recipe; metrics_json word for word
 *  except for white space (COP_ERR_INTERNAL if it is not a JSON object). */
cop_status cop_recipe_print(const cop_recipe *recipe, cop_text *text, cop_error *err);

/** Writes the recipe file atomically. */
cop_status cop_recipe_write(const cop_recipe *recipe, const char *path, cop_error *err);

/** Frees *recipe and sets it to NULL; NULL is allowed. */
void cop_recipe_destroy(cop_recipe **recipe);

#endif
