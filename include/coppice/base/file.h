/** \file file.h
 * Bringing bytes and renames to the disk. These return 0 or an error number (errno.h), so that
 * callers can word their own messages.
 */
#ifndef COPPICE_BASE_FILE_H
#define COPPICE_BASE_FILE_H

#include <stddef.h>

/** Writes data [bytes] to a descriptor, whole, signals notwithstanding. \return 0 or errno. */
int cop_file_write(int fd, const void *data, size_t bytes);

/** Makes what was created, renamed or removed in a directory last over a crash of the machine.
 *  A file system that has no such sync is no failure. \return 0 or errno. */
int cop_file_sync_directory(const char *directory);

/** As cop_file_sync_directory(), for the directory that `path` lies in. \return 0 or errno. */
int cop_file_sync_parent(const char *path);

#endif
