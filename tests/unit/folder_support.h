/* A folder of a test's own, below $TMPDIR or /tmp. Both calls return 0, or not 0 on failure, as
 * cmocka's setups and teardowns do. */
#ifndef TESTS_UNIT_FOLDER_SUPPORT_H
#define TESTS_UNIT_FOLDER_SUPPORT_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_BYTES = 256 };

/* Creates a folder and tells its path. */
static inline int folder_create(char path[FOLDER_BYTES])
{
    const char *const root = getenv("TMPDIR");
    const int length = snprintf(path, FOLDER_BYTES, "%s/coppice-test-XXXXXX",
                                root == NULL || root[0] == '\0' ? "/tmp" : root);
    return length < FOLDER_BYTES && mkdtemp(path) != NULL ? 0 : -1;
}

static inline int folder_remove_entry(const char *path, const struct stat *info, int kind,
                                      struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* Removes a folder with all that is in it; links are not followed. */
static inline int folder_remove(const char *path)
{
    return nftw(path, folder_remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

#endif
