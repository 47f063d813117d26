/* The reference backend: memory, weights and KV cache. One thread, plain loops. */
#include "backend/ref.h"
#include "backend/host_decode.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void backend_destroy(cop_backend *backend)
{
    ref_backend *const ref = (ref_backend *)backend;
    cop_memory_free(ref->stage.owned);
    cop_memory_free(ref);
}

static void describe(const cop_backend *backend, char *text, size_t size)
{
    (void)backend;
    (void)snprintf(text, size, "ref: plain loops, f32, 1 thread");
}

static void plan_bytes(const cop_backend *backend, const cop_backend_plan *plan,
                       uint64_t *need_bytes, uint64_t *have_bytes)
{
    (void)backend;
    const uint64_t lanes = plan->lanes == 0 ? 1 : plan->lanes;
    const uint64_t weights = (uint64_t)plan->matrices + plan->others;
    *need_bytes = 4 * (lanes * weights + plan->kv + plan->activations) +
                  lanes * cop_dtype_size(plan->storage) * plan->largest_matrix + plan->factors;
    const uint64_t available = cop_memory_available_bytes();
    *have_bytes = available == 0 ? UINT64_MAX : available;
}

/* --- memory --- */

static cop_status buffer_create(cop_backend *backend, size_t bytes, cop_buffer **buffer,
                                cop_error *err)
{
    (void)backend;
    *buffer = NULL;
    cop_buffer *const made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    made->owned = cop_memory_alloc(bytes, 1, err);
    if (made->owned == NULL) {
        cop_memory_free(made);
        return COP_ERR_MEMORY;
    }
    made->data = made->owned;
    made->bytes = bytes;
    *buffer = made;
    return COP_OK;
}

static cop_status buffer_wrap(cop_backend *backend, const void *data, size_t bytes,
                              cop_buffer **buffer, cop_error *err)
{
    (void)backend;
    *buffer = cop_memory_alloc(1, sizeof **buffer, err);
    if (*buffer == NULL) return COP_ERR_MEMORY;
    **buffer = (cop_buffer){.data = data, .bytes = bytes};
    return COP_OK;
}

static void buffer_destroy(cop_backend *backend, cop_buffer **buffer)
{
    (void)backend;
    if (*buffer == NULL) return;
    cop_memory_free((*buffer)->owned);
    cop_memory_free(*buffer);
    *buffer = NULL;
}

static cop_status upload(cop_backend *backend, cop_buffer *buffer, size_t offset_bytes,
                         const void *data, size_t bytes, cop_error *err)
{
    (void)backend;
    (void)err;
    assert(buffer->owned != NULL);
    assert(offset_bytes <= buffer->bytes && bytes <= buffer->bytes - offset_bytes);
    memcpy((char *)buffer->owned + offset_bytes, data, bytes);
    return COP_OK;
}

static cop_status download(cop_backend *backend, const cop_buffer *buffer, size_t offset_bytes,
                           void *data, size_t bytes, cop_error *err)
{
    (void)backend;
    (void)err;
    assert(offset_bytes <= buffer->bytes && bytes <= buffer->bytes - offset_bytes);
    memcpy(data, (const char *)buffer->data + offset_bytes, bytes);
    return COP_OK;
}

/* --- weights --- */

static cop_status rebuild(cop_backend *backend, cop_buffer *out, size_t offset,
                          const cop_weight_part *parts, size_t count,
                          const cop_component *components, size_t component_count,
                          cop_error *err)
{
    const double start = cop_timer_now_s();
    for (size_t i = 0; i < count; i++) {
        const cop_weight_part *const part = &parts[i];
        const size_t from = cop_dtype_size(part->base_is_sums ? COP_F32 : part->dtype);
        const size_t size = cop_dtype_size(part->keep_sums ? COP_F32 : part->dtype);
        COP_CHECK((offset + part->count) * size <= out->bytes &&
                      part->base->bytes >= part->count * from &&
                      (part->sum == NULL || part->sum->bytes >= part->count * sizeof(float)),
                  err, COP_ERR_INTERNAL, "rebuild: part %zu does not fit its buffer", i);
        const cop_rebuild_piece piece = {.base = part->base->data,
                                         .out = (char *)out->owned + offset * size,
                                         .dtype = part->dtype,
                                         .first = 0,
                                         .count = part->count,
                                         .tensor = part->tensor,
                                         .scale = part->scale,
                                         .base_is_sums = part->base_is_sums,
                                         .keep_sums = part->keep_sums,
                                         .low = part->low,
                                         .sum = part->sum == NULL ? NULL : part->sum->data,
                                         .factor = part->factor};
        cop_rebuild_run(&piece, components, component_count, 1, COP_ISA_SCALAR);
        offset += part->count;
    }
    backend->seconds[COP_PART_REBUILD] += cop_timer_now_s() - start;
    return COP_OK;
}

