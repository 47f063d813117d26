/* The seal: the first 512 bytes of a run file, which are its HDF5 user block. A few lines of
 * text with schema version, length and SHA-256 of all that follows, then zeros:
 *
 *     Coppice run file; HDF5 begins at byte 512
 *     schema 1
 *     bytes 10262144
 *     sha256 9f86d0...
 *
 * It is checked before HDF5 sees the file, since HDF5 is not safe on damaged input, and it
 * makes damage to any byte known. Later schema versions keep this form. */
#ifndef COP_STORE_SEAL_H
#define COP_STORE_SEAL_H

#include "coppice/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COP_STORE_SEAL_BYTES = 512,
    COP_STORE_SUPERBLOCK_BYTES = 64 /* behind it: enough of HDF5's own start */
};

/* What a file turned out to be. */
typedef enum cop_store_verdict {
    COP_STORE_INTACT,
    COP_STORE_MISSING,
    COP_STORE_DAMAGED,      /* or no run file at all */
    COP_STORE_OTHER_SCHEMA, /* intact, of another version */
    COP_STORE_REWRITTEN     /* whole, but no longer the bytes that were sealed */
} cop_store_verdict;

/* Writes the seal over bytes [0, 512) of a whole file [length]. */
cop_status cop_store_seal(unsigned char *bytes, size_t length, int schema, cop_error *err);

/* Whether the bytes are a seal, of whatever file. */
bool cop_store_seal_is(const unsigned char seal[COP_STORE_SEAL_BYTES]);

/* Looks at the seal alone: *verdict is INTACT or DAMAGED according to whether a file of
 * `file_bytes` can be a run file; a cheap check before any memory is taken for it. DAMAGED sets
 * *err and returns COP_ERR_FORMAT, as does the next. */
cop_status cop_store_seal_peek(const unsigned char seal[COP_STORE_SEAL_BYTES],
                               uint64_t file_bytes, cop_store_verdict *verdict, cop_error *err);

/* Whether a file of `file_bytes` that does not have its seal's length was rather written anew
 * by a program that copies the seal with the user block, such as h5repack: what follows the
 * seal, bytes [length], begins as an HDF5 file that ends where this one does. */
bool cop_store_seal_rewritten(const unsigned char *bytes, size_t length, uint64_t file_bytes);

/* Checks a whole file against its seal. */
cop_status cop_store_seal_check(const unsigned char *bytes, size_t length,
                                cop_store_verdict *verdict, cop_error *err);

#endif
