#include "coppice/base/digest.h"

#include "coppice/base/memory.h"

#include <openssl/evp.h>

struct cop_digest {
    EVP_MD_CTX *context;
};

cop_status cop_digest_create(cop_digest **digest, cop_error *err)
{
    *digest = cop_memory_alloc(1, sizeof **digest, err);
    if (*digest == NULL) return COP_ERR_MEMORY;
    (*digest)->context = EVP_MD_CTX_new();
    if ((*digest)->context == NULL ||
        EVP_DigestInit_ex((*digest)->context, EVP_sha256(), NULL) != 1) {
        cop_digest_destroy(digest);
        (void)cop_error_set(err, COP_ERR_INTERNAL, "libcrypto cannot start a SHA-256");
        return COP_ERR_INTERNAL;
    }
    return COP_OK;
}

cop_status cop_digest_update(cop_digest *digest, const void *data, size_t bytes, cop_error *err)
{
    COP_CHECK(EVP_DigestUpdate(digest->context, data, bytes) == 1, err, COP_ERR_INTERNAL,
              "libcrypto cannot compute a SHA-256");
    return COP_OK;
}

cop_status cop_digest_finish(cop_digest *digest, char hex[COP_DIGEST_HEX_BYTES], cop_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    hex[0] = '\0';
    COP_CHECK(EVP_DigestFinal_ex(digest->context, bytes, &length) == 1 && length == 32, err,
              COP_ERR_INTERNAL, "libcrypto cannot end a SHA-256");
    for (size_t i = 0; i < length; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15U];
    }
    hex[64] = '\0';
    return COP_OK;
}

void cop_digest_destroy(cop_digest **digest)
{
    if (digest == NULL || *digest == NULL) return;
    EVP_MD_CTX_free((*digest)->context);
    cop_memory_free(*digest);
    *digest = NULL;
}

cop_status cop_digest_bytes(const void *data, size_t bytes, char hex[COP_DIGEST_HEX_BYTES],
                            cop_error *err)
{
    cop_digest *digest = NULL;
    hex[0] = '\0';
    COP_TRY(cop_digest_create(&digest, err));
    cop_status status = cop_digest_update(digest, data, bytes, err);
    if (status == COP_OK) status = cop_digest_finish(digest, hex, err);
    cop_digest_destroy(&digest);
    return status;
}
