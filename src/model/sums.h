/* The sums of a search: rows along one direction end in the same sum and differ in its factor,
 * so sums are kept, as many as there is memory for, and a step costs one multiply-add a weight.
 * The bits are the same as without (rebuild.h). */
#ifndef COP_MODEL_SUMS_H
#define COP_MODEL_SUMS_H

#include "model/model_internal.h"

/* The sum that a recipe ends in, if that is kept or can be: *sum is its number for
 * cop_model_sum_part(), *first the component that it begins with. SIZE_MAX: there is none, or
 * no memory for it. Whatever is added up now, those that were announced (cop_model_expect())
 * are added up with it. */
cop_status cop_model_follow_sum(cop_model *model, const cop_recipe *recipe, size_t *sum,
                                size_t *first, cop_error *err);

/* Part `part` of weight `weight` of a sum; NULL for one that is out of scope. */
const cop_buffer *cop_model_sum_part(const cop_model *model, size_t sum, size_t weight,
                                     size_t part);

void cop_model_destroy_sums(cop_model *model);

#endif
