/* Writing a run file: the new generation replaces the old one, which stays as "<path>.prev". */
#include "store/generation.h"

#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "store/content.h"
#include "store/disk.h"
#include "store/hdf_encode.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names of one write. */
typedef struct generation {
    const char *path;
    char *temporary;     /* "<path>.tmp": the new one until it is complete */
    char *previous;      /* "<path>.prev" */
    char *next_previous; /* "<path>.prev.tmp": the old one until the new one is in place */
} generation;

static char *add_suffix(const char *path, const char *suffix, cop_error *err)
{
    cop_text text = {0};
    return cop_text_format(&text, err, "%s%s", path, suffix) == COP_OK ? text.data : NULL;
}

static void free_names(generation *names)
{
    cop_memory_free(names->temporary);
    cop_memory_free(names->previous);
    cop_memory_free(names->next_previous);
}

static cop_status make_names(const char *path, generation *names, cop_error *err)
{
    *names = (generation){.path = path};
    names->temporary = add_suffix(path, ".tmp", err);
    names->previous = add_suffix(path, ".prev", err);
    names->next_previous = add_suffix(path, ".prev.tmp", err);
    return names->temporary == NULL || names->previous == NULL || names->next_previous == NULL
               ? COP_ERR_MEMORY
               : COP_OK;
}

/* A directory at the place of a file is told before anything is written. */
static cop_status check_replaceable(const char *path, cop_error *err)
{
    struct stat info;
    COP_CHECK(stat(path, &info) != 0 || S_ISREG(info.st_mode), err, COP_ERR_IO,
              "%s: not a regular file; remove it or use another run directory", path);
    return COP_OK;
}

static cop_status write_temporary(const cop_store *store, const char *temporary,
                                  const char digest[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    cop_store_bytes bytes = {0};
    cop_status status = cop_store_hdf_encode(store, digest, &bytes, err);
    if (status == COP_OK) {
        status = cop_store_seal(bytes.data, bytes.length, COP_STORE_SCHEMA, err);
    }
    if (status == COP_OK) status = cop_store_disk_write(temporary, &bytes, err);
    cop_memory_free(bytes.data);
    return status;
}

/* Reads the file back as a later run will and compares its content. `err` is not NULL. */
static cop_status check_temporary(const char *temporary,
                                  const char digest[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    cop_store *back = NULL;
    cop_store_verdict verdict = COP_STORE_INTACT;
    char found[COP_DIGEST_HEX_BYTES] = "";
    const cop_status status = cop_store_load(temporary, true, &back, found, &verdict, err);
    cop_store_destroy(&back);
    const bool differs = status == COP_OK && strcmp(found, digest) != 0;
    if (status == COP_ERR_FORMAT || differs) {
        return cop_error_set(
            err, COP_ERR_IO,
            "%s: it does not read back as it was written (%s); check the disk or "
            "file server, or use another run directory",
            temporary, differs ? "other content" : err->message);
    }
    return status;
}

/* Gives the present generation its second name. Only an intact one becomes "<path>.prev": where
 * the run went on from .prev since `path` was damaged, the good one stays. *kept tells. */
static cop_status keep_present(const generation *names, bool *kept, cop_error *err)
{
    cop_store_bytes bytes = {0};
    cop_store_verdict verdict = COP_STORE_DAMAGED;
    *kept = false;
    const cop_status found = cop_store_disk_read(names->path, &bytes, &verdict, NULL);
    if (found != COP_OK && verdict != COP_STORE_OTHER_SCHEMA) return COP_OK;
    if (unlink(names->next_previous) != 0 && errno != ENOENT) {
        const int number = errno;
        cop_memory_free(bytes.data);
        return cop_store_disk_error(err, names->next_previous, "remove it", number);
    }
    cop_status status = COP_OK;
    /* Not every file system has hard links; a copy does the same. */
    if (link(names->path, names->next_previous) != 0) {
        status = found == COP_OK ? cop_store_disk_write(names->next_previous, &bytes, err)
                                 : cop_store_disk_error(err, names->path, "link it", errno);
    }
    cop_memory_free(bytes.data);
    *kept = status == COP_OK;
    return status;
}

/* There is a complete file at `path` at every moment, if there was one before. */
static cop_status commit(const generation *names, cop_error *err)
{
    assert(names->temporary != NULL && names->previous != NULL && names->next_previous != NULL);
    bool kept = false;
    COP_TRY(keep_present(names, &kept, err));
    if (rename(names->temporary, names->path) != 0) {
        const int number = errno;
        if (kept) (void)unlink(names->next_previous);
        return cop_store_disk_error(err, names->path, "rename the new file over it", number);
    }
    if (kept && rename(names->next_previous, names->previous) != 0) {
        const int number = errno;
        /* Back to what there was: the old file still has its second name. */
        (void)rename(names->next_previous, names->path);
        return cop_store_disk_error(err, names->previous, "keep the previous file", number);
    }
    return cop_store_disk_sync_directory(names->path, err);
}

cop_status cop_store_write(const cop_store *store, const char *path, cop_error *err)
{
    return cop_store_write_if(store, path, NULL, NULL, err);
}

cop_status cop_store_write_if(const cop_store *store, const char *path,
                              cop_status (*may_commit)(void *context, cop_error *err),
                              void *context, cop_error *err)
{
    generation names;
    char digest[COP_DIGEST_HEX_BYTES];
    cop_error local = {0};
    cop_error *const why = err == NULL ? &local : err;
    cop_status status = make_names(path, &names, why);
    if (status != COP_OK) goto out;
    COP_TRY_OUT(check_replaceable(path, why));
    COP_TRY_OUT(check_replaceable(names.previous, why));
    COP_TRY_OUT(cop_store_content_digest(store, digest, why));
    COP_TRY_OUT(write_temporary(store, names.temporary, digest, why));
    status = check_temporary(names.temporary, digest, why);
    if (status == COP_OK && may_commit != NULL) status = may_commit(context, why);
    if (status == COP_OK) status = commit(&names, why);
    if (status != COP_OK) (void)unlink(names.temporary);
out:
    free_names(&names);
    return status;
}
