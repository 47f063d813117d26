/** \file checkpoint.h
 * The tensors of a Hugging Face model directory: one model.safetensors, or shards named by
 * model.safetensors.index.json. Files are mapped read-only and stay mapped until close, so that
 * all ranks of a node share them. A file that cannot be read or is cut short meanwhile ends the
 * program with the exit code of COP_ERR_IO; one that is written to shows in
 * cop_checkpoint_check_unchanged() and cop_checkpoint_review(). (Run checkpoints are in
 * store.h.)
 */
#ifndef COPPICE_CHECKPOINT_CHECKPOINT_H
#define COPPICE_CHECKPOINT_CHECKPOINT_H

#include "coppice/base/digest.h"
#include "coppice/base/dtype.h"
#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COP_TENSOR_MAX_RANK = 8 };

/** What a model makes of a tensor of its files. */
typedef enum cop_tensor_use {
    COP_TENSOR_USED,   /**< a parameter; of a checkpoint that no model was told of all are */
    COP_TENSOR_UNUSED, /**< no parameter: it is copied, and gets no noise */
    COP_TENSOR_ALIAS   /**< another tensor under a second name, with the same bytes */
} cop_tensor_use;

/** One tensor of a checkpoint; everything is owned by the checkpoint. */
typedef struct cop_tensor_info {
    const char *name;
    cop_dtype dtype;
    const char *dtype_text; /**< as the file spells it, for example "BF16" */
    int rank;
    int64_t shape[COP_TENSOR_MAX_RANK]; /**< [rank] */
    size_t count;                       /**< elements */
    size_t bytes;
    /** [bytes], in the mapping. Floating-point data is always aligned to its element (in a
     *  copy, where the file's is not), others not always. */
    const void *data;
    uint32_t noise_id; /**< cop_noise_tensor_id(name); of an alias that of the original */
    cop_tensor_use use;
    const struct cop_tensor_info *original; /**< of an alias; otherwise NULL */
    size_t file;                            /**< index of its file */
    size_t offset;                          /**< of its first byte within that file */
} cop_tensor_info;

typedef struct cop_checkpoint cop_checkpoint;

/** Opens the weights of the model directory `directory`. Every header is checked: sizes,
 * overlaps, gaps, dtypes, shapes against bytes, duplicate names, names missing from shards,
 * names in shards that the index does not list. Two floating-point tensors with the same noise
 * id are refused (COP_ERR_UNSUPPORTED). With both a single file and an index the single file is
 * taken. */
cop_status cop_checkpoint_open(const char *directory, cop_checkpoint **checkpoint,
                               cop_error *err);

/** A checkpoint over tensors in memory: infos [count] are copied (names too), the data they
 * point to is not, and must outlive the checkpoint. count, bytes, dtype_text and noise_id may
 * be left zero: they follow from the rest. For benches and tests. */
cop_status cop_checkpoint_from_memory(const cop_tensor_info *infos, size_t count,
                                      cop_checkpoint **checkpoint, cop_error *err);

/** Number of tensors. */
size_t cop_checkpoint_count(const cop_checkpoint *checkpoint);

/** Tensor `index`, in rising order of names (bytewise). */
const cop_tensor_info *cop_checkpoint_at(const cop_checkpoint *checkpoint, size_t index);

/** The tensor of that name, NULL if there is none. */
const cop_tensor_info *cop_checkpoint_find(const cop_checkpoint *checkpoint, const char *name);

/** Notes that a tensor is no parameter of the model. */
void cop_checkpoint_set_unused(cop_checkpoint *checkpoint, size_t index);

/** Notes that a tensor is another one under a second name: it gets that one's noise, and is
 * left out of the digest. Their bytes are equal. */
void cop_checkpoint_set_alias(cop_checkpoint *checkpoint, size_t index, size_t original);

/** The directory that it was opened from, "" for one in memory. */
const char *cop_checkpoint_directory(const cop_checkpoint *checkpoint);

/** Number of files, 0 for one in memory, and the path of each. */
size_t cop_checkpoint_file_count(const cop_checkpoint *checkpoint);
const char *cop_checkpoint_file_path(const cop_checkpoint *checkpoint, size_t file);

/** The mapped bytes [*bytes] of a file, read-only: header, then its tensors in the order of
 * their offsets, without gaps. */
const void *cop_checkpoint_file_data(const cop_checkpoint *checkpoint, size_t file,
                                     size_t *bytes);

/** COP_ERR_IO with the file where one was written to, or changed its size, since it was opened:
 * what was computed from it meanwhile may be of either. Costs a system call for each file. */
cop_status cop_checkpoint_check_unchanged(const cop_checkpoint *checkpoint, cop_error *err);

/** Total bytes of all tensors. */
size_t cop_checkpoint_bytes(const cop_checkpoint *checkpoint);

/** Root mean square of a tensor's elements, squares added in binary64 in blocks of 4,096,
 * rounded to binary32; 0 for an empty tensor, one that is not floating point, or where it is
 * not finite. Measured at the first call and kept: not for concurrent calls. */
float cop_checkpoint_rms(const cop_checkpoint *checkpoint, const cop_tensor_info *tensor);

/** SHA-256 over all tensors but aliases in rising order of names, for each: the name, NUL, the
 * dtype's text, NUL, the shape as decimal numbers with ',' between, NUL, the data. Sharding and
 * order in the files do not matter. */
cop_status cop_checkpoint_digest(const cop_checkpoint *checkpoint,
                                 char hex[COP_DIGEST_HEX_BYTES], cop_error *err);

/** As cop_checkpoint_digest(), and marks each tensor, aliases too, with 64 bits of its bytes,
 * by which cop_checkpoint_review() tells what has changed. COP_ERR_IO where a file was written
 * to since it was opened. */
cop_status cop_checkpoint_mark(cop_checkpoint *checkpoint, char hex[COP_DIGEST_HEX_BYTES],
                               cop_error *err);

/** The marks [count], NULL if none were taken. */
const uint64_t *cop_checkpoint_marks(const cop_checkpoint *checkpoint);

/** Takes over the marks [count] of another process that has opened the same files; those of
 * another number of tensors are left. */
cop_status cop_checkpoint_set_marks(cop_checkpoint *checkpoint, const uint64_t *marks,
                                    size_t count, cop_error *err);

/** Number of tensors whose bytes are others than those that were marked; *first of them in
 * rising order of names, NULL for none. Reads them all. 0 without marks. */
size_t cop_checkpoint_find_changed(const cop_checkpoint *checkpoint,
                                   const cop_tensor_info **first);

/** Looks whether a file was written to since it was opened, and if so which tensors are others
 * than those that were marked. COP_ERR_MISMATCH names the file, the first such tensor and their
 * number. COP_ERR_IO: a file has another size or cannot be read, or nothing was marked. Where
 * all tensors are the same that is COP_OK, and *touched names the file, once for each time that
 * it was written to; NULL: there is nothing to tell. */
cop_status cop_checkpoint_review(cop_checkpoint *checkpoint, const char **touched,
                                 cop_error *err);

/** COP_ERR_MISMATCH with both digests unless `recorded` is the checkpoint's digest, or that of
 * all its tensors, aliases too, which earlier versions recorded. `whose` begins the message:
 * "r.json: the recipe". */
cop_status cop_checkpoint_check(const cop_checkpoint *checkpoint, const char *recorded,
                                const char *whose, cop_error *err);

/** Unmaps and frees *checkpoint and sets it to NULL; NULL is allowed. */
void cop_checkpoint_close(cop_checkpoint **checkpoint);

#endif
