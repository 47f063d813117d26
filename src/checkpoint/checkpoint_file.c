#include "checkpoint/checkpoint_file.h"

#include "checkpoint/mapped_fault.h"
#include "coppice/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static cop_status map(int fd, cop_mapped_file *file, cop_error *err)
{
    struct stat info;
    COP_CHECK(fstat(fd, &info) == 0, err, COP_ERR_IO, "%s: cannot read it: %s", file->path,
              strerror(errno));
    COP_CHECK(S_ISREG(info.st_mode), err, COP_ERR_FORMAT, "%s: not a regular file", file->path);
    COP_CHECK((uint64_t)info.st_size <= SIZE_MAX, err, COP_ERR_UNSUPPORTED,
              "%s: larger than can be addressed", file->path);
    file->size = (size_t)info.st_size;
    file->written = info.st_mtim;
    file->told = info.st_mtim;
    if (file->size == 0) return COP_OK;
    void *const data = mmap(NULL, file->size, PROT_READ, MAP_SHARED, fd, 0);
    COP_CHECK(data != MAP_FAILED, err, errno == ENOMEM ? COP_ERR_MEMORY : COP_ERR_IO,
              "%s: cannot map its %zu bytes: %s", file->path, file->size, strerror(errno));
    file->data = data;
    cop_mapped_fault_note(data, file->size, file->path, fd);
    return COP_OK;
}

cop_status cop_mapped_file_open(const char *path, cop_mapped_file *file, cop_error *err)
{
    *file = (cop_mapped_file){.fd = -1};
    /* Without O_NONBLOCK a named pipe of that name would wait for a writer. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    COP_CHECK(fd >= 0, err, errno == ENOENT || errno == ENOTDIR ? COP_ERR_FORMAT : COP_ERR_IO,
              "%s: cannot open it: %s", path, strerror(errno));
    cop_status status = COP_ERR_MEMORY;
    file->path = cop_memory_copy_string(path, strlen(path), err);
    file->fd = fd;
    if (file->path != NULL) status = map(fd, file, err);
    if (status != COP_OK) cop_mapped_file_close(file);
    return status;
}

cop_status cop_mapped_file_look(const cop_mapped_file *file, struct timespec *now,
                                cop_error *err)
{
    struct stat info;
    COP_CHECK(fstat(file->fd, &info) == 0, err, COP_ERR_IO, "%s: cannot be read any more: %s",
              file->path, strerror(errno));
    COP_CHECK((uint64_t)info.st_size == file->size, err, COP_ERR_IO,
              "%s has %llu bytes now, and had %zu when it was opened", file->path,
              (unsigned long long)info.st_size, file->size);
    *now = info.st_mtim;
    return COP_OK;
}

cop_status cop_mapped_file_check(const cop_mapped_file *file, cop_error *err)
{
    struct timespec now = {0};
    COP_TRY(cop_mapped_file_look(file, &now, err));
    COP_CHECK(now.tv_sec == file->written.tv_sec && now.tv_nsec == file->written.tv_nsec, err,
              COP_ERR_IO, "%s was written to while it was used", file->path);
    return COP_OK;
}

bool cop_mapped_file_is_cut(const cop_mapped_file *file)
{
    struct stat info;
    return fstat(file->fd, &info) != 0 || (uint64_t)info.st_size < file->size;
}

void cop_mapped_file_close(cop_mapped_file *file)
{
    if (file->data != NULL) {
        cop_mapped_fault_forget(file->data);
        (void)munmap(file->data, file->size);
    }
    if (file->path != NULL || file->fd > 0) (void)close(file->fd);
    cop_memory_free(file->path);
    *file = (cop_mapped_file){0};
}
