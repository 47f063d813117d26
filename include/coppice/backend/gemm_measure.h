/** \file gemm_measure.h
 * Bare calls of the GEMM providers, without the backend around them: the yardstick of `bench`.
 */
#ifndef COPPICE_BACKEND_GEMM_MEASURE_H
#define COPPICE_BACKEND_GEMM_MEASURE_H

#include "coppice/backend/backend.h"
#include "coppice/base/status.h"

#include <stddef.h>

/** What to measure: out [rows, n] f32 = in [rows, k] * weight [n, k]'. */
typedef struct cop_gemm_measure {
    cop_gemm_provider provider; /**< not auto */
    cop_dtype input;            /**< COP_F32 (no own kernels) or COP_BF16 (no OpenBLAS) */
    size_t n, k, rows;
    int threads;
    double budget_s; /**< time to spend, at least three calls are made */
} cop_gemm_measure;

/** Times bare calls that take turns over as many distinct packed weights as exceed the
 * last-level cache, as the layers of a model do. [out] seconds: median of one call.
 * COP_ERR_UNSUPPORTED where the provider has no such product, here or in this build. */
cop_status cop_gemm_measure_run(const cop_gemm_measure *what, double *seconds, cop_error *err);

#endif
