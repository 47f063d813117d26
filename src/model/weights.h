/* Binding a checkpoint's tensors to the described block, and loading a candidate. */
#ifndef COP_MODEL_WEIGHTS_H
#define COP_MODEL_WEIGHTS_H

#include "model/model_internal.h"

/* Finds and checks every tensor that the configuration asks for and fills model->weights and
 * model->layers; nothing is allocated on the backend yet. Lists tensors without a use in
 * *unused (may be NULL). */
cop_status cop_model_bind(cop_model *model, cop_text *unused, cop_error *err);

/* True if a weight of the model, bound already, is made of that tensor. */
bool cop_model_uses(const cop_model *model, const cop_tensor_info *info);

/* Creates what the bound weights become on the backend. */
cop_status cop_model_create_weights(cop_model *model, cop_error *err);

/* Destroys it, and the binding. */
void cop_model_destroy_weights(cop_model *model);

#endif