static cop_status sum_noises(cop_backend *backend, cop_buffer *const *outs,
                             const cop_rebuild_sum *sums, size_t count, uint32_t tensor,
                             cop_low_rank low, size_t elements, cop_error *err)
{
    (void)backend;
    for (size_t k = 0; k < count; k++) {
        cop_rebuild_sum one = sums[k];
        COP_CHECK(outs[k]->bytes >= elements * sizeof(float), err, COP_ERR_INTERNAL,
                  "sum %zu does not fit its buffer", k);
        one.out = outs[k]->owned;
        COP_TRY(cop_rebuild_sums(&one, 1, tensor, low, 0, elements, 1, COP_ISA_SCALAR, err));
    }
    return COP_OK;
}

static cop_status widen(cop_backend *backend, cop_buffer *out, size_t offset,
                        const cop_buffer *in, cop_dtype dtype, size_t count, float plus,
                        cop_error *err)
{
    (void)backend;
    COP_CHECK((offset + count) * sizeof(float) <= out->bytes &&
                  count * cop_dtype_size(dtype) <= in->bytes,
              err, COP_ERR_INTERNAL, "widen: %zu elements do not fit", count);
    for (size_t i = 0; i < count; i++)
        ref_f32(out)[offset + i] =
            plus == 0.0F ? ref_element(in, dtype, i) : ref_element(in, dtype, i) + plus;
    return COP_OK;
}

static void matrix_destroy(cop_backend *backend, cop_matrix **matrix)
{
    (void)backend;
    if (*matrix == NULL) return;
    cop_memory_free((*matrix)->values);
    cop_memory_free(*matrix);
    *matrix = NULL;
}

static cop_status matrix_create(cop_backend *backend, size_t n, size_t k, cop_dtype dtype,
                                size_t lanes, cop_matrix **matrix, cop_error *err)
{
    *matrix = NULL;
    size_t count = 0;
    COP_CHECK(cop_memory_multiply(n, k, &count) && cop_memory_multiply(count, lanes, &count),
              err, COP_ERR_MEMORY, "a matrix of %zu x %zu elements cannot be addressed", n, k);
    cop_matrix *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    *made = (cop_matrix){.n = n, .k = k, .lanes = lanes, .dtype = dtype};
    made->values = cop_memory_alloc(count, sizeof(float), err);
    if (made->values == NULL) {
        matrix_destroy(backend, &made);
        return COP_ERR_MEMORY;
    }
    *matrix = made;
    return COP_OK;
}

static cop_status matrix_stage(cop_backend *backend, cop_matrix *matrix, cop_buffer **stage,
                               cop_error *err)
{
    ref_backend *const ref = (ref_backend *)backend;
    const size_t bytes = matrix->lanes * matrix->n * matrix->k * cop_dtype_size(matrix->dtype);
    *stage = NULL;
    if (ref->stage.bytes < bytes) {
        void *const memory = cop_memory_alloc_raw(bytes, 1, err);
        if (memory == NULL) return COP_ERR_MEMORY;
        cop_memory_free(ref->stage.owned);
        ref->stage = (cop_buffer){.owned = memory, .data = memory, .bytes = bytes};
    }
    *stage = &ref->stage;
    return COP_OK;
}

