/* Rebuilding and packing weights. */
#include "backend/cpu/cpu_backend.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

static cop_rebuild_piece piece_of(const cop_weight_part *part, void *out)
{
    return (cop_rebuild_piece){.base = part->base->data,
                               .out = out,
                               .dtype = part->dtype,
                               .count = part->count,
                               .tensor = part->tensor,
                               .scale = part->scale,
                               .base_is_sums = part->base_is_sums,
                               .keep_sums = part->keep_sums,
                               .low = part->low,
                               .sum = part->sum == NULL ? NULL : part->sum->data,
                               .factor = part->factor};
}

static bool is_within(const cop_weight_part *part)
{
    const size_t from = cop_dtype_size(part->base_is_sums ? COP_F32 : part->dtype);
    return from != 0 && part->count * from <= part->base->bytes &&
           (part->sum == NULL || part->count * sizeof(float) <= part->sum->bytes);
}

cop_status cop_cpu_rebuild(cop_backend *backend, cop_buffer *out, size_t offset,
                           const cop_weight_part *parts, size_t count,
                           const cop_component *components, size_t component_count,
                           cop_error *err)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    for (size_t i = 0; i < count; i++) {
        const size_t item = cop_dtype_size(parts[i].keep_sums ? COP_F32 : parts[i].dtype);
        COP_CHECK(item != 0 && is_within(&parts[i]) && out->owned != NULL &&
                      (offset + parts[i].count) * item <= out->bytes,
                  err, COP_ERR_INTERNAL, "rebuild of %zu elements at %zu is out of bounds",
                  parts[i].count, offset);
        const cop_rebuild_piece piece = piece_of(&parts[i], (char *)out->owned + offset * item);
        cop_rebuild_run(&piece, components, component_count, cpu->threads, cpu->isa);
        offset += parts[i].count;
    }
    backend->seconds[COP_PART_REBUILD] += cop_timer_now_s() - start;
    return COP_OK;
}

cop_status cop_cpu_sums(cop_backend *backend, cop_buffer *const *outs,
                        const cop_rebuild_sum *sums, size_t count, uint32_t tensor,
                        cop_low_rank low, size_t elements, cop_error *err)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const double start = cop_timer_now_s();
    cop_rebuild_sum *const into = cop_memory_alloc(count, sizeof *into, err);
    if (into == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    for (size_t k = 0; k < count && status == COP_OK; k++) {
        into[k] = sums[k];
        into[k].out = outs[k]->owned;
        if (outs[k]->owned == NULL || elements * sizeof(float) > outs[k]->bytes)
            status = cop_error_set(err, COP_ERR_INTERNAL,
                                   "a sum of %zu elements is out of bounds", elements);
    }
    if (status == COP_OK)
        status = cop_rebuild_sums(into, count, tensor, low, 0, elements, cpu->threads, cpu->isa,
                                  err);
    cop_memory_free(into);
    backend->seconds[COP_PART_REBUILD] += cop_timer_now_s() - start;
    return status;
}

cop_status cop_cpu_matrix_rebuild(cop_backend *backend, cop_matrix *matrix, size_t lane,
                                  const cop_weight_part *parts, size_t count,
                                  const cop_component *components, size_t component_count,
                                  cop_error *err)
{
    cop_cpu *const cpu = cop_cpu_of(backend);
    const cop_gemm_ops *const ops = cpu->gemm->ops;
    cop_rebuild_piece pieces[COP_CPU_MOST_PARTS];
    size_t rows = 0;
    if (count > COP_CPU_MOST_PARTS)
        return cop_matrix_rebuild_staged(backend, matrix, lane, parts, count, components,
                                         component_count, err);
    for (size_t i = 0; i < count; i++) {
        COP_CHECK(is_within(&parts[i]) && !parts[i].keep_sums &&
                      parts[i].count % matrix->k == 0,
                  err, COP_ERR_INTERNAL, "part %zu of %zu elements is no rows of a matrix", i,
                  parts[i].count);
        pieces[i] = piece_of(&parts[i], NULL);
        rows += parts[i].count / matrix->k;
    }
    COP_CHECK(lane < matrix->lanes && rows == matrix->n, err, COP_ERR_INTERNAL,
              "%zu rows for copy %zu of a matrix of %zu in %zu lanes", rows, lane, matrix->n,
              matrix->lanes);
    if (cop_cpu_matrix_defer(matrix, lane, pieces, count, component_count)) return COP_OK;
    if (ops->weight_rebuild == NULL)
        return cop_matrix_rebuild_staged(backend, matrix, lane, parts, count, components,
                                         component_count, err);
    const double start = cop_timer_now_s();
    cop_cpu_matrix_write(cpu, matrix, lane);
    cop_rebuild_factors *factors[COP_CPU_MOST_PARTS];
    for (size_t i = 0; i < count; i++) {
        factors[i] = cop_rebuild_factors_create(&pieces[i], components, component_count,
                                                cpu->threads, cpu->isa);
        pieces[i].factors = factors[i];
    }
    const cop_status status = ops->weight_rebuild(cpu->gemm, matrix->weights[lane], pieces,
                                                  count, components, component_count, err);
    for (size_t i = 0; i < count; i++)
        cop_rebuild_factors_destroy(&factors[i]);
    backend->seconds[COP_PART_REBUILD] += cop_timer_now_s() - start;
    return status;
}

