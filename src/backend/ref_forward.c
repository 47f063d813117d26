/* The reference backend: row-wise operations, GEMM and logits, sums in binary64. */
#include "backend/draw.h"
#include "backend/ref.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static void add_time(cop_backend *backend, cop_backend_part part, double start)
{
    backend->seconds[part] += cop_timer_now_s() - start;
}

cop_status cop_ref_embed(cop_backend *backend, cop_buffer *residual, const cop_buffer *table,
                         cop_dtype dtype, const int32_t *ids, size_t rows, size_t width,
                         float scale, cop_error *err)
{
    const double start = cop_timer_now_s();
    const size_t row_bytes = width * cop_dtype_size(dtype);
    assert(row_bytes > 0);
    const size_t vocabulary = table->bytes / row_bytes;
    for (size_t t = 0; t < rows; t++) {
        COP_CHECK(ids[t] >= 0 && (size_t)ids[t] < vocabulary, err, COP_ERR_INTERNAL,
                  "embed: id %d is not below %zu", (int)ids[t], vocabulary);
        const size_t first = (size_t)ids[t] * width;
        for (size_t i = 0; i < width; i++) {
            ref_f32(residual)[t * width + i] = scale * ref_element(table, dtype, first + i);
        }
    }
    add_time(backend, COP_PART_EMBED, start);
    return COP_OK;
}

/* 1 / root mean square of a row. */
static double inverse_rms(const float *row, size_t width, float eps)
{
    double sum = 0.0;
    for (size_t i = 0; i < width; i++)
        sum += (double)row[i] * row[i];
    return 1.0 / sqrt(sum / (double)width + (double)eps);
}

void cop_ref_rmsnorm(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                     const cop_buffer *weight, size_t rows, size_t width, float eps)
{
    const double start = cop_timer_now_s();
    for (size_t t = 0; t < rows; t++) {
        const float *const w = ref_f32_const(weight) + ref_lane(backend, t, rows) * width;
        const float *const x = ref_f32_const(residual) + t * width;
        float *const y = ref_f32(input) + t * width;
        const double factor = inverse_rms(x, width, eps);
        for (size_t i = 0; i < width; i++)
            y[i] = (float)(x[i] * factor * w[i]);
    }
    add_time(backend, COP_PART_NORM, start);
}

void cop_ref_rmsnorm_add(cop_backend *backend, cop_buffer *residual, const cop_buffer *output,
                         const cop_buffer *weight, size_t rows, size_t width, float eps)
{
    const double start = cop_timer_now_s();
    for (size_t t = 0; t < rows; t++) {
        const float *const w = ref_f32_const(weight) + ref_lane(backend, t, rows) * width;
        const float *const x = ref_f32_const(output) + t * width;
        float *const y = ref_f32(residual) + t * width;
        const double factor = inverse_rms(x, width, eps);
        for (size_t i = 0; i < width; i++)
            y[i] += (float)(x[i] * factor * w[i]);
    }
    add_time(backend, COP_PART_NORM, start);
}

void cop_ref_convert(cop_backend *backend, cop_buffer *input, const cop_buffer *residual,
                     size_t rows, size_t width)
{
    (void)backend;
    memcpy(input->owned, residual->data, rows * width * sizeof(float));
}

/* One product: y [T, N] = keep * y + x [T, K] * matrix' + bias. */
typedef struct product {
    float *y;
    const float *x;
    const cop_matrix *matrix;
    const cop_buffer *bias; /* or NULL */
    size_t rows;
    bool keep;
} product;

static void multiply(const cop_backend *backend, const product *p)
{
    const size_t n = p->matrix->n;
    const size_t k = p->matrix->k;
    float *const y = p->y;
    const float *const x = p->x;
    for (size_t t = 0; t < p->rows; t++) {
        const size_t lane = ref_lane(backend, t, p->rows);
        for (size_t j = 0; j < n; j++) {
            double sum = p->bias == NULL ? 0.0 : (double)ref_f32_const(p->bias)[lane * n + j];
            if (p->keep) sum += (double)y[t * n + j];
            const float *const row = p->matrix->values + (lane * n + j) * k;
            for (size_t i = 0; i < k; i++)
                sum += (double)x[t * k + i] * row[i];
            y[t * n + j] = (float)sum;
        }
    }
}

cop_status cop_ref_gemm(cop_backend *backend, cop_buffer *output, const cop_buffer *input,
                        const cop_matrix *matrix, const cop_buffer *bias, size_t rows,
                        cop_error *err)
{
    (void)err;
    assert(rows * matrix->n * sizeof(float) <= output->bytes);
    const double start = cop_timer_now_s();
    const product p = {.y = ref_f32(output),
                       .x = ref_f32_const(input),
                       .matrix = matrix,
                       .bias = bias,
                       .rows = rows,
                       .keep = false};
    multiply(backend, &p);
    add_time(backend, COP_PART_GEMM, start);
    return COP_OK;
}

