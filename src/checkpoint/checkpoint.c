/* Checkpoints: the accessors and what holds for the tensors of any source. */
#include "coppice/checkpoint/checkpoint.h"

#include "checkpoint/checkpoint_tensors.h"
#include "coppice/base/memory.h"
#include "coppice/noise/noise.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const cop_safetensors_tensor *)left)->name,
                  ((const cop_safetensors_tensor *)right)->name);
}

static int compare_noise_ids(const void *left, const void *right)
{
    const cop_tensor_info *const a = *(const cop_tensor_info *const *)left;
    const cop_tensor_info *const b = *(const cop_tensor_info *const *)right;
    if (a->noise_id != b->noise_id) return a->noise_id < b->noise_id ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Two tensors with one id would get the same noise. */
static cop_status check_noise_ids(const cop_checkpoint *checkpoint, cop_error *err)
{
    const cop_tensor_info **const floats =
        cop_memory_alloc(checkpoint->count, sizeof *floats, err);
    if (floats == NULL) return COP_ERR_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < checkpoint->count; i++) {
        const cop_tensor_info *const info = &checkpoint->tensors[i].info;
        if (info->dtype != COP_DTYPE_OTHER) floats[count++] = info;
    }
    qsort(floats, count, sizeof *floats, compare_noise_ids);
    cop_status status = COP_OK;
    for (size_t i = 1; i < count && status == COP_OK; i++) {
        if (floats[i]->noise_id != floats[i - 1]->noise_id) continue;
        status = cop_error_set(
            err, COP_ERR_UNSUPPORTED,
            "the names of the tensors %s and %s give the same noise (id %08" PRIx32
            "); rename one",
            floats[i - 1]->name, floats[i]->name, floats[i]->noise_id);
    }
    cop_memory_free(floats);
    return status;
}

cop_status cop_checkpoint_finish(cop_checkpoint *checkpoint, cop_error *err)
{
    checkpoint->bytes = 0;
    if (checkpoint->count == 0) return COP_OK;
    checkpoint->rms = cop_memory_alloc(checkpoint->count, sizeof *checkpoint->rms, err);
    if (checkpoint->rms == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < checkpoint->count; i++)
        checkpoint->rms[i] = -1.0F;
    qsort(checkpoint->tensors, checkpoint->count, sizeof *checkpoint->tensors, compare_names);
    for (size_t i = 0; i < checkpoint->count; i++) {
        const cop_tensor_info *const info = &checkpoint->tensors[i].info;
        COP_CHECK(i == 0 || strcmp(checkpoint->tensors[i - 1].name, info->name) != 0, err,
                  COP_ERR_FORMAT, "there are two tensors named %s", info->name);
        COP_CHECK(info->bytes <= SIZE_MAX - checkpoint->bytes, err, COP_ERR_FORMAT,
                  "the tensors have more bytes than can be counted");
        checkpoint->bytes += info->bytes;
    }
    return check_noise_ids(checkpoint, err);
}

size_t cop_checkpoint_count(const cop_checkpoint *checkpoint)
{
    return checkpoint->count;
}

const cop_tensor_info *cop_checkpoint_at(const cop_checkpoint *checkpoint, size_t index)
{
    assert(index < checkpoint->count);
    return &checkpoint->tensors[index].info;
}

const cop_tensor_info *cop_checkpoint_find(const cop_checkpoint *checkpoint, const char *name)
{
    size_t low = 0;
    size_t high = checkpoint->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(name, checkpoint->tensors[middle].name);
        if (order == 0) return &checkpoint->tensors[middle].info;
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

void cop_checkpoint_set_unused(cop_checkpoint *checkpoint, size_t index)
{
    assert(index < checkpoint->count);
    checkpoint->tensors[index].info.use = COP_TENSOR_UNUSED;
}

void cop_checkpoint_set_alias(cop_checkpoint *checkpoint, size_t index, size_t original)
{
    assert(index < checkpoint->count && original < checkpoint->count && index != original);
    cop_tensor_info *const info = &checkpoint->tensors[index].info;
    info->use = COP_TENSOR_ALIAS;
    info->original = &checkpoint->tensors[original].info;
    info->noise_id = info->original->noise_id;
}

const char *cop_checkpoint_directory(const cop_checkpoint *checkpoint)
{
    return checkpoint->directory == NULL ? "" : checkpoint->directory;
}

size_t cop_checkpoint_file_count(const cop_checkpoint *checkpoint)
{
    return checkpoint->file_count;
}

const char *cop_checkpoint_file_path(const cop_checkpoint *checkpoint, size_t file)
{
    assert(file < checkpoint->file_count);
    return checkpoint->files[file].path;
}

const void *cop_checkpoint_file_data(const cop_checkpoint *checkpoint, size_t file,
                                     size_t *bytes)
{
    assert(file < checkpoint->file_count);
    *bytes = checkpoint->files[file].size;
    return checkpoint->files[file].data;
}

cop_status cop_checkpoint_check_unchanged(const cop_checkpoint *checkpoint, cop_error *err)
{
    for (size_t i = 0; i < checkpoint->file_count; i++)
        COP_TRY(cop_mapped_file_check(&checkpoint->files[i], err));
    return COP_OK;
}

size_t cop_checkpoint_bytes(const cop_checkpoint *checkpoint)
{
    return checkpoint->bytes;
}

void cop_checkpoint_close(cop_checkpoint **checkpoint)
{
    if (checkpoint == NULL || *checkpoint == NULL) return;
    cop_checkpoint *const old = *checkpoint;
    for (size_t i = 0; i < old->count; i++)
        cop_safetensors_tensor_free(&old->tensors[i]);
    for (size_t i = 0; i < old->file_count; i++)
        cop_mapped_file_close(&old->files[i]);
    cop_memory_free(old->tensors);
    cop_memory_free(old->files);
    cop_memory_free(old->rms);
    cop_memory_free(old->marks);
    cop_memory_free(old->directory);
    cop_memory_free(old);
    *checkpoint = NULL;
}
