#include "tokenizer/tokenizer_added.h"
#include "coppice/base/memory.h"
#include "coppice/unicode/unicode.h"
#include "coppice/unicode/unicode_table.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/tokenizer_trie.h"

#include <string.h>

/* Longest content, in bytes: bounds the time that looking for tokens takes. */
enum { MAX_CONTENT = 1024 };

struct cop_added {
    const cop_vocab *vocab;  /* while tokens are added */
    cop_added_token *tokens; /* [count] in the file's order */
    size_t count;
    size_t capacity;
    size_t size;
    int32_t *by_id;      /* [size] index into tokens, -1: none */
    cop_trie contents;   /* index by content */
    cop_trie matches[2]; /* index by what is looked for in the text and in the normalised one */
};

/* --- reading --- */

static cop_status read_flags(cop_added_token *token, const json_t *json, cop_error *err)
{
    COP_TRY(cop_tokenizer_json_bool(json, "single_word", false, &token->single_word, err));
    COP_TRY(cop_tokenizer_json_bool(json, "lstrip", false, &token->lstrip, err));
    COP_TRY(cop_tokenizer_json_bool(json, "rstrip", false, &token->rstrip, err));
    COP_TRY(cop_tokenizer_json_bool(json, "special", false, &token->special, err));
    return cop_tokenizer_json_bool(json, "normalized", !token->special, &token->normalized,
                                   err);
}

/* The id that a content not in the vocabulary gets: behind the vocabulary and all before it. */
static size_t next_id(const cop_added *self)
{
    return self->size > self->vocab->count ? self->size : self->vocab->count;
}

/* The id of a content is the vocabulary's, or the next one. The file's own is not read: the
 * usual tools do not either, and models are trained on theirs. */
static cop_status assign_id(const cop_added *self, cop_added_token *token, cop_error *err)
{
    token->id = cop_vocab_find(self->vocab, token->content, token->length);
    if (token->id >= 0) return COP_OK;
    const char *other = NULL;
    size_t length = 0;
    const size_t id = next_id(self);
    COP_CHECK(id < COP_TOKENIZER_MAX_IDS, err, COP_ERR_FORMAT, "there are too many tokens");
    COP_CHECK(!cop_vocab_content(self->vocab, (int64_t)id, &other, &length), err,
              COP_ERR_FORMAT,
              "the added token \"%.*s\" would get the id %zu, which belongs to \"%.*s\"",
              cop_unicode_clip(token->content, token->length, 60), token->content, id,
              cop_unicode_clip(other, length, 60), other);
    token->id = (int32_t)id;
    return COP_OK;
}

/* A content that is listed again keeps its id and takes the later flags, but stays special. */
static bool update_known(cop_added *self, const cop_added_token *token)
{
    size_t bytes = 0;
    const int32_t index =
        cop_trie_longest(&self->contents, token->content, token->length, &bytes);
    if (index < 0 || bytes != token->length) return false;
    cop_added_token *const known = &self->tokens[index];
    cop_added_token updated = *token;
    updated.content = known->content;
    updated.id = known->id;
    updated.special = known->special || token->special;
    updated.was_normalized = known->was_normalized || known->normalized;
    *known = updated;
    return true;
}

/* Takes token->content over on success. */
static cop_status add_token(cop_added *self, cop_added_token *token, cop_error *err)
{
    if (update_known(self, token)) {
        cop_memory_free(token->content);
        return COP_OK;
    }
    COP_TRY(assign_id(self, token, err));
    COP_TRY(cop_trie_add(&self->contents, token->content, token->length, (int32_t)self->count,
                         err));
    COP_GROW(self->tokens, self->capacity, self->count + 1, err);
    self->tokens[self->count++] = *token;
    if ((size_t)token->id >= self->size) self->size = (size_t)token->id + 1;
    return COP_OK;
}

/* Two contents of one id are a damaged file, whatever the ids are. `seen` has a bit for each.
 */
static cop_status check_id(const cop_added *self, const cop_added_token *token, size_t id,
                           uint8_t *seen, cop_error *err)
{
    const uint8_t bit = (uint8_t)(1u << id % 8);
    const bool again = (seen[id / 8] & bit) != 0;
    COP_CHECK(!again || cop_added_find(self, token->content, token->length) != NULL, err,
              COP_ERR_FORMAT, "the added token \"%.*s\" has the id %zu of another one",
              cop_unicode_clip(token->content, token->length, 60), token->content, id);
    seen[id / 8] |= bit;
    return COP_OK;
}

