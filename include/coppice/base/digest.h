/** \file digest.h
 * SHA-256, by OpenSSL's libcrypto.
 */
#ifndef COPPICE_BASE_DIGEST_H
#define COPPICE_BASE_DIGEST_H

#include "coppice/base/status.h"

#include <stddef.h>

enum { COP_DIGEST_HEX_BYTES = 65 }; /* 64 hexadecimal digits and NUL */

typedef struct cop_digest cop_digest;

/** Starts a digest. */
cop_status cop_digest_create(cop_digest **digest, cop_error *err);

/** Adds bytes. */
cop_status cop_digest_update(cop_digest *digest, const void *data, size_t bytes,
                             cop_error *err);

/** Ends the digest and writes it as lower-case hexadecimal digits; only destroy may follow. */
cop_status cop_digest_finish(cop_digest *digest, char hex[COP_DIGEST_HEX_BYTES],
                             cop_error *err);

/** Frees *digest and sets it to NULL; NULL is allowed. */
void cop_digest_destroy(cop_digest **digest);

/** The digest of one block of memory. */
cop_status cop_digest_bytes(const void *data, size_t bytes, char hex[COP_DIGEST_HEX_BYTES],
                            cop_error *err);

#endif
