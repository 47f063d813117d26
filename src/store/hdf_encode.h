/* Tree -> bytes of a run file. */
#ifndef COP_STORE_HDF_ENCODE_H
#define COP_STORE_HDF_ENCODE_H

#include "coppice/base/digest.h"
#include "coppice/store/store.h"
#include "store/disk.h"

/* The whole file with room for the seal at its start; the same tree always gives the same
 * bytes. `digest` is that of the tree's content. Free bytes->data with cop_memory_free(). */
cop_status cop_store_hdf_encode(const cop_store *store, const char digest[COP_DIGEST_HEX_BYTES],
                                cop_store_bytes *bytes, cop_error *err);

#endif
