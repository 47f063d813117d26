#include "tokenizer/tokenizer_normalize.h"
#include "coppice/base/memory.h"
#include "coppice/base/text.h"
#include "coppice/unicode/unicode.h"
#include "tokenizer/tokenizer_json.h"

#include <string.h>

typedef enum step_kind { STEP_FORM, STEP_PREPEND, STEP_REPLACE } step_kind;

typedef struct step {
    step_kind kind;
    cop_unicode_form form;
    cop_pattern *pattern; /* replace */
    cop_text content;     /* prepend, replace */
} step;

struct cop_normalizer {
    step *steps; /* [count] */
    size_t count;
    size_t capacity;
};

static void free_step(step *self)
{
    cop_pattern_destroy(&self->pattern);
    cop_text_free(&self->content);
}

/* Reads the string `key` of a step as its content. */
static cop_status read_content(step *self, const json_t *json, const char *key, cop_error *err)
{
    const char *text = NULL;
    size_t length = 0;
    COP_TRY(cop_tokenizer_json_string(json, key, &text, &length, err));
    return cop_text_append(&self->content, text, length, err);
}

static cop_status read_step(step *self, const char *type, const json_t *json, cop_error *err)
{
    static const char *const forms[] = {[COP_UNICODE_NFC] = "NFC",
                                        [COP_UNICODE_NFD] = "NFD",
                                        [COP_UNICODE_NFKC] = "NFKC",
                                        [COP_UNICODE_NFKD] = "NFKD"};
    const size_t count = sizeof forms / sizeof *forms;
    const size_t form = cop_text_find_name(type, forms, count);
    if (form < count) {
        self->form = (cop_unicode_form)form;
        return COP_OK;
    }
    if (strcmp(type, "Prepend") == 0) {
        self->kind = STEP_PREPEND;
        return read_content(self, json, "prepend", err);
    }
    if (strcmp(type, "Replace") == 0) {
        self->kind = STEP_REPLACE;
        COP_TRY(cop_pattern_parse(json_object_get(json, "pattern"), &self->pattern, err));
        return read_content(self, json, "content", err);
    }
    return cop_error_set(err, COP_ERR_UNSUPPORTED,
                         "the normalizer \"%.40s\" is not supported (NFC, NFD, NFKC, NFKD, "
                         "Prepend, Replace and Sequence are)",
                         type);
}

static cop_status add_part(void *context, const char *type, const json_t *json, cop_error *err)
{
    cop_normalizer *const self = context;
    COP_GROW(self->steps, self->capacity, self->count + 1, err);
    step *const added = &self->steps[self->count];
    *added = (step){.kind = STEP_FORM};
    const cop_status status = read_step(added, type, json, err);
    if (status != COP_OK) {
        free_step(added);
        return status;
    }
    self->count++;
    return COP_OK;
}

cop_status cop_normalizer_parse(const json_t *json, cop_normalizer **normalizer, cop_error *err)
{
    static const cop_tokenizer_parts parts = {"normalizer", "normalizers", add_part};
    *normalizer = NULL;
    cop_normalizer *self = cop_memory_alloc(1, sizeof *self, err);
    if (self == NULL) return COP_ERR_MEMORY;
    const cop_status status = cop_tokenizer_json_parts(json, &parts, self, err);
    if (status != COP_OK) cop_normalizer_destroy(&self);
    *normalizer = self;
    return status;
}

void cop_normalizer_destroy(cop_normalizer **normalizer)
{
    cop_normalizer *const self = *normalizer;
    if (self == NULL) return;
    for (size_t i = 0; i < self->count; i++)
        free_step(&self->steps[i]);
    cop_memory_free(self->steps);
    cop_memory_free(self);
    *normalizer = NULL;
}

static cop_status run_step(const step *self, cop_matcher *matcher, const cop_text *text,
                           cop_text *out, cop_error *err)
{
    switch (self->kind) {
    case STEP_PREPEND:
        /* An empty text stays empty. */
        if (text->length == 0) return COP_OK;
        COP_TRY(cop_text_append(out, self->content.data, self->content.length, err));
        return cop_text_append(out, text->data, text->length, err);
    case STEP_REPLACE:
        return cop_pattern_replace(self->pattern, matcher, text->data, text->length,
                                   &self->content, out, err);
    case STEP_FORM:
        break;
    }
    return cop_unicode_normalize(self->form, text->data, text->length, out, err);
}

cop_status cop_normalizer_run(const cop_normalizer *normalizer, cop_matcher *matcher,
                              cop_text *text, cop_text *spare, cop_error *err)
{
    cop_matcher_bound(matcher, text->length);
    for (size_t i = 0; i < normalizer->count; i++) {
        cop_text_clear(spare);
        COP_TRY(run_step(&normalizer->steps[i], matcher, text, spare, err));
        COP_TRY(cop_matcher_check(matcher, spare->length, err));
        const cop_text kept = *text;
        *text = *spare;
        *spare = kept;
    }
    return COP_OK;
}
