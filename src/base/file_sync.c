#include "coppice/base/file.h"

#include "coppice/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int cop_file_write(int fd, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        const ssize_t wrote = write(fd, at, bytes);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno;
        at += wrote;
        bytes -= (size_t)wrote;
    }
    return 0;
}

int cop_file_sync_directory(const char *directory)
{
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    int number = fsync(fd) == 0 ? 0 : errno;
    if (number == EINVAL) number = 0; /* not to be had on this file system */
    (void)close(fd);
    return number;
}

int cop_file_sync_parent(const char *path)
{
    const char *const slash = strrchr(path, '/');
    char *const parent = slash == NULL
                             ? cop_memory_copy_string(".", 1, NULL)
                             : cop_memory_copy_string(path, (size_t)(slash - path) + 1, NULL);
    if (parent == NULL) return ENOMEM;
    const int number = cop_file_sync_directory(parent);
    cop_memory_free(parent);
    return number;
}