cop_status cop_added_add(cop_added *added, const cop_added_token *token, cop_error *err)
{
    cop_added_token own = *token;
    if (own.length == 0) return COP_OK; /* can never be found */
    COP_CHECK(own.length <= MAX_CONTENT, err, COP_ERR_UNSUPPORTED,
              "an added token of over %d bytes is not supported", MAX_CONTENT);
    own.content = cop_memory_copy_string(token->content, token->length, err);
    if (own.content == NULL) return COP_ERR_MEMORY;
    const cop_status status = add_token(added, &own, err);
    if (status != COP_OK) cop_memory_free(own.content);
    return status;
}

static cop_status read_token(cop_added *self, const json_t *json, uint8_t *seen, cop_error *err)
{
    cop_added_token token = {0};
    const char *content = NULL;
    size_t id = 0;
    COP_TRY(cop_tokenizer_json_string(json, "content", &content, &token.length, err));
    COP_TRY(cop_tokenizer_json_count(json, "id", COP_TOKENIZER_MAX_IDS - 1, &id, err));
    COP_TRY(read_flags(&token, json, err));
    /* Nothing writes to the content before it is copied. */
    memcpy(&token.content, &content, sizeof content);
    if (token.length > 0) COP_TRY(check_id(self, &token, id, seen, err));
    return cop_added_add(self, &token, err);
}

static cop_status read_tokens(cop_added *self, const json_t *json, cop_error *err)
{
    COP_CHECK(json == NULL || json_is_null(json) || json_is_array(json), err, COP_ERR_FORMAT,
              "\"added_tokens\" must be a list");
    uint8_t *const seen = cop_memory_alloc(COP_TOKENIZER_MAX_IDS / 8, 1, err);
    if (seen == NULL) return COP_ERR_MEMORY;
    cop_status status = COP_OK;
    for (size_t i = 0; i < json_array_size(json) && status == COP_OK; i++)
        status = read_token(self, json_array_get(json, i), seen, err);
    cop_memory_free(seen);
    return status;
}

static cop_status index_ids(cop_added *self, cop_error *err)
{
    self->by_id = cop_memory_alloc_raw(self->size, sizeof *self->by_id, err);
    if (self->by_id == NULL) return COP_ERR_MEMORY;
    for (size_t id = 0; id < self->size; id++)
        self->by_id[id] = -1;
    for (size_t i = 0; i < self->count; i++)
        self->by_id[self->tokens[i].id] = (int32_t)i;
    return COP_OK;
}

/* What a token of the normalised text looks like there is up to the normalizer. */
static cop_status find_pattern(cop_added_token *token, const cop_normalizer *normalizer,
                               cop_matcher *matcher, cop_error *err)
{
    cop_text pattern = {0};
    cop_text spare = {0};
    cop_status status = cop_text_append(&pattern, token->content, token->length, err);
    if (status == COP_OK && (token->normalized || token->was_normalized)) {
        status = cop_normalizer_run(normalizer, matcher, &pattern, &spare, err);
    }
    cop_text_free(&spare);
    token->pattern = pattern.data;
    token->pattern_length = pattern.length;
    return status;
}

static cop_status index_patterns(cop_added *self, const cop_normalizer *normalizer,
                                 cop_matcher *matcher, cop_error *err)
{
    for (size_t i = self->count; i-- > 0;) { /* of two with one pattern the last one counts */
        cop_added_token *const token = &self->tokens[i];
        COP_TRY(find_pattern(token, normalizer, matcher, err));
        const char *const wanted = token->normalized ? token->pattern : token->content;
        const size_t length = token->normalized ? token->pattern_length : token->length;
        if (length == 0) continue; /* can never be found */
        COP_TRY(
            cop_trie_add(&self->matches[token->normalized], wanted, length, (int32_t)i, err));
    }
    return COP_OK;
}

cop_status cop_added_finish(cop_added *added, const cop_normalizer *normalizer, cop_error *err)
{
    added->vocab = NULL;
    COP_TRY(index_ids(added, err));
    cop_matcher *matcher = NULL;
    COP_TRY(cop_matcher_create(&matcher, err));
    const cop_status status = index_patterns(added, normalizer, matcher, err);
    cop_matcher_destroy(&matcher);
    return status;
}

cop_status cop_added_parse(const json_t *json, const cop_vocab *vocab, cop_added **added,
                           cop_error *err)
{
    *added = NULL;
    cop_added *self = cop_memory_alloc(1, sizeof *self, err);
    if (self == NULL) return COP_ERR_MEMORY;
    self->vocab = vocab;
    const cop_status status = read_tokens(self, json, err);
    if (status != COP_OK) cop_added_destroy(&self);
    *added = self;
    return status;
}

