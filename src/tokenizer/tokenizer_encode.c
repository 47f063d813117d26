/* Text to ids and back (tokenizer.h). Everything that changes is in one call's context: the
 * tokenizer itself is only read. */
#include "coppice/tokenizer/tokenizer.h"
#include "coppice/unicode/unicode.h"
#include "tokenizer/tokenizer_parts.h"

#include <string.h>

/* One call's working memory. */
typedef struct encoder {
    const cop_tokenizer *tokenizer;
    cop_matcher *matcher;
    cop_bpe_scratch *scratch;
    cop_added_parts raw;        /* of the text */
    cop_added_parts normalized; /* of a part of it, normalised */
    cop_text text;              /* that part */
    cop_text spare;
    cop_pieces pieces;
    cop_ids *ids;
} encoder;

static cop_status open_encoder(encoder *self, cop_error *err)
{
    COP_TRY(cop_matcher_create(&self->matcher, err));
    return cop_bpe_scratch_create(&self->scratch, err);
}

static void close_encoder(encoder *self)
{
    cop_matcher_destroy(&self->matcher);
    cop_bpe_scratch_destroy(&self->scratch);
    cop_added_parts_free(&self->raw);
    cop_added_parts_free(&self->normalized);
    cop_text_free(&self->text);
    cop_text_free(&self->spare);
    cop_pieces_free(&self->pieces);
}

/* Cuts normalised text into pieces and merges each. */
static cop_status encode_plain(encoder *self, const char *text, size_t length, bool at_start,
                               cop_error *err)
{
    cop_pieces *const pieces = &self->pieces;
    cop_text_clear(&pieces->text);
    COP_TRY(cop_text_append(&pieces->text, text, length, err));
    pieces->at_start = at_start;
    COP_TRY(cop_pretokenizer_run(self->tokenizer->pretokenizer, self->matcher, pieces, err));
    for (size_t i = 0; i < pieces->spans.count; i++) {
        const cop_span piece = pieces->spans.data[i];
        COP_TRY(cop_bpe_encode(self->tokenizer->bpe, self->scratch,
                               pieces->text.data + piece.start, piece.end - piece.start,
                               self->ids, err));
    }
    return COP_OK;
}

/* Normalises a stretch without raw added tokens and cuts it at the normalised ones. */
static cop_status encode_stretch(encoder *self, const char *text, size_t length, bool at_start,
                                 cop_error *err)
{
    cop_text_clear(&self->text);
    COP_TRY(cop_text_append(&self->text, text, length, err));
    COP_TRY(cop_normalizer_run(self->tokenizer->normalizer, self->matcher, &self->text,
                               &self->spare, err));
    self->normalized.count = 0;
    COP_TRY(cop_added_split(self->tokenizer->added, true, self->text.data, self->text.length,
                            &self->normalized, err));
    for (size_t i = 0; i < self->normalized.count; i++) {
        const cop_added_part part = self->normalized.data[i];
        if (part.token != NULL) {
            COP_TRY(cop_ids_append(self->ids, part.token->id, err));
            continue;
        }
        COP_TRY(encode_plain(self, self->text.data + part.start, part.end - part.start,
                             at_start && part.start == 0, err));
    }
    return COP_OK;
}

static cop_status encode_text(encoder *self, const char *text, size_t length, cop_error *err)
{
    self->raw.count = 0;
    COP_TRY(cop_added_split(self->tokenizer->added, false, text, length, &self->raw, err));
    for (size_t i = 0; i < self->raw.count; i++) {
        const cop_added_part part = self->raw.data[i];
        if (part.token != NULL) {
            COP_TRY(cop_ids_append(self->ids, part.token->id, err));
            continue;
        }
        COP_TRY(encode_stretch(self, text + part.start, part.end - part.start, part.start == 0,
                               err));
    }
    return COP_OK;
}

static cop_status encode_template(encoder *self, const char *text, size_t length, bool special,
                                  cop_error *err)
{
    const cop_template *const template =
        special ? &self->tokenizer->special : &self->tokenizer->plain;
    COP_CHECK(!template->refused, err, COP_ERR_UNSUPPORTED, COP_TEMPLATE_REFUSAL);
    for (size_t i = 0; i < template->count; i++) {
        const int32_t item = template->items[i];
        COP_TRY(item == COP_TEMPLATE_TEXT ? encode_text(self, text, length, err)
                                          : cop_ids_append(self->ids, item, err));
    }
    return COP_OK;
}

