/* How a recipe scales tensors (scaling.c). */
#ifndef COP_RECIPE_SCALING_H
#define COP_RECIPE_SCALING_H

#include "coppice/recipe/recipe.h"

/* Whether a tensor has a floating-point type, is used and in the recipe's scope. */
bool cop_recipe_has_in_scope(const cop_recipe *recipe, const cop_tensor_info *tensor);

/* Whether the scaling is by a table that the recipe holds. */
bool cop_scaling_has_table(cop_scaling scaling);

/* Appends a row to the table; names must rise. */
cop_status cop_recipe_add_scale(cop_recipe *recipe, const char *name, float scale,
                                cop_error *err);

/* The scale of a tensor by its name, 0 where the table has none. */
float cop_recipe_find_scale(const cop_recipe *recipe, const char *name);

/* Empties the table. */
void cop_recipe_free_scales(cop_recipe *recipe);

#endif
