/* A file mapped read-only. */
#ifndef COP_CHECKPOINT_CHECKPOINT_FILE_H
#define COP_CHECKPOINT_CHECKPOINT_FILE_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

typedef struct cop_mapped_file {
    char *path;              /* owned */
    void *data;              /* [size], read-only; NULL for an empty file */
    size_t size;             /* bytes */
    int fd;                  /* kept open to see what becomes of the file; -1: none */
    struct timespec written; /* when it was last written to, as it was mapped or accepted */
    struct timespec told;    /* the time of the write that was told of last */
} cop_mapped_file;

/* Maps the regular file at `path`. From here on a page of it that cannot be read ends the
 * program, see mapped_fault.h. */
cop_status cop_mapped_file_open(const char *path, cop_mapped_file *file, cop_error *err);

/* COP_ERR_IO where the mapped file has been written to or cut since. One that was replaced by
 * another of its name has not: its pages stay what they were. */
cop_status cop_mapped_file_check(const cop_mapped_file *file, cop_error *err);

/* COP_ERR_IO unless it can be read and has the size that was mapped; *now: when it was last
 * written to. */
cop_status cop_mapped_file_look(const cop_mapped_file *file, struct timespec *now,
                                cop_error *err);

/* True if it is shorter now than its mapping: what is behind its end must not be touched. */
bool cop_mapped_file_is_cut(const cop_mapped_file *file);

/* Unmaps and frees; the struct is then {0} again. */
void cop_mapped_file_close(cop_mapped_file *file);

#endif
