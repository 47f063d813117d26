/* Whole files and paths (text.h): reading, atomic writing, joining. */
#include "coppice/base/file.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *cop_text_join_path(const char *directory, const char *name, cop_error *err)
{
    cop_text path = {0};
    const bool alone = name[0] == '/' || directory == NULL || directory[0] == '\0';
    const size_t length = alone ? 0 : strlen(directory);
    const char *const between = alone || directory[length - 1] == '/' ? "" : "/";
    if (cop_text_format(&path, err, "%s%s%s", alone ? "" : directory, between, name) !=
        COP_OK) {
        return NULL;
    }
    return path.data;
}

/* Appends what is left of a file. */
static cop_status read_all(int fd, size_t limit_bytes, const char *path, cop_text *text,
                           cop_error *err)
{
    char buffer[65536];
    size_t total = 0;
    for (;;) {
        const ssize_t got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        COP_CHECK(got >= 0, err, COP_ERR_IO, "%s: cannot read it: %s", path, strerror(errno));
        COP_CHECK((size_t)got <= limit_bytes - total, err, COP_ERR_FORMAT,
                  "%s: larger than the %zu bytes allowed", path, limit_bytes);
        COP_TRY(cop_text_append(text, buffer, (size_t)got, err));
        if (got == 0) return COP_OK;
        total += (size_t)got;
    }
}

cop_status cop_text_read_file(cop_text *text, const char *path, size_t limit_bytes,
                              cop_error *err)
{
    /* Without O_NONBLOCK a pipe would be waited for before it could be refused. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    COP_CHECK(fd >= 0, err, errno == ENOENT || errno == ENOTDIR ? COP_ERR_FORMAT : COP_ERR_IO,
              "%s: cannot open it: %s", path, strerror(errno));
    const size_t start = text->length;
    struct stat info;
    cop_status status = COP_OK;
    if (fstat(fd, &info) != 0) {
        status =
            cop_error_set(err, COP_ERR_IO, "%s: cannot read it: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        status = cop_error_set(err, COP_ERR_IO, "%s: not a regular file", path);
    } else {
        status = read_all(fd, limit_bytes, path, text, err);
    }
    (void)close(fd);
    if (status != COP_OK && text->data != NULL) {
        text->length = start;
        text->data[start] = '\0';
    }
    return status;
}

cop_status cop_text_read_needed(cop_text *text, const char *path, size_t limit_bytes,
                                const char *remedy, cop_error *err)
{
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return cop_error_set(err, COP_ERR_FORMAT, "%s: there is no such file; %s", path,
                             remedy);
    return cop_text_read_file(text, path, limit_bytes, err);
}

cop_status cop_text_read_optional(cop_text *text, const char *directory, const char *name,
                                  size_t limit_bytes, bool *found, cop_error *err)
{
    *found = false;
    cop_text_clear(text);
    char *const path = cop_text_join_path(directory, name, err);
    if (path == NULL) return COP_ERR_MEMORY;
    *found = access(path, F_OK) == 0 || errno != ENOENT;
    const cop_status status =
        *found ? cop_text_read_file(text, path, limit_bytes, err) : COP_OK;
    cop_memory_free(path);
    return status;
}

/* Writes "<path>.tmp" and renames it over `path`. */
static cop_status write_over(const char *path, const char *bytes, size_t length, bool sync,
                             cop_error *err)
{
    cop_text temporary = {0};
    COP_TRY(cop_text_format(&temporary, err, "%s.tmp", path));
    cop_status status = COP_OK;
    const int fd = open(temporary.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        status = cop_error_set(err, COP_ERR_IO, "%s: cannot create it: %s", temporary.data,
                               strerror(errno));
        cop_text_free(&temporary);
        return status;
    }
    const int failed = cop_file_write(fd, bytes, length);
    if (failed != 0) {
        status = cop_error_set(err, COP_ERR_IO, "%s: cannot write it: %s", temporary.data,
                               strerror(failed));
    }
    if (status == COP_OK && sync && fsync(fd) != 0) {
        status =
            cop_error_set(err, COP_ERR_IO, "%s: cannot sync it: %s", path, strerror(errno));
    }
    if (close(fd) != 0 && status == COP_OK) {
        status =
            cop_error_set(err, COP_ERR_IO, "%s: cannot close it: %s", path, strerror(errno));
    }
    if (status == COP_OK && rename(temporary.data, path) != 0) {
        status = cop_error_set(err, COP_ERR_IO, "%s: cannot rename %s over it: %s", path,
                               temporary.data, strerror(errno));
    }
    if (status != COP_OK) (void)unlink(temporary.data);
    cop_text_free(&temporary);
    return status;
}

cop_status cop_text_write_file(const char *path, const char *bytes, size_t length,
                               cop_error *err)
{
    COP_TRY(write_over(path, bytes, length, true, err));
    const int unsynced = cop_file_sync_parent(path);
    COP_CHECK(unsynced == 0, err, COP_ERR_IO, "%s: cannot sync its directory: %s", path,
              strerror(unsynced));
    return COP_OK;
}

cop_status cop_text_replace_file(const char *path, const char *bytes, size_t length,
                                 cop_error *err)
{
    return write_over(path, bytes, length, false, err);
}
