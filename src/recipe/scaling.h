/* How a recipe scales tensors (scaling.c). */
#ifndef COP_RECIPE_SCALING_H
#define COP_RECIPE_SCALING_H

#include "coppice/recipe/recipe.h"

/* Whether the scaling is by a table that the recipe holds. */
bool cop_scaling_has_table(cop_scaling scaling);

/* Appends a row to the table, whose names must rise once it is whole. */
cop_status cop_recipe_add_scale(cop_recipe *recipe, const char *name, float scale,
                                cop_error *err);

/* Empties the table. */
void cop_recipe_free_scales(cop_recipe *recipe);

#endif
