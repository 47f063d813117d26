#include "rundir/claim_files.h"

#include "coppice/base/file.h"
#include "coppice/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static const char prefix[] = ".claim.";
static const char unfinished[] = ".claim.new-";

/* False if the path is too long; opening it then fails with ENAMETOOLONG or the like anyway. */
static void name_claim(char path[PATH_BYTES], const char *directory, uint64_t number)
{
    (void)snprintf(path, PATH_BYTES, "%s/%s%06" PRIu64, directory, prefix, number);
}

/* The number of a claim's file name, 0 if it is none. */
static uint64_t number_of(const char *name)
{
    const size_t length = sizeof prefix - 1;
    if (strncmp(name, prefix, length) != 0) return 0;
    const char *const digits = name + length;
    if (digits[0] == '\0' || strspn(digits, "0123456789") != strlen(digits)) return 0;
    errno = 0;
    const unsigned long long number = strtoull(digits, NULL, 10);
    return errno == 0 && number < UINT64_MAX ? number : 0;
}

cop_status cop_claim_files_token(char token[COP_CLAIM_TOKEN_BYTES], cop_error *err)
{
    unsigned char bytes[(COP_CLAIM_TOKEN_BYTES - 1) / 2];
    COP_CHECK(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes, err, COP_ERR_INTERNAL,
              "no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return COP_OK;
}

bool cop_claim_files_exists(const char *directory, uint64_t number)
{
    char path[PATH_BYTES];
    name_claim(path, directory, number);
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

cop_status cop_claim_files_latest(const char *directory, uint64_t *number, cop_error *err)
{
    *number = 0;
    DIR *const folder = opendir(directory);
    COP_CHECK(folder != NULL, err, COP_ERR_IO, "%s: cannot read the run directory: %s",
              directory, strerror(errno));
    errno = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        const uint64_t found = number_of(entry->d_name);
        if (found > *number) *number = found;
    }
    const int failed = errno;
    (void)closedir(folder);
    COP_CHECK(failed == 0, err, COP_ERR_IO, "%s: cannot read the run directory: %s", directory,
              strerror(failed));
    /* The list may be an older one from a cache; asking for a name is not. */
    while (cop_claim_files_exists(directory, *number + 1))
        (*number)++;
    return COP_OK;
}

static int read_claim(const char *path, char *bytes, size_t size, size_t *length)
{
    struct stat info;
    *length = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) return errno;
    int failed = fstat(fd, &info) != 0 ? errno : S_ISREG(info.st_mode) ? 0 : EINVAL;
    while (failed == 0 && *length < size) {
        const ssize_t got = read(fd, bytes + *length, size - *length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) failed = errno;
        if (got <= 0) break;
        *length += (size_t)got;
    }
    (void)close(fd);
    return failed;
}

int cop_claim_files_read(const char *directory, uint64_t number, char *bytes, size_t size,
                         size_t *length)
{
    char path[PATH_BYTES];
    name_claim(path, directory, number);
    return read_claim(path, bytes, size, length);
}

void cop_claim_files_remove(const char *directory, uint64_t number)
{
    char path[PATH_BYTES];
    name_claim(path, directory, number);
    (void)unlink(path);
}

/* Creates `path`, which must not be there, with `bytes`. \return 0 or errno. */
static int create(const char *path, const char bytes[COP_CLAIM_BYTES], int *fd)
{
    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (*fd < 0) return errno;
    int failed = cop_file_write(*fd, bytes, COP_CLAIM_BYTES);
    if (failed == 0 && fsync(*fd) != 0) failed = errno;
    if (failed == 0) return 0;
    (void)unlink(path);
    (void)close(*fd);
    *fd = -1;
    return failed;
}

/* Gives the finished file its name. A network file system may have done so and yet say
 * otherwise, when its answer was lost: the count of links tells. \return 0 or errno. */
static int publish(const char *temporary, const char *path, int fd)
{
    struct stat info;
    if (link(temporary, path) == 0) return 0;
    const int failed = errno;
    return fstat(fd, &info) == 0 && info.st_nlink == 2 ? 0 : failed;
}

static bool has_no_links(int failed)
{
    return failed == EPERM || failed == EOPNOTSUPP || failed == ENOSYS || failed == EMLINK;
}

cop_status cop_claim_files_make(const char *directory, uint64_t number, const char *token,
                                const char bytes[COP_CLAIM_BYTES], bool without_links, int *fd,
                                cop_error *err)
{
    char path[PATH_BYTES];
    char temporary[PATH_BYTES];
    name_claim(path, directory, number);
    (void)snprintf(temporary, sizeof temporary, "%s/%s%s", directory, unfinished, token);
    int failed = create(temporary, bytes, fd);
    if (failed == 0) {
        failed = without_links ? EPERM : publish(temporary, path, *fd);
        (void)unlink(temporary);
        if (failed != 0) {
            (void)close(*fd);
            *fd = -1;
        }
        /* Without links it is empty for a moment, which others take for an unknown owner. */
        if (has_no_links(failed)) failed = create(path, bytes, fd);
    }
    if (failed == 0 || failed == EEXIST) return COP_OK;
    return cop_error_set(err, COP_ERR_IO, "%s: cannot write in the run directory: %s",
                         directory, strerror(failed));
}

/* What a taker that died before it had its claim has left. */
static bool is_left_over(const char *path, const char *name, const cop_claim_owner *mine)
{
    char bytes[COP_CLAIM_BYTES];
    size_t length = 0;
    cop_claim_record record;
    return strncmp(name, unfinished, sizeof unfinished - 1) == 0 &&
           read_claim(path, bytes, sizeof bytes, &length) == 0 &&
           cop_claim_parse(bytes, length, &record) &&
           cop_claim_judge(&record, mine) == COP_CLAIM_DEAD;
}

void cop_claim_files_tidy(const char *directory, uint64_t number, const cop_claim_owner *mine)
{
    DIR *const folder = opendir(directory);
    if (folder == NULL) return;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[PATH_BYTES];
        const uint64_t found = number_of(entry->d_name);
        (void)snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if ((found > 0 && found < number) || is_left_over(path, entry->d_name, mine))
            (void)unlink(path);
    }
    (void)closedir(folder);
}
