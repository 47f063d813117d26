#include "export/export_parts.h"

#include "coppice/base/file.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 20 };

cop_status cop_export_file_create(const char *directory, const char *name,
                                  cop_export_file *file, cop_error *err)
{
    file->fd = -1;
    file->path = cop_text_join_path(directory, name, err);
    if (file->path == NULL) return COP_ERR_MEMORY;
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file->fd >= 0) return COP_OK;
    const cop_status status =
        cop_error_set(err, COP_ERR_IO, "%s: cannot create it: %s", file->path, strerror(errno));
    cop_memory_free(file->path);
    file->path = NULL;
    return status;
}

cop_status cop_export_file_write(cop_export_file *file, const void *data, size_t bytes,
                                 cop_error *err)
{
    const int failed = cop_file_write(file->fd, data, bytes);
    COP_CHECK(failed == 0, err, COP_ERR_IO, "%s: cannot write it: %s", file->path,
              strerror(failed));
    return COP_OK;
}

static cop_status append(cop_export_file *file, int source, const char *source_path,
                         char *buffer, cop_error *err)
{
    for (;;) {
        const ssize_t got = read(source, buffer, COPY_BYTES);
        if (got < 0 && errno == EINTR) continue;
        COP_CHECK(got >= 0, err, COP_ERR_IO, "%s: cannot read it: %s", source_path,
                  strerror(errno));
        if (got == 0) return COP_OK;
        COP_TRY(cop_export_file_write(file, buffer, (size_t)got, err));
    }
}

cop_status cop_export_file_append(cop_export_file *file, const char *source, cop_error *err)
{
    char *const buffer = cop_memory_alloc_raw(COPY_BYTES, 1, err);
    if (buffer == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    const int fd = open(source, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        status = append(file, fd, source, buffer, err);
        (void)close(fd);
    } else {
        status =
            cop_error_set(err, COP_ERR_IO, "%s: cannot open it: %s", source, strerror(errno));
    }
    cop_memory_free(buffer);
    return status;
}

cop_status cop_export_file_close(cop_export_file *file, cop_status status, cop_error *err)
{
    if (status == COP_OK && fsync(file->fd) != 0) {
        status = cop_error_set(err, COP_ERR_IO, "%s: cannot sync it: %s", file->path,
                               strerror(errno));
    }
    if (close(file->fd) != 0 && status == COP_OK) {
        status = cop_error_set(err, COP_ERR_IO, "%s: cannot close it: %s", file->path,
                               strerror(errno));
    }
    cop_memory_free(file->path);
    *file = (cop_export_file){NULL, -1};
    return status;
}
