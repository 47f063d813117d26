/** \file draw.h
 * Drawing a token from one row of logits in host memory.
 */
#ifndef COPPICE_BACKEND_DRAW_H
#define COPPICE_BACKEND_DRAW_H

#include "coppice/backend/backend.h"

/** One row of logits [count] in host memory as cop_backend_ops::sample takes it, drawn by the
 * number draw->uniform[0]; weights, ids [count]: to work in. */
int32_t cop_backend_draw(const float *row, size_t count, const cop_draw *draw, float *weights,
                         int32_t *ids);

#endif
