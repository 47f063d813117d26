/* bench: what a device can do at best, through the table of its backend. */
#include "app/bench.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"
#include "coppice/noise/noise.h"

#include <stdio.h>

cop_status cop_bench_wait(cop_backend *backend, const cop_buffer *any, cop_error *err)
{
    unsigned char byte = 0;
    return backend->ops->download(backend, any, 0, &byte, sizeof byte, err);
}

/* Memory that is left, in bytes. */
static uint64_t room(const cop_backend *backend)
{
    const cop_backend_plan nothing = {.storage = COP_BF16};
    uint64_t need = 0;
    uint64_t have = 0;
    backend->ops->plan(backend, &nothing, &need, &have);
    return have > need ? have - need : 0;
}

/* An operation to time, and a buffer that it writes. */
typedef struct operation {
    cop_backend *backend;
    cop_status (*start)(const struct operation *operation, cop_error *err);
    cop_buffer *out, *in;
    cop_matrix *matrix; /* NULL for a copy */
    size_t size;        /* bytes copied, or rows and columns of a square product */
} operation;

/* Seconds of one, over as many as the time for a figure allows. */
static cop_status measure(const operation *o, double budget_s, double *seconds, cop_error *err)
{
    double spent_s = 0;
    COP_TRY(o->start(o, err)); /* warm-up */
    COP_TRY(cop_bench_wait(o->backend, o->out, err));
    for (size_t count = 1; spent_s < budget_s; count *= 2) {
        const double start_s = cop_timer_now_s();
        for (size_t i = 0; i < count; i++)
            COP_TRY(o->start(o, err));
        COP_TRY(cop_bench_wait(o->backend, o->out, err));
        spent_s = cop_timer_now_s() - start_s;
        *seconds = spent_s / (double)count;
    }
    return COP_OK;
}

/* --- copies --- */

static cop_status start_copy(const operation *o, cop_error *err)
{
    const cop_weight_part part = {
        .base = o->in, .dtype = COP_BF16, .count = o->size / sizeof(uint16_t)};
    return o->backend->ops->rebuild(o->backend, o->out, 0, &part, 1, NULL, 0, err);
}

static cop_status time_copy(cop_backend *backend, size_t bytes, double budget_s,
                            double *seconds, cop_error *err)
{
    operation o = {.backend = backend, .start = start_copy, .size = bytes};
    cop_status status = backend->ops->buffer_create(backend, bytes, &o.in, err);
    if (status == COP_OK) status = backend->ops->buffer_create(backend, bytes, &o.out, err);
    if (status == COP_OK) status = measure(&o, budget_s, seconds, err);
    backend->ops->buffer_destroy(backend, &o.in);
    backend->ops->buffer_destroy(backend, &o.out);
    return status;
}

/* The largest size counts: smaller ones may stay in a cache. */
static cop_status measure_copy(const cop_bench *bench, cop_backend *backend, size_t *bytes,
                               double *rate, cop_error *err)
{
    static const size_t least = (size_t)1 << 20;
    static const size_t most = (size_t)1 << 30;
    double seconds = 0;
    *rate = 0;
    for (size_t size = least; size <= most && seconds < bench->budget_s; size *= 2) {
        if (size > least && 4 * (uint64_t)size > room(backend)) break;
        COP_TRY(time_copy(backend, size, bench->budget_s / 4, &seconds, err));
        *bytes = size;
        *rate = 2 * (double)size / seconds;
    }
    return COP_OK;
}

/* --- products --- */

/* Random values, of the size of weights: zeros would be multiplied with less power. */
static cop_status fill(cop_backend *backend, cop_buffer *buffer, cop_dtype dtype, size_t count,
                       cop_error *err)
{
    enum { BLOCK = 1 << 16 };
    float *const values = cop_memory_alloc(BLOCK, sizeof *values, err);
    uint16_t *const narrow = cop_memory_alloc(BLOCK, sizeof *narrow, err);
    cop_status status = values == NULL || narrow == NULL ? COP_ERR_MEMORY : COP_OK;
    for (size_t first = 0; first < count && status == COP_OK; first += BLOCK) {
        const size_t n = count - first < BLOCK ? count - first : BLOCK;
        cop_noise_fill(values, 5, 0, first, n, cop_cpu_isa());
        for (size_t i = 0; i < n; i++) {
            values[i] *= 0.02F;
            narrow[i] = cop_f32_to_bf16(values[i]);
        }
        const size_t item = cop_dtype_size(dtype);
        status = backend->ops->upload(backend, buffer, first * item,
                                      dtype == COP_BF16 ? (const void *)narrow : values,
                                      n * item, err);
    }
    cop_memory_free(narrow);
    cop_memory_free(values);
    return status;
}

