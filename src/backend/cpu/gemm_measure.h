/* Bare providers for gemm_measure.c: a set of weights, and one product with weight `index`. */
#ifndef COP_BACKEND_CPU_GEMM_MEASURE_H
#define COP_BACKEND_CPU_GEMM_MEASURE_H

#include "coppice/backend/gemm_measure.h"

typedef struct cop_bare_gemm cop_bare_gemm;

/* Weights of one shape, filled with small numbers. */
cop_status cop_bare_onednn_create(const cop_gemm_measure *what, size_t weights,
                                  cop_bare_gemm **bare, cop_error *err);
cop_status cop_bare_onednn_run(cop_bare_gemm *bare, size_t index, cop_error *err);
void cop_bare_onednn_destroy(cop_bare_gemm **bare);

#endif
