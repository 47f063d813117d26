/* Whole run files on disk, as bytes. Messages name the file. */
#ifndef COP_STORE_DISK_H
#define COP_STORE_DISK_H

#include "store/seal.h"

/* A whole file in memory; start from {0}, free `data` with cop_memory_free(). */
typedef struct cop_store_bytes {
    unsigned char *data; /* [length] */
    size_t length;
} cop_store_bytes;

/* Sets *err to "<path>: cannot <action>: <reason>; <remedy>". */
cop_status cop_store_disk_error(cop_error *err, const char *path, const char *action,
                                int number);

/* Creates the file `path` anew, writes it, syncs it. On failure there is no such file. */
cop_status cop_store_disk_write(const char *path, const cop_store_bytes *bytes, cop_error *err);

/* Reads and checks the seal. The file is opened once: another process may rename a new one over
 * it meanwhile. What is wrong with it is in *verdict:
 *   COP_OK: INTACT. COP_ERR_FORMAT: DAMAGED, OTHER_SCHEMA or REWRITTEN. COP_ERR_IO: MISSING,
 *   or INTACT where it could not be read for another reason. */
cop_status cop_store_disk_read(const char *path, cop_store_bytes *bytes,
                               cop_store_verdict *verdict, cop_error *err);

/* Makes renames in the directory of `path` last over a crash of the machine. */
cop_status cop_store_disk_sync_directory(const char *path, cop_error *err);

#endif