void cop_added_destroy(cop_added **added)
{
    cop_added *const self = *added;
    if (self == NULL) return;
    for (size_t i = 0; i < self->count; i++) {
        cop_memory_free(self->tokens[i].content);
        cop_memory_free(self->tokens[i].pattern);
    }
    cop_memory_free(self->tokens);
    cop_memory_free(self->by_id);
    cop_trie_free(&self->contents);
    cop_trie_free(&self->matches[0]);
    cop_trie_free(&self->matches[1]);
    cop_memory_free(self);
    *added = NULL;
}

/* --- looking up --- */

size_t cop_added_size(const cop_added *added)
{
    return added->size;
}

const cop_added_token *cop_added_find(const cop_added *added, const char *content,
                                      size_t length)
{
    size_t bytes = 0;
    const int32_t index = cop_trie_longest(&added->contents, content, length, &bytes);
    return index >= 0 && bytes == length ? &added->tokens[index] : NULL;
}

const cop_added_token *cop_added_of_id(const cop_added *added, int64_t id)
{
    if (id < 0 || (uint64_t)id >= added->size || added->by_id[id] < 0) return NULL;
    return &added->tokens[added->by_id[id]];
}

void cop_added_parts_free(cop_added_parts *parts)
{
    cop_memory_free(parts->data);
    *parts = (cop_added_parts){0};
}

static cop_status append_part(cop_added_parts *parts, cop_added_part part, cop_error *err)
{
    COP_GROW(parts->data, parts->capacity, parts->count + 1, err);
    parts->data[parts->count++] = part;
    return COP_OK;
}

/* True if the characters beside text[start .. end) are not of a word. */
static bool stands_alone(const char *text, size_t length, size_t start, size_t end)
{
    uint32_t code = 0;
    if (start > 0) {
        const size_t before = cop_unicode_previous(text, start);
        (void)cop_unicode_decode(text + before, start - before, &code);
        if (cop_unicode_is_word(code)) return false;
    }
    if (end == length) return true;
    (void)cop_unicode_decode(text + end, length - end, &code);
    return !cop_unicode_is_word(code);
}

/* Where the spaces before `start` begin, not before `least`. */
static size_t skip_back(const char *text, size_t least, size_t start)
{
    while (start > least) {
        uint32_t code = 0;
        const size_t before = cop_unicode_previous(text, start);
        (void)cop_unicode_decode(text + before, start - before, &code);
        if (!cop_unicode_is_space(code)) break;
        start = before;
    }
    return start;
}

/* Where the spaces from `end` on end. */
static size_t skip_on(const char *text, size_t length, size_t end)
{
    while (end < length) {
        uint32_t code = 0;
        const size_t bytes = cop_unicode_decode(text + end, length - end, &code);
        if (!cop_unicode_is_space(code)) break;
        end += bytes;
    }
    return end;
}

cop_status cop_added_split(const cop_added *added, bool normalized, const char *text,
                           size_t length, cop_added_parts *parts, cop_error *err)
{
    const cop_trie *const trie = &added->matches[normalized];
    size_t done = 0; /* may run ahead of `at` by the spaces that a token took */
    size_t at = 0;
    while (at < length) {
        size_t bytes = 0;
        const int32_t index = trie->roots[(uint8_t)text[at]] == 0
                                  ? -1
                                  : cop_trie_longest(trie, text + at, length - at, &bytes);
        if (index < 0) {
            at++;
            continue;
        }
        const cop_added_token *const token = &added->tokens[index];
        size_t start = at;
        size_t end = at + bytes;
        at = end;
        if (token->single_word && !stands_alone(text, length, start, end)) continue;
        if (token->lstrip) {
            const size_t spaces = skip_back(text, done, start);
            start = spaces > done ? spaces : done;
        }
        /* What the token before took behind this one's end are spaces. */
        if (token->rstrip) end = skip_on(text, length, end < done ? done : end);
        if (start >= end) continue; /* the token before took it with its spaces */
        if (done < start) {
            COP_TRY(append_part(parts, (cop_added_part){.start = done, .end = start}, err));
        }
        COP_TRY(append_part(parts, (cop_added_part){token, start, end}, err));
        done = end;
    }
    if (done >= length) return COP_OK;
    return append_part(parts, (cop_added_part){.start = done, .end = length}, err);
}
