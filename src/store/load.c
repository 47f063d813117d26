/* Reading a run file, or the one before it. */
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "store/content.h"
#include "store/decode_apart.h"
#include "store/disk.h"
#include "store/generation.h"
#include "store/hdf_decode.h"

#include <string.h>

static cop_status check_content(const cop_store *store, const char digest[COP_DIGEST_HEX_BYTES],
                                cop_error *err)
{
    char found[COP_DIGEST_HEX_BYTES];
    COP_TRY(cop_store_content_digest(store, found, err));
    COP_CHECK(strcmp(found, digest) == 0, err, COP_ERR_FORMAT,
              "damaged: its arrays do not have the digest in its attribute 'digest'");
    return COP_OK;
}

cop_status cop_store_load(const char *path, bool own, cop_store **store,
                          char digest[COP_DIGEST_HEX_BYTES], cop_store_verdict *verdict,
                          cop_error *err)
{
    cop_store_bytes bytes = {0};
    *store = NULL;
    COP_TRY(cop_store_disk_read(path, &bytes, verdict, err));
    cop_status status =
        own ? cop_store_hdf_decode(bytes.data, bytes.length, store, digest, err)
            : cop_store_decode_apart(bytes.data, bytes.length, store, digest, err);
    cop_memory_free(bytes.data);
    if (status == COP_OK) status = check_content(*store, digest, err);
    if (status != COP_OK) {
        if (status == COP_ERR_FORMAT) *verdict = COP_STORE_DAMAGED;
        cop_store_destroy(store);
        (void)cop_error_prefix(err, "%s", path);
    }
    return status;
}

cop_status cop_store_read(const char *path, cop_store **store, cop_error *err)
{
    char digest[COP_DIGEST_HEX_BYTES];
    cop_store_verdict verdict = COP_STORE_INTACT;
    return cop_store_load(path, false, store, digest, &verdict, err);
}

/* `path` is missing or damaged, as `why` says. */
static cop_status read_previous(const char *path, cop_store_verdict verdict, cop_store **store,
                                cop_error *why, cop_error *err)
{
    cop_text previous = {0};
    COP_TRY(cop_text_format(&previous, err, "%s.prev", path));
    cop_error second = {0};
    char digest[COP_DIGEST_HEX_BYTES];
    cop_store_verdict second_verdict = COP_STORE_INTACT;
    cop_status status =
        cop_store_load(previous.data, false, store, digest, &second_verdict, &second);
    if (status == COP_OK) {
        (void)cop_error_set(why, why->status, "%s; went on from %s", why->message,
                            previous.data);
    } else if (second_verdict == COP_STORE_MISSING && verdict == COP_STORE_MISSING) {
        *why = (cop_error){0};
        status = COP_OK;
    } else if (second_verdict == COP_STORE_MISSING) {
        status =
            cop_error_set(err, why->status,
                          "%s; there is no %s to go on from: move the file away to start anew",
                          why->message, previous.data);
    } else {
        status = cop_error_set(err, status, "%s; and %s", why->message, second.message);
    }
    cop_text_free(&previous);
    return status;
}

cop_status cop_store_read_latest(const char *path, cop_store **store, bool *used_previous,
                                 cop_error *why, cop_error *err)
{
    cop_store_verdict verdict = COP_STORE_INTACT;
    char digest[COP_DIGEST_HEX_BYTES];
    cop_error local = {0};
    cop_error *const reason = why == NULL ? &local : why;
    *reason = (cop_error){0};
    *used_previous = false;
    cop_status status = cop_store_load(path, false, store, digest, &verdict, reason);
    if (status == COP_OK) return COP_OK;
    /* A file of another version, or one that only cannot be read now, is not to be passed over.
     */
    if (verdict == COP_STORE_MISSING || verdict == COP_STORE_DAMAGED) {
        status = read_previous(path, verdict, store, reason, err);
        *used_previous = *store != NULL;
    } else {
        status = cop_error_set(err, status, "%s", reason->message);
    }
    if (status != COP_OK) *reason = (cop_error){0};
    return status;
}