cop_status cop_tokenizer_encode(const cop_tokenizer *tokenizer, const char *text, size_t length,
                                bool special, cop_ids *ids, cop_error *err)
{
    encoder self = {.tokenizer = tokenizer, .ids = ids};
    cop_text repaired = {0};
    const size_t count = ids->count;
    cop_status status = COP_OK;
    COP_TRY_OUT(open_encoder(&self, err));
    if (!cop_unicode_is_valid(text, length)) {
        COP_TRY_OUT(cop_unicode_repair(&repaired, text, length, err));
        text = repaired.data;
        length = repaired.length;
    }
    COP_TRY_OUT(encode_template(&self, text, length, special, err));
out:
    if (status != COP_OK) ids->count = count;
    close_encoder(&self);
    cop_text_free(&repaired);
    return status;
}

/* What decoding starts from for an id. \return false if no token has it. */
static bool find_content(const cop_tokenizer *tokenizer, int32_t id, const char **content,
                         size_t *length)
{
    const cop_added_token *const token = cop_added_of_id(tokenizer->added, id);
    if (token == NULL) return cop_vocab_content(&tokenizer->bpe->vocab, id, content, length);
    *content = token->pattern;
    *length = token->pattern_length;
    return true;
}

bool cop_tokenizer_has_text(const cop_tokenizer *tokenizer, int32_t id)
{
    const char *content = NULL;
    size_t length = 0;
    return find_content(tokenizer, id, &content, &length) && length > 0;
}

/* What decoding starts from says whether a token is left out: normalised, a special token is
 * none any more to the usual library. */
static bool is_special(const cop_tokenizer *tokenizer, const cop_added_token *token)
{
    const cop_added_token *const found =
        cop_added_find(tokenizer->added, token->pattern, token->pattern_length);
    return found != NULL && found->special;
}

/* The tokens' contents. A model may have more rows of embedding than its tokenizer has tokens,
 * and generates such ids once it is perturbed: they are left out, as the usual tools do. */
static cop_status collect_contents(const cop_tokenizer *tokenizer, const int32_t *ids,
                                   size_t count, bool skip_special, cop_strings *contents,
                                   cop_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const cop_added_token *const token = cop_added_of_id(tokenizer->added, ids[i]);
        if (token != NULL && skip_special && is_special(tokenizer, token)) continue;
        const char *content = NULL;
        size_t length = 0;
        if (!find_content(tokenizer, ids[i], &content, &length)) continue;
        COP_TRY(cop_text_append(&contents->bytes, content, length, err));
        COP_TRY(cop_strings_close(contents, err));
    }
    return COP_OK;
}

cop_status cop_tokenizer_decode(const cop_tokenizer *tokenizer, const int32_t *ids,
                                size_t count, bool skip_special, cop_text *text, cop_error *err)
{
    cop_strings contents = {0};
    cop_status status = COP_OK;
    COP_TRY_OUT(collect_contents(tokenizer, ids, count, skip_special, &contents, err));
    COP_TRY_OUT(cop_decoder_run(tokenizer->decoder, &contents, text, err));
out:
    cop_strings_free(&contents);
    return status;
}

cop_status cop_tokenizer_decode_settled(const cop_tokenizer *tokenizer, const int32_t *ids,
                                        size_t count, cop_text *text, cop_error *err)
{
    static const char incomplete[] = "\xEF\xBF\xBD";
    const size_t size = sizeof incomplete - 1;
    const size_t start = text->length;
    cop_strings contents = {0};
    cop_status status = COP_OK;
    COP_TRY_OUT(collect_contents(tokenizer, ids, count, false, &contents, err));
    cop_decoder_keep_settled(tokenizer->decoder, &contents);
    COP_TRY_OUT(cop_decoder_run(tokenizer->decoder, &contents, text, err));
    /* A character may have begun there that what follows completes. */
    while (text->length - start >= size &&
           memcmp(text->data + text->length - size, incomplete, size) == 0)
        text->length -= size;
    COP_TRY_OUT(cop_text_append(text, "", 0, err));
out:
    cop_strings_free(&contents);
    return status;
}