cop_status cop_ref_gemm_add(cop_backend *backend, cop_buffer *residual, const cop_buffer *input,
                            const cop_matrix *matrix, const cop_buffer *bias, size_t rows,
                            cop_error *err)
{
    (void)err;
    assert(rows * matrix->n * sizeof(float) <= residual->bytes);
    const double start = cop_timer_now_s();
    const product p = {.y = ref_f32(residual),
                       .x = ref_f32_const(input),
                       .matrix = matrix,
                       .bias = bias,
                       .rows = rows,
                       .keep = true};
    multiply(backend, &p);
    add_time(backend, COP_PART_GEMM, start);
    return COP_OK;
}

/* (1 + tanh u) / 2 is 1 / (1 + e^-2u), from which nothing cancels. */
static double activate(cop_activation activation, double x)
{
    static const double root = 0.797884560802865355879892; /* of 2 / pi */
    const double exponent =
        activation == COP_GELU_TANH ? 2.0 * root * (x + 0.044715 * x * x * x) : x;
    return x / (1.0 + exp(-exponent));
}

void cop_ref_glu(cop_backend *backend, cop_buffer *input, const cop_buffer *output, size_t rows,
                 size_t width, cop_activation activation)
{
    const double start = cop_timer_now_s();
    for (size_t t = 0; t < rows; t++) {
        const float *const gate = ref_f32_const(output) + 2 * t * width;
        const float *const up = gate + width;
        for (size_t i = 0; i < width; i++) {
            ref_f32(input)[t * width + i] =
                (float)(activate(activation, (double)gate[i]) * up[i]);
        }
    }
    add_time(backend, COP_PART_GLU, start);
}

cop_status cop_ref_gather(cop_backend *backend, cop_buffer *out, const cop_buffer *in,
                          const int32_t *rows, size_t count, size_t width, cop_error *err)
{
    (void)backend;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        assert(rows[i] >= 0 && ((size_t)rows[i] + 1) * width * sizeof(float) <= in->bytes);
        memcpy(ref_f32(out) + i * width, ref_f32_const(in) + (size_t)rows[i] * width,
               width * sizeof(float));
    }
    return COP_OK;
}

static int32_t best_id(const float *logits, size_t vocabulary)
{
    size_t best = 0;
    for (size_t i = 0; i < vocabulary; i++) {
        if (!isfinite(logits[i])) return -1;
        if (logits[i] > logits[best]) best = i;
    }
    return (int32_t)best;
}

cop_status cop_ref_argmax(cop_backend *backend, const cop_buffer *logits, size_t rows,
                          size_t vocabulary, int32_t *ids, cop_error *err)
{
    (void)err;
    const double start = cop_timer_now_s();
    for (size_t t = 0; t < rows; t++) {
        ids[t] = best_id(ref_f32_const(logits) + t * vocabulary, vocabulary);
    }
    add_time(backend, COP_PART_LOGITS, start);
    return COP_OK;
}

cop_status cop_ref_sample(cop_backend *backend, const cop_buffer *logits, size_t rows,
                          size_t vocabulary, const cop_draw *draw, int32_t *ids, cop_error *err)
{
    const double start = cop_timer_now_s();
    const cop_draw_scratch scratch = {
        .weights = cop_memory_alloc_raw(vocabulary, sizeof(float), err),
        .ids = cop_memory_alloc_raw(vocabulary, sizeof(int32_t), err)};
    const bool ok = scratch.weights != NULL && scratch.ids != NULL;
    for (size_t t = 0; t < rows && ok; t++) {
        ids[t] = cop_draw_token(ref_f32_const(logits) + t * vocabulary, vocabulary,
                                draw->temperature, draw->top_p, draw->uniform[t], &scratch);
    }
    cop_memory_free(scratch.ids);
    cop_memory_free(scratch.weights);
    add_time(backend, COP_PART_LOGITS, start);
    return ok ? COP_OK : COP_ERR_MEMORY;
}

cop_status cop_ref_log_probability(cop_backend *backend, const cop_buffer *logits, size_t rows,
                                   size_t vocabulary, const int32_t *targets, double *out,
                                   cop_error *err)
{
    (void)err;
    assert(vocabulary > 0);
    const double start = cop_timer_now_s();
    for (size_t t = 0; t < rows; t++) {
        const float *const row = ref_f32_const(logits) + t * vocabulary;
        double most = (double)row[0];
        for (size_t i = 1; i < vocabulary; i++)
            most = fmax(most, (double)row[i]);
        double sum = exp((double)row[0] - most);
        for (size_t i = 1; i < vocabulary; i++)
            sum += exp((double)row[i] - most);
        assert(targets[t] >= 0 && (size_t)targets[t] < vocabulary);
        out[t] = (double)row[targets[t]] - most - log(sum);
    }
    add_time(backend, COP_PART_LOGITS, start);
    return COP_OK;
}
