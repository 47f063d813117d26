#include "store/seal.h"

#include "coppice/base/digest.h"
#include "coppice/store/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "Coppice run file; HDF5 begins at byte 512\nschema ";

static cop_status form_seal(unsigned char seal[COP_STORE_SEAL_BYTES],
                            const unsigned char *bytes, size_t length, int schema,
                            cop_error *err)
{
    char hex[COP_DIGEST_HEX_BYTES];
    COP_TRY(cop_digest_bytes(bytes + COP_STORE_SEAL_BYTES, length - COP_STORE_SEAL_BYTES, hex,
                             err));
    memset(seal, 0, COP_STORE_SEAL_BYTES);
    (void)snprintf((char *)seal, COP_STORE_SEAL_BYTES, "%s%d\nbytes %zu\nsha256 %s\n", magic,
                   schema, length, hex);
    return COP_OK;
}

cop_status cop_store_seal(unsigned char *bytes, size_t length, int schema, cop_error *err)
{
    assert(length >= COP_STORE_SEAL_BYTES && schema > 0);
    return form_seal(bytes, bytes, length, schema, err);
}

/* Schema version that a seal states; 0 if it is none. */
static int seal_schema(const char text[COP_STORE_SEAL_BYTES + 1])
{
    const size_t length = sizeof magic - 1;
    if (strncmp(text, magic, length) != 0) return 0;
    const long schema = strtol(text + length, NULL, 10);
    return schema > 0 && schema < 1000000 ? (int)schema : 0;
}

bool cop_store_seal_is(const unsigned char seal[COP_STORE_SEAL_BYTES])
{
    char text[COP_STORE_SEAL_BYTES + 1] = {0};
    memcpy(text, seal, COP_STORE_SEAL_BYTES);
    return seal_schema(text) != 0;
}

cop_status cop_store_seal_peek(const unsigned char seal[COP_STORE_SEAL_BYTES],
                               uint64_t file_bytes, cop_store_verdict *verdict, cop_error *err)
{
    char text[COP_STORE_SEAL_BYTES + 1] = {0};
    memcpy(text, seal, COP_STORE_SEAL_BYTES);
    *verdict = COP_STORE_DAMAGED;
    COP_CHECK(seal_schema(text) != 0, err, COP_ERR_FORMAT,
              "not a run file of Coppice, or damaged at its start");
    const char *const line = strstr(text, "\nbytes ");
    COP_CHECK(line != NULL, err, COP_ERR_FORMAT, "damaged at its start");
    const unsigned long long stated = strtoull(line + 7, NULL, 10);
    COP_CHECK(stated == file_bytes, err, COP_ERR_FORMAT,
              "damaged: %llu bytes long instead of %llu", (unsigned long long)file_bytes,
              stated);
    *verdict = COP_STORE_INTACT;
    return COP_OK;
}

static uint64_t read_offset(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (size_t i = 8; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

bool cop_store_seal_rewritten(const unsigned char *bytes, size_t length, uint64_t file_bytes)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    if (length < COP_STORE_SUPERBLOCK_BYTES || memcmp(bytes, signature, sizeof signature) != 0)
        return false;
    /* Where the superblock has the size of offsets and the end of the file, by its version. */
    const bool old = bytes[8] <= 1;
    const unsigned offset_bytes = bytes[old ? 13 : 9];
    const size_t end = bytes[8] == 0 ? 40 : old ? 44 : 28;
    return bytes[8] <= 3 && offset_bytes == 8 && read_offset(bytes + end) == file_bytes;
}

cop_status cop_store_seal_check(const unsigned char *bytes, size_t length,
                                cop_store_verdict *verdict, cop_error *err)
{
    *verdict = COP_STORE_DAMAGED;
    COP_CHECK(length > COP_STORE_SEAL_BYTES, err, COP_ERR_FORMAT,
              "damaged: cut off after %zu bytes", length);
    COP_TRY(cop_store_seal_peek(bytes, length, verdict, err));
    char text[COP_STORE_SEAL_BYTES + 1] = {0};
    memcpy(text, bytes, COP_STORE_SEAL_BYTES);
    const int schema = seal_schema(text);
    unsigned char seal[COP_STORE_SEAL_BYTES];
    COP_TRY(form_seal(seal, bytes, length, schema, err));
    if (memcmp(seal, bytes, sizeof seal) != 0) {
        *verdict = COP_STORE_DAMAGED;
        return cop_error_set(
            err, COP_ERR_FORMAT,
            "damaged: its content does not have the SHA-256 that it was written "
            "with");
    }
    if (schema != COP_STORE_SCHEMA) {
        *verdict = COP_STORE_OTHER_SCHEMA;
        return cop_error_set(
            err, COP_ERR_FORMAT,
            "schema version %d; this program reads version %d: use the program "
            "that wrote it",
            schema, (int)COP_STORE_SCHEMA);
    }
    *verdict = COP_STORE_INTACT;
    return COP_OK;
}
