/* Weight files of an export: the base's bytes, with the tensors in scope rebuilt on the way. */
#include "export/export_parts.h"

#include "coppice/base/cpu.h"
#include "coppice/base/memory.h"
#include "coppice/rebuild/rebuild.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Elements that are rebuilt and written at a time: bounds the memory, and stays large enough to
 * keep many threads busy. */
enum { PIECE_ELEMENTS = 4 << 20 };

static int compare_offsets(const void *left, const void *right)
{
    const cop_tensor_info *const a = *(const cop_tensor_info *const *)left;
    const cop_tensor_info *const b = *(const cop_tensor_info *const *)right;
    if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
    return a->bytes < b->bytes ? -1 : a->bytes > b->bytes; /* empty ones first */
}

/* Tensors [*count] of one file in the order of their data; list has room for all. */
static void list_tensors(const cop_checkpoint *base, size_t file, const cop_tensor_info **list,
                         size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < cop_checkpoint_count(base); i++) {
        const cop_tensor_info *const info = cop_checkpoint_at(base, i);
        if (info->file == file) list[(*count)++] = info;
    }
    qsort(list, *count, sizeof *list, compare_offsets);
}

static uint64_t count_moved(const void *before, const void *after, size_t count, size_t size)
{
    uint64_t moved = 0;
    if (size == 2) {
        const uint16_t *const a = before;
        const uint16_t *const b = after;
        for (size_t i = 0; i < count; i++)
            moved += a[i] != b[i];
    } else {
        const uint32_t *const a = before;
        const uint32_t *const b = after;
        for (size_t i = 0; i < count; i++)
            moved += a[i] != b[i];
    }
    return moved;
}

/* buffer: room for PIECE_ELEMENTS of any dtype. */
static cop_status write_rebuilt(const cop_export_task *task, const cop_tensor_info *info,
                                cop_export_file *out, void *buffer, cop_export_report *report,
                                cop_error *err)
{
    const size_t size = cop_dtype_size(info->dtype);
    cop_rebuild_piece piece = {.out = buffer,
                               .dtype = info->dtype,
                               .tensor = info->noise_id,
                               .scale = cop_recipe_scale(task->recipe, task->base, info),
                               .low = cop_recipe_low_rank(task->recipe, info)};
    for (size_t first = 0; first < info->count; first += piece.count) {
        const size_t left = info->count - first;
        piece.base = (const char *)info->data + first * size;
        piece.first = first;
        piece.count = left < PIECE_ELEMENTS ? left : PIECE_ELEMENTS;
        cop_rebuild_run(&piece, task->recipe->components, task->recipe->component_count,
                        task->threads, cop_cpu_isa());
        if (info->original == NULL)
            report->elements_moved += count_moved(piece.base, buffer, piece.count, size);
        COP_TRY(cop_export_file_write(out, buffer, piece.count * size, err));
    }
    if (info->original != NULL) return COP_OK; /* it was counted under its first name */
    report->elements += info->count;
    report->tensors++;
    return COP_OK;
}

static cop_status write_tensors(const cop_export_task *task, size_t file,
                                const cop_tensor_info **list, cop_export_file *out,
                                void *buffer, cop_export_report *report, cop_error *err)
{
    size_t count = 0;
    list_tensors(task->base, file, list, &count);
    assert(count > 0);
    size_t file_bytes = 0;
    const char *const bytes = cop_checkpoint_file_data(task->base, file, &file_bytes);
    size_t place = list[0]->offset;
    COP_TRY(cop_export_file_write(out, bytes, place, err)); /* the header as it is */
    for (size_t i = 0; i < count; i++) {
        assert(list[i]->offset == place);
        if (cop_recipe_scale(task->recipe, task->base, list[i]) != 0.0F) {
            COP_TRY(write_rebuilt(task, list[i], out, buffer, report, err));
        } else {
            COP_TRY(cop_export_file_write(out, bytes + place, list[i]->bytes, err));
        }
        place += list[i]->bytes;
    }
    assert(place == file_bytes);
    return COP_OK;
}

cop_status cop_export_weights(const cop_export_task *task, cop_export_report *report,
                              cop_error *err)
{
    *report = (cop_export_report){0};
    cop_status status = COP_ERR_MEMORY;
    void *buffer = NULL;
    const cop_tensor_info **const list =
        cop_memory_alloc(cop_checkpoint_count(task->base), sizeof *list, err);
    if (list == NULL) goto out;
    buffer = cop_memory_alloc_raw(PIECE_ELEMENTS, sizeof(float), err);
    if (buffer == NULL) goto out;
    for (size_t i = 0; i < cop_checkpoint_file_count(task->base); i++) {
        const char *const path = cop_checkpoint_file_path(task->base, i);
        const char *const slash = strrchr(path, '/');
        cop_export_file out = {NULL, -1};
        COP_TRY_OUT(
            cop_export_file_create(task->target, slash == NULL ? path : slash + 1, &out, err));
        status = write_tensors(task, i, list, &out, buffer, report, err);
        COP_TRY_OUT(cop_export_file_close(&out, status, err));
    }
    status = COP_OK;
out:
    cop_memory_free(buffer);
    cop_memory_free(list);
    return status;
}
