/* Sums in binary32 of every tensor in a recipe's scope, kept beside the memory plan. */
#ifndef COP_MODEL_KEPT_H
#define COP_MODEL_KEPT_H

#include "model/model_internal.h"

/* Takes memory for one set of them, for this recipe's noise, if there is so much to spare; on
 * failure there is none. */
cop_status cop_model_keep(cop_model *model, const cop_recipe *recipe, model_kept *kept,
                          cop_error *err);

/* Gives it back; none is allowed. */
void cop_model_drop_kept(cop_model *model, model_kept *kept);

/* Part `part` of weight `weight`; NULL for one that is out of scope. */
static inline cop_buffer *cop_model_kept_part(const model_kept *kept, size_t weight,
                                              size_t part)
{
    return kept->parts[weight * COP_WEIGHT_MAX_PARTS + part];
}

#endif
