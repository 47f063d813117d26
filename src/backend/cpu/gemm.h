/* GEMM providers. A provider packs weights [N, K] once and multiplies any number of rows with
 * them. Results depend on the shape, the number of rows and of threads, and on nothing else. */
#ifndef COP_BACKEND_CPU_GEMM_H
#define COP_BACKEND_CPU_GEMM_H

#include "backend/cpu/kernels/kernels.h"
#include "coppice/base/dtype.h"
#include "coppice/base/status.h"
#include "coppice/rebuild/rebuild.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct cop_gemm cop_gemm;
typedef struct cop_gemm_weight cop_gemm_weight; /* packed weight, private to the provider */

/* One product: out [rows, N] f32 (+)= in [rows, K] * weight' + bias. */
typedef struct cop_gemm_call {
    float *out;
    const void *in; /* of cop_gemm::input */
    const cop_gemm_weight *weight;
    const float *bias; /* [N] or NULL */
    size_t rows;       /* at least 1 */
    bool accumulate;   /* add to out */
} cop_gemm_call;

typedef struct cop_gemm_ops {
    void (*destroy)(cop_gemm *gemm);
    cop_status (*weight_create)(cop_gemm *gemm, size_t n, size_t k, cop_gemm_weight **weight,
                                cop_error *err);
    void (*weight_destroy)(cop_gemm *gemm, cop_gemm_weight *weight);
    /* Memory of the weight that takes its elements, row-major of dtype, as they are; NULL, the
     * function or what it gives, if they have to be packed from elsewhere. */
    void *(*weight_memory)(cop_gemm_weight *weight, cop_dtype dtype);
    /* Packs from source [N, K] of dtype, which may be weight_memory(). */
    cop_status (*weight_pack)(cop_gemm *gemm, cop_gemm_weight *weight, const void *source,
                              cop_dtype dtype, cop_error *err);
    /* Rebuilds the weight's rows from pieces [piece_count], each of whole rows, straight into
     * what it is packed as; the pieces' `out` is not used. NULL where there is no such way. */
    cop_status (*weight_rebuild)(cop_gemm *gemm, cop_gemm_weight *weight,
                                 const cop_rebuild_piece *pieces, size_t piece_count,
                                 const cop_component *components, size_t component_count,
                                 cop_error *err);
    cop_status (*run)(cop_gemm *gemm, const cop_gemm_call *call, cop_error *err);
} cop_gemm_ops;

/* Common head of the providers' private structs. */
struct cop_gemm {
    const cop_gemm_ops *ops;
    char name[32];   /* with version */
    char isa[24];    /* instruction set of the products, as the library reports it */
    cop_dtype input; /* COP_F32 or COP_BF16: type of packed weights and of `in` */
};

typedef struct cop_gemm_options {
    cop_dtype input;
    int threads;
    const cop_kernels *kernels; /* borrowed */
    cop_isa isa;                /* of the kernels */
    bool blocks; /* for tests: as if only blocks of one number of rows were supported */
    bool fill;   /* for tests: rows of f32 are filled up as those of bf16 are */
} cop_gemm_options;

cop_status cop_gemm_create_onednn(const cop_gemm_options *options, cop_gemm **gemm,
                                  cop_error *err);
cop_status cop_gemm_create_own(const cop_gemm_options *options, cop_gemm **gemm,
                               cop_error *err);
cop_status cop_gemm_create_openblas(const cop_gemm_options *options, cop_gemm **gemm,
                                    cop_error *err);

/* What rows of k elements are filled up to with zeros before oneDNN multiplies them. A tile of
 * AMX is 32 bf16 deep: where a row ends inside one, oneDNN 3.7 multiplies what follows it, the
 * next row, with zeros, and that row's NaN or infinity becomes this one's. */
size_t cop_gemm_fill_width(cop_dtype input, size_t k);

/* out [count] = in [count] of dtype, widened by all threads. */
void cop_gemm_widen(const cop_gemm_options *options, float *out, const void *in,
                    cop_dtype dtype, size_t count);

/* Large memory that is not packed weights: large pages where the system gives them on request.
 * NULL as cop_memory_alloc_raw(). */
void *cop_gemm_alloc(size_t bytes, cop_error *err);

/* Memory for a packed weight, zero: large pages where the system gives them on request, since
 * GEMM with few rows is bound by reading weights. A model's weights come one after the other
 * here and the system lays them side by side, so that large pages span many small ones. NULL
 * with a message if there is none; it goes by cop_gemm_unmap() with the same bytes. */
void *cop_gemm_map(size_t bytes, cop_error *err);
void cop_gemm_unmap(void *memory, size_t bytes);

#endif
