#include "backend/cpu/gemm_measure.h"

#include "backend/cpu/gemm.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <assert.h>
#include <cblas.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CALLS = 4096, FEWEST_CALLS = 3 };

/* OpenBLAS: row-major as it is. */
typedef struct blas_set {
    float *in, *out, *weights; /* weights [count, n, k] */
    size_t count;
} blas_set;

/* Own kernels: as the backend calls them. */
typedef struct own_set {
    cop_gemm *gemm;
    cop_gemm_weight **weights; /* [count] */
    size_t count;
    void *in;   /* [rows, k] bf16 */
    float *out; /* [rows, n] */
} own_set;

/* A set of weights of one provider. */
typedef struct bench_set {
    const cop_gemm_measure *what;
    cop_bare_gemm *onednn;
    own_set own;
    blas_set blas;
} bench_set;

static cop_status create_own(own_set *own, const cop_gemm_measure *w, size_t weights,
                             cop_error *err)
{
    const cop_isa isa = cop_cpu_isa();
    const cop_gemm_options options = {
        .input = COP_BF16, .threads = w->threads, .kernels = cop_kernels_get(isa), .isa = isa};
    COP_TRY(cop_gemm_create_own(&options, &own->gemm, err));
    own->weights = cop_memory_alloc(weights, sizeof(cop_gemm_weight *), err);
    own->in = cop_memory_alloc(w->rows * w->k, sizeof(uint16_t), err);
    own->out = cop_memory_alloc(w->rows * w->n, sizeof(float), err);
    uint16_t *const source = cop_memory_alloc(w->n * w->k, sizeof *source, err);
    cop_status status =
        own->weights == NULL || own->in == NULL || own->out == NULL || source == NULL
            ? COP_ERR_MEMORY
            : COP_OK;
    if (status == COP_OK) {
        memset(own->in, 0x3c, w->rows * w->k * sizeof(uint16_t));
        memset(source, 0x3c, w->n * w->k * sizeof *source);
    }
    for (size_t i = 0; i < weights && status == COP_OK; i++) {
        status = own->gemm->ops->weight_create(own->gemm, w->n, w->k, &own->weights[i], err);
        if (status != COP_OK) break;
        own->count++;
        status = own->gemm->ops->weight_pack(own->gemm, own->weights[i], source, COP_BF16, err);
    }
    cop_memory_free(source);
    return status;
}

static cop_status multiply_own(const own_set *own, const cop_gemm_measure *w, size_t index,
                               cop_error *err)
{
    const cop_gemm_call call = {.out = own->out,
                                .in = own->in,
                                .weight = own->weights[index % own->count],
                                .rows = w->rows};
    return own->gemm->ops->run(own->gemm, &call, err);
}

static void destroy_own(own_set *own)
{
    for (size_t i = 0; i < own->count; i++)
        own->gemm->ops->weight_destroy(own->gemm, own->weights[i]);
    if (own->gemm != NULL) own->gemm->ops->destroy(own->gemm);
    cop_memory_free(own->weights);
    cop_memory_free(own->in);
    cop_memory_free(own->out);
}

static cop_status create(bench_set *set, size_t weights, cop_error *err)
{
    const cop_gemm_measure *const w = set->what;
    if (w->provider == COP_GEMM_OWN) return create_own(&set->own, w, weights, err);
    if (w->provider == COP_GEMM_ONEDNN)
        return cop_bare_onednn_create(w, weights, &set->onednn, err);
    set->blas.count = weights;
    set->blas.in = cop_memory_alloc(w->rows * w->k, sizeof(float), err);
    set->blas.out = cop_memory_alloc(w->rows * w->n, sizeof(float), err);
    set->blas.weights = cop_memory_alloc(weights * w->n * w->k, sizeof(float), err);
    if (set->blas.in == NULL || set->blas.out == NULL || set->blas.weights == NULL)
        return COP_ERR_MEMORY;
    memset(set->blas.in, 0x3c, w->rows * w->k * sizeof(float));
    memset(set->blas.weights, 0x3c, weights * w->n * w->k * sizeof(float));
    return COP_OK;
}

static cop_status multiply(const bench_set *set, size_t index, cop_error *err)
{
    const cop_gemm_measure *const w = set->what;
    if (w->provider == COP_GEMM_OWN) return multiply_own(&set->own, w, index, err);
    if (w->provider == COP_GEMM_ONEDNN) return cop_bare_onednn_run(set->onednn, index, err);
    const float *const weight = set->blas.weights + index % set->blas.count * w->n * w->k;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)w->rows, (int)w->n, (int)w->k,
                1.0F, set->blas.in, (int)w->k, weight, (int)w->k, 0.0F, set->blas.out,
                (int)w->n);
    return COP_OK;
}

static void destroy(bench_set *set)
{
    destroy_own(&set->own);
    cop_bare_onednn_destroy(&set->onednn);
    cop_memory_free(set->blas.in);
    cop_memory_free(set->blas.out);
    cop_memory_free(set->blas.weights);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* As many weights as do not fit a last-level cache of 96 MiB. */
static size_t weight_count(const cop_gemm_measure *what)
{
    static const size_t beyond_cache_bytes = 96U << 20;
    const size_t bytes = what->n * what->k * cop_dtype_size(what->input);
    assert(bytes > 0);
    const size_t count = beyond_cache_bytes / bytes + 1;
    return count > 64 ? 64 : count;
}

cop_status cop_gemm_measure_run(const cop_gemm_measure *what, double *seconds, cop_error *err)
{
    COP_CHECK(what->provider != COP_GEMM_OPENBLAS || what->input == COP_F32, err,
              COP_ERR_UNSUPPORTED, "OpenBLAS has no bf16 product here");
    COP_CHECK(what->provider != COP_GEMM_OWN || what->input == COP_BF16, err,
              COP_ERR_UNSUPPORTED, "own kernels multiply bf16");
    *seconds = 0;
    omp_set_num_threads(what->threads);
    bench_set set = {.what = what};
    double *const times = cop_memory_alloc(MOST_CALLS, sizeof *times, err);
    cop_status status = times == NULL ? COP_ERR_MEMORY : create(&set, weight_count(what), err);
    size_t calls = 0;
    if (status == COP_OK) status = multiply(&set, 0, err); /* warm-up */
    const double end_s = cop_timer_now_s() + what->budget_s;
    while (status == COP_OK && calls < MOST_CALLS &&
           (calls < FEWEST_CALLS || cop_timer_now_s() < end_s)) {
        const double start_s = cop_timer_now_s();
        status = multiply(&set, calls + 1, err);
        times[calls++] = cop_timer_now_s() - start_s;
    }
    if (status == COP_OK) {
        qsort(times, calls, sizeof *times, compare);
        *seconds = times[calls / 2];
    }
    destroy(&set);
    cop_memory_free(times);
    return status;
}