cop_status cop_cpu_widen(cop_backend *backend, cop_buffer *out, size_t offset,
                         const cop_buffer *in, cop_dtype dtype, size_t count, float plus,
                         cop_error *err)
{
    const cop_cpu *const cpu = cop_cpu_of_const(backend);
    const size_t item = cop_dtype_size(dtype);
    COP_CHECK(item != 0 && count * item <= in->bytes && out->owned != NULL &&
                  (offset + count) * sizeof(float) <= out->bytes,
              err, COP_ERR_INTERNAL, "widening %zu elements is out of bounds", count);
    const cop_gemm_options options = {.threads = cpu->threads, .kernels = cpu->kernels};
    float *const wide = (float *)out->owned + offset;
    cop_gemm_widen(&options, wide, in->data, dtype, count);
    for (size_t i = 0; plus != 0.0F && i < count; i++)
        wide[i] += plus;
    return COP_OK;
}

static void destroy_copies(cop_cpu *cpu, cop_matrix *matrix)
{
    for (size_t l = 0; matrix->weights != NULL && l < matrix->lanes; l++) {
        if (matrix->weights[l] != NULL)
            cpu->gemm->ops->weight_destroy(cpu->gemm, matrix->weights[l]);
    }
    cop_memory_free(matrix->weights);
    cop_memory_free(matrix->sources);
    cop_memory_free(matrix);
}

cop_status cop_cpu_matrix_create(cop_backend *backend, size_t n, size_t k, cop_dtype dtype,
                                 size_t lanes, cop_matrix **matrix, cop_error *err)
{
    cop_cpu *const cpu = cop_cpu_of(backend);
    *matrix = NULL;
    COP_CHECK(n > 0 && k > 0 && lanes > 0 && cop_dtype_size(dtype) != 0, err, COP_ERR_INTERNAL,
              "a matrix of %zu x %zu %s in %zu lanes", n, k, cop_dtype_name(dtype), lanes);
    cop_matrix *made = cop_memory_alloc(1, sizeof *made, err);
    if (made == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    *made = (cop_matrix){.n = n, .k = k, .dtype = dtype, .lanes = lanes};
    made->weights = cop_memory_alloc(lanes, sizeof(cop_gemm_weight *), err);
    made->sources = cop_memory_alloc(lanes, sizeof *made->sources, err);
    if (made->weights == NULL || made->sources == NULL) status = COP_ERR_MEMORY;
    for (size_t l = 0; l < lanes && status == COP_OK; l++)
        status = cpu->gemm->ops->weight_create(cpu->gemm, n, k, &made->weights[l], err);
    if (status == COP_OK) status = cop_cpu_shape_join(cpu, n, k, lanes, err);
    if (status != COP_OK) {
        destroy_copies(cpu, made);
        return status;
    }
    if (lanes == 1 && cpu->gemm->ops->weight_memory != NULL)
        made->own.owned = cpu->gemm->ops->weight_memory(made->weights[0], dtype);
    made->own.data = made->own.owned;
    made->own.bytes = lanes * n * k * cop_dtype_size(dtype);
    *matrix = made;
    return COP_OK;
}

void cop_cpu_matrix_destroy(cop_backend *backend, cop_matrix **matrix)
{
    cop_cpu *const cpu = cop_cpu_of(backend);
    if (*matrix == NULL) return;
    cop_cpu_shape_leave(cpu, (*matrix)->n, (*matrix)->k, (*matrix)->lanes);
    destroy_copies(cpu, *matrix);
    *matrix = NULL;
}

cop_status cop_cpu_matrix_stage(cop_backend *backend, cop_matrix *matrix, cop_buffer **stage,
                                cop_error *err)
{
    cop_cpu *const cpu = cop_cpu_of(backend);
    *stage = NULL;
    if (matrix->own.owned != NULL) {
        *stage = &matrix->own;
        return COP_OK;
    }
    COP_TRY(cop_cpu_reserve_stage(cpu, matrix->own.bytes, err));
    *stage = &cpu->stage;
    return COP_OK;
}

cop_status cop_cpu_matrix_commit(cop_backend *backend, cop_matrix *matrix, size_t lane,
                                 const cop_buffer *source, cop_error *err)
{
    cop_cpu *const cpu = cop_cpu_of(backend);
    const size_t bytes = matrix->own.bytes / matrix->lanes;
    COP_CHECK(lane < matrix->lanes, err, COP_ERR_INTERNAL, "copy %zu of a matrix in %zu lanes",
              lane, matrix->lanes);
    COP_CHECK(matrix->own.bytes <= source->bytes, err, COP_ERR_INTERNAL,
              "packing %zu bytes from a buffer of %zu", matrix->own.bytes, source->bytes);
    const double start = cop_timer_now_s();
    cop_cpu_matrix_write(cpu, matrix, lane);
    const void *const from = (const char *)source->data + lane * bytes;
    const cop_status status =
        cpu->gemm->ops->weight_pack(cpu->gemm, matrix->weights[lane], from, matrix->dtype, err);
    backend->seconds[COP_PART_PACK] += cop_timer_now_s() - start;
    return status;
}
