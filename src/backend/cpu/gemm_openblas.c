/* GEMM by OpenBLAS: binary32, weights row-major as they come. The portable provider and the
 * yardstick. Where another library stands in for it (FlexiBLAS, a plain CBLAS), what is
 * OpenBLAS's own is called if it is there. */
#include "backend/cpu/gemm.h"
#include "backend/cpu/gemm_isa.h"

#include "coppice/backend/backend.h"
#include "coppice/base/memory.h"

#include <assert.h>
#include <cblas.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

char *openblas_get_config(void) __attribute__((weak));
void openblas_set_num_threads(int threads) __attribute__((weak));
void flexiblas_set_num_threads(int threads) __attribute__((weak));

struct cop_gemm_weight {
    size_t n, k;
    float *values; /* [n, k] */
};

typedef struct openblas_gemm {
    cop_gemm base;
    cop_gemm_options options;
} openblas_gemm;

static void destroy(cop_gemm *gemm)
{
    cop_memory_free(gemm);
}

static cop_status weight_create(cop_gemm *gemm, size_t n, size_t k, cop_gemm_weight **weight,
                                cop_error *err)
{
    (void)gemm;
    *weight = NULL;
    COP_CHECK(n <= INT32_MAX && k <= INT32_MAX, err, COP_ERR_UNSUPPORTED,
              "a matrix of %zu x %zu is too large for OpenBLAS", n, k);
    cop_gemm_weight *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->n = n;
    made->k = k;
    made->values = cop_gemm_map(n * k * sizeof *made->values, err);
    if (made->values == NULL) {
        cop_memory_free(made);
        return COP_ERR_MEMORY;
    }
    *weight = made;
    return COP_OK;
}

static void weight_destroy(cop_gemm *gemm, cop_gemm_weight *weight)
{
    (void)gemm;
    cop_gemm_unmap(weight->values, weight->n * weight->k * sizeof *weight->values);
    cop_memory_free(weight);
}

static void *weight_memory(cop_gemm_weight *weight, cop_dtype dtype)
{
    return dtype == COP_F32 ? weight->values : NULL;
}

static cop_status weight_pack(cop_gemm *gemm, cop_gemm_weight *weight, const void *source,
                              cop_dtype dtype, cop_error *err)
{
    (void)err;
    const openblas_gemm *const self = (const openblas_gemm *)gemm;
    if (source != weight->values) {
        cop_gemm_widen(&self->options, weight->values, source, dtype, weight->n * weight->k);
    }
    return COP_OK;
}

/* Puts the bias where the product is added to it. */
static void add_bias(const cop_gemm_call *call)
{
    const size_t n = call->weight->n;
    for (size_t r = 0; r < call->rows; r++) {
        float *const row = call->out + r * n;
        if (call->accumulate) {
#pragma omp simd
            for (size_t i = 0; i < n; i++) {
                row[i] += call->bias[i];
            }
        } else {
            memcpy(row, call->bias, n * sizeof *row);
        }
    }
}

static cop_status run(cop_gemm *gemm, const cop_gemm_call *call, cop_error *err)
{
    const openblas_gemm *const self = (const openblas_gemm *)gemm;
    COP_CHECK(call->rows <= INT32_MAX, err, COP_ERR_UNSUPPORTED,
              "%zu rows are too many for GEMM", call->rows);
    omp_set_num_threads(self->options.threads);
    if (call->bias != NULL) add_bias(call);
    const float beta = call->accumulate || call->bias != NULL ? 1.0F : 0.0F;
    const int n = (int)call->weight->n;
    const int k = (int)call->weight->k;
    if (call->rows == 1) { /* half the time of the general routine */
        cblas_sgemv(CblasRowMajor, CblasNoTrans, n, k, 1.0F, call->weight->values, k, call->in,
                    1, beta, call->out, 1);
    } else {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)call->rows, n, k, 1.0F,
                    call->in, k, call->weight->values, k, beta, call->out, n);
    }
    return COP_OK;
}

static void name_library(char *name, size_t size)
{
    char version[16] = "";
    (void)snprintf(name, size, "%s", flexiblas_set_num_threads != NULL ? "FlexiBLAS" : "CBLAS");
    if (openblas_get_config == NULL) return;
    (void)sscanf(openblas_get_config(), "OpenBLAS %15s", version);
    (void)snprintf(name, size, "OpenBLAS %s", version);
}

static void set_threads(int threads)
{
    if (openblas_set_num_threads != NULL) {
        openblas_set_num_threads(threads);
    } else if (flexiblas_set_num_threads != NULL) {
        flexiblas_set_num_threads(threads);
    }
}

cop_status cop_gemm_create_openblas(const cop_gemm_options *options, cop_gemm **gemm,
                                    cop_error *err)
{
    static const cop_gemm_ops ops = {
        .destroy = destroy,
        .weight_create = weight_create,
        .weight_destroy = weight_destroy,
        .weight_memory = weight_memory,
        .weight_pack = weight_pack,
        .run = run,
    };
    *gemm = NULL;
    COP_CHECK(options->input == COP_F32, err, COP_ERR_UNSUPPORTED,
              "OpenBLAS multiplies f32 only: set backend.compute to f32 (or auto)%s",
              cop_backend_lack() == NULL ? ", or backend.gemm to onednn"
                                         : "; this build has no oneDNN, which multiplies bf16");
    openblas_gemm *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->base.ops = &ops;
    made->base.input = COP_F32;
    made->options = *options;
    name_library(made->base.name, sizeof made->base.name);
    (void)snprintf(made->base.isa, sizeof made->base.isa, "%s", cop_openblas_core());
    set_threads(options->threads);
    *gemm = &made->base;
    return COP_OK;
}
