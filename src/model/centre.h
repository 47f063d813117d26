/* The centre of a search: where candidate after candidate begins with the same components
 * (a model that has moved, plus one perturbation), the sums of these are kept, and a candidate
 * costs its own components only. The bits are the same as without (rebuild.h). */
#ifndef COP_MODEL_CENTRE_H
#define COP_MODEL_CENTRE_H

#include "model/model_internal.h"

/* Told of every recipe (NULL: the base) before it is applied: keeps or extends the sums when
 * two in a row begin with many components in common. Gives how many of this recipe's components
 * the sums already hold; 0: they are of no use. */
cop_status cop_model_follow_centre(cop_model *model, const cop_recipe *recipe, size_t *held,
                                   cop_error *err);

/* The sums of part `part` of weight `weight`, NULL for one that is out of scope. */
const cop_buffer *cop_model_centre_sums(const cop_model *model, size_t weight, size_t part);

void cop_model_destroy_centre(cop_model *model);

#endif
