/* Row-wise operations and GEMM: each cuts its rows among the threads. */
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/parallel.h"
#include "coppice/base/timer.h"

#include <assert.h>

/* What a row-wise operation works on; not every operation uses every field. */
typedef struct row_work {
    const cop_kernels *kernels;
    char *out; /* [rows, width] of out_dtype */
    cop_dtype out_dtype;
    const void *in; /* f32, or the embedding table of in_dtype */
    cop_dtype in_dtype;
    const float *weight;
    size_t lane_rows; /* that share a copy of `weight` */
    const int32_t *ids;
    size_t width;
    float eps;
    float scale;
    cop_activation activation;
} row_work;

/* Elements that cost as much as one of a gated unit, relative to one that is copied. */
enum { COPY_COST = 1, NORM_COST = 2, GLU_COST = 4 };

static void *out_row(const row_work *w, size_t row)
{
    return w->out + row * w->width * cop_dtype_size(w->out_dtype);
}

static const float *in_row(const row_work *w, size_t row, size_t width)
{
    const float *const in = w->in;
    return in + row * width;
}

static const float *weight_of(const row_work *w, size_t row)
{
    return w->weight + row / w->lane_rows * w->width;
}

static void embed_rows(const void *context, size_t begin, size_t end)
{
    const row_work *const w = context;
    const size_t bytes = w->width * cop_dtype_size(w->in_dtype);
    for (size_t r = begin; r < end; r++) {
        const char *const found = (const char *)w->in + (size_t)w->ids[r] * bytes;
        float *const row = out_row(w, r);
        w->kernels->widen(row, found, w->in_dtype, w->width);
        for (size_t i = 0; w->scale != 1.0F && i < w->width; i++)
            row[i] *= w->scale;
    }
}

cop_status cop_cpu_embed(cop_backend *backend, cop_buffer *residual, const cop_buffer *table,
                         cop_dtype dtype, const int32_t *ids, size_t rows, size_t width,
                         float scale, cop_error *err)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    const size_t row_bytes = width * cop_dtype_size(dtype);
    assert(row_bytes > 0);
    const size_t vocabulary = table->bytes / row_bytes;
    for (size_t r = 0; r < rows; r++) {
        COP_CHECK(ids[r] >= 0 && (size_t)ids[r] < vocabulary, err, COP_ERR_INTERNAL,
                  "token id %d is outside the embedding table of %zu rows", (int)ids[r],
                  vocabulary);
    }
    const row_work work = {.kernels = cpu->kernels,
                           .out = cop_cpu_write(residual, rows * width, sizeof(float)),
                           .out_dtype = COP_F32,
                           .in = table->data,
                           .in_dtype = dtype,
                           .ids = ids,
                           .width = width,
                           .scale = scale};
    cop_cpu_parallel_for(cpu->threads, rows, width * COPY_COST, embed_rows, &work);
    backend->seconds[COP_PART_EMBED] += cop_timer_now_s() - start;
    return COP_OK;
}

static void rmsnorm_rows(const void *context, size_t begin, size_t end)
{
    const row_work *const w = context;
    for (size_t r = begin; r < end; r++) {
        w->kernels->rmsnorm(out_row(w, r), w->out_dtype, in_row(w, r, w->width),
                            weight_of(w, r), w->width, w->eps);
    }
}

void cop_cpu_rmsnorm(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                     const cop_buffer *weight, size_t rows, size_t width, float eps)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    const size_t item = cop_dtype_size(backend->input);
    const row_work work = {.kernels = cpu->kernels,
                           .out = cop_cpu_write(input, rows * width, item),
                           .out_dtype = backend->input,
                           .in = cop_cpu_read(residual, rows * width, sizeof(float)),
                           .weight = cop_cpu_read_f32(weight, backend->lanes * width),
                           .lane_rows = cop_cpu_lane_rows(backend, rows),
                           .width = width,
                           .eps = eps};
    cop_cpu_parallel_for(cpu->threads, rows, width * NORM_COST, rmsnorm_rows, &work);
    backend->seconds[COP_PART_NORM] += cop_timer_now_s() - start;
}

static void rmsnorm_add_rows(const void *context, size_t begin, size_t end)
{
    const row_work *const w = context;
    for (size_t r = begin; r < end; r++) {
        w->kernels->rmsnorm_add(out_row(w, r), in_row(w, r, w->width), weight_of(w, r),
                                w->width, w->eps);
    }
}

