#include "tokenizer/tokenizer_vocab.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/unicode/unicode.h"
#include "tokenizer/tokenizer_json.h"

#include <string.h>

static uint64_t hash_content(const char *content, size_t length)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ length;
    uint64_t word = 0;
    for (; length >= sizeof word; length -= sizeof word, content += sizeof word) {
        memcpy(&word, content, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, content, length);
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

/* A token as the file gives it. */
typedef struct entry {
    cop_vocab_token token;
    uint32_t id;
} entry;

/* What was read so far. */
typedef struct reader {
    cop_text bytes;
    entry *entries; /* [count], owned */
    size_t count;
    size_t capacity;
    size_t size; /* largest id plus one */
} reader;

/* The slot that holds the content, or the empty one where it would go; *hash is what it holds
 * above the id. */
static size_t find_slot(const cop_vocab *vocab, const char *content, size_t length,
                        uint64_t *hash)
{
    const uint64_t full = hash_content(content, length);
    *hash = full & ~(uint64_t)UINT32_MAX;
    size_t slot = full & vocab->slot_mask;
    for (; vocab->slots[slot] != 0; slot = (slot + 1) & vocab->slot_mask) {
        if ((vocab->slots[slot] & ~(uint64_t)UINT32_MAX) != *hash) continue;
        const cop_vocab_token token = vocab->tokens[(uint32_t)vocab->slots[slot] - 1];
        if (token.length == length &&
            memcmp(vocab->bytes + token.offset, content, length) == 0) {
            break;
        }
    }
    return slot;
}

static cop_status read_entry(reader *self, cop_scan *json, cop_error *err)
{
    const size_t start = self->bytes.length;
    size_t id = 0;
    cop_scan colon = {0};
    COP_TRY(cop_scan_string(json, &self->bytes, err));
    COP_TRY(cop_scan_skip(json, &colon, err));
    const size_t length = self->bytes.length - start;
    if (cop_scan_integer(&colon, COP_TOKENIZER_MAX_IDS - 1, &id, err) != COP_OK) {
        const char *const content = self->bytes.data + start;
        (void)cop_error_prefix(err, "the id of the token \"%.*s\"",
                               cop_unicode_clip(content, length, 60), content);
        return COP_ERR_FORMAT;
    }
    COP_CHECK(self->bytes.length < UINT32_MAX, err, COP_ERR_FORMAT,
              "the vocabulary is too large");
    COP_GROW(self->entries, self->capacity, self->count + 1, err);
    self->entries[self->count++] = (entry){
        .token = {.offset = (uint32_t)start, .length = (uint32_t)length}, .id = (uint32_t)id};
    if (id >= self->size) self->size = id + 1;
    return COP_OK;
}

static cop_status read_entries(reader *self, cop_scan *json, cop_error *err)
{
    bool more = false;
    size_t count = 0;
    COP_TRY(cop_scan_open(json, '{', err));
    for (;;) {
        COP_TRY(cop_scan_next(json, '}', &count, &more, err));
        if (!more) return cop_text_append(&self->bytes, "", 0, err);
        COP_TRY(read_entry(self, json, err));
    }
}

static cop_status allocate(cop_vocab *vocab, size_t count, cop_error *err)
{
    size_t slots = 16;
    while (slots < count * 2)
        slots *= 2;
    vocab->slot_mask = slots - 1;
    vocab->slots = cop_memory_alloc(slots, sizeof *vocab->slots, err);
    vocab->tokens = cop_memory_alloc_raw(vocab->size, sizeof *vocab->tokens, err);
    if (vocab->slots == NULL || vocab->tokens == NULL) return COP_ERR_MEMORY;
    for (size_t id = 0; id < vocab->size; id++)
        vocab->tokens[id].length = COP_VOCAB_ABSENT;
    return COP_OK;
}

static cop_status add_entry(cop_vocab *vocab, const entry *added, cop_error *err)
{
    const char *const content = vocab->bytes + added->token.offset;
    const int shown = cop_unicode_clip(content, added->token.length, 60);
    cop_vocab_token *const token = &vocab->tokens[added->id];
    COP_CHECK(token->length == COP_VOCAB_ABSENT, err, COP_ERR_FORMAT,
              "the id %u belongs to both \"%.*s\" and \"%.*s\"", (unsigned)added->id,
              (int)(token->length < 60 ? token->length : 60), vocab->bytes + token->offset,
              shown, content);
    uint64_t hash = 0;
    const size_t slot = find_slot(vocab, content, added->token.length, &hash);
    COP_CHECK(vocab->slots[slot] == 0, err, COP_ERR_FORMAT, "the token \"%.*s\" has two ids",
              shown, content);
    *token = added->token;
    vocab->slots[slot] = hash | (added->id + 1);
    vocab->count++;
    return COP_OK;
}

cop_status cop_vocab_parse(cop_scan json, cop_vocab *vocab, cop_error *err)
{
    reader self = {0};
    *vocab = (cop_vocab){0};
    cop_status status = read_entries(&self, &json, err);
    vocab->bytes = self.bytes.data;
    vocab->size = self.size;
    if (status == COP_OK) status = allocate(vocab, self.count, err);
    for (size_t i = 0; i < self.count && status == COP_OK; i++)
        status = add_entry(vocab, &self.entries[i], err);
    cop_memory_free(self.entries);
    if (status != COP_OK) cop_vocab_free(vocab);
    return status;
}

int32_t cop_vocab_find(const cop_vocab *vocab, const char *content, size_t length)
{
    uint64_t hash = 0;
    return (int32_t)(uint32_t)vocab->slots[find_slot(vocab, content, length, &hash)] - 1;
}

bool cop_vocab_content(const cop_vocab *vocab, int64_t id, const char **content, size_t *length)
{
    if (id < 0 || (uint64_t)id >= vocab->size) return false;
    const cop_vocab_token token = vocab->tokens[id];
    if (token.length == COP_VOCAB_ABSENT) return false;
    *content = vocab->bytes + token.offset;
    *length = token.length;
    return true;
}

void cop_vocab_free(cop_vocab *vocab)
{
    cop_memory_free(vocab->bytes);
    cop_memory_free(vocab->tokens);
    cop_memory_free(vocab->slots);
    *vocab = (cop_vocab){0};
}
