/* The parts of an export: one output file, the weight files, the files beside them. */
#ifndef COP_EXPORT_EXPORT_PARTS_H
#define COP_EXPORT_EXPORT_PARTS_H

#include "coppice/base/status.h"
#include "coppice/checkpoint/checkpoint.h"
#include "coppice/export/export.h"
#include "coppice/recipe/recipe.h"

#include <stdbool.h>
#include <stddef.h>

/* A file being written. */
typedef struct cop_export_file {
    char *path; /* owned */
    int fd;
} cop_export_file;

/* Creates the file `name` in `directory`; it must not exist. */
cop_status cop_export_file_create(const char *directory, const char *name,
                                  cop_export_file *file, cop_error *err);

/* Appends bytes. */
cop_status cop_export_file_write(cop_export_file *file, const void *data, size_t bytes,
                                 cop_error *err);

/* Appends the contents of the file at `source`. */
cop_status cop_export_file_append(cop_export_file *file, const char *source, cop_error *err);

/* Closes the file, unless `status` tells that writing it failed after bringing it to the disk.
 * Returns `status` or the failure. */
cop_status cop_export_file_close(cop_export_file *file, cop_status status, cop_error *err);

/* What an export works on. */
typedef struct cop_export_task {
    const char *base_dir;
    const cop_checkpoint *base;
    const cop_recipe *recipe;
    const char *name;   /* of the model, for README.md */
    const char *target; /* directory to write to */
    int threads;
} cop_export_task;

/* Writes all weight files. [out] report. */
cop_status cop_export_weights(const cop_export_task *task, cop_export_report *report,
                              cop_error *err);

/* Writes everything else: copies, coppice_recipe.json, README.md. */
cop_status cop_export_side_files(const cop_export_task *task, cop_error *err);

#endif