void cop_cpu_rmsnorm_add(cop_backend *backend, cop_buffer *residual, const cop_buffer *output,
                         const cop_buffer *weight, size_t rows, size_t width, float eps)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    const row_work work = {.kernels = cpu->kernels,
                           .out = cop_cpu_write(residual, rows * width, sizeof(float)),
                           .out_dtype = COP_F32,
                           .in = cop_cpu_read(output, rows * width, sizeof(float)),
                           .weight = cop_cpu_read_f32(weight, backend->lanes * width),
                           .lane_rows = cop_cpu_lane_rows(backend, rows),
                           .width = width,
                           .eps = eps};
    cop_cpu_parallel_for(cpu->threads, rows, width * NORM_COST, rmsnorm_add_rows, &work);
    backend->seconds[COP_PART_NORM] += cop_timer_now_s() - start;
}

static void convert_rows(const void *context, size_t begin, size_t end)
{
    const row_work *const w = context;
    w->kernels->narrow(out_row(w, begin), w->out_dtype, in_row(w, begin, w->width),
                       (end - begin) * w->width);
}

void cop_cpu_convert(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                     size_t rows, size_t width)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    const size_t item = cop_dtype_size(backend->input);
    const row_work work = {.kernels = cpu->kernels,
                           .out = cop_cpu_write(input, rows * width, item),
                           .out_dtype = backend->input,
                           .in = cop_cpu_read(residual, rows * width, sizeof(float)),
                           .width = width};
    cop_cpu_parallel_for(cpu->threads, rows, width * COPY_COST, convert_rows, &work);
    backend->seconds[COP_PART_NORM] += cop_timer_now_s() - start;
}

static void glu_rows(const void *context, size_t begin, size_t end)
{
    const row_work *const w = context;
    for (size_t r = begin; r < end; r++) {
        w->kernels->glu(out_row(w, r), w->out_dtype, in_row(w, r, 2 * w->width), w->width,
                        w->activation);
    }
}

void cop_cpu_glu(cop_backend *backend, cop_buffer *input, const cop_buffer *output, size_t rows,
                 size_t width, cop_activation activation)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    const size_t item = cop_dtype_size(backend->input);
    const row_work work = {.kernels = cpu->kernels,
                           .out = cop_cpu_write(input, rows * width, item),
                           .out_dtype = backend->input,
                           .in = cop_cpu_read(output, rows * 2 * width, sizeof(float)),
                           .width = width,
                           .activation = activation};
    cop_cpu_parallel_for(cpu->threads, rows, width * GLU_COST, glu_rows, &work);
    backend->seconds[COP_PART_GLU] += cop_timer_now_s() - start;
}

/* A call whose rows are those of all lanes: one product for each. */
static cop_status multiply(cop_backend *backend, const cop_gemm_call *all,
                           const cop_matrix *matrix, cop_error *err)
{
    const size_t rows = cop_cpu_lane_rows(backend, all->rows);
    if (rows == 0) return COP_OK;
    cop_cpu *const cpu = cop_cpu_of(backend);
    const size_t item = cop_dtype_size(backend->input);
    cop_status status = COP_OK;
    for (size_t l = 0; l < backend->lanes && status == COP_OK; l++) {
        cop_gemm_call call = *all;
        call.rows = rows;
        call.out += l * rows * matrix->n;
        call.in = (const char *)call.in + l * rows * matrix->k * item;
        if (call.bias != NULL) call.bias += l * matrix->n;
        cop_gemm_weight *weight = NULL;
        status = cop_cpu_matrix_weight(cpu, matrix, l, &weight, err);
        call.weight = weight;
        const double start = cop_timer_now_s();
        if (status == COP_OK) status = cpu->gemm->ops->run(cpu->gemm, &call, err);
        backend->seconds[COP_PART_GEMM] += cop_timer_now_s() - start;
    }
    return status;
}

static cop_gemm_call make_call(const cop_backend *backend, cop_buffer *out,
                               const cop_buffer *input, const cop_matrix *matrix,
                               const cop_buffer *bias, size_t rows)
{
    assert(backend->lanes <= matrix->lanes);
    return (cop_gemm_call){
        .out = cop_cpu_write_f32(out, rows * matrix->n),
        .in = cop_cpu_read(input, rows * matrix->k, cop_dtype_size(backend->input)),
        .bias = bias == NULL ? NULL : cop_cpu_read_f32(bias, backend->lanes * matrix->n),
        .rows = rows};
}

cop_status cop_cpu_gemm(cop_backend *backend, cop_buffer *output, const cop_buffer *input,
                        const cop_matrix *matrix, const cop_buffer *bias, size_t rows,
                        cop_error *err)
{
    const cop_gemm_call call = make_call(backend, output, input, matrix, bias, rows);
    return multiply(backend, &call, matrix, err);
}

cop_status cop_cpu_gemm_add(cop_backend *backend, cop_buffer *residual, const cop_buffer *input,
                            const cop_matrix *matrix, const cop_buffer *bias, size_t rows,
                            cop_error *err)
{
    cop_gemm_call call = make_call(backend, residual, input, matrix, bias, rows);
    call.accumulate = true;
    return multiply(backend, &call, matrix, err);
}
