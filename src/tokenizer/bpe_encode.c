/* A piece as symbols of the vocabulary (bpe.h). */
#include "coppice/base/memory.h"
#include "coppice/unicode/unicode.h"
#include "tokenizer/bpe_scratch.h"

cop_status cop_bpe_scratch_create(cop_bpe_scratch **scratch, cop_error *err)
{
    *scratch = cop_memory_alloc(1, sizeof **scratch, err);
    return *scratch == NULL ? COP_ERR_MEMORY : COP_OK;
}

void cop_bpe_scratch_destroy(cop_bpe_scratch **scratch)
{
    cop_bpe_scratch *const self = *scratch;
    if (self == NULL) return;
    cop_memory_free(self->symbols);
    cop_memory_free(self->nodes);
    cop_memory_free(self->heap);
    cop_text_free(&self->spelling);
    cop_memory_free(self);
    *scratch = NULL;
}

static void add_symbol(cop_bpe_scratch *scratch, int32_t id)
{
    scratch->symbols[scratch->symbol_count++] = id;
}

/* Takes a character that the vocabulary does not have apart into tokens of its bytes.
 * \return false if a byte has no token. */
static bool add_fallback(const cop_bpe *bpe, cop_bpe_scratch *scratch, const char *text,
                         size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bpe->fallback_ids[(uint8_t)text[i]] < 0) return false;
    }
    for (size_t i = 0; i < length; i++)
        add_symbol(scratch, bpe->fallback_ids[(uint8_t)text[i]]);
    return true;
}

/* Adds one character as the token `id`, or what stands for it if that is -1. An unknown token
 * waits in *pending until a known one or the end comes; fallback bytes go past it. */
static cop_status add_character(const cop_bpe *bpe, cop_bpe_scratch *scratch, int32_t id,
                                const char *text, size_t length, bool *pending, cop_error *err)
{
    const cop_bpe_unknown *const unknown = &bpe->unknown;
    if (id >= 0) {
        if (*pending) add_symbol(scratch, unknown->id);
        *pending = false;
        add_symbol(scratch, id);
        return COP_OK;
    }
    if (bpe->byte_fallback && add_fallback(bpe, scratch, text, length)) return COP_OK;
    if (unknown->content == NULL) return COP_OK;
    COP_CHECK(unknown->id >= 0, err, COP_ERR_FORMAT,
              "the text needs the unk_token \"%.60s\", which the vocabulary does not have",
              unknown->content);
    if (*pending && !unknown->fuse) add_symbol(scratch, unknown->id);
    *pending = true;
    return COP_OK;
}

static cop_status add_bytes(const cop_bpe *bpe, cop_bpe_scratch *scratch, const char *text,
                            size_t length, bool *pending, cop_error *err)
{
    for (size_t i = 0; i < length; i++) {
        const uint8_t byte = (uint8_t)text[i];
        const int32_t id = bpe->byte_ids[byte];
        if (id >= 0 && !*pending) {
            add_symbol(scratch, id);
            continue;
        }
        char character[4];
        const size_t bytes = cop_unicode_encode(cop_unicode_of_byte(byte), character);
        COP_TRY(add_character(bpe, scratch, id, character, bytes, pending, err));
    }
    return COP_OK;
}

static cop_status add_characters(const cop_bpe *bpe, cop_bpe_scratch *scratch, const char *text,
                                 size_t length, bool *pending, cop_error *err)
{
    size_t at = 0;
    while (at < length) {
        uint32_t code = 0;
        const size_t bytes = cop_unicode_decode(text + at, length - at, &code);
        const int32_t id = cop_vocab_find(&bpe->vocab, text + at, bytes);
        COP_TRY(add_character(bpe, scratch, id, text + at, bytes, pending, err));
        at += bytes;
    }
    return COP_OK;
}

/* The id of a whole piece, -1 if the vocabulary does not have it. */
static cop_status find_whole(const cop_bpe *bpe, cop_bpe_scratch *scratch, const char *text,
                             size_t length, int32_t *id, cop_error *err)
{
    if (!bpe->byte_level) {
        *id = cop_vocab_find(&bpe->vocab, text, length);
        return COP_OK;
    }
    cop_text_clear(&scratch->spelling);
    for (size_t i = 0; i < length; i++) {
        char character[4];
        const size_t bytes =
            cop_unicode_encode(cop_unicode_of_byte((uint8_t)text[i]), character);
        COP_TRY(cop_text_append(&scratch->spelling, character, bytes, err));
    }
    *id = cop_vocab_find(&bpe->vocab, scratch->spelling.data, scratch->spelling.length);
    return COP_OK;
}

cop_status cop_bpe_encode(const cop_bpe *bpe, cop_bpe_scratch *scratch, const char *text,
                          size_t length, cop_ids *ids, cop_error *err)
{
    if (bpe->ignore_merges) {
        int32_t whole = -1;
        COP_TRY(find_whole(bpe, scratch, text, length, &whole, err));
        if (whole >= 0) return cop_ids_append(ids, whole, err);
    }
    /* A byte's character has two bytes of its own to fall back on. */
    COP_GROW(scratch->symbols, scratch->symbol_capacity, 2 * length + 1, err);
    scratch->symbol_count = 0;
    bool pending = false;
    COP_TRY(bpe->byte_level ? add_bytes(bpe, scratch, text, length, &pending, err)
                            : add_characters(bpe, scratch, text, length, &pending, err));
    if (pending) add_symbol(scratch, bpe->unknown.id);
    size_t left = 0;
    COP_TRY(cop_bpe_merge_symbols(bpe, scratch, scratch->symbols, scratch->symbol_count, &left,
                                  err));
    for (size_t i = 0; i < left; i++)
        COP_TRY(cop_ids_append(ids, scratch->symbols[i], err));
    return COP_OK;
}