static cop_status start_product(const operation *o, cop_error *err)
{
    return o->backend->ops->gemm(o->backend, o->out, o->in, o->matrix, NULL, o->size, err);
}

static cop_status time_product(cop_backend *backend, size_t size, double budget_s,
                               double *seconds, cop_error *err)
{
    const cop_backend_ops *const ops = backend->ops;
    const cop_dtype type = backend->input;
    const size_t count = size * size;
    operation o = {.backend = backend, .start = start_product, .size = size};
    cop_buffer *stage = NULL; /* borrowed */
    cop_status status = COP_OK;
    COP_TRY_OUT(ops->buffer_create(backend, count * cop_dtype_size(type), &o.in, err));
    COP_TRY_OUT(
        ops->buffer_create(backend, count * cop_dtype_size(backend->output), &o.out, err));
    COP_TRY_OUT(ops->matrix_create(backend, size, size, type, 1, &o.matrix, err));
    COP_TRY_OUT(ops->matrix_stage(backend, o.matrix, &stage, err));
    COP_TRY_OUT(fill(backend, stage, type, count, err));
    COP_TRY_OUT(ops->matrix_commit(backend, o.matrix, 0, stage, err));
    COP_TRY_OUT(fill(backend, o.in, type, count, err));
    COP_TRY_OUT(measure(&o, budget_s, seconds, err));
out:
    ops->matrix_destroy(backend, &o.matrix);
    ops->buffer_destroy(backend, &o.out);
    ops->buffer_destroy(backend, &o.in);
    return status;
}

/* The best of growing squares. */
static cop_status measure_product(const cop_bench *bench, cop_backend *backend, size_t *size,
                                  double *flops, cop_error *err)
{
    static const size_t least = 128;
    static const size_t most = 8192;
    static const size_t bytes = 3 * sizeof(float); /* of an element of each of the three */
    double seconds = 0;
    *flops = 0;
    /* The next takes eight times as long. */
    for (size_t n = least; n <= most && seconds < bench->budget_s / 8; n *= 2) {
        if (n > least && 2 * bytes * n * n > room(backend)) break;
        COP_TRY(time_product(backend, n, bench->budget_s / 4, &seconds, err));
        const double rate = 2 * (double)n * (double)n * (double)n / seconds;
        if (rate > *flops) *size = n;
        if (rate > *flops) *flops = rate;
    }
    return COP_OK;
}

cop_status cop_bench_peaks_measure(cop_bench *bench, cop_backend *backend,
                                   cop_bench_peaks *peaks, cop_error *err)
{
    char name[256];
    size_t bytes = 0;
    size_t size = 0;
    backend->ops->describe(backend, name, sizeof name);
    COP_TRY(measure_copy(bench, backend, &bytes, &peaks->bytes_per_s, err));
    COP_TRY(measure_product(bench, backend, &size, &peaks->flops, err));
    if (bench->json != NULL) {
        (void)json_object_set_new(bench->json, "device",
                                  json_pack("{s:s, s:f, s:f}", "name", name, "bytes_per_second",
                                            peaks->bytes_per_s, "flops", peaks->flops));
        return COP_OK;
    }
    (void)printf("\n%s\n", name);
    (void)printf("  copy of %.0f MiB: %.4g GB/s, read and written\n", (double)bytes / 1048576,
                 peaks->bytes_per_s / 1e9);
    (void)printf("  product of %zu x %zu, %s: %.4g TFLOP/s\n", size, size,
                 cop_dtype_name(backend->input), peaks->flops / 1e12);
    (void)printf(
        "  bounds below, at these rates: a rebuild copies all weights; a prefill is its "
        "products and attention;\n  a decode step reads weights and cache once\n");
    (void)fflush(stdout);
    return COP_OK;
}
