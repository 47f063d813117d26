/* Loading a tokenizer, and looking tokens up (tokenizer.h). */
#include "coppice/tokenizer/tokenizer.h"
#include "coppice/base/memory.h"
#include "coppice/json/json.h"
#include "coppice/unicode/unicode.h"
#include "tokenizer/tokenizer_cut.h"
#include "tokenizer/tokenizer_parts.h"

#include <jansson.h>
#include <string.h>

/* Far above any tokenizer there is. */
enum { MAX_FILE_BYTES = 256 << 20 };

cop_status cop_ids_append(cop_ids *ids, int32_t id, cop_error *err)
{
    if (ids->count == ids->capacity) {
        COP_GROW(ids->data, ids->capacity, ids->count + 1, err);
    }
    ids->data[ids->count++] = id;
    return COP_OK;
}

void cop_ids_free(cop_ids *ids)
{
    cop_memory_free(ids->data);
    *ids = (cop_ids){0};
}

static cop_status parse_parts(cop_tokenizer *self, const json_t *json,
                              const cop_tokenizer_cuts *cuts, const cop_tokenizer_side *side,
                              cop_error *err)
{
    COP_CHECK(json_is_object(json), err, COP_ERR_FORMAT, "it is not a JSON object");
    COP_TRY(cop_normalizer_parse(json_object_get(json, "normalizer"), &self->normalizer, err));
    COP_TRY(cop_pretokenizer_parse(json_object_get(json, "pre_tokenizer"), &self->pretokenizer,
                                   err));
    const cop_bpe_source source = {.model = json_object_get(json, "model"),
                                   .vocab = cuts->vocab,
                                   .merges = cuts->merges,
                                   .byte_level =
                                       cop_pretokenizer_is_byte_level(self->pretokenizer)};
    COP_TRY(cop_bpe_parse(&source, &self->bpe, err));
    const json_t *const listed = json_object_get(json, "added_tokens");
    COP_TRY(cop_added_parse(listed, &self->bpe->vocab, &self->added, err));
    if (side != NULL) COP_TRY(cop_tokenizer_side_add(side, listed, self->added, err));
    COP_TRY(cop_added_finish(self->added, self->normalizer, err));
    const json_t *const processor = json_object_get(json, "post_processor");
    const size_t size = cop_tokenizer_size(self);
    COP_TRY(cop_template_parse(processor, false, size, &self->plain, err));
    COP_TRY(cop_template_parse(processor, true, size, &self->special, err));
    COP_CHECK(!self->plain.refused || !self->special.refused, err, COP_ERR_UNSUPPORTED,
              COP_TEMPLATE_REFUSAL);
    return cop_decoder_parse(json_object_get(json, "decoder"), &self->decoder, err);
}

static cop_status parse_text(cop_tokenizer *self, const char *json, size_t length,
                             const cop_tokenizer_side *side, cop_error *err)
{
    cop_json_skip_mark(&json, &length);
    COP_CHECK(cop_unicode_is_valid(json, length), err, COP_ERR_FORMAT, "it is not UTF-8");
    cop_tokenizer_cuts cuts = {0};
    json_t *root = NULL;
    cop_status status = cop_tokenizer_cut(json, length, &cuts, err);
    if (status == COP_OK) {
        status =
            cop_json_read(cuts.rest.data, cuts.rest.length, JSON_REJECT_DUPLICATES, &root, err);
        if (status == COP_ERR_FORMAT) {
            (void)cop_error_prefix(err, "it is not valid JSON");
        } else if (status == COP_OK) {
            status = parse_parts(self, root, &cuts, side, err);
        }
    }
    json_decref(root);
    cop_text_free(&cuts.rest);
    return status;
}

cop_status cop_tokenizer_parse(const char *json, size_t length, const cop_tokenizer_side *side,
                               cop_tokenizer **tokenizer, cop_error *err)
{
    *tokenizer = NULL;
    cop_tokenizer *self = cop_memory_alloc(1, sizeof *self, err);
    if (self == NULL) return COP_ERR_MEMORY;
    const cop_status status = parse_text(self, json, length, side, err);
    if (status != COP_OK) cop_tokenizer_destroy(&self);
    *tokenizer = self;
    return status;
}

static cop_status load(const char *path, const cop_tokenizer_side *side,
                       cop_tokenizer **tokenizer, cop_error *err)
{
    *tokenizer = NULL;
    cop_text json = {0};
    cop_status status = cop_text_read_needed(
        &json, path, MAX_FILE_BYTES,
        "where a model has its tokenizer in another form, such as tokenizer.model, "
        "transformers writes it: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
        err);
    if (status == COP_OK) {
        status = cop_tokenizer_parse(json.data, json.length, side, tokenizer, err);
        if (status != COP_OK) (void)cop_error_prefix(err, "%s", path);
    }
    cop_text_free(&json);
    return status;
}

cop_status cop_tokenizer_load(const char *path, cop_tokenizer **tokenizer, cop_error *err)
{
    return load(path, NULL, tokenizer, err);
}

cop_status cop_tokenizer_load_model(const char *model_dir, cop_tokenizer **tokenizer,
                                    cop_error *err)
{
    *tokenizer = NULL;
    cop_tokenizer_side side = {0};
    char *const path = cop_text_join_path(model_dir, "tokenizer.json", err);
    if (path == NULL) return COP_ERR_MEMORY;
    cop_status status = cop_tokenizer_side_load(model_dir, &side, err);
    if (status == COP_OK) status = load(path, &side, tokenizer, err);
    cop_tokenizer_side_free(&side);
    cop_memory_free(path);
    return status;
}

size_t cop_tokenizer_size(const cop_tokenizer *tokenizer)
{
    const size_t added = cop_added_size(tokenizer->added);
    return added > tokenizer->bpe->vocab.size ? added : tokenizer->bpe->vocab.size;
}

int32_t cop_tokenizer_find(const cop_tokenizer *tokenizer, const char *content)
{
    const size_t length = strlen(content);
    const cop_added_token *const token = cop_added_find(tokenizer->added, content, length);
    return token != NULL ? token->id : cop_vocab_find(&tokenizer->bpe->vocab, content, length);
}

void cop_tokenizer_destroy(cop_tokenizer **tokenizer)
{
    cop_tokenizer *const self = *tokenizer;
    if (self == NULL) return;
    cop_normalizer_destroy(&self->normalizer);
    cop_pretokenizer_destroy(&self->pretokenizer);
    cop_bpe_destroy(&self->bpe);
    cop_added_destroy(&self->added);
    cop_template_free(&self->plain);
    cop_template_free(&self->special);
    cop_decoder_destroy(&self->decoder);
    cop_memory_free(self);
    *tokenizer = NULL;
}
