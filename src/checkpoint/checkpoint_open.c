/* Opens the weights of a model directory. */
#include "coppice/checkpoint/checkpoint.h"

#include "checkpoint/checkpoint_index.h"
#include "checkpoint/checkpoint_tensors.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

/* Names the directory in the message of a failure that concerns all of it. */
static cop_status in_directory(cop_status status, const char *directory, cop_error *err)
{
    if (status != COP_OK) (void)cop_error_prefix(err, "%s", directory);
    return status;
}

/* True for a floating-point tensor that the file leaves unaligned to its elements. */
static bool is_unaligned(const cop_safetensors_tensor *tensor)
{
    const size_t size = cop_dtype_size(tensor->info.dtype);
    return size != 0 && (uintptr_t)tensor->info.data % size != 0;
}

/* Unaligned tensors are copied: there must be memory for all of the file's. */
static cop_status check_copies(const cop_safetensors *parsed, const char *path, cop_error *err)
{
    static const double gib = 1024.0 * 1024.0 * 1024.0;
    uint64_t need = 0;
    for (size_t i = 0; i < parsed->count; i++)
        need += is_unaligned(&parsed->tensors[i]) ? parsed->tensors[i].info.bytes : 0;
    const uint64_t have = cop_memory_available_bytes();
    COP_CHECK(have == 0 || need <= have, err, COP_ERR_MEMORY,
              "%s: its header has an odd length, so that the weights must be copied instead of "
              "mapped; that needs %.2f GiB, but there are %.2f GiB: write the file anew with a "
              "header padded to 8 bytes",
              path, (double)need / gib, (double)have / gib);
    return COP_OK;
}

/* Gives an unaligned tensor aligned memory, so that kernels may read it by elements. */
static cop_status align_data(cop_safetensors_tensor *tensor, cop_error *err)
{
    if (!is_unaligned(tensor)) return COP_OK;
    tensor->aligned = cop_memory_alloc_raw(tensor->info.bytes, 1, err);
    if (tensor->aligned == NULL) return COP_ERR_MEMORY;
    memcpy(tensor->aligned, tensor->info.data, tensor->info.bytes);
    tensor->info.data = tensor->aligned;
    return COP_OK;
}

/* Moves the tensors of file `index` into the checkpoint. */
static cop_status take_tensors(cop_checkpoint *checkpoint, cop_safetensors *parsed,
                               size_t index, cop_error *err)
{
    COP_GROW(checkpoint->tensors, checkpoint->capacity, checkpoint->count + parsed->count, err);
    for (size_t i = 0; i < parsed->count; i++) {
        cop_safetensors_tensor *const tensor = &parsed->tensors[i];
        tensor->info.file = index;
        COP_TRY(align_data(tensor, err));
        checkpoint->tensors[checkpoint->count++] = *tensor;
        *tensor = (cop_safetensors_tensor){0};
    }
    return COP_OK;
}

/* Maps and parses the next file; checkpoint->files has room for it. */
static cop_status add_file(cop_checkpoint *checkpoint, const char *path, cop_error *err)
{
    const size_t index = checkpoint->file_count;
    cop_mapped_file *const file = &checkpoint->files[index];
    COP_TRY(cop_mapped_file_open(path, file, err));
    checkpoint->file_count++;
    cop_safetensors parsed;
    COP_TRY(cop_safetensors_parse(file->data, file->size, path, &parsed, err));
    cop_status status = check_copies(&parsed, path, err);
    if (status == COP_OK) status = take_tensors(checkpoint, &parsed, index, err);
    cop_safetensors_free(&parsed);
    return status;
}

static cop_status open_single(cop_checkpoint *checkpoint, const char *path, cop_error *err)
{
    checkpoint->files = cop_memory_alloc(1, sizeof *checkpoint->files, err);
    if (checkpoint->files == NULL) return COP_ERR_MEMORY;
    COP_TRY(add_file(checkpoint, path, err));
    COP_CHECK(checkpoint->count > 0, err, COP_ERR_FORMAT, "%s: has no tensors", path);
    return COP_OK;
}

/* --- shards --- */

/* An index and its shards must agree: a tensor that one has and the other has not tells that
 * files of different downloads are mixed. */
static cop_status check_shard(const cop_checkpoint *checkpoint, size_t first,
                              const cop_weight_index *index, const char *shard, cop_error *err)
{
    for (size_t i = first; i < checkpoint->count; i++) {
        const char *const name = checkpoint->tensors[i].name;
        const char *const listed = cop_weight_index_shard(index, name);
        COP_CHECK(listed != NULL, err, COP_ERR_FORMAT, "%s: tensor %s is not listed in %s",
                  shard, name, index_name);
        COP_CHECK(strcmp(listed, shard) == 0, err, COP_ERR_FORMAT,
                  "%s: tensor %s is listed in %s as part of %s", shard, name, index_name,
                  listed);
    }
    return COP_OK;
}

