/* Bytes of a run file -> tree. */
#ifndef COP_STORE_HDF_DECODE_H
#define COP_STORE_HDF_DECODE_H

#include "coppice/base/digest.h"
#include "coppice/store/store.h"

/* Decodes a whole file whose seal was checked. No array is larger than the file itself, and
 * what Coppice does not write (other types, filters, links) is refused: COP_ERR_FORMAT.
 * `digest` is what the file says of its content; it is not compared here. */
cop_status cop_store_hdf_decode(const unsigned char *bytes, size_t length, cop_store **store,
                                char digest[COP_DIGEST_HEX_BYTES], cop_error *err);

#endif
