/* Reading a model (bpe.h). */
#include "tokenizer/bpe.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/unicode/unicode.h"
#include "tokenizer/tokenizer_json.h"

#include <stdio.h>
#include <string.h>

/* A line of "merges". */
typedef struct line {
    size_t number;   /* from 1 */
    cop_text joined; /* the left side and behind it the right one */
    size_t left;     /* bytes of the left side */
    bool ignored;    /* not a merge */
} line;

/* A line is "left right" or ["left", "right"]. */
static cop_status read_line(cop_scan *json, line *self, cop_error *err)
{
    cop_text *const text = &self->joined;
    cop_text_clear(text);
    self->ignored = false;
    if (cop_scan_peek(json) == '[') {
        bool more = false;
        size_t count = 0;
        COP_TRY(cop_scan_open(json, '[', err));
        for (;;) {
            COP_TRY(cop_scan_next(json, ']', &count, &more, err));
            if (!more) break;
            if (count == 2) self->left = text->length;
            COP_TRY(cop_scan_string(json, text, err));
        }
        COP_CHECK(count == 2, err, COP_ERR_FORMAT, "merge %zu must have two sides",
                  self->number);
        return COP_OK;
    }
    COP_TRY(cop_scan_string(json, text, err));
    self->ignored = strncmp(text->data, "#version", 8) == 0;
    char *const space = memchr(text->data, ' ', text->length);
    COP_CHECK(self->ignored || (space != NULL && strchr(space + 1, ' ') == NULL), err,
              COP_ERR_FORMAT, "merge %zu must be \"left right\" or [\"left\", \"right\"]",
              self->number);
    if (self->ignored) return COP_OK;
    self->left = (size_t)(space - text->data);
    memmove(space, space + 1, text->length - self->left);
    text->length--;
    return COP_OK;
}

/* The id of a side or product of a merge, which the vocabulary must have. */
static cop_status find_token(const cop_vocab *vocab, const char *text, size_t length,
                             size_t number, int32_t *id, cop_error *err)
{
    *id = cop_vocab_find(vocab, text, length);
    COP_CHECK(*id >= 0, err, COP_ERR_FORMAT,
              "merge %zu: the token \"%.*s\" is not in the vocabulary", number,
              cop_unicode_clip(text, length, 60), text);
    return COP_OK;
}

/* Merges mostly make the tokens of a vocabulary in its order: the one behind the last product
 * is tried first, which spares a third of the searches. Contents are unique. */
static cop_status find_product(const cop_vocab *vocab, const line *self, int32_t last,
                               int32_t *id, cop_error *err)
{
    const char *content = NULL;
    size_t length = 0;
    const cop_text *const text = &self->joined;
    *id = last + 1;
    if (cop_vocab_content(vocab, *id, &content, &length) && length == text->length &&
        memcmp(content, text->data, length) == 0)
        return COP_OK;
    return find_token(vocab, text->data, text->length, self->number, id, err);
}

static size_t slot_of(const cop_bpe *bpe, uint64_t pair)
{
    const uint64_t hash = pair * UINT64_C(0x9E3779B97F4A7C15);
    size_t slot = (hash ^ hash >> 32) & bpe->merge_mask;
    while (bpe->merges[slot].product >= 0 && bpe->merges[slot].pair != pair)
        slot = (slot + 1) & bpe->merge_mask;
    return slot;
}

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

const cop_bpe_merge *cop_bpe_find_merge(const cop_bpe *bpe, int32_t left, int32_t right)
{
    const cop_bpe_merge *const merge = &bpe->merges[slot_of(bpe, pair_of(left, right))];
    return merge->product >= 0 ? merge : NULL;
}

static cop_status allocate_merges(cop_bpe *bpe, size_t count, cop_error *err)
{
    COP_CHECK(count < UINT32_MAX / 2, err, COP_ERR_FORMAT, "there are too many merges");
    size_t slots = 16;
    while (slots < count * 2)
        slots *= 2;
    bpe->merge_mask = slots - 1;
    bpe->merges = cop_memory_alloc_raw(slots, sizeof *bpe->merges, err);
    if (bpe->merges == NULL) return COP_ERR_MEMORY;
    for (size_t i = 0; i < slots; i++)
        bpe->merges[i] = (cop_bpe_merge){.product = -1};
    return COP_OK;
}

static cop_status resolve_line(const cop_bpe *bpe, const line *self, int32_t last,
                               cop_bpe_merge *merge, cop_error *err)
{
    const cop_vocab *const vocab = &bpe->vocab;
    const char *const text = self->joined.data;
    const size_t right = self->joined.length - self->left;
    int32_t ids[2] = {0};
    COP_TRY(find_token(vocab, text, self->left, self->number, &ids[0], err));
    COP_TRY(find_token(vocab, text + self->left, right, self->number, &ids[1], err));
    merge->pair = pair_of(ids[0], ids[1]);
    merge->rank = (uint32_t)self->number - 1;
    return find_product(vocab, self, last, &merge->product, err);
}

static cop_status make_room(cop_bpe_merge **merges, size_t *capacity, size_t need,
                            cop_error *err)
{
    COP_GROW(*merges, *capacity, need, err);
    return COP_OK;
}

