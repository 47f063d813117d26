/* The one forward pass. */
#ifndef COP_MODEL_FORWARD_H
#define COP_MODEL_FORWARD_H

#include "model/model_internal.h"

/* Runs ids [batch->rows] (of lane l: l * V more) through all blocks: keys and values go to the
 * cache, the residual stream stays in scratch.residual [rows, D]. In a step of
 * cop_backend_ops::decode, ids and batch are the step's own. */
cop_status cop_model_forward(cop_model *model, const int32_t *ids, const cop_batch *batch,
                             cop_error *err);

/* Logits of `rows` [count <= lanes * scratch.head_rows] of the residual stream (NULL: of its
 * first count rows) -> scratch.logits [count, V]. */
cop_status cop_model_logits(cop_model *model, const int32_t *rows, size_t count,
                            cop_error *err);

#endif
