/** \file store.h
 * The run file (HDF5, schema version 1): everything to resume, audit and plot a run. One
 * writer, rank 0. In memory it is a tree of groups with named arrays and attributes; on disk
 * the same tree. The tree is written whole: to a temporary file beside the old one, flushed,
 * fsynced, reopened and checked, the old one kept as "<path>.prev", then renamed, the directory
 * fsynced.
 *
 * The first 512 bytes (HDF5's user block) are a seal, a few lines of text with the schema
 * version, length and SHA-256 of the file, checked before HDF5 sees the rest: damage to any
 * byte is told. HDF5 works on an image in memory; file locking, which fails on NFS and Lustre,
 * never comes up.
 */
#ifndef COPPICE_STORE_STORE_H
#define COPPICE_STORE_STORE_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COP_STORE_SCHEMA = 1, COP_STORE_MAX_RANK = 3 };

/** Element types of arrays and attributes. */
typedef enum cop_store_type {
    COP_STORE_F32,
    COP_STORE_F64,
    COP_STORE_I64,
    COP_STORE_U64,
    COP_STORE_U8,
    COP_STORE_TEXT /**< UTF-8 strings of any length: data is `const char *const *` */
} cop_store_type;

/** An array; `data` is dense and row-major. */
typedef struct cop_store_array {
    cop_store_type type;
    int rank; /**< 0: a scalar */
    uint64_t shape[COP_STORE_MAX_RANK];
    const void *data;
} cop_store_array;

/** The tree. Paths are absolute, "/population/scores", of at most 1,023 bytes and 32
 *  components, none of them ".", ".." or empty; groups come into being as needed. */
typedef struct cop_store cop_store;

/** An empty tree. */
cop_status cop_store_create(cop_store **store, cop_error *err);

/** A copy of a tree, for one thread to write while another goes on with the original. */
cop_status cop_store_clone(const cop_store *store, cop_store **copy, cop_error *err);

/** True if paths rise and every array has the data of its shape. Looks at every entry; for
 * tests and assertions. */
bool cop_store_is_valid(const cop_store *store);

/** Sets the array at `path` to a copy of *array (any earlier one is replaced). `unit` and
 *  `meaning` become attributes "unit" and "meaning"; NULL for none. COP_ERR_INTERNAL: a wrong
 *  path, or an array in the place of a group or below another array. */
cop_status cop_store_set(cop_store *store, const char *path, const cop_store_array *array,
                         const char *unit, const char *meaning, cop_error *err);

/** The array at `path`, borrowed until it is replaced; NULL if there is none. */
const cop_store_array *cop_store_get(const cop_store *store, const char *path);

/** Shorthand for scalars. The getters return false if there is none of that type. */
cop_status cop_store_set_f64(cop_store *store, const char *path, double value, const char *unit,
                             const char *meaning, cop_error *err);
cop_status cop_store_set_i64(cop_store *store, const char *path, int64_t value,
                             const char *unit, const char *meaning, cop_error *err);
cop_status cop_store_set_text(cop_store *store, const char *path, const char *value,
                              const char *meaning, cop_error *err);
bool cop_store_get_f64(const cop_store *store, const char *path, double *value);
bool cop_store_get_i64(const cop_store *store, const char *path, int64_t *value);
const char *cop_store_get_text(const cop_store *store, const char *path);

/** Removes the array at `path`, or the group with all below it; nothing if there is none. */
void cop_store_remove(cop_store *store, const char *path);

/** Number of arrays, and path of array `index` in rising order. */
size_t cop_store_count(const cop_store *store);
const char *cop_store_path_at(const cop_store *store, size_t index);

/** Writes the tree as the run file `path`, atomically as described above. On failure (full
 *  disk, no permission) the old file and its predecessor are untouched and the temporary one is
 *  gone. */
cop_status cop_store_write(const cop_store *store, const char *path, cop_error *err);

/** As cop_store_write(), but asks `may_commit` (NULL: yes) once the new file is complete, right
 *  before it takes the old one's place: another status than COP_OK fails the write with it. */
cop_status cop_store_write_if(const cop_store *store, const char *path,
                              cop_status (*may_commit)(void *context, cop_error *err),
                              void *context, cop_error *err);

/** Reads a run file. A file that is damaged or of another schema is COP_ERR_FORMAT and named;
 *  one that is missing or cannot be read is COP_ERR_IO. */
cop_status cop_store_read(const char *path, cop_store **store, cop_error *err);

/** Reads `path`, or if it is missing or damaged "<path>.prev"; *used_previous and `why`
 *  (cleared if all is well) tell. Neither file there: *store NULL and COP_OK. A file of another
 *  schema, one that was rewritten since, or that cannot be read for now, is an error: it is not
 *  passed over. */
cop_status cop_store_read_latest(const char *path, cop_store **store, bool *used_previous,
                                 cop_error *why, cop_error *err);

/** Frees *store and sets it to NULL; NULL is allowed. */
void cop_store_destroy(cop_store **store);

#endif
