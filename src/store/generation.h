/* Loading a run file and finding out what is wrong with it. */
#ifndef COP_STORE_GENERATION_H
#define COP_STORE_GENERATION_H

#include "coppice/base/digest.h"
#include "coppice/store/store.h"
#include "store/seal.h"

/* As cop_store_read(); *verdict as in cop_store_disk_read(), `digest` that of the content.
 * `own`: this process has just written the file; any other is decoded in a process apart. */
cop_status cop_store_load(const char *path, bool own, cop_store **store,
                          char digest[COP_DIGEST_HEX_BYTES], cop_store_verdict *verdict,
                          cop_error *err);

#endif
