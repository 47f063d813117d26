#include "store/disk.h"

#include "coppice/base/file.h"
#include "coppice/base/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What can be done about it. */
static const char *find_remedy(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return "free space there, or use another run directory";
    case EFBIG:
        return "raise the limit on file sizes (ulimit -f)";
    case EROFS:
        return "use a run directory on a writable file system";
    case EACCES:
    case EPERM:
        return "check the owner and permissions of the file and its directory";
    case ENOENT:
    case ENOTDIR:
        return "create its directory, or correct the path";
    case ENAMETOOLONG:
        return "use a shorter path";
    case EISDIR:
        return "remove the directory of that name";
    default:
        return "check the file system, or use another run directory";
    }
}

cop_status cop_store_disk_error(cop_error *err, const char *path, const char *action,
                                int number)
{
    return cop_error_set(err, COP_ERR_IO, "%s: cannot %s: %s; %s", path, action,
                         strerror(number), find_remedy(number));
}

static cop_status write_all(int fd, const char *path, const cop_store_bytes *bytes,
                            cop_error *err)
{
    const int failed = cop_file_write(fd, bytes->data, bytes->length);
    if (failed != 0) return cop_store_disk_error(err, path, "write it", failed);
    if (fsync(fd) != 0) return cop_store_disk_error(err, path, "sync it", errno);
    /* What is read back then comes from the disk or file server where that can be had. */
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return COP_OK;
}

cop_status cop_store_disk_write(const char *path, const cop_store_bytes *bytes, cop_error *err)
{
    assert(bytes->data != NULL && bytes->length > 0);
    /* A stale file goes first, and is not written through: it may be a link to another one. */
    if (unlink(path) != 0 && errno != ENOENT) {
        return cop_store_disk_error(err, path, "remove the old one", errno);
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return cop_store_disk_error(err, path, "create it", errno);
    cop_status status = write_all(fd, path, bytes, err);
    /* After a signal the descriptor is closed all the same. */
    if (close(fd) != 0 && errno != EINTR && status == COP_OK) {
        status = cop_store_disk_error(err, path, "close it", errno);
    }
    if (status != COP_OK) (void)unlink(path);
    return status;
}

/* Reads `length` bytes; an early end is the damage of a file that shrinks. */
static cop_status read_all(int fd, const char *path, unsigned char *data, size_t length,
                           cop_error *err)
{
    for (size_t done = 0; done < length;) {
        const ssize_t got = read(fd, data + done, length - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cop_store_disk_error(err, path, "read it", errno);
        COP_CHECK(got > 0, err, COP_ERR_FORMAT, "%s: damaged: cut off after %zu bytes", path,
                  done);
        assert((size_t)got <= length - done);
        done += (size_t)got;
    }
    return COP_OK;
}

/* Its length is not the sealed one: damaged, unless another program has written it anew. */
static cop_status look_closer(int fd, const char *path,
                              const unsigned char seal[COP_STORE_SEAL_BYTES], uint64_t size,
                              cop_store_verdict *verdict, cop_error *err)
{
    unsigned char start[COP_STORE_SUPERBLOCK_BYTES];
    cop_store_verdict sealed = COP_STORE_DAMAGED;
    const bool read = size >= COP_STORE_SEAL_BYTES + sizeof start &&
                      read_all(fd, path, start, sizeof start, NULL) == COP_OK;
    if (read && cop_store_seal_is(seal) &&
        cop_store_seal_rewritten(start, sizeof start, size)) {
        sealed = COP_STORE_REWRITTEN;
        (void)cop_error_set(err, COP_ERR_FORMAT,
                            "another program has written this file anew, as h5repack does: it "
                            "no longer has the bytes that its seal is of. h5py and the tools "
                            "of HDF5 read it (analysis/SCHEMA.md); to use it here put the "
                            "original back, or move it away to go on from the file before it, "
                            "if there is one");
    }
    *verdict = sealed;
    (void)cop_error_prefix(err, "%s", path);
    return COP_ERR_FORMAT;
}

/* The seal is looked at before memory is taken for the whole. */
static cop_status read_sealed(int fd, const char *path, cop_store_bytes *bytes,
                              cop_store_verdict *verdict, cop_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return cop_store_disk_error(err, path, "examine it", errno);
    COP_CHECK(S_ISREG(info.st_mode), err, COP_ERR_IO, "%s: not a regular file", path);
    *verdict = COP_STORE_DAMAGED;
    COP_CHECK(info.st_size > COP_STORE_SEAL_BYTES, err, COP_ERR_FORMAT,
              "%s: damaged: only %lld bytes long", path, (long long)info.st_size);
    unsigned char seal[COP_STORE_SEAL_BYTES];
    COP_TRY(read_all(fd, path, seal, sizeof seal, err));
    if (cop_store_seal_peek(seal, (uint64_t)info.st_size, verdict, err) != COP_OK)
        return look_closer(fd, path, seal, (uint64_t)info.st_size, verdict, err);
    *verdict = COP_STORE_DAMAGED;
    bytes->length = (size_t)info.st_size;
    bytes->data = cop_memory_alloc_raw(bytes->length, 1, err);
    if (bytes->data == NULL) return COP_ERR_MEMORY;
    memcpy(bytes->data, seal, sizeof seal);
    COP_TRY(read_all(fd, path, bytes->data + sizeof seal, bytes->length - sizeof seal, err));
    const cop_status status = cop_store_seal_check(bytes->data, bytes->length, verdict, err);
    if (status != COP_OK) (void)cop_error_prefix(err, "%s", path);
    return status;
}

cop_status cop_store_disk_read(const char *path, cop_store_bytes *bytes,
                               cop_store_verdict *verdict, cop_error *err)
{
    *bytes = (cop_store_bytes){0};
    *verdict = COP_STORE_INTACT;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ENOENT) *verdict = COP_STORE_MISSING;
        return cop_store_disk_error(err, path, "open it", errno);
    }
    const cop_status status = read_sealed(fd, path, bytes, verdict, err);
    (void)close(fd);
    if (status != COP_OK) {
        cop_memory_free(bytes->data);
        *bytes = (cop_store_bytes){0};
        if (status != COP_ERR_FORMAT) *verdict = COP_STORE_INTACT;
    }
    return status;
}

cop_status cop_store_disk_sync_directory(const char *path, cop_error *err)
{
    const int failed = cop_file_sync_parent(path);
    return failed == 0 ? COP_OK : cop_store_disk_error(err, path, "sync its directory", failed);
}
