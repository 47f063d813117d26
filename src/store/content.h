/* Digest of a tree's content, whatever its layout on disk. */
#ifndef COP_STORE_CONTENT_H
#define COP_STORE_CONTENT_H

#include "coppice/base/digest.h"
#include "coppice/store/store.h"

/* SHA-256 over all arrays in rising order of path: path, type, shape, data, unit, meaning. */
cop_status cop_store_content_digest(const cop_store *store, char hex[COP_DIGEST_HEX_BYTES],
                                    cop_error *err);

#endif
