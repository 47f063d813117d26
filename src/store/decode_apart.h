/* Bytes of a run file -> tree, in a process of its own. */
#ifndef COP_STORE_DECODE_APART_H
#define COP_STORE_DECODE_APART_H

#include "coppice/base/digest.h"
#include "coppice/store/store.h"

/* As cop_store_hdf_decode(), for a file that nobody vouches for: HDF5 sees it in a child that
 * has no files, no network and no other processes. A file that makes HDF5 crash, spin or take
 * too much memory is COP_ERR_FORMAT. */
cop_status cop_store_decode_apart(const unsigned char *bytes, size_t length, cop_store **store,
                                  char digest[COP_DIGEST_HEX_BYTES], cop_error *err);

#endif