static cop_status matrix_commit(cop_backend *backend, cop_matrix *matrix, size_t lane,
                                const cop_buffer *source, cop_error *err)
{
    const double start = cop_timer_now_s();
    const size_t count = matrix->n * matrix->k;
    COP_CHECK(lane < matrix->lanes, err, COP_ERR_INTERNAL, "matrix_commit: no copy %zu", lane);
    COP_CHECK((lane + 1) * count * cop_dtype_size(matrix->dtype) <= source->bytes, err,
              COP_ERR_INTERNAL, "matrix_commit: the source is smaller than %zu x %zu",
              matrix->n, matrix->k);
    for (size_t i = lane * count; i < (lane + 1) * count; i++) {
        matrix->values[i] = ref_element(source, matrix->dtype, i);
    }
    backend->seconds[COP_PART_PACK] += cop_timer_now_s() - start;
    return COP_OK;
}

/* --- KV cache --- */

static void kv_destroy(cop_backend *backend, cop_kv **kv)
{
    (void)backend;
    if (*kv == NULL) return;
    cop_memory_free((*kv)->keys);
    cop_memory_free((*kv)->values);
    cop_memory_free((*kv)->scores);
    cop_memory_free(*kv);
    *kv = NULL;
}

static cop_status kv_create(cop_backend *backend, size_t layers, size_t slots, size_t length,
                            const cop_attention_shape *shape, cop_kv **kv, cop_error *err)
{
    *kv = NULL;
    const size_t width = (size_t)shape->kv_heads * (size_t)shape->head_size;
    size_t count = 0;
    COP_CHECK(cop_memory_multiply(layers, slots, &count) &&
                  cop_memory_multiply(count, length, &count) &&
                  cop_memory_multiply(count, width, &count),
              err, COP_ERR_MEMORY, "a KV cache of %zu x %zu x %zu x %zu cannot be addressed",
              layers, slots, length, width);
    cop_kv *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    *made = (cop_kv){.layers = layers, .slots = slots, .length = length, .width = width};
    made->keys = cop_memory_alloc(count, sizeof(float), err);
    made->values = cop_memory_alloc(count, sizeof(float), err);
    made->scores = cop_memory_alloc(length, sizeof(double), err);
    if (made->keys == NULL || made->values == NULL || made->scores == NULL) {
        kv_destroy(backend, &made);
        return COP_ERR_MEMORY;
    }
    *kv = made;
    return COP_OK;
}

static const cop_backend_ops ref_ops = {
    .name = "ref",
    .destroy = backend_destroy,
    .describe = describe,
    .describe_arithmetic = describe,
    .plan = plan_bytes,
    .buffer_create = buffer_create,
    .buffer_wrap = buffer_wrap,
    .buffer_destroy = buffer_destroy,
    .upload = upload,
    .download = download,
    .rebuild = rebuild,
    .sums = sum_noises,
    .widen = widen,
    .matrix_create = matrix_create,
    .matrix_destroy = matrix_destroy,
    .matrix_stage = matrix_stage,
    .matrix_commit = matrix_commit,
    .matrix_rebuild = cop_matrix_rebuild_staged,
    .embed = cop_ref_embed,
    .rmsnorm = cop_ref_rmsnorm,
    .rmsnorm_add = cop_ref_rmsnorm_add,
    .convert = cop_ref_convert,
    .gemm = cop_ref_gemm,
    .gemm_add = cop_ref_gemm_add,
    .glu = cop_ref_glu,
    .rope_store = cop_ref_rope_store,
    .attention = cop_ref_attention,
    .gather = cop_ref_gather,
    .argmax = cop_ref_argmax,
    .sample = cop_ref_sample,
    .log_probability = cop_ref_log_probability,
    .decode = cop_decode_on_host,
    .kv_create = kv_create,
    .kv_destroy = kv_destroy,
};

cop_status cop_backend_create_ref(cop_backend **backend, cop_error *err)
{
    ref_backend *const ref = cop_memory_alloc(1, sizeof *ref, err);
    *backend = NULL;
    if (ref == NULL) return COP_ERR_MEMORY;
    ref->base = (cop_backend){.ops = &ref_ops,
                              .residual = COP_F32,
                              .input = COP_F32,
                              .output = COP_F32,
                              .decode_steps = 1,
                              .auto_lanes = 1,
                              .rows_alone = true,
                              .lanes = 1};
    *backend = &ref->base;
    return COP_OK;
}
