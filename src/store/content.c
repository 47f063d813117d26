#include "store/content.h"

#include "store/tree.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the digest is defined over little-endian numbers");

/* With its NUL, so that no two sequences of texts give the same bytes; an absent text is told
 * from an empty one by the byte before it. */
static cop_status add_text(cop_digest *digest, const char *text, cop_error *err)
{
    const unsigned char present = text != NULL;
    COP_TRY(cop_digest_update(digest, &present, 1, err));
    return text == NULL ? COP_OK : cop_digest_update(digest, text, strlen(text) + 1, err);
}

static cop_status add_array(cop_digest *digest, const cop_store_array *array, cop_error *err)
{
    size_t count = 0;
    size_t bytes = 0;
    COP_TRY(cop_store_array_size(array, &count, &bytes, err));
    const unsigned char kind[2] = {(unsigned char)array->type, (unsigned char)array->rank};
    COP_TRY(cop_digest_update(digest, kind, sizeof kind, err));
    COP_TRY(cop_digest_update(digest, array->shape,
                              (size_t)array->rank * sizeof array->shape[0], err));
    if (array->type != COP_STORE_TEXT)
        return cop_digest_update(digest, array->data, bytes, err);
    const char *const *const texts = array->data;
    for (size_t i = 0; i < count; i++)
        COP_TRY(add_text(digest, texts[i], err));
    return COP_OK;
}

static cop_status add_entry(cop_digest *digest, const cop_store_entry *entry, cop_error *err)
{
    COP_TRY(add_text(digest, entry->path, err));
    COP_TRY(add_array(digest, &entry->array, err));
    COP_TRY(add_text(digest, entry->unit, err));
    return add_text(digest, entry->meaning, err);
}

cop_status cop_store_content_digest(const cop_store *store, char hex[COP_DIGEST_HEX_BYTES],
                                    cop_error *err)
{
    cop_digest *digest = NULL;
    COP_TRY(cop_digest_create(&digest, err));
    cop_status status = COP_OK;
    for (size_t i = 0; i < store->count && status == COP_OK; i++) {
        status = add_entry(digest, store->entries[i], err);
    }
    if (status == COP_OK) status = cop_digest_finish(digest, hex, err);
    cop_digest_destroy(&digest);
    return status;
}