static cop_status check_complete(const cop_checkpoint *checkpoint,
                                 const cop_weight_index *index, cop_error *err)
{
    const char *name = NULL;
    json_t *shard = NULL;
    json_object_foreach(index->map, name, shard)
    {
        COP_CHECK(cop_checkpoint_find(checkpoint, name) != NULL, err, COP_ERR_FORMAT,
                  "%s: tensor %s, listed in %s, is missing", json_string_value(shard), name,
                  index_name);
    }
    return COP_OK;
}

static cop_status open_shards(cop_checkpoint *checkpoint, const char *directory,
                              const cop_weight_index *index, cop_error *err)
{
    checkpoint->files = cop_memory_alloc(index->file_count, sizeof *checkpoint->files, err);
    if (checkpoint->files == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < index->file_count; i++) {
        char *const path = cop_text_join_path(directory, index->files[i], err);
        if (path == NULL) return COP_ERR_MEMORY;
        const size_t first = checkpoint->count;
        const cop_status status = add_file(checkpoint, path, err);
        cop_memory_free(path);
        COP_TRY(status);
        COP_TRY(in_directory(check_shard(checkpoint, first, index, index->files[i], err),
                             directory, err));
    }
    return COP_OK;
}

static cop_status open_sharded(cop_checkpoint *checkpoint, const char *directory,
                               const char *path, cop_error *err)
{
    cop_weight_index index;
    COP_TRY(cop_weight_index_read(path, &index, err));
    cop_status status = open_shards(checkpoint, directory, &index, err);
    if (status == COP_OK) {
        status = in_directory(cop_checkpoint_finish(checkpoint, err), directory, err);
    }
    if (status == COP_OK) {
        status = in_directory(check_complete(checkpoint, &index, err), directory, err);
    }
    cop_weight_index_free(&index);
    return status;
}

/* --- the directory --- */

static cop_status check_directory(const char *directory, cop_error *err)
{
    struct stat info;
    if (stat(directory, &info) != 0) {
        const bool missing = errno == ENOENT || errno == ENOTDIR;
        return cop_error_set(err, missing ? COP_ERR_FORMAT : COP_ERR_IO,
                             missing ? "%s: there is no such model directory (%s)"
                                     : "%s: cannot read the model directory: %s",
                             directory, strerror(errno));
    }
    COP_CHECK(S_ISDIR(info.st_mode), err, COP_ERR_FORMAT,
              "%s: not a directory; a model is a directory with %s in it", directory,
              single_name);
    return COP_OK;
}

/* A link that leads nowhere is there too: opening it gives the better message. */
static bool is_there(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 || errno != ENOENT;
}

static cop_status open_directory(cop_checkpoint *checkpoint, const char *directory,
                                 cop_error *err)
{
    cop_status status = COP_ERR_MEMORY;
    char *const single = cop_text_join_path(directory, single_name, err);
    char *const index = single == NULL ? NULL : cop_text_join_path(directory, index_name, err);
    if (index == NULL) goto out;
    COP_TRY_OUT(check_directory(directory, err));
    if (is_there(single)) {
        COP_TRY_OUT(open_single(checkpoint, single, err));
        COP_TRY_OUT(in_directory(cop_checkpoint_finish(checkpoint, err), directory, err));
    } else if (is_there(index)) {
        COP_TRY_OUT(open_sharded(checkpoint, directory, index, err));
    } else {
        status =
            cop_error_set(err, COP_ERR_FORMAT,
                          "%s: has neither %s nor %s; convert weights in other formats first",
                          directory, single_name, index_name);
    }
out:
    cop_memory_free(single);
    cop_memory_free(index);
    return status;
}

cop_status cop_checkpoint_open(const char *directory, cop_checkpoint **checkpoint,
                               cop_error *err)
{
    *checkpoint = NULL;
    cop_checkpoint *opened = cop_memory_alloc(1, sizeof *opened, err);
    if (opened == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_ERR_MEMORY;
    opened->directory = cop_memory_copy_string(directory, strlen(directory), err);
    if (opened->directory != NULL) status = open_directory(opened, directory, err);
    if (status != COP_OK) {
        cop_checkpoint_close(&opened);
        return status;
    }
    *checkpoint = opened;
    return COP_OK;
}
