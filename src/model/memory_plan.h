/* What a model needs on its backend. */
#ifndef COPPICE_MODEL_MEMORY_PLAN_H
#define COPPICE_MODEL_MEMORY_PLAN_H

#include "model/model_internal.h"

/* Checks that the bound weights, the cache and the scratch fit; COP_ERR_MEMORY with the figures
 * and the largest batch that would fit. */
cop_status cop_model_check_memory(const cop_model *model, cop_error *err);

#endif
