/* What a model needs on its backend. */
#ifndef COP_MODEL_MEMORY_PLAN_H
#define COP_MODEL_MEMORY_PLAN_H

#include "model/model_internal.h"

/* Checks that the bound weights, the cache and the scratch fit in what there is, which is
 * noted; COP_ERR_MEMORY with the figures and what would fit: fewer lanes, or a smaller batch.
 */
cop_status cop_model_check_memory(cop_model *model, cop_error *err);

/* Lowers limits.batch to what fits, if one lane of it does not and any does. */
void cop_model_fit_batch(cop_model *model);

/* True if so many bytes may be taken beside the plan: half of what it and whatever is kept
 * (kept_bytes) leave, at most, since others may want the same. */
bool cop_model_has_spare(const cop_model *model, uint64_t bytes);

/* As many lanes as fit, at most model->lanes, at least one. */
size_t cop_model_fitting_lanes(const cop_model *model);

#endif
