/* A file mapped read-only. */
#ifndef COPPICE_FORMATS_CHECKPOINT_FILE_H
#define COPPICE_FORMATS_CHECKPOINT_FILE_H

#include "coppice/status.h"

#include <stddef.h>

typedef struct cop_mapped_file {
    char *path;  /* owned */
    void *data;  /* [size], read-only; NULL for an empty file */
    size_t size; /* bytes */
} cop_mapped_file;

/* Maps the regular file at `path`. */
cop_status cop_mapped_file_open(const char *path, cop_mapped_file *file, cop_error *err);

/* Unmaps and frees; the struct is then {0} again. */
void cop_mapped_file_close(cop_mapped_file *file);

#endif
