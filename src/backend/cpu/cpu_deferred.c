/* Matrices that are the base's rows as they lie, packed when a product first needs them.
 *
 * A packed model is as large as its files, and the system clears every page of it before it is
 * written: that took a third of the time to the first token, and a model may be asked but one
 * question. So the first product of a matrix packs it into a weight that is lent to all
 * matrices of its shape in turn, whose pages are there and which stays in the caches; the
 * second one packs it for good. Both are the same elements packed by the same code, so no bit
 * depends on it. A lent weight goes before any matrix takes memory of its own: together they
 * never need more than all matrices packed. */
#include "backend/cpu/cpu_backend.h"

#include "coppice/base/memory.h"
#include "coppice/base/timer.h"

#include <string.h>

static cop_cpu_shape *find_shape(const cop_cpu *cpu, size_t n, size_t k)
{
    for (size_t i = 0; i < cpu->shape_count; i++) {
        if (cpu->shapes[i].n == n && cpu->shapes[i].k == k) return &cpu->shapes[i];
    }
    return NULL;
}

static void drop_lent(cop_cpu *cpu, cop_cpu_shape *shape)
{
    if (shape->lent != NULL) cpu->gemm->ops->weight_destroy(cpu->gemm, shape->lent);
    shape->lent = NULL;
}

static void drop_all_lent(cop_cpu *cpu)
{
    for (size_t i = 0; i < cpu->shape_count; i++)
        drop_lent(cpu, &cpu->shapes[i]);
}

cop_status cop_cpu_shape_join(cop_cpu *cpu, size_t n, size_t k, size_t copies, cop_error *err)
{
    cop_cpu_shape *shape = find_shape(cpu, n, k);
    if (shape == NULL) {
        COP_GROW(cpu->shapes, cpu->shape_capacity, cpu->shape_count + 1, err);
        shape = &cpu->shapes[cpu->shape_count++];
        *shape = (cop_cpu_shape){.n = n, .k = k};
    }
    shape->copies += copies;
    return COP_OK;
}

void cop_cpu_shape_leave(cop_cpu *cpu, size_t n, size_t k, size_t copies)
{
    cop_cpu_shape *const shape = find_shape(cpu, n, k);
    assert(shape != NULL && shape->copies >= copies);
    shape->copies -= copies;
    if (shape->copies == 0) drop_lent(cpu, shape);
}

void cop_cpu_shapes_free(cop_cpu *cpu)
{
    if (cpu->gemm != NULL) drop_all_lent(cpu);
    cop_memory_free(cpu->shapes);
}

bool cop_cpu_matrix_defer(cop_matrix *matrix, size_t lane, const cop_rebuild_piece *pieces,
                          size_t count, size_t component_count)
{
    cop_cpu_source *const source = &matrix->sources[lane];
    if (source->written) return false; /* its pages are there: nothing to gain */
    for (size_t i = 0; i < count; i++) {
        const bool moved =
            (component_count > 0 || pieces[i].sum != NULL) && pieces[i].scale != 0.0F;
        if (moved || pieces[i].base_is_sums || pieces[i].dtype != matrix->dtype) return false;
    }
    memcpy(source->pieces, pieces, count * sizeof *pieces);
    source->count = count;
    source->used = false;
    return true;
}

void cop_cpu_matrix_write(cop_cpu *cpu, cop_matrix *matrix, size_t lane)
{
    cop_cpu_source *const source = &matrix->sources[lane];
    if (!source->written) drop_all_lent(cpu);
    source->written = true;
    source->count = 0;
}

/* The source's rows one after the other: where they lie if they are one piece, else copied. */
static cop_status join_rows(cop_cpu *cpu, const cop_matrix *matrix,
                            const cop_cpu_source *source, const void **rows, cop_error *err)
{
    *rows = source->pieces[0].base;
    if (source->count == 1) return COP_OK;
    const size_t item = cop_dtype_size(matrix->dtype);
    COP_TRY(cop_cpu_reserve_stage(cpu, matrix->n * matrix->k * item, err));
    char *out = cpu->stage.owned;
    for (size_t i = 0; i < source->count; i++) {
        cop_rebuild_piece piece = source->pieces[i];
        piece.out = out;
        cop_rebuild_run(&piece, NULL, 0, cpu->threads, cpu->isa);
        out += piece.count * item;
    }
    *rows = cpu->stage.owned;
    return COP_OK;
}

static cop_status pack(cop_cpu *cpu, const cop_matrix *matrix, const cop_cpu_source *source,
                       cop_gemm_weight *weight, cop_error *err)
{
    const cop_gemm_ops *const ops = cpu->gemm->ops;
    if (ops->weight_rebuild != NULL)
        return ops->weight_rebuild(cpu->gemm, weight, source->pieces, source->count, NULL, 0,
                                   err);
    const void *rows = NULL;
    COP_TRY(join_rows(cpu, matrix, source, &rows, err));
    return ops->weight_pack(cpu->gemm, weight, rows, matrix->dtype, err);
}

static cop_status lend(cop_cpu *cpu, cop_cpu_shape *shape, cop_gemm_weight **weight,
                       cop_error *err)
{
    if (shape->lent == NULL)
        COP_TRY(
            cpu->gemm->ops->weight_create(cpu->gemm, shape->n, shape->k, &shape->lent, err));
    *weight = shape->lent;
    return COP_OK;
}

cop_status cop_cpu_matrix_weight(cop_cpu *cpu, const cop_matrix *matrix, size_t lane,
                                 cop_gemm_weight **weight, cop_error *err)
{
    cop_cpu_source *const source = &matrix->sources[lane];
    *weight = matrix->weights[lane];
    if (source->count == 0) return COP_OK;
    const double start = cop_timer_now_s();
    cop_cpu_shape *const shape = find_shape(cpu, matrix->n, matrix->k);
    if (!source->used && shape->copies > 1) {
        source->used = true;
        COP_TRY(lend(cpu, shape, weight, err));
        COP_TRY(pack(cpu, matrix, source, *weight, err));
    } else {
        drop_all_lent(cpu);
        source->written = true;
        COP_TRY(pack(cpu, matrix, source, *weight, err));
        source->count = 0;
    }
    cpu->base.seconds[COP_PART_PACK] += cop_timer_now_s() - start;
    return COP_OK;
}