/* Reads the merges, *count of them, into a growing list. */
static cop_status read_merges(const cop_bpe *bpe, cop_scan json, cop_bpe_merge **merges,
                              size_t *count, cop_error *err)
{
    cop_status status = COP_OK;
    line current = {0};
    bool more = false;
    size_t lines = 0;
    size_t capacity = 0;
    COP_TRY(cop_scan_open(&json, '[', err));
    for (;;) {
        COP_TRY_OUT(cop_scan_next(&json, ']', &lines, &more, err));
        if (!more) break;
        current.number = *count + 1;
        COP_TRY_OUT(read_line(&json, &current, err));
        if (current.ignored) continue;
        COP_TRY_OUT(make_room(merges, &capacity, *count + 1, err));
        const int32_t last = *count == 0 ? -1 : (*merges)[*count - 1].product;
        COP_TRY_OUT(resolve_line(bpe, &current, last, &(*merges)[*count], err));
        (*count)++;
    }
out:
    cop_text_free(&current.joined);
    return status;
}

/* A pair that is listed twice keeps its later rank. */
static cop_status parse_merges(cop_bpe *bpe, cop_scan json, cop_error *err)
{
    cop_bpe_merge *merges = NULL;
    size_t count = 0;
    cop_status status = read_merges(bpe, json, &merges, &count, err);
    if (status == COP_OK) status = allocate_merges(bpe, count, err);
    for (size_t i = 0; i < count && status == COP_OK; i++)
        bpe->merges[slot_of(bpe, merges[i].pair)] = merges[i];
    cop_memory_free(merges);
    return status;
}

/* What other models than plain BPE would say. */
static cop_status refuse_options(const json_t *json, cop_error *err)
{
    const json_t *const type = json_object_get(json, "type");
    COP_CHECK(json_is_object(json), err, COP_ERR_FORMAT, "\"model\" must be an object");
    COP_CHECK(type != NULL || json_object_get(json, "merges") != NULL, err, COP_ERR_FORMAT,
              "\"model\" has neither \"type\" nor \"merges\"");
    if (type != NULL) {
        const char *const name = json_string_value(type);
        COP_CHECK(name != NULL && strcmp(name, "BPE") == 0, err, COP_ERR_UNSUPPORTED,
                  "the model \"%.40s\" is not supported (BPE is)", name == NULL ? "?" : name);
    }
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *const affix = json_object_get(json, affixes[i]);
        COP_CHECK(affix == NULL || json_is_null(affix) || json_string_length(affix) == 0, err,
                  COP_ERR_UNSUPPORTED, "a BPE model with \"%s\" is not supported", affixes[i]);
    }
    COP_CHECK(json_number_value(json_object_get(json, "dropout")) == 0.0, err,
              COP_ERR_UNSUPPORTED, "a BPE model with \"dropout\" is not supported");
    return COP_OK;
}

static cop_status parse_unknown(cop_bpe *bpe, const json_t *json, cop_error *err)
{
    const json_t *const token = json_object_get(json, "unk_token");
    bpe->unknown.id = -1;
    COP_TRY(cop_tokenizer_json_bool(json, "fuse_unk", false, &bpe->unknown.fuse, err));
    if (token == NULL || json_is_null(token)) return COP_OK;
    const char *content = NULL;
    size_t length = 0;
    COP_TRY(cop_tokenizer_json_string(json, "unk_token", &content, &length, err));
    bpe->unknown.content = cop_memory_copy_string(content, length, err);
    if (bpe->unknown.content == NULL) return COP_ERR_MEMORY;
    bpe->unknown.id = cop_vocab_find(&bpe->vocab, content, length);
    return COP_OK;
}

static void find_byte_tokens(cop_bpe *bpe)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        const size_t length = cop_unicode_encode(cop_unicode_of_byte((uint8_t)byte), text);
        bpe->byte_ids[byte] = bpe->byte_level ? cop_vocab_find(&bpe->vocab, text, length) : -1;
        (void)snprintf(text, sizeof text, "<0x%02X>", byte);
        bpe->fallback_ids[byte] =
            bpe->byte_fallback ? cop_vocab_find(&bpe->vocab, text, 6) : -1;
    }
}

static cop_status parse_model(cop_bpe *bpe, const cop_bpe_source *source, cop_error *err)
{
    const json_t *const json = source->model;
    COP_TRY(refuse_options(json, err));
    bpe->byte_level = source->byte_level;
    COP_TRY(cop_tokenizer_json_bool(json, "byte_fallback", false, &bpe->byte_fallback, err));
    COP_TRY(cop_tokenizer_json_bool(json, "ignore_merges", false, &bpe->ignore_merges, err));
    COP_CHECK(source->vocab.json != NULL && source->merges.json != NULL, err, COP_ERR_FORMAT,
              "\"model\" must have \"vocab\" and \"merges\"");
    COP_TRY(cop_vocab_parse(source->vocab, &bpe->vocab, err));
    COP_TRY(parse_unknown(bpe, json, err));
    COP_TRY(parse_merges(bpe, source->merges, err));
    find_byte_tokens(bpe);
    return COP_OK;
}

cop_status cop_bpe_parse(const cop_bpe_source *source, cop_bpe **bpe, cop_error *err)
{
    *bpe = NULL;
    cop_bpe *self = cop_memory_alloc(1, sizeof *self, err);
    if (self == NULL) return COP_ERR_MEMORY;
    const cop_status status = parse_model(self, source, err);
    if (status != COP_OK) cop_bpe_destroy(&self);
    *bpe = self;
    return status;
}

void cop_bpe_destroy(cop_bpe **bpe)
{
    cop_bpe *const self = *bpe;
    if (self == NULL) return;
    cop_vocab_free(&self->vocab);
    cop_memory_free(self->unknown.content);
    cop_memory_free(self->merges);
    cop_memory_free(self);
    *bpe = NULL;
}
