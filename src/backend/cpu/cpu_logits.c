/* Picking rows, and what is read off logits. */
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/parallel.h"
#include "backend/draw.h"
#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <string.h>

typedef struct logits_work {
    const cop_kernels *kernels;
    const float *logits; /* [rows, vocabulary] */
    size_t vocabulary;
    const int32_t *targets;
    int32_t *ids;
    double *out;
} logits_work;

/* Draws of `rows` rows in `slices` parts, each with its own scratch. */
typedef struct draw_work {
    const float *logits; /* [rows, vocabulary] */
    size_t rows, vocabulary, slices;
    const cop_draw *draw;
    int32_t *ids;
    float *weights;       /* [slices, vocabulary] */
    int32_t *ordered_ids; /* [slices, vocabulary] */
} draw_work;

cop_status cop_cpu_gather(cop_backend *backend, cop_buffer *out, const cop_buffer *in,
                          const int32_t *rows, size_t count, size_t width, cop_error *err)
{
    const double start = cop_timer_now_s();
    const size_t held = in->bytes / (width * sizeof(float));
    const float *const from = in->data;
    float *const to = cop_cpu_write_f32(out, count * width);
    for (size_t i = 0; i < count; i++) {
        COP_CHECK(rows[i] >= 0 && (size_t)rows[i] < held, err, COP_ERR_INTERNAL,
                  "row %d of a buffer of %zu rows", (int)rows[i], held);
        memcpy(to + i * width, from + (size_t)rows[i] * width, width * sizeof *to);
    }
    backend->seconds[COP_PART_EMBED] += cop_timer_now_s() - start;
    return COP_OK;
}

static void argmax_rows(const void *context, size_t begin, size_t end)
{
    const logits_work *const w = context;
    for (size_t r = begin; r < end; r++) {
        w->ids[r] = w->kernels->argmax(w->logits + r * w->vocabulary, w->vocabulary);
    }
}

cop_status cop_cpu_argmax(cop_backend *backend, const cop_buffer *logits, size_t rows,
                          size_t vocabulary, int32_t *ids, cop_error *err)
{
    (void)err;
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    const logits_work work = {.kernels = cpu->kernels,
                              .logits = cop_cpu_read_f32(logits, rows * vocabulary),
                              .vocabulary = vocabulary,
                              .ids = ids};
    cop_cpu_parallel_for(cpu->threads, rows, vocabulary, argmax_rows, &work);
    backend->seconds[COP_PART_LOGITS] += cop_timer_now_s() - start;
    return COP_OK;
}

static void draw_slices(const void *context, size_t begin, size_t end)
{
    const draw_work *const w = context;
    for (size_t s = begin; s < end; s++) {
        const cop_draw_scratch scratch = {.weights = w->weights + s * w->vocabulary,
                                          .ids = w->ordered_ids + s * w->vocabulary};
        for (size_t r = s; r < w->rows; r += w->slices) {
            w->ids[r] = cop_draw_token(w->logits + r * w->vocabulary, w->vocabulary,
                                       w->draw->temperature, w->draw->top_p,
                                       w->draw->uniform[r], &scratch);
        }
    }
}

static cop_status reserve_draws(cop_cpu *cpu, size_t need, cop_error *err)
{
    if (need <= cpu->draw_capacity) return COP_OK;
    cop_memory_free(cpu->draw_weights);
    cop_memory_free(cpu->draw_ids);
    cpu->draw_capacity = 0;
    cpu->draw_weights = cop_memory_alloc_raw(need, sizeof *cpu->draw_weights, err);
    cpu->draw_ids = cop_memory_alloc_raw(need, sizeof *cpu->draw_ids, err);
    if (cpu->draw_weights == NULL || cpu->draw_ids == NULL) return COP_ERR_MEMORY;
    cpu->draw_capacity = need;
    return COP_OK;
}

cop_status cop_cpu_sample(cop_backend *backend, const cop_buffer *logits, size_t rows,
                          size_t vocabulary, const cop_draw *draw, int32_t *ids, cop_error *err)
{
    cop_cpu *const cpu = cop_cpu_of(backend);
    const double start = cop_timer_now_s();
    const size_t slices = (size_t)cpu->threads;
    COP_TRY(reserve_draws(cpu, slices * vocabulary, err));
    const draw_work work = {.logits = cop_cpu_read_f32(logits, rows * vocabulary),
                            .rows = rows,
                            .vocabulary = vocabulary,
                            .slices = slices,
                            .draw = draw,
                            .ids = ids,
                            .weights = cpu->draw_weights,
                            .ordered_ids = cpu->draw_ids};
    cop_cpu_parallel_for(cpu->threads, slices, rows * vocabulary, draw_slices, &work);
    backend->seconds[COP_PART_LOGITS] += cop_timer_now_s() - start;
    return COP_OK;
}

static void log_probability_rows(const void *context, size_t begin, size_t end)
{
    const logits_work *const w = context;
    for (size_t r = begin; r < end; r++) {
        w->out[r] = w->kernels->log_probability(w->logits + r * w->vocabulary, w->vocabulary,
                                                (size_t)w->targets[r]);
    }
}

cop_status cop_cpu_log_probability(cop_backend *backend, const cop_buffer *logits, size_t rows,
                                   size_t vocabulary, const int32_t *targets, double *out,
                                   cop_error *err)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    for (size_t r = 0; r < rows; r++) {
        COP_CHECK(targets[r] >= 0 && (size_t)targets[r] < vocabulary, err, COP_ERR_INTERNAL,
                  "target %d is outside the vocabulary of %zu", (int)targets[r], vocabulary);
    }
    const logits_work work = {.kernels = cpu->kernels,
                              .logits = cop_cpu_read_f32(logits, rows * vocabulary),
                              .vocabulary = vocabulary,
                              .targets = targets,
                              .out = out};
    cop_cpu_parallel_for(cpu->threads, rows, vocabulary * 4, log_probability_rows, &work);
    backend->seconds[COP_PART_LOGITS] += cop_timer_now_s() - start;
    return COP_OK;
}
